"""The board of alarms: what a person must look at now.

An alarm has a kind, and what it is about.  It is raised once and cleared once, both journalled.
What comes and goes quickly raises none: a fault must last, and so must its absence.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from ivr.events.event import ENGINE, Event, Kind
from ivr.events.payloads.hotline import AlarmRaised
from ivr.events.payloads.reading import read
from ivr.events.streams import HOTLINE

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fault:
    """Something that is wrong now; ``lasts_s`` and ``gone_s`` are the seconds before it counts, or no more."""

    alarm: str
    about: str
    sentence: str
    sentence_zh: str
    lasts_s: float = 0.0
    gone_s: float = 30.0


@dataclass(frozen=True)
class Alarm:
    """An alarm on the board, since when (seconds since the epoch), in both languages."""

    alarm: str
    about: str
    since: float
    sentence: str
    sentence_zh: str


class Alarms:
    """The alarms that are up.

    Args:
        record: journals an event.
        clock: seconds since the epoch.
    """

    def __init__(self, record: Callable[[Event], object], clock: Callable[[], float]) -> None:
        self._record = record
        self._clock = clock
        self._up: dict[tuple[str, str], Alarm] = {}
        self._seen_since: dict[tuple[str, str], float] = {}
        self._gone_since: dict[tuple[str, str], float] = {}
        self._gone_s: dict[tuple[str, str], float] = {}

    @property
    def active(self) -> tuple[Alarm, ...]:
        """The alarms that are up, the oldest first."""
        return tuple(sorted(self._up.values(), key=lambda alarm: (alarm.since, alarm.alarm, alarm.about)))

    def raise_(self, alarm: str, about: str, sentence: str, sentence_zh: str) -> bool:
        """Raise an alarm; False when it is up already."""
        if (alarm, about) in self._up:
            return False
        data = {"alarm": alarm, "about": about, "sentence": sentence, "sentence_zh": sentence_zh}
        log.warning("alarm %s (%s): %s", alarm, about, sentence)
        event = Event(HOTLINE, self._clock(), Kind.ALARM_RAISED, data)
        self._record(event)
        self.fold(event)
        return True

    def clear(self, alarm: str, about: str, actor: str = ENGINE) -> bool:
        """Clear an alarm; False when it is not up."""
        up = self._up.get((alarm, about))
        if up is None:
            return False
        data = {"alarm": alarm, "about": about, "sentence": up.sentence, "sentence_zh": up.sentence_zh}
        event = Event(HOTLINE, self._clock(), Kind.ALARM_CLEARED, data, actor)
        self._record(event)
        self.fold(event)
        return True

    def judge(self, faults: Iterable[Fault], judged: Collection[str]) -> None:
        """Raise and clear by what is wrong now.

        Args:
            faults: everything that is wrong.
            judged: the kinds that could be looked at; alarms of other kinds stay as they are.
        """
        now = self._clock()
        present = {(fault.alarm, fault.about): fault for fault in faults if fault.alarm in judged}
        for key, fault in present.items():
            self._gone_since.pop(key, None)
            self._gone_s[key] = fault.gone_s
            if now - self._seen_since.setdefault(key, now) >= fault.lasts_s:
                self.raise_(*key, fault.sentence, fault.sentence_zh)
        for key in [k for k in self._seen_since if k[0] in judged and k not in present]:
            if key not in self._up:
                del self._seen_since[key]
        for key in [k for k in self._up if k[0] in judged and k not in present]:
            if now - self._gone_since.setdefault(key, now) >= self._gone_s.get(key, 30.0):
                self.clear(*key)
                self._seen_since.pop(key, None)
                self._gone_since.pop(key, None)
                self._gone_s.pop(key, None)

    def fold(self, event: Event) -> None:
        """Take in what the journal tells."""
        told = read(event.data, AlarmRaised)
        key = told.alarm, told.about
        if event.kind is Kind.ALARM_RAISED:
            self._up.setdefault(key, Alarm(*key, event.at, told.sentence, told.sentence_zh))
        elif event.kind is Kind.ALARM_CLEARED:
            self._up.pop(key, None)

    def restore(self, events: Iterable[Event]) -> None:
        """Take over the alarms that were up before a restart."""
        for event in events:
            self.fold(event)
