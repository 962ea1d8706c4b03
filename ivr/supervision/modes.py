"""The mode of the hotline (常规、假日、应急): which one is set, by whom, and who may change it.

A change is journalled first and is in force at once: the next caller is received in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ivr.calls.open_calls import CallBook
from ivr.errors import HotlineError
from ivr.events import actors
from ivr.events.event import Event, Kind
from ivr.events.payloads import hotline as payloads
from ivr.events.payloads.reading import read
from ivr.events.streams import HOTLINE
from ivr.hotline.book import HotlineBook
from ivr.hotline.modes import ModeName
from ivr.supervision.leadership import Leader, NotTheLeader, require_leader, shift_leader

MODE_KEYS: Mapping[str, ModeName] = {
    "1": ModeName.REGULAR,
    "2": ModeName.HOLIDAY,
    "3": ModeName.EMERGENCY,
}
"""Digit after ``*14`` to mode."""

_LONGEST_TEXT = 80


class ModeUnknown(HotlineError):
    """A mode that does not exist."""

    code = "mode_unknown"


@dataclass(frozen=True)
class ModeSet:
    """What is set: the mode, who set it, when (seconds since the epoch), and what callers are told."""

    mode: ModeName = ModeName.REGULAR
    by: str = ""
    at: float | None = None
    event: str = ""
    fact: str = ""


class ModeBoard:
    """The mode in force, told by the journal.

    Args:
        book: the present configuration.
        calls: where the mode is journalled and seats are remembered.
        clock: seconds since the epoch.
    """

    def __init__(self, book: Callable[[], HotlineBook], calls: CallBook, clock: Callable[[], float]) -> None:
        self._book = book
        self._calls = calls
        self._clock = clock
        self.set_to = ModeSet()

    @property
    def current(self) -> ModeName:
        """The mode in force."""
        return self.set_to.mode

    def leader(self) -> Leader | None:
        """Return who leads the shift now."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        return shift_leader(self._book(), now, self._calls.logged_in())

    def set(self, mode: str, by: str, event: str = "", fact: str = "") -> ModeSet:
        """Set a mode.

        Args:
            mode: a mode's name.
            by: the operator who wants it.
            event: why many people call, as callers are told; at most 80 characters count.
            fact: the one thing they should know.

        Raises:
            ModeUnknown: there is no such mode.
            NotTheLeader: the operator does not lead the shift; the try is journalled.
        """
        if mode not in ModeName.__members__.values():
            known = ", ".join(ModeName)
            raise ModeUnknown(
                f"there is no mode {mode!r}; choose one of: {known}.", f"没有模式 {mode!r}；可选：{known}。"
            )
        try:
            require_leader(self._book(), by, self.leader())
        except NotTheLeader as error:
            actor = actors.operator(by if self._book().operator(by) else None)
            refused = {"mode": mode, "by": by[:10], "reason": error.sentence}
            self._calls.record(Event(HOTLINE, self._clock(), Kind.MODE_REFUSED, refused, actor))
            raise
        data = {"mode": mode, "by": by, "event": _plain(event), "fact": _plain(fact)}
        told = Event(HOTLINE, self._clock(), Kind.MODE_SET, data, actors.operator(by))
        self._calls.record(told)
        self.fold(told)
        return self.set_to

    def fold(self, event: Event) -> None:
        """Take in what the journal tells; an older word changes nothing, nor one about a mode we lack."""
        told = read(event.data, payloads.ModeSet)
        newer = self.set_to.at is None or event.at >= self.set_to.at
        if event.kind is Kind.MODE_SET and newer and told.mode in ModeName.__members__.values():
            self.set_to = ModeSet(ModeName(told.mode), told.by, event.at, told.event, told.fact)

    def restore(self, events: Iterable[Event]) -> None:
        """Take over what is remembered from before a restart."""
        for event in events:
            self.fold(event)


def _plain(text: str) -> str:
    """Keep what can be read aloud: no control characters, and not too much."""
    return "".join(sign for sign in text if sign.isprintable())[:_LONGEST_TEXT]
