"""The door: what `ivr up`, `ivr setup` and the supervisor read their settings through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ivr.home.judging.names import unknown
from ivr.home.judging.rules import asked
from ivr.home.settings import TOML_FILE, Settings, SettingsError, load, load_to_judge
from ivr.home.settings_faults import PREFIX, SettingFault, Weight

_STAND_IN = Path("/nonexistent/ivr12345")
"""The state folder with which the other settings are judged where it cannot be known itself."""


@dataclass(frozen=True)
class Verdict:
    """Everything that was found; ``settings`` has defaults where a value could not be read, None without a home."""

    settings: Settings | None
    found: tuple[SettingFault, ...]

    @property
    def faults(self) -> tuple[SettingFault, ...]:
        """What keeps the hotline from starting."""
        return tuple(fault for fault in self.found if fault.weight is Weight.FAULT)

    @property
    def advice(self) -> tuple[SettingFault, ...]:
        """What is only told."""
        return tuple(fault for fault in self.found if fault.weight is Weight.ADVICE)


def judge(*, starting: bool = True) -> Verdict:
    """Judge all settings; nothing is started and nothing is left on the disk.

    Args:
        starting: whether a hotline is about to start with them.
    """
    found: list[SettingFault] = []
    try:
        settings = load()
    except SettingsError as error:
        found += error.faults
        settings = load_to_judge(_STAND_IN)
    unusable = {fault.setting.removeprefix(PREFIX).lower() for fault in found}
    known = set(Settings.model_fields)
    if TOML_FILE in unusable:
        known &= settings.model_fields_set  # of the others nobody knows what the file meant
    if settings.home == _STAND_IN:
        unusable.discard("home")
        known.discard("home")
    judged = asked(settings, frozenset(unusable), starting=starting)
    found += [*unknown(), *(f for f in judged if f.setting.removeprefix(PREFIX).lower() in known)]
    return Verdict(settings if "home" in known else None, tuple(dict.fromkeys(found)))


def admitted(tell: Callable[[SettingFault], None] = lambda _: None, *, starting: bool = True) -> Settings:
    """Return the settings if nothing is wrong with them.

    Args:
        tell: told of every piece of advice.
        starting: whether a hotline is about to start with them.

    Raises:
        SettingsError: with all faults.
    """
    verdict = judge(starting=starting)
    for advice in verdict.advice:
        tell(advice)
    if verdict.faults or verdict.settings is None:
        raise SettingsError(verdict.faults)
    return verdict.settings
