"""Names that no setting has: in the environment, and in ``ivr.toml``.

A name that is nearly one of ours is a slip of the pen and refused, because the value meant does not
count.  Another is only told: it may be of a newer version, or of another program.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

from ivr.home.settings import TOML_FILE, Settings
from ivr.home.settings_faults import PREFIX, SettingFault, Weight

_SLIPS = 2
"""Letters wrong, missing, too many or changed about in a slip of the pen; half as many in a short name."""
_SHORT = 5


def unknown() -> Iterator[SettingFault]:
    """Return a fault or advice for each name that nothing reads."""
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name[len(PREFIX) :].lower() not in Settings.model_fields:
            near = _near(name[len(PREFIX) :])
            yield _told(name, f"{PREFIX}{near.upper()}" if near else "")
    for key in _keys_of_the_file():
        if key not in Settings.model_fields:
            near = _near(key.lower().removeprefix(PREFIX.lower()))
            yield _told(f"{key} ({TOML_FILE})", near)


def _told(name: str, meant: str) -> SettingFault:
    if meant:
        return SettingFault(
            name, f"is no setting; did you mean {meant}?", f"不是有效的设置；是否应为 {meant}？"
        )
    return SettingFault(
        name, "is no setting; nothing reads it.", "不是有效的设置；没有程序读取它。", Weight.ADVICE
    )


def _near(name: str) -> str:
    """Return the setting that was probably meant, by its name in :class:`Settings`; empty for none."""
    from rapidfuzz import process  # only a fault needs it
    from rapidfuzz.distance import DamerauLevenshtein

    slips = _SLIPS if len(name) > _SHORT else _SLIPS // 2
    found = process.extractOne(
        name.lower(), list(Settings.model_fields), scorer=DamerauLevenshtein.distance, score_cutoff=slips
    )
    return found[0] if found else ""


def _keys_of_the_file() -> list[str]:
    try:
        return list(tomllib.loads(Path(TOML_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError):  # told elsewhere
        return []
