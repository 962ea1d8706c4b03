"""Deadlines in workdays, opening hours, and the alarm of a year that is not published."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from ivr.cli.main import main
from ivr.hotline.book import QueueSpec
from ivr.hotline.files.reading import load
from ivr.hotline.workdays import Calendar, CalendarMissing, DeadlineTooFar, OpeningHours, YearOfDays
from tests.unit.configuration_kit import SHIPPED

ZONE = ZoneInfo("Asia/Shanghai")
VECTORS = [
    ("plain week", "2026-11-20", 5, "2026-11-27"),
    ("over 中秋 and 国庆", "2026-09-24", 5, "2026-10-09"),
    ("a Sunday is worked", "2026-09-18", 1, "2026-09-20"),
    ("a Saturday is worked", "2026-10-09", 1, "2026-10-10"),
    ("over 春节", "2026-02-13", 5, "2026-02-27"),
    ("no day at all", "2026-02-15", 0, "2026-02-15"),
]


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    return load(SHIPPED).calendar


@pytest.mark.parametrize(
    ("begin", "count", "due"), [row[1:] for row in VECTORS], ids=[row[0] for row in VECTORS]
)
def test_a_deadline_counts_the_days_that_are_worked(
    calendar: Calendar, begin: str, count: int, due: str
) -> None:
    assert calendar.add_workdays(date.fromisoformat(begin), count) == date.fromisoformat(due)


def test_the_published_years_are_as_published(calendar: Calendar) -> None:
    assert sorted(calendar.years) == [2025, 2026]
    assert [len(calendar.years[year].holidays) for year in (2025, 2026)] == [28, 33]
    assert [len(calendar.years[year].makeup_workdays) for year in (2025, 2026)] == [5, 6]


def test_a_year_that_is_not_published_is_an_alarm_and_never_a_guess(calendar: Calendar) -> None:
    with pytest.raises(CalendarMissing, match="2027") as error:
        calendar.add_workdays(date(2026, 12, 10), 16)
    assert error.value.year == 2027
    assert error.value.code == "calendar_missing"
    assert "2027" in error.value.zh
    assert calendar.add_workdays(date(2026, 12, 10), 15) == date(2026, 12, 31)
    with pytest.raises(CalendarMissing):
        Calendar().is_workday(date(2026, 1, 1))
    with pytest.raises(ValueError, match="before its beginning"):
        calendar.add_workdays(date(2026, 1, 1), -1)


HOURS = OpeningHours(time(9), time(17))
MOMENTS = [
    ("opens", "2026-11-20T09:00", True),
    ("not yet", "2026-11-20T08:59:59", False),
    ("closes", "2026-11-20T17:00", False),
    ("Saturday", "2026-11-21T10:00", False),
    ("a Saturday that is worked", "2026-10-10T10:00", True),
    ("a holiday", "2026-10-01T10:00", False),
    ("at night of an unknown year", "2027-03-01T03:00", False),
]


@pytest.mark.parametrize(("at", "is_open"), [row[1:] for row in MOMENTS], ids=[row[0] for row in MOMENTS])
def test_an_expert_queue_is_open_in_office_hours_only(calendar: Calendar, at: str, is_open: bool) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=ZONE)
    assert HOURS.is_open(moment, calendar) is is_open
    assert HOURS.is_open(moment.astimezone(UTC), calendar) is is_open
    assert QueueSpec("q", "q", hours=HOURS).is_open(moment, calendar) is is_open
    assert QueueSpec("q", "q").is_open(moment, calendar)


def test_office_hours_of_an_unknown_year_are_an_alarm(calendar: Calendar) -> None:
    with pytest.raises(CalendarMissing):
        HOURS.is_open(datetime(2027, 3, 1, 10, tzinfo=ZONE), calendar)


def test_hours_over_midnight_belong_to_the_day_they_begin_on(calendar: Calendar) -> None:
    night = OpeningHours(time(22), time(6))
    assert night.is_open(datetime(2026, 11, 20, 23, tzinfo=ZONE), calendar)
    assert night.is_open(
        datetime(2026, 11, 21, 5, tzinfo=ZONE), calendar
    )  # Saturday morning of Friday's night
    assert not night.is_open(datetime(2026, 11, 21, 23, tzinfo=ZONE), calendar)
    assert not night.is_open(datetime(2026, 11, 20, 12, tzinfo=ZONE), calendar)
    assert OpeningHours(time(0), time(0), workdays_only=False).is_open(
        datetime(2026, 1, 1, tzinfo=ZONE), Calendar()
    )


def _due(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(
        main, ["due", *words], env={"IVR_CONFIG": str(SHIPPED), "IVR_HOME": "/nowhere"}
    )
    return result.exit_code, result.output


def test_the_command_tells_the_due_day() -> None:
    code, output = _due("--workdays", "5", "--from", "2026-09-24T10:00", "--json")
    assert code == 0
    assert json.loads(output) == {
        "due": "2026-10-09",
        "clocks": [{"kind": "reply", "due": "2026-10-09T23:59:59+08:00"}],
    }
    # 17:00 UTC is the day after in China
    assert "2026-09-28" in _due("--workdays", "1", "--from", "2026-09-24T17:00:00+00:00")[1]


def test_the_command_refuses_what_nobody_can_know() -> None:
    code, output = _due("--workdays", "30", "--from", "2026-12-10")
    assert code == 1
    assert "2027" in output
    assert _due("--workdays", "1", "--from", "tomorrow")[0] == 2
    assert _due("--workdays", "-1", "--from", "2026-12-10")[0] == 2


def test_a_deadline_beyond_the_last_day_there_is_is_refused_in_a_sentence() -> None:
    known = Calendar({9999: YearOfDays()})
    assert known.add_workdays(date(9999, 12, 30), 1) == date(9999, 12, 31)
    with pytest.raises(DeadlineTooFar, match="after the year 9999"):
        known.add_workdays(date(9999, 12, 31), 1)
    with pytest.raises(DeadlineTooFar):
        known.add_workdays(date(9999, 12, 30), 1000)
    assert known.add_workdays(date(9999, 12, 31), 0) == date(9999, 12, 31)
