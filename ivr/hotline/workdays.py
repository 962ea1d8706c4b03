"""The workday calendar as the State Council publishes it, and opening hours that depend on it.

A year that is not published is an alarm, never a guess: Monday to Friday is wrong around every
holiday, because working days are moved (调休).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ivr.errors import HotlineError

_SATURDAY = 5


class CalendarMissing(HotlineError):
    """A day lies in a year whose holidays are not in ``calendar.yaml``."""

    code = "calendar_missing"

    def __init__(self, year: int) -> None:
        super().__init__(
            f"the holidays of {year} are not in calendar.yaml; add them as the State Council published them.",
            f"calendar.yaml 中没有 {year} 年的节假日；请按国务院办公厅通知补充。",
        )
        self.year = year


class DeadlineTooFar(HotlineError):
    """A deadline ends after the last day that a calendar can hold."""

    code = "deadline_too_far"

    def __init__(self) -> None:
        super().__init__(
            f"the deadline ends after the year {date.max.year}, the last that a calendar here has; give an earlier day.",
            f"时限超出 {date.max.year} 年，日历到此为止；请给出更早的日期。",
        )


@dataclass(frozen=True)
class YearOfDays:
    """One published year: days off, and weekend days that are worked instead (调休)."""

    holidays: frozenset[date] = frozenset()
    makeup_workdays: frozenset[date] = frozenset()


@dataclass(frozen=True)
class Calendar:
    """All published years."""

    years: Mapping[int, YearOfDays] = field(default_factory=dict)

    def has(self, year: int) -> bool:
        """Tell whether the holidays of ``year`` are known."""
        return year in self.years

    def is_workday(self, day: date) -> bool:
        """Tell whether offices work on ``day``.

        Raises:
            CalendarMissing: the year is not published.
        """
        year = self.years.get(day.year)
        if year is None:
            raise CalendarMissing(day.year)
        if day in year.makeup_workdays:
            return True
        return day.weekday() < _SATURDAY and day not in year.holidays

    def add_workdays(self, day: date, count: int) -> date:
        """Return the last day of a deadline of ``count`` workdays that begins on ``day``.

        The count starts the day after; the deadline ends at 24:00 of the day returned.

        Raises:
            CalendarMissing: the way leads into a year that is not published.
            DeadlineTooFar: the way leads beyond the year 9999.
            ValueError: ``count`` is negative.
        """
        if count < 0:
            raise ValueError("a deadline cannot lie before its beginning")
        while count:
            if day == date.max:
                raise DeadlineTooFar
            day += timedelta(days=1)
            count -= self.is_workday(day)
        return day


@dataclass(frozen=True)
class OpeningHours:
    """From ``start`` to ``end`` by the clock of ``timezone``; ``end`` at or before ``start`` is the day after."""

    start: time
    end: time
    workdays_only: bool = True
    timezone: str = "Asia/Shanghai"

    def is_open(self, at: datetime, calendar: Calendar) -> bool:
        """Tell whether ``at`` (aware) lies within the hours.

        Raises:
            CalendarMissing: it does by the clock, and nobody knows whether that day is worked.
        """
        local = at.astimezone(ZoneInfo(self.timezone))
        clock, day = local.time(), local.date()
        if self.start < self.end:
            within = self.start <= clock < self.end
        else:
            within = clock >= self.start or clock < self.end
            if clock < self.end and clock < self.start:
                day -= timedelta(days=1)
        return within and (not self.workdays_only or calendar.is_workday(day))
