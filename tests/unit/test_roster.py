"""Somebody is always on duty, one of them leads, and nobody works two shifts running."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ivr.hotline.book import HotlineBook
from ivr.hotline.duty import Crew, Roster, Shift
from ivr.hotline.files.reading import load
from tests.unit.configuration_kit import SHIPPED, Desk

ZONE = ZoneInfo("Asia/Shanghai")
EARLY_1 = "- early: {leader: '1001', teams: [A, B]}"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(scope="module")
def shipped() -> HotlineBook:
    return load(SHIPPED)


@pytest.mark.parametrize("first", [date(2020, 2, 20), date(2026, 11, 22), date(2061, 12, 25)])
def test_somebody_is_on_duty_at_every_hour_and_one_of_them_leads(shipped: HotlineBook, first: date) -> None:
    leads = {person.number for person in shipped.operators if person.leads}
    begin = datetime.combine(first, time(0), ZONE)
    for half_hour in range(2 * 24 * 12):
        (duty,) = shipped.roster.on_duty(begin + timedelta(minutes=30 * half_hour))
        assert len(duty.operators) == 4
        assert duty.leader in duty.operators
        assert duty.leader in leads


def test_every_operator_has_a_shift_and_two_days_of_rest_in_each_turn(shipped: HotlineBook) -> None:
    days = [shipped.roster.duties(date(2026, 11, 1) + timedelta(days=n)) for n in range(9)]
    worked = [number for duties in days for duty in duties for number in duty.operators]
    assert {worked.count(person.number) for person in shipped.operators} == {6}


def test_nobody_works_two_shifts_running_over_a_year(shipped: HotlineBook) -> None:
    ends: dict[str, datetime] = {}
    for n in range(365):
        for duty in sorted(
            shipped.roster.duties(date(2026, 1, 1) + timedelta(days=n)), key=lambda d: d.starts_at
        ):
            for number in duty.operators:
                assert duty.starts_at - ends.get(number, duty.starts_at - timedelta(days=9)) >= timedelta(
                    hours=8
                )
                ends[number] = duty.ends_at


def test_a_single_day_goes_before_the_cycle_shift_by_shift(desk: Desk) -> None:
    desk.edit(
        "roster.yaml",
        "days: {}",
        "days: {'2026-11-23': {late: {leader: '1011', operators: ['1011', '1012', '1013']}}}",
    )
    assert desk.said() == []
    roster = load(desk.folder).roster
    duty = roster.duty(date(2026, 11, 23), "late")
    assert duty is not None
    assert (duty.leader, duty.operators) == ("1011", ("1011", "1012", "1013"))
    assert roster.duty(date(2026, 11, 23), "early") == load(SHIPPED).roster.duty(date(2026, 11, 23), "early")
    assert roster.duty(date(2026, 11, 24), "late") == load(SHIPPED).roster.duty(date(2026, 11, 24), "late")


def test_a_shift_over_midnight_belongs_to_the_day_it_begins_on() -> None:
    night = Shift("night", "夜班", time(22), time(6))
    roster = Roster((night,), date(2026, 1, 1), ({"night": Crew("1001", ("1001",))}, {}))
    after = datetime(2026, 1, 2, 5, 59, tzinfo=ZONE)
    assert [duty.day for duty in roster.on_duty(after)] == [date(2026, 1, 1)]
    assert roster.on_duty(after + timedelta(minutes=1)) == ()
    assert roster.duty(date(2026, 1, 2), "night") is None
    assert roster.on_duty(after.astimezone(ZoneInfo("UTC"))) == roster.on_duty(after)


def test_an_operator_may_come_early_and_stay_late_within_the_slack() -> None:
    day = Shift("day", "白班", time(8), time(16))
    roster = Roster((day,), date(2026, 1, 1), ({"day": Crew("1001", ("1001",))},))
    before = datetime(2026, 1, 5, 7, 45, tzinfo=ZONE)
    assert roster.is_rostered("1001", before, 900)
    assert not roster.is_rostered("1001", before, 899)
    assert not roster.is_rostered("1001", before)
    assert roster.is_rostered("1001", before.replace(hour=16, minute=14), 900)
    assert not roster.is_rostered("1002", before, 900)


def test_an_empty_roster_has_nobody_on_duty() -> None:
    assert Roster().on_duty(datetime(2026, 1, 1, tzinfo=ZONE)) == ()
    assert Roster().duty(date(2026, 1, 1), "early") is None


FAULTS = [
    ("two leaders", "leader: '1001'", "leader: ['1001', '1003']", "exactly one leader"),
    (
        "two leaders, written twice",
        "leader: '1001'",
        "leader: '1001', leader: '1003'",
        "leader stands a second time",
    ),
    ("no leader", "leader: '1001', ", "", "leader is missing"),
    ("a leader who does not work", "leader: '1001'", "leader: '1005'", "1005 does not work this shift"),
    ("a leader who may not", "leader: '1001'", "leader: '1002'", "1002 may not lead"),
    (
        "twice at once",
        "teams: [A, B]}",
        "teams: [A, B], operators: ['1001']}",
        "1001 stands twice on this shift",
    ),
    (
        "two shifts running",
        "teams: [C, D]}",
        "teams: [C, D, A]}",
        "1001 works early (day 1 of the cycle) and late",
    ),
    ("no such team", "teams: [A, B]}", "teams: [A, Z]}", "there is no team Z"),
    ("no such operator", "A: ['1001', '1002']", "A: ['1001', '1020']", "there is no operator 1020"),
    ("no such shift", "- early:", "- erly:", "did you mean early?"),
    ("a day that is none", "from: '2026-01-01'", "from: '2026-02-30'", "there is no day 2026-02-30"),
]


@pytest.mark.parametrize(("old", "new", "words"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_a_roster_against_the_rules_is_refused_in_its_line(
    desk: Desk, old: str, new: str, words: str
) -> None:
    rows = [row for row in desk.edit("roster.yaml", old, new).said() if words in row]
    assert any(row.startswith(f"roster.yaml:{desk.edited}: ") for row in rows), desk.said()


def test_a_city_cannot_switch_the_rest_between_two_shifts_off(desk: Desk) -> None:
    desk.edit("roster.yaml", "rest_h: 8", "rest_h: 0")
    assert [row.partition(": ")[0] for row in desk.said()] == [f"roster.yaml:{desk.edited}"]
    desk.edit("roster.yaml", "rest_h: 0", "rest_h: 1")
    assert desk.said() == []
    desk.edit("roster.yaml", "teams: [C, D]}", "teams: [C, D, A]}")
    assert all("1 hours between them" in row for row in desk.said()) and desk.said()


def test_two_shifts_running_over_midnight_are_refused(desk: Desk) -> None:
    desk.edit(
        "roster.yaml", "night: {leader: '1011', teams: [E, F]}", "night: {leader: '1011', teams: [E, F, C]}"
    )
    assert any(
        "1005 works late (day 1 of the cycle) and night (day 2 of the cycle)" in row for row in desk.said()
    )


def test_two_shifts_running_over_the_seam_of_the_cycle_are_refused(desk: Desk) -> None:
    text = (desk.folder / "roster.yaml").read_text("utf-8")
    last = [row for row in text.splitlines() if "late:" in row][-1]
    desk.edit("roster.yaml", last, last.replace("]}", ", F]}"))
    rows = desk.said()
    assert any(
        "1011 works late (day 9 of the cycle) and night (day 1 of the cycle)" in row for row in rows
    ), rows


def test_two_shifts_running_because_of_a_single_day_are_refused(desk: Desk) -> None:
    night = load(SHIPPED).roster.duty(date(2026, 11, 24), "night")
    assert night is not None
    crew = f"{{leader: '{night.leader}', operators: ['{night.leader}']}}"
    desk.edit("roster.yaml", "days: {}", f"days: {{'2026-11-23': {{late: {crew}}}}}")
    (row,) = desk.said()
    assert f"{night.leader} works late (2026-11-23) and night (2026-11-24)" in row
    assert row.startswith(f"roster.yaml:{desk.edited}: ")


SHIFTS = [
    ("overlap", "end: '16:00'", "end: '16:30'", "shift late overlaps shift early"),
    ("overlap over midnight", "end: '00:00'", "end: '00:30'", "shift night overlaps shift late"),
    ("a gap", "end: '16:00'", "end: '15:30'", "no shift covers 15:30-16:00"),
    ("a gap before midnight", "end: '00:00'", "end: '23:00'", "no shift covers 23:00-00:00"),
    ("a whole day", "end: '16:00'", "end: '08:00'", "overlaps"),
    ("24:00", "end: '00:00'", "end: '24:00'", "from '00:00' to '23:59'"),
    ("twice", "id: late", "id: early", "shift id early stands twice"),
]


@pytest.mark.parametrize(("old", "new", "words"), [row[1:] for row in SHIFTS], ids=[row[0] for row in SHIFTS])
def test_shifts_that_overlap_or_leave_an_hour_free_are_refused(
    desk: Desk, old: str, new: str, words: str
) -> None:
    assert any(words in row for row in desk.edit("shifts.yaml", old, new).said())


def test_shifts_may_begin_at_any_hour_if_together_they_cover_the_day(desk: Desk) -> None:
    text = "shifts:\n  - {id: early, name: 早, start: '07:30', end: '19:30'}\n"
    text += "  - {id: night, name: 夜, start: '19:30', end: '07:30'}\n"
    desk.write("shifts.yaml", text.encode())
    desk.write(
        "roster.yaml",
        b"cycle:\n  from: '2026-01-01'\n  days:\n"
        b"    - {early: {leader: '1001', operators: ['1001']}, night: {leader: '1003', operators: ['1003']}}\n",
    )
    assert desk.said() == []


ADVICE = [
    (
        "nobody",
        EARLY_1,
        "- {}\n    - early: {leader: '1001', teams: [A, B]}",
        "nobody is on duty and nobody leads on day 1",
    ),
    (
        "too few",
        EARLY_1,
        "- early: {leader: '1001', teams: [A]}",
        "2 on duty on day 1 of the cycle, shift early",
    ),
]


@pytest.mark.parametrize(("old", "new", "words"), [row[1:] for row in ADVICE], ids=[row[0] for row in ADVICE])
def test_an_hour_with_too_few_people_is_advised_about(desk: Desk, old: str, new: str, words: str) -> None:
    rows = [row for row in desk.edit("roster.yaml", old, new).advised() if words in row]
    assert any(row.startswith(f"roster.yaml:{desk.edited}: ") for row in rows), desk.advised()


def test_an_operator_nobody_rosters_is_advised_about(desk: Desk) -> None:
    desk.edit("operators.yaml", "operators:\n", "operators:\n  - {number: '1099', name: 新人}\n")
    assert desk.advised() == ["operators.yaml:5: operator 1099 is never rostered; add them to roster.yaml."]
