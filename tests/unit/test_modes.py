"""Only who leads the shift changes the mode, and the mode survives everything."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from ivr.calls.open_calls import CallBook
from ivr.calls.states import SeatState
from ivr.events.event import Event, Kind
from ivr.events.streams import HOTLINE, is_call, is_seat
from ivr.hotline.book import HotlineBook, Operator
from ivr.hotline.duty import Crew, Roster, Shift
from ivr.hotline.modes import ModeName
from ivr.seats.record import SeatRecord
from ivr.supervision.leadership import Leader, NotTheLeader, shift_leader
from ivr.supervision.modes import MODE_KEYS, ModeBoard, ModeUnknown
from tests.unit.kit import Clock, Journal, calls_of, small_book

EARLY, LATE = Shift("early", "早班", time(8), time(16)), Shift("late", "晚班", time(16), time(0))
CREWS = {"early": Crew("1001", ("1001", "1002")), "late": Crew("1003", ("1003", "1004"))}
PEOPLE = tuple(
    Operator(number, f"话务员{number}", ("q_general",), leads=number in ("1001", "1003", "1004", "1005"))
    for number in ("1001", "1002", "1003", "1004", "1005")
)
MORNING = datetime(2026, 11, 21, 2, tzinfo=UTC)  # 10:00 in Shanghai


def a_book() -> HotlineBook:
    return small_book(operators=PEOPLE, roster=Roster((EARLY, LATE), date(2026, 11, 1), (CREWS,)))


class Room:
    def __init__(self, *here: str) -> None:
        self.journal = Journal()
        self.calls: CallBook = calls_of(self.journal)
        self.clock = Clock(MORNING.timestamp())
        for n, operator in enumerate(here, 1):
            self.calls.restore([], [SeatRecord(f"{n:02}", SeatState.READY, operator, "", 1.0)])
        self.board = ModeBoard(a_book, self.calls, self.clock)


@pytest.mark.parametrize(
    ("here", "leader"),
    [
        (("1001", "1004"), Leader("1001", acting=False)),
        (("1002", "1005", "1004"), Leader("1004", acting=True)),
        (("1002", "1005"), Leader("1005", acting=True)),
        (("1002",), None),
        ((), None),
    ],
)
def test_one_person_leads_the_rostered_one_or_somebody_who_may_and_is_here(
    here: tuple[str, ...], leader: Leader | None
) -> None:
    assert shift_leader(a_book(), MORNING, here) == leader


def test_the_next_shift_leads_from_its_first_second_on_and_not_before() -> None:
    change, here = datetime(2026, 11, 21, 8, tzinfo=UTC), ("1001", "1003")
    before = change.replace(hour=7, minute=59, second=59)
    assert shift_leader(a_book(), before, here) == Leader("1001", acting=False)
    assert shift_leader(a_book(), change, here) == Leader("1003", acting=False)


def test_the_leader_sets_the_mode_and_the_journal_tells_by_whom_and_why() -> None:
    room = Room("1001")
    assert room.board.set_to.by == ""
    room.board.set("emergency", "1001", "暴雨\n内涝", "x" * 200)
    assert room.board.current is ModeName.EMERGENCY
    (told,) = room.journal.of(HOTLINE)
    assert told.kind is Kind.MODE_SET
    assert told.data == {"mode": "emergency", "by": "1001", "event": "暴雨内涝", "fact": "x" * 80}


@pytest.mark.parametrize(
    ("here", "by", "words"),
    [
        (("1001", "1004"), "1004", "ask the shift leader, 1001"),
        (("1001",), "1002", "ask the shift leader, 1001"),
        (("1002", "1004"), "1001", "ask the shift leader, 1004"),
        ((), "1002", "may not lead"),
        (("1001",), "9999", "no operator '9999'"),
        (("1001",), "", "no operator ''"),
    ],
)
def test_whoever_does_not_lead_is_refused_with_the_reason_and_it_is_noted(
    here: tuple[str, ...], by: str, words: str
) -> None:
    room = Room(*here)
    with pytest.raises(NotTheLeader, match=words) as refused:
        room.board.set("emergency", by)
    assert refused.value.zh != refused.value.sentence
    assert room.board.current is ModeName.REGULAR
    (noted,) = room.journal.of(HOTLINE)
    assert (noted.kind, noted.data["by"], noted.data["mode"]) == (Kind.MODE_REFUSED, by, "emergency")


def test_where_no_leader_is_on_anybody_who_may_lead_sets_the_mode() -> None:
    room = Room("1002")
    room.board.set("holiday", "1005")
    assert room.board.current is ModeName.HOLIDAY


def test_a_mode_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ModeUnknown, match="choose one of: regular, holiday, emergency"):
        Room("1001").board.set("party", "1001")


def test_the_mode_is_the_same_after_a_restart_and_an_old_word_does_not_undo_a_new_one() -> None:
    room = Room("1001")
    room.board.set("emergency", "1001", "停水", "预计18时恢复")
    again = Room("1001").board
    again.restore(room.journal.of(HOTLINE))
    assert again.set_to == room.board.set_to
    again.restore([Event(HOTLINE, 1.0, Kind.MODE_SET, {"mode": "holiday", "by": "1001"})])
    assert again.current is ModeName.EMERGENCY
    again.restore([Event(HOTLINE, 9e9, Kind.MODE_SET, {"mode": "of another version"})])
    assert again.current is ModeName.EMERGENCY


def test_what_concerns_the_hotline_is_no_call_and_no_seat() -> None:
    assert not is_call(HOTLINE)
    assert not is_seat(HOTLINE)
    room = Room()
    room.calls.record(Event(HOTLINE, 1.0, Kind.APPLIED, {}))
    assert not room.calls.ids() and not room.calls.seats


def test_every_mode_has_its_digit() -> None:
    assert sorted(MODE_KEYS.values()) == sorted(ModeName)
