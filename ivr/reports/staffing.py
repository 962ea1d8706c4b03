"""How many people a day of calls needs, and what callers meet with those there are (排班测算).

Hour by hour Erlang A; a change of shift inside an hour is told by quarter hours.  The day's figures
are sums over its calls, never means of shares.  Source of the targets: GB/T 33358 (15 s) and the
city's 《工作标准》 (接通率 95 %, 15 s 80 %); occupancy 85 % is our own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from functools import cached_property, lru_cache
from typing import Protocol

from ivr.errors import HotlineError
from ivr.reports.erlang import Load, Performance, performance
from ivr.reports.load_profile import Profile

QUARTERS = 96
"""Quarter hours of a day."""

_SHIFT_OF_HOUR = (2,) * 8 + (0,) * 8 + (1,) * 8
"""Index in ``early/late/night`` of the shift an hour belongs to: 08–16, 16–24, 00–08."""

MOST_PEOPLE = 1000
"""More than so many on duty is taken for a slip of the pen."""

_performance = lru_cache(maxsize=20_000)(performance)


class StaffingRefused(HotlineError):
    """The numbers given make no day."""

    code = "staffing"


class OnDuty(Protocol):
    """A shift that is being worked, with its people by number."""

    @property
    def operators(self) -> Sequence[str]:
        """Who works it."""


class Roster(Protocol):
    """Who works when; ``at`` is aware."""

    def on_duty(self, at: datetime) -> Sequence[OnDuty]:
        """Return the shifts that ``at`` lies in."""


@dataclass(frozen=True)
class DutyPlan:
    """People on duty in each quarter hour of a day, from 00:00 on."""

    quarters: tuple[int, ...]

    @classmethod
    def of_shifts(cls, text: str) -> DutyPlan:
        """Read ``early/late/night``, for example ``6/6/6``.

        Raises:
            StaffingRefused: it is not three whole numbers.
        """
        parts = [part.strip() for part in text.split("/")]
        if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
            raise StaffingRefused(
                f"{text!r} is no plan; write the people on the early, late and night shift as 6/6/6.",
                f"{text!r} 不是在岗人数；请按早班/中班/夜班写成 6/6/6。",
            )
        people = [int(part) for part in parts]
        if max(people) > MOST_PEOPLE:
            raise StaffingRefused(
                f"{max(people)} people on a shift are more than {MOST_PEOPLE}; write fewer.",
                f"一个班次 {max(people)} 人，超过上限 {MOST_PEOPLE} 人；请改小。",
            )
        return cls(tuple(people[_SHIFT_OF_HOUR[quarter // 4]] for quarter in range(QUARTERS)))

    @classmethod
    def of_people(cls, people_at: Callable[[datetime], int], day: date, zone: tzinfo) -> DutyPlan:
        """Ask a roster for each quarter hour of a day.

        Args:
            people_at: how many are on duty at a moment (aware).
            day: the local day.
            zone: the city's time zone.
        """
        midnight = datetime.combine(day, time(), zone)
        return cls(tuple(people_at(midnight + timedelta(minutes=15 * at)) for at in range(QUARTERS)))

    @classmethod
    def of_roster(cls, roster: Roster, day: date, zone: tzinfo) -> DutyPlan:
        """Count a roster's people; who is on two shifts at once is one person."""

        def people_at(at: datetime) -> int:
            return len({person for duty in roster.on_duty(at) for person in duty.operators})

        return cls.of_people(people_at, day, zone)

    def of_hour(self, hour: int) -> float:
        """Return the mean of an hour's quarter hours."""
        return sum(self.quarters[4 * hour : 4 * hour + 4]) / 4

    @property
    def hours(self) -> float:
        """Hours of work in a day."""
        return sum(self.quarters) / 4


@dataclass(frozen=True)
class Demand:
    """The calls of a day; ``aht_s`` and ``patience_s`` are means in seconds."""

    calls_per_day: float
    aht_s: float
    patience_s: float
    profile: Profile

    def load(self, hour: int) -> Load:
        """Return what comes in during an hour."""
        return Load(self.calls_per_day * self.profile.weights[hour], self.aht_s, self.patience_s)


@dataclass(frozen=True)
class Figures:
    """Sums over a stretch of time, and the shares that follow from them.

    Attributes:
        calls: calls that ask for a person.
        answered: calls answered by a person.
        in_time: calls answered within 15 s.
        waited_s: seconds all callers wait, those who hang up too.
        waited_answered_s: seconds the answered wait.
        busy_h: hours of people at work with calls.
        staffed_h: hours of people on duty.
    """

    calls: float
    answered: float
    in_time: float
    waited_s: float
    waited_answered_s: float
    busy_h: float
    staffed_h: float

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            self.calls + other.calls,
            self.answered + other.answered,
            self.in_time + other.in_time,
            self.waited_s + other.waited_s,
            self.waited_answered_s + other.waited_answered_s,
            self.busy_h + other.busy_h,
            self.staffed_h + other.staffed_h,
        )

    @property
    def connection_rate(self) -> float:
        """Answered ÷ offered (人工接通率); 1 where nobody calls."""
        return _quotient(self.answered, self.calls, 1.0)

    @property
    def answered_15s_of_offered(self) -> float:
        """Answered within 15 s ÷ offered."""
        return _quotient(self.in_time, self.calls, 1.0)

    @property
    def answered_15s_of_answered(self) -> float:
        """Answered within 15 s ÷ answered (《工作标准》); 0 where callers come and none is answered."""
        return _quotient(self.in_time, self.answered, 0.0 if self.calls else 1.0)

    @property
    def mean_wait_s(self) -> float:
        """Seconds a caller waits, whether answered or not."""
        return _quotient(self.waited_s, self.calls, 0.0)

    @property
    def mean_wait_answered_s(self) -> float:
        """Seconds the answered wait (平均等待 ASA)."""
        return _quotient(self.waited_answered_s, self.answered, 0.0)

    @property
    def occupancy(self) -> float:
        """Share of their time on duty that people are busy (利用率)."""
        return _quotient(self.busy_h, self.staffed_h, 0.0)

    def shares(self) -> dict[str, float]:
        """Return the figures as ``ivr staffing --json`` prints them; shares 0 to 1, seconds."""
        return {
            "connection_rate": round(self.connection_rate, 6),
            "answered_15s_of_offered": round(self.answered_15s_of_offered, 6),
            "answered_15s_of_answered": round(self.answered_15s_of_answered, 6),
            "mean_wait_s": round(self.mean_wait_s, 3),
            "occupancy": round(self.occupancy, 6),
            "mean_wait_answered_s": round(self.mean_wait_answered_s, 3),
        }


NOTHING = Figures(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Forecast:
    """A day hour by hour, from 00 on."""

    demand: Demand
    plan: DutyPlan
    hours: tuple[Figures, ...]

    @cached_property
    def day(self) -> Figures:
        """The sums over the day."""
        return sum(self.hours, NOTHING)

    def document(self) -> dict[str, object]:
        """Return what ``ivr staffing --json`` prints."""
        return {
            "day": self.day.shares(),
            "hours": [
                {
                    "hour": hour,
                    "calls": round(figures.calls, 3),
                    "on_duty": whole(self.plan.of_hour(hour)),
                    **figures.shares(),
                }
                for hour, figures in enumerate(self.hours)
            ],
        }


def forecast(demand: Demand, plan: DutyPlan) -> Forecast:
    """Return what callers of a day meet, hour by hour, in the long run."""
    return Forecast(demand, plan, tuple(_hour(demand.load(hour), plan, hour) for hour in range(24)))


def _hour(load: Load, plan: DutyPlan, hour: int) -> Figures:
    quarters = plan.quarters[4 * hour : 4 * hour + 4]
    return sum((_stretch(load, people, _performance(load, people)) for people in quarters), NOTHING)


def _stretch(load: Load, people: int, meets: Performance) -> Figures:
    """Return the sums of a quarter hour."""
    calls = load.calls_per_hour / 4
    answered = calls * meets.connection_rate
    return Figures(
        calls=calls,
        answered=answered,
        in_time=calls * meets.answered_in_time,
        waited_s=calls * meets.mean_wait_s,
        waited_answered_s=answered * meets.mean_wait_answered_s if answered else 0.0,
        busy_h=people * meets.occupancy / 4,
        staffed_h=people / 4,
    )


@dataclass(frozen=True)
class Targets:
    """What an hour must reach; shares from 0 to 1."""

    connection_rate: float = 0.95
    answered_15s: float = 0.80
    occupancy: float = 0.85

    def met(self, meets: Performance) -> bool:
        """Tell whether an hour reaches all of them; the 15 s share is that of the offered."""
        return (
            meets.connection_rate >= self.connection_rate
            and meets.answered_in_time >= self.answered_15s
            and meets.occupancy <= self.occupancy
        )


def needed(load: Load, targets: Targets = Targets(), most: int = MOST_PEOPLE) -> int | None:
    """Return the fewest people with whom an hour reaches the targets; None when ``most`` do not.

    With a patience of ``math.inf`` this is the count of Erlang C, which is never too small.
    """
    low, high = 0, 1
    while not targets.met(_performance(load, high)):
        if high >= most:
            return None
        low, high = high, min(most, high * 2)
    while high - low > 1:  # every figure gets better with each person, so halving finds the step
        middle = (low + high) // 2
        low, high = (low, middle) if targets.met(_performance(load, middle)) else (middle, high)
    return high


def needs(demand: Demand, targets: Targets = Targets()) -> tuple[int | None, ...]:
    """Return the fewest people for each hour of the day."""
    return tuple(needed(demand.load(hour), targets) for hour in range(24))


@dataclass(frozen=True)
class Change:
    """One figure before and after a new roster; ``unit`` is ``share`` (0 to 1), ``s`` or ``h``."""

    name: str
    zh: str
    before: float
    after: float
    unit: str = "share"

    def cells(self) -> tuple[str, str, str]:
        """Return before, after and the change as people read them; shares change by points."""
        if self.unit == "share":
            points = f"{100 * (self.after - self.before):+.1f}"
            return f"{self.before:.1%}", f"{self.after:.1%}", points
        change = f"{self.after - self.before:+.1f}"
        return f"{self.before:.1f} {self.unit}", f"{self.after:.1f} {self.unit}", change


EFFECT_ROWS: Mapping[str, tuple[str, Callable[[Figures], float], str]] = {
    "connection rate": ("人工接通率", lambda day: day.connection_rate, "share"),
    "15 s of offered": ("15秒应答（÷呼入）", lambda day: day.answered_15s_of_offered, "share"),
    "15 s of answered": ("15秒应答（÷接通）", lambda day: day.answered_15s_of_answered, "share"),
    "mean wait": ("平均等待", lambda day: day.mean_wait_s, "s"),
    "occupancy": ("利用率", lambda day: day.occupancy, "share"),
    "hours on duty": ("在岗工时", lambda day: day.staffed_h, "h"),
}
"""Figure: its Chinese name, where it comes from, its unit."""


def effect(before: Forecast, after: Forecast) -> tuple[Change, ...]:
    """Return what a new roster does to a day, figure by figure, and to the worst hour of each."""
    rows = [
        Change(name, zh, figure(before.day), figure(after.day), unit)
        for name, (zh, figure, unit) in EFFECT_ROWS.items()
    ]
    low, high = (min(hour.connection_rate for hour in day.hours) for day in (before, after))
    rows.append(Change("connection rate, worst hour", "最差一小时接通率", low, high))
    return tuple(rows)


def _quotient(value: float, by: float, otherwise: float) -> float:
    return value / by if by > 0 else otherwise


def whole(people: float) -> float:
    """Return a count as a whole number where it is one, so that JSON says 6 and not 6.0."""
    return int(people) if math.isclose(people, round(people)) else people
