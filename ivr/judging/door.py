"""The door: what `ivr up`, `ivr setup` and the supervisor read their settings through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ivr.judging.names import unknown
from ivr.judging.rules import asked
from ivr.settings import Settings, SettingsError, load, load_to_look
from ivr.settings_faults import PREFIX, SettingFault, Weight


@dataclass(frozen=True)
class Verdict:
    """Everything that was found; ``settings`` has defaults where a value could not be read."""

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
    settings: Settings | None = None
    try:
        settings = load()
    except SettingsError as error:
        found += error.faults
        try:
            settings = load_to_look()
        except SettingsError:
            return Verdict(None, (*found, *unknown()))
    unusable = frozenset(fault.setting.removeprefix(PREFIX).lower() for fault in found)
    found += [*unknown(), *asked(settings, unusable, starting=starting)]
    return Verdict(settings, tuple(dict.fromkeys(found)))


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
