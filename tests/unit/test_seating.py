"""Who sits where: what an operator may do on a seat and what is refused, with the reason in words."""

from __future__ import annotations

import asyncio
from datetime import date, time

import pytest

from ivr.calls.open_calls import CallBook
from ivr.calls.states import SeatState
from ivr.hotline.book import Operator, QueueKind, QueueSpec, Seat
from ivr.hotline.duty import Crew, Roster, Shift
from ivr.hotline.modes import ModeName
from ivr.seats.log_in import PAUSE_REASONS, Membership, Seating, SeatingRefused
from tests.unit.kit import T0, Clock, Journal, calls_of, small_book


class Desk:
    """A seating with its journal, and how often Asterisk was brought in line."""

    def __init__(self) -> None:
        self.book = small_book()
        self.journal = Journal()
        self.calls: CallBook = calls_of(self.journal)
        self.aligned: list[list[Membership]] = []
        self.clock = Clock()
        self.mode = ModeName.REGULAR
        self.seating = Seating(lambda: self.book, self.calls, self._align, self.clock, lambda: self.mode)
        self.seating.known = True

    async def _align(self, _: object) -> None:
        self.aligned.append(self.seating.memberships())


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_an_operator_who_logs_in_gets_the_calls_of_all_their_queues(desk: Desk) -> None:
    await desk.seating.log_in("01", "1002", by="seat 01")
    assert desk.aligned == [
        [
            Membership("q_general", "01", "seat01", "1002", False, "", free_since=T0),
            Membership("q_market", "01", "seat01", "1002", False, "", free_since=T0),
        ]
    ]
    (logged_in,) = desk.journal.of("seat:01")
    assert logged_in.data == {"operator": "1002", "by": "seat 01", "rostered": False}


async def test_an_operator_who_moves_frees_the_former_seat_first(desk: Desk) -> None:
    await desk.seating.log_in("01", "1001", by="x")
    await desk.seating.log_in("02", "1001", by="x")
    assert desk.calls.operator_on("01") is None
    assert desk.calls.seat_of("1001") == "02"
    assert desk.journal.kinds("seat:01") == ["logged_in", "logged_out"]
    assert [m.seat for m in desk.aligned[-1]] == ["02"]
    assert [event.stream for event in desk.journal.events] == ["seat:01", "seat:01", "seat:02"]


async def test_a_paused_operator_who_moves_is_ready_on_the_new_seat(desk: Desk) -> None:
    await desk.seating.log_in("01", "1001", by="x")
    await desk.seating.pause("01", "2", by="x")
    await desk.seating.log_in("02", "1001", by="x")
    assert desk.calls.seat("02").state is SeatState.READY


async def test_pausing_keeps_the_seat_in_its_queues_without_calls(desk: Desk) -> None:
    await desk.seating.log_in("01", "1001", by="x")
    await desk.seating.pause("01", "2", by="x")
    assert desk.aligned[-1] == [Membership("q_general", "01", "seat01", "1001", True, "meal")]
    desk.clock.now += 5
    await desk.seating.pause("01", "training", by="x")
    assert desk.aligned[-1][0].reason == "training"
    await desk.seating.resume("01", by="x")
    assert desk.aligned[-1] == [Membership("q_general", "01", "seat01", "1001", False, "", free_since=T0 + 5)]


async def test_logging_out_takes_the_seat_out_of_every_queue(desk: Desk) -> None:
    await desk.seating.log_in("01", "1002", by="x")
    await desk.seating.log_out("01", by="x")
    assert desk.aligned[-1] == []
    await desk.seating.log_in("01", "1001", by="x")
    assert desk.calls.operator_on("01") == "1001"


@pytest.mark.parametrize("digit", PAUSE_REASONS)
async def test_every_reason_may_be_dialled_or_written(desk: Desk, digit: str) -> None:
    await desk.seating.log_in("01", "1001", by="x")
    await desk.seating.pause("01", digit, by="x")
    assert desk.calls.seat("01").reason == PAUSE_REASONS[digit]
    await desk.seating.pause("01", PAUSE_REASONS[digit], by="x")
    assert desk.calls.seat("01").reason == PAUSE_REASONS[digit]


REFUSALS = [
    ("an unknown seat", "login", "99", "1001", "99"),
    ("an unknown operator", "login", "02", "9999", "9999"),
    ("an operator number that is no text of ours", "login", "02", "", "''"),
    ("a seat that is taken", "login", "01", "1002", "taken by operator 1001"),
    ("the same operator again", "login", "01", "1001", "already logged in"),
    ("logging out an empty seat", "logout", "02", "", "nobody is logged in"),
    ("logging out an unknown seat", "logout", "99", "", "99"),
    ("pausing an empty seat", "pause", "02", "1", "nobody is logged in"),
    ("pausing without a known reason", "pause", "01", "7", "'7' is no reason"),
    ("pausing with no reason", "pause", "01", "", "no reason"),
    ("resuming a seat that is not paused", "resume", "01", "", "not paused"),
    ("resuming an empty seat", "resume", "02", "", "nobody is logged in"),
]


@pytest.mark.parametrize(
    ("verb", "seat", "value", "words"), [row[1:] for row in REFUSALS], ids=[r[0] for r in REFUSALS]
)
async def test_a_refusal_says_why_and_changes_nothing(
    desk: Desk, verb: str, seat: str, value: str, words: str
) -> None:
    await desk.seating.log_in("01", "1001", by="x")
    before, aligned = list(desk.journal.events), len(desk.aligned)
    with pytest.raises(SeatingRefused, match=words) as refused:
        if verb == "login":
            await desk.seating.log_in(seat, value, by="x")
        elif verb == "logout":
            await desk.seating.log_out(seat, by="x")
        elif verb == "pause":
            await desk.seating.pause(seat, value, by="x")
        else:
            await desk.seating.resume(seat, by="x")
    assert refused.value.code == "seating"
    assert refused.value.zh != refused.value.sentence
    assert not refused.value.retry
    assert desk.journal.events == before
    assert len(desk.aligned) == aligned


async def test_a_command_finds_the_seat_by_its_number_or_by_who_sits_there(desk: Desk) -> None:
    await desk.seating.log_in("02", "1001", by="x")
    assert desk.seating.seat_for("03", None) == "03"
    assert desk.seating.seat_for(None, "1001") == "02"
    with pytest.raises(SeatingRefused, match="1003 is not logged in"):
        desk.seating.seat_for(None, "1003")
    with pytest.raises(SeatingRefused, match="no seat '77'"):
        desk.seating.seat_for("77", None)


async def test_an_operator_struck_from_the_configuration_gets_no_calls(desk: Desk) -> None:
    await desk.seating.log_in("01", "1001", by="x")
    await desk.seating.log_in("02", "1002", by="x")
    desk.book = small_book(operators=tuple(p for p in desk.book.operators if p.number != "1001"))
    assert {m.seat for m in desk.seating.memberships()} == {"02"}
    await desk.seating.log_out("01", by="x")
    assert desk.calls.operator_on("01") is None


async def test_who_sits_where_is_kept_even_if_asterisk_cannot_be_told(desk: Desk) -> None:
    async def away(_: object) -> None:
        raise ConnectionError

    seating = Seating(lambda: desk.book, desk.calls, away, Clock())
    seating.known = True
    with pytest.raises(ConnectionError):
        await seating.log_in("01", "1001", by="x")
    assert desk.calls.operator_on("01") == "1001"
    assert desk.journal.kinds("seat:01") == ["logged_in"]


async def test_who_sits_where_is_refused_not_guessed_while_the_database_was_not_read(desk: Desk) -> None:
    seating = Seating(lambda: desk.book, desk.calls, desk._align, Clock())  # as after a start
    work = [
        seating.log_in("01", "1001", by="x"),
        seating.pause("01", "2", by="x"),
        seating.resume("01", by="x"),
        seating.log_out("01", by="x"),
    ]
    for verb in work:
        with pytest.raises(SeatingRefused, match="not known yet") as refused:
            await verb
        assert refused.value.retry
        assert refused.value.zh != refused.value.sentence
    with pytest.raises(SeatingRefused) as refused:
        seating.seat_for("01", None)
    assert refused.value.retry
    assert not desk.journal.events
    assert not desk.aligned
    seating.known = True
    await seating.log_in("01", "1001", by="x")
    assert desk.calls.operator_on("01") == "1001"


def penalties(desk: Desk) -> dict[str, int]:
    return {member.queue: member.penalty for member in desk.seating.memberships()}


async def test_the_general_operators_help_the_experts_late_and_in_an_emergency_at_once(desk: Desk) -> None:
    expert = QueueSpec("q_market", "市场监管", kind=QueueKind.EXPERT)
    desk.book = small_book(queues=(QueueSpec("q_general", "综合受理"), expert))
    await desk.seating.log_in("01", "1001", by="x")
    assert penalties(desk) == {"q_general": 0, "q_market": 10}
    desk.mode = ModeName.EMERGENCY
    assert penalties(desk) == {"q_general": 0, "q_market": 0}
    desk.mode = ModeName.HOLIDAY
    assert penalties(desk) == {"q_general": 0, "q_market": 10}


async def test_who_serves_a_queue_anyway_has_no_penalty_there(desk: Desk) -> None:
    general = QueueSpec("q_general", "综合受理", overflow_to="q_market")
    desk.book = small_book(queues=(general, QueueSpec("q_market", "市场监管", overflow_to="q_general")))
    await desk.seating.log_in("01", "1002", by="x")
    assert penalties(desk) == {"q_general": 0, "q_market": 0}


async def test_a_person_who_is_not_rostered_may_log_in_and_it_is_noted(desk: Desk) -> None:
    night = Shift("night", "夜班", time(0), time(8))
    crews = {"night": Crew("1001", ("1001",))}
    desk.book = small_book(roster=Roster((night,), date(2026, 11, 1), (crews,)))
    desk.clock.now = 1_795_275_000.0  # 23:30 in Shanghai: half an hour before the shift
    for seat, operator in (("01", "1001"), ("02", "1002")):
        await desk.seating.log_in(seat, operator, by="x")
    assert [event.data["rostered"] for event in desk.journal.events] == [True, False]
    desk.clock.now -= 60
    assert not desk.seating.is_rostered("1001")


async def test_as_many_people_log_in_as_there_are_seats(desk: Desk) -> None:
    numbers = [str(1000 + n) for n in range(1, 2001)]
    desk.book = small_book(
        seats=tuple(Seat(number, f"1{number}") for number in numbers),
        operators=tuple(Operator(number, "话务员", ("q_general",)) for number in numbers),
    )
    desk.seating = Seating(lambda: desk.book, desk.calls, lambda _: asyncio.sleep(0), desk.clock)
    desk.seating.known = True
    for number in numbers:
        await desk.seating.log_in(number, number, by="x")
    assert len(desk.seating.memberships()) == 2000
    assert desk.seating.manned() == {"q_general"}


async def test_a_queue_is_manned_while_somebody_of_it_is_there_and_its_helpers_count(desk: Desk) -> None:
    assert desk.seating.manned() == set()
    await desk.seating.log_in("01", "1002", by="x")
    assert desk.seating.manned() == {"q_general", "q_market"}
    assert desk.seating.manned({"seat01"}) == set(), "the phone is gone"
    await desk.seating.log_in("02", "1001", by="x")
    await desk.seating.pause("01", "2", by="x")
    assert desk.seating.manned(paused_too=False) == {"q_general"}
    assert desk.seating.manned() == {"q_general", "q_market"} == {m.queue for m in desk.seating.memberships()}
