"""Who is on duty when: shifts (班次), the roster (排班), the shift leader (值班长).

Teams rotate in a cycle of days that has no end; single days override it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Operator:
    """A person who sits on a seat during a shift; ``leads``: may be shift leader."""

    number: str
    name: str
    queues: tuple[str, ...]
    skills: tuple[str, ...] = ()
    leads: bool = False


@dataclass(frozen=True)
class ExpectedDemand:
    """What a day is expected to bring: calls, seconds a call keeps a person, seconds a caller waits."""

    calls_per_day: int
    aht_s: int = 210
    patience_s: int = 90


@dataclass(frozen=True)
class Shift:
    """A part of the day; an ``end`` at or before ``start`` lies on the next day."""

    id: str
    name: str
    start: time
    end: time
    min_on_duty: int = 1

    def span(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Return when the shift that begins on ``day`` begins and ends."""
        last = day if self.start < self.end else day + timedelta(days=1)
        return datetime.combine(day, self.start, zone), datetime.combine(last, self.end, zone)


@dataclass(frozen=True)
class Duty:
    """One shift of one day with its people; ``leader`` is one of ``operators``."""

    shift: Shift
    day: date
    starts_at: datetime
    ends_at: datetime
    leader: str
    operators: tuple[str, ...]


@dataclass(frozen=True)
class Crew:
    """Who works a shift, by operator number."""

    leader: str
    operators: tuple[str, ...]


@dataclass(frozen=True)
class Roster:
    """The cycle (one entry a day, crews by shift id) and the days that differ from it."""

    shifts: tuple[Shift, ...] = ()
    cycle_from: date = date(2026, 1, 1)
    cycle: tuple[Mapping[str, Crew], ...] = ()
    days: Mapping[date, Mapping[str, Crew]] = field(default_factory=dict)
    timezone: str = "Asia/Shanghai"

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def crew(self, day: date, shift_id: str) -> Crew | None:
        """Return who works the shift; what ``days`` says about it goes before the cycle."""
        own = self.days.get(day, {}).get(shift_id)
        if own is not None or not self.cycle:
            return own
        return self.cycle[(day - self.cycle_from).days % len(self.cycle)].get(shift_id)

    def duty(self, day: date, shift_id: str) -> Duty | None:
        """Return the duty of a shift that begins on ``day``; None where nobody is rostered."""
        return next((duty for duty in self.duties(day) if duty.shift.id == shift_id), None)

    def duties(self, day: date) -> tuple[Duty, ...]:
        """Return the duties that begin on ``day``, in the order of the shifts."""
        found = []
        for shift in self.shifts:
            crew = self.crew(day, shift.id)
            if crew is not None and crew.operators:
                starts_at, ends_at = shift.span(day, self._zone)
                found.append(Duty(shift, day, starts_at, ends_at, crew.leader, crew.operators))
        return tuple(found)

    def on_duty(self, at: datetime) -> tuple[Duty, ...]:
        """Return the duties that ``at`` (aware) lies in."""
        return tuple(duty for duty in self._near(at) if duty.starts_at <= at < duty.ends_at)

    def is_rostered(self, operator: str, at: datetime, slack_s: float = 0) -> bool:
        """Tell whether the operator is on duty at ``at``, or within ``slack_s`` seconds before or after."""
        slack = timedelta(seconds=slack_s)
        return any(
            operator in duty.operators and duty.starts_at - slack <= at < duty.ends_at + slack
            for duty in self._near(at)
        )

    def _near(self, at: datetime) -> tuple[Duty, ...]:
        today = at.astimezone(self._zone).date()
        return tuple(duty for ahead in (-1, 0, 1) for duty in self.duties(today + timedelta(days=ahead)))
