"""What an Asterisk must be and have, asked over AMI after each log-in.

An Asterisk of ours was proved before it started; a city's own may be anything.
"""

from __future__ import annotations

from ivr.asterisk.ami.link import AmiError, AmiRefused, Link
from ivr.asterisk.install.installation import OLDEST, major

ESSENTIAL_MODULES = (
    "app_queue",
    "app_playback",
    "app_mixmonitor",
    "app_celgenuserevent",
    "app_userevent",
    "res_agi",
    "res_musiconhold",
    "chan_pjsip",
    "res_pjsip_refer",
    "res_pjsip_registrar",
    "res_pjsip_t38",
    "func_cut",
    "func_groupcount",
    "func_lock",
    "func_md5",
    "func_timeout",
    "func_dialplan",
    "func_strings",
    "cel_custom",
    "cdr_custom",
)


async def check(link: Link) -> str:
    """Check version and modules.

    Returns:
        The version, for example ``22.10.1``.

    Raises:
        AmiError: it is too old or lacks something; the sentence names all of it.
    """
    version = (await link.action("CoreSettings")).get("AsteriskVersion")
    if major(version) < OLDEST:
        raise AmiError(
            f"Asterisk is {version}; version {OLDEST} or newer is needed.",
            f"Asterisk 版本为 {version},需要 {OLDEST} 及以上。",
        )
    missing = [name for name in ESSENTIAL_MODULES if not await _loaded(link, name)]
    if missing:
        names = ", ".join(missing)
        raise AmiError(
            f"Asterisk runs without {names}: load these modules in modules.conf and restart it.",
            f"Asterisk 未加载 {names}:请在 modules.conf 中加载后重启。",
        )
    return version


async def _loaded(link: Link, module: str) -> bool:
    try:
        await link.action("ModuleCheck", {"Module": module})
    except AmiRefused:
        return False
    return True
