"""The watch over shifts on virtual time: a whole week without a false alarm, and every fault seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.alarms.board import Alarms
from ivr.calls.states import SeatState
from ivr.events.event import HOTLINE
from ivr.hotline.book import HotlineBook, Operator
from ivr.hotline.duty import Crew, Roster, Shift
from ivr.hotline.workdays import Calendar, YearOfDays
from ivr.supervision import shift_watch
from ivr.supervision.shift_watch import Sitting, watch
from tests.unit.kit import Clock, Journal, small_book

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = date(2026, 11, 23)
SHIFTS = (
    Shift("early", "早班", time(8), time(16), min_on_duty=2),
    Shift("late", "晚班", time(16), time(0), min_on_duty=2),
    Shift("night", "夜班", time(0), time(8), min_on_duty=1),
)
TEAMS = (("1001", "1002", "1003"), ("1004", "1005", "1006"), ("1007", "1008", "1009"))
CYCLE = tuple(
    {shift.id: Crew(TEAMS[(day + n) % 3][0], TEAMS[(day + n) % 3]) for n, shift in enumerate(SHIFTS)}
    for day in range(3)
)
PEOPLE = tuple(
    Operator(number, number, ("q_general",), leads=number == team[0]) for team in TEAMS for number in team
)
YEARS = Calendar({2026: YearOfDays(), 2027: YearOfDays()})


def a_book() -> HotlineBook:
    return small_book(operators=PEOPLE, roster=Roster(SHIFTS, MONDAY, CYCLE), calendar=YEARS, shifts=SHIFTS)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(MONDAY + timedelta(days=day), time(hour, minute), ZONE)


def sits(*operators: str, state: SeatState = SeatState.READY) -> list[Sitting]:
    return [Sitting(f"{n:02}", operator, state) for n, operator in enumerate(operators, 1)]


class Week:
    """Seven days in steps of five minutes; everybody comes ten minutes early and goes when they may."""

    def __init__(self, comes: Callable[[str, datetime], bool] = lambda *_: True) -> None:
        self.book, self.journal = a_book(), Journal()
        self.clock = Clock(at(0, 8).timestamp())
        self.alarms = Alarms(self.journal.append, self.clock)
        self.here: set[str] = set(CYCLE[0]["early"].operators)
        self.comes = comes

    def minutes(self) -> Iterator[datetime]:
        for minute in range(0, 7 * 24 * 60, 5):
            now = at(0, 8) + timedelta(minutes=minute)
            self.clock.now = now.timestamp()
            wanted = {p.number for p in PEOPLE if self.book.roster.is_rostered(p.number, now, 600)}
            seen = watch(self.book, now, sits(*sorted(self.here)), waiting=0)
            self.alarms.judge(seen.faults, seen.judged)
            yield now
            self.here -= set(seen.may_leave)
            self.here |= {number for number in wanted if self.comes(number, now)}
            self.here -= {number for number in self.here if not self.comes(number, now)}

    def run(self) -> list[tuple[str, str, datetime]]:
        for _ in self.minutes():
            pass
        return [
            (event.kind.value, event.data["about"], datetime.fromtimestamp(event.at, ZONE))
            for event in self.journal.of(HOTLINE)
        ]


def test_a_week_in_which_everybody_comes_has_no_alarm_and_always_enough_people() -> None:
    week = Week()
    for now in week.minutes():
        duties = week.book.roster.on_duty(now)
        assert len(week.here) >= sum(duty.shift.min_on_duty for duty in duties)
        assert set(duties[0].operators) <= week.here, "who is rostered is never told to leave"
        leader = watch(week.book, now, sits(*week.here), 0).leader
        assert leader is not None
        assert (leader.operator, leader.acting) == (duties[0].leader, False)
        assert len(week.here) <= 6, "who may leave does"
    assert week.journal.of(HOTLINE) == []


def test_a_leader_who_oversleeps_is_missed_ten_minutes_after_the_shift_began_and_not_again_later() -> None:
    late = at(2, 8, 40)
    week = Week(lambda number, now: number != "1007" or not at(2, 7) < now < late)
    assert CYCLE[2]["early"].leader == "1007"
    told = week.run()
    assert told == [
        ("alarm_raised", "2026-11-25:early", at(2, 8, 10)),
        ("alarm_cleared", "2026-11-25:early", late + timedelta(minutes=10)),
    ]


def test_an_operator_who_does_not_come_is_missed_until_the_shift_is_over() -> None:
    week = Week(lambda number, now: number != "1002" or now.date() != MONDAY)
    told = week.run()
    assert told == [
        ("alarm_raised", "2026-11-23:early:1002", at(0, 8, 15)),
        ("alarm_cleared", "2026-11-23:early:1002", at(0, 16, 5)),
    ]


def test_nobody_is_told_to_leave_while_callers_wait_or_the_replacement_is_missing() -> None:
    book, over = a_book(), CYCLE[0]["early"].operators
    after = at(0, 16, 5)
    assert watch(book, after, sits(*over), waiting=0).may_leave.keys() == {"1001"}, "two must stay"
    everybody = sits(*over, *CYCLE[0]["late"].operators)
    assert watch(book, after, everybody, waiting=0).may_leave.keys() == set(over)
    assert watch(book, after, everybody, waiting=1).may_leave == {}
    talking = [replace(entry, busy=entry.operator == "1001") for entry in everybody]
    assert watch(book, after, talking, waiting=0).may_leave.keys() == {"1002", "1003"}


def test_who_pauses_after_the_shift_is_missed_by_nobody() -> None:
    paused = sits("1001", state=SeatState.PAUSED)
    assert watch(a_book(), at(0, 16, 5), paused, waiting=0).may_leave.keys() == {"1001"}


def test_whoever_was_never_rostered_is_not_sent_home() -> None:
    book = replace(a_book(), operators=(*PEOPLE, Operator("1099", "x", ("q_general",))))
    here = sits("1004", "1005", "1006", "1099")
    assert watch(book, at(0, 17), here, waiting=0).may_leave == {}


FAULTS = [
    ("nobody is there", [], "nobody_logged_in", "hotline"),
    ("one of two", sits("1001"), "understaffed", "early"),
    (
        "two, one paused",
        [*sits("1001"), Sitting("02", "1002", SeatState.PAUSED)],
        "understaffed",
        "early",
    ),
    (
        "a phone is away",
        [*sits("1001", "1002"), Sitting("03", "1003", SeatState.READY, registered=False)],
        "phone_away",
        "03",
    ),
]


@pytest.mark.parametrize(
    ("sitting", "alarm", "about"), [row[1:] for row in FAULTS], ids=[r[0] for r in FAULTS]
)
def test_what_is_wrong_on_the_floor_is_told_in_both_languages(
    sitting: list[Sitting], alarm: str, about: str
) -> None:
    faults = {fault.alarm: fault for fault in watch(a_book(), at(0, 10), sitting, 0).faults}
    assert faults[alarm].about == about
    assert faults[alarm].sentence != faults[alarm].sentence_zh


def test_wrapping_up_counts_as_being_there() -> None:
    here = sits("1001", "1002", "1003", state=SeatState.WRAP_UP)
    assert watch(a_book(), at(0, 10), here, 0).faults == ()


def test_phones_are_not_judged_while_asterisk_cannot_be_asked() -> None:
    here = [replace(entry, registered=None) for entry in sits("1001", "1002", "1003")]
    seen = watch(a_book(), at(0, 10), here, 0)
    assert seen.faults == ()
    assert shift_watch.PHONE_AWAY not in seen.judged


def test_a_year_that_is_not_published_is_an_alarm_a_month_before_it_begins() -> None:
    book = replace(a_book(), calendar=Calendar({2026: YearOfDays()}), roster=Roster())
    here = sits("1001")

    def missing(now: datetime) -> list[str]:
        return [fault.about for fault in watch(book, now, here, 0).faults]

    assert missing(datetime(2026, 11, 30, 12, tzinfo=ZONE)) == []
    assert missing(datetime(2026, 12, 2, 12, tzinfo=ZONE)) == ["2027"]
    assert missing(datetime(2027, 1, 1, 0, 0, tzinfo=ZONE)) == ["2027"]


NUMBERS = [person.number for person in PEOPLE]
FLOORS = st.lists(
    st.builds(
        Sitting,
        st.just("01"),
        st.sampled_from(NUMBERS),
        st.sampled_from([SeatState.READY, SeatState.PAUSED, SeatState.WRAP_UP]),
        st.sampled_from([True, False, None]),
        st.booleans(),
    ),
    unique_by=lambda entry: entry.operator,
)


@given(st.integers(0, 7 * 24 * 60), FLOORS, st.integers(0, 3))
def test_whoever_may_leave_leaves_enough_people_behind(
    minute: int, floor: list[Sitting], waiting: int
) -> None:
    now = at(0, 0) + timedelta(minutes=minute)
    book = a_book()
    seen = watch(book, now, floor, waiting)
    needed = sum(duty.shift.min_on_duty for duty in book.roster.on_duty(now))
    ready = {entry.operator for entry in floor if entry.state is not SeatState.PAUSED}
    leaving = ready & set(seen.may_leave)
    assert not leaving or len(ready - leaving) >= needed
    assert not any(book.roster.is_rostered(number, now) for number in seen.may_leave)
    assert not (waiting and seen.may_leave)
    told = [(fault.alarm, fault.about) for fault in seen.faults if fault.alarm != shift_watch.PHONE_AWAY]
    assert len(set(told)) == len(told)
