"""Rules about what is run and spoken: the Asterisk program, the speech model, the language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ivr.home.settings import Settings
from ivr.home.settings_faults import SettingFault

_LANGUAGE = re.compile(r"(zh|en)([-_.@].*)?|C|POSIX", re.IGNORECASE)


def language(settings: Settings) -> Iterator[SettingFault]:
    """Judge whether we speak it."""
    if settings.language and not _LANGUAGE.fullmatch(settings.language):
        yield SettingFault(
            "IVR_LANGUAGE",
            f"is {settings.language!r}; write zh or en, or unset it.",
            f"的值为“{settings.language}”；请写 zh 或 en，或取消该设置。",
        )


def asterisk(settings: Settings) -> Iterator[SettingFault]:
    """Judge whether the program that was named is an Asterisk; one that is looked for is the start's business."""
    from ivr.asterisk.install.installation import UNPACKED, InstallationError, check_named

    if settings.asterisk in ("", UNPACKED) or settings.external_asterisk:
        return

    try:
        check_named(settings.asterisk)
    except InstallationError as error:
        yield SettingFault(
            "IVR_ASTERISK",
            error.sentence.removeprefix("IVR_ASTERISK "),
            error.zh.removeprefix("IVR_ASTERISK "),
        )


def speech_model(settings: Settings) -> Iterator[SettingFault]:
    """Judge whether something else was named. A model that is gone or damaged keeps no caller waiting."""
    path = Path(settings.vosk_model)
    if settings.vosk_model and path.exists() and not (path / "am").is_dir():
        yield SettingFault(
            "IVR_VOSK_MODEL",
            f"names {path}, which is no vosk model; name the folder that holds am, conf and graph, or unset it.",
            f"所指的 {path} 不是 vosk 模型；请写含有 am、conf 和 graph 的目录，或取消该设置。",
        )
