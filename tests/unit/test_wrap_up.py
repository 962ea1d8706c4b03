"""After a talk the operator has time to write, and not a second of it is lost or given twice."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.calls.open_calls import CallBook
from ivr.calls.record import CallRecord
from ivr.calls.states import SeatState
from ivr.errors import HotlineError
from ivr.events.clock import ClockSteps
from ivr.events.event import Event, Kind
from ivr.events.streams import is_seat
from ivr.hotline.book import Operator, QueueSpec, Seat
from ivr.seats.log_in import Seating, SeatingRefused
from ivr.seats.record import SeatRecord
from ivr.seats.wrap_up import WrapUp
from tests.unit.kit import T0, Clock, Journal, event, small_book

CALL = "a1-1.1"


class Floor:
    """Seats, calls and a clock; wrap-up hears everything."""

    def __init__(self, wrap_up_s: int = 30, seats: int = 3, steady: Clock | None = None) -> None:
        queues = (QueueSpec("q_general", "综合受理", wrap_up_s=wrap_up_s),)
        self.book = small_book(
            queues=queues,
            seats=tuple(Seat(f"{n:02}", f"80{n:02}") for n in range(1, seats + 1)),
            operators=tuple(Operator(str(n), "话务员", ("q_general",)) for n in range(1001, 1029)),
        )
        self.journal = Journal()
        self.clock = Clock()
        self.steps = ClockSteps(self.clock, steady)
        self.calls = CallBook(self.journal.append, self.steps)
        self.calls.events.subscribe("the room", self._hear)
        self.wrap_up = WrapUp(lambda: self.book, self.calls, self.clock)
        self.seating = Seating(lambda: self.book, self.calls, self._align, self.clock)
        self.seating.known = True

    def _hear(self, told: Event, call: CallRecord | None) -> None:
        self.wrap_up.hear(told, call)

    async def _align(self, _: object) -> None:
        self.seating.memberships()

    async def talk(self, seat: str = "01", operator: str = "1001") -> None:
        await self.seating.log_in(seat, operator, by="x")
        self.answer(seat, operator)

    def answer(self, seat: str, operator: str, call: str = CALL) -> None:
        self.tell(Kind.CALL_STARTED, call)
        self.tell(Kind.QUEUED, call, queue="q_general")
        self.clock.now += 1
        self.tell(Kind.ANSWERED, call, seat=seat, operator=operator)
        self.clock.now += 9

    def tell(self, kind: Kind, call: str = CALL, **data: object) -> None:
        self.calls.record(Event(call, self.clock.now, kind, data))

    def state(self, seat: str = "01") -> SeatState:
        return self.calls.seat(seat).state


@pytest.mark.parametrize("end", [Kind.OPERATOR_LEFT, Kind.HUNG_UP])
async def test_calls_stay_away_until_the_seconds_after_the_talk_are_over(end: Kind) -> None:
    floor = Floor()
    await floor.talk()
    floor.tell(end)
    ended = floor.clock.now
    assert floor.state() is SeatState.WRAP_UP
    (member,) = floor.seating.memberships()
    assert (member.paused, member.reason) == (True, "wrap_up")
    floor.clock.now = ended + 29.9
    assert floor.wrap_up.end_due() == []
    assert floor.seating.wrap_up_left_s("01") == pytest.approx(0.1)
    floor.clock.now = ended + 30
    assert floor.wrap_up.end_due() == ["01"]
    assert floor.state() is SeatState.READY
    assert floor.seating.wrap_up_left_s("01") is None
    assert floor.journal.kinds("seat:01") == ["logged_in", "wrap_up_started", "wrap_up_ended"]
    assert floor.journal.of("seat:01")[1].data == {"until": ended + 30, "call_id": CALL}


async def test_a_caller_who_stays_for_the_survey_does_not_prolong_the_wrap_up() -> None:
    floor = Floor()
    await floor.talk()
    floor.tell(Kind.OPERATOR_LEFT)
    until = floor.calls.seat("01").until
    await floor.seating.resume("01", by="seat 01")
    floor.clock.now += 20
    floor.tell(Kind.HUNG_UP)
    assert floor.state() is SeatState.READY
    assert until == floor.clock.now + 10


async def test_a_queue_without_wrap_up_has_none() -> None:
    floor = Floor(wrap_up_s=0)
    await floor.talk()
    floor.tell(Kind.OPERATOR_LEFT)
    assert floor.state() is SeatState.READY


async def test_a_pause_asked_for_during_the_talk_wins() -> None:
    floor = Floor()
    await floor.talk()
    await floor.seating.pause("01", "2", by="seat 01")
    floor.tell(Kind.OPERATOR_LEFT)
    assert floor.state() is SeatState.PAUSED
    assert floor.calls.seat("01").reason == "meal"


async def test_a_pause_asked_for_during_the_wrap_up_wins_and_time_does_not_end_it() -> None:
    floor = Floor()
    await floor.talk()
    floor.tell(Kind.OPERATOR_LEFT)
    await floor.seating.pause("01", "4", by="seat 01")
    floor.clock.now += 100
    assert floor.wrap_up.end_due() == []
    assert floor.state() is SeatState.PAUSED


async def test_the_operator_ends_it_early_or_logs_out() -> None:
    floor = Floor()
    await floor.talk()
    floor.tell(Kind.OPERATOR_LEFT)
    await floor.seating.resume("01", by="seat 01")
    assert floor.state() is SeatState.READY
    with pytest.raises(SeatingRefused, match="not paused"):
        await floor.seating.resume("01", by="seat 01")
    floor.answer("01", "1001", "a1-1.2")
    floor.tell(Kind.OPERATOR_LEFT, "a1-1.2")
    await floor.seating.log_out("01", by="seat 01")
    assert floor.state() is SeatState.LOGGED_OUT


async def test_it_follows_the_person_who_moved_to_another_seat_during_the_talk() -> None:
    floor = Floor()
    await floor.talk()
    await floor.seating.log_in("02", "1001", by="seat 02")
    floor.clock.now += 5
    floor.tell(Kind.OPERATOR_LEFT)
    assert floor.state("02") is SeatState.WRAP_UP
    assert floor.state("01") is SeatState.LOGGED_OUT


async def test_whoever_sits_there_since_gets_no_wrap_up_of_somebody_else() -> None:
    floor = Floor()
    await floor.talk()
    await floor.seating.log_out("01", by="seat 01")
    await floor.seating.log_in("01", "1002", by="seat 01")
    floor.tell(Kind.OPERATOR_LEFT)
    assert floor.state() is SeatState.READY


def _late(floor: Floor, after_s: float) -> None:
    """The engine was away: the end of the talk is told only now."""
    ended = floor.clock.now
    floor.clock.now += after_s
    floor.calls.record(Event(CALL, ended, Kind.OPERATOR_LEFT, {"reconciled": True}))


async def test_an_end_that_is_told_late_leaves_the_seconds_that_remain() -> None:
    floor = Floor()
    await floor.talk()
    _late(floor, 20)
    assert floor.seating.wrap_up_left_s("01") == pytest.approx(10)


@pytest.mark.parametrize(
    "meanwhile", [lambda floor: None, lambda floor: floor.tell(Kind.NOTED)], ids=["nothing", "a word"]
)
async def test_a_wrap_up_that_would_be_over_is_not_begun(meanwhile: Callable[[Floor], None]) -> None:
    floor = Floor()
    await floor.talk()
    meanwhile(floor)
    _late(floor, 31)
    assert floor.state() is SeatState.READY


async def test_who_has_paused_and_come_back_since_is_not_sent_to_wrap_up() -> None:
    floor = Floor()
    await floor.talk()
    ended = floor.clock.now
    floor.clock.now += 5
    await floor.seating.pause("01", "1", by="x")
    await floor.seating.resume("01", by="x")
    floor.calls.record(Event(CALL, ended, Kind.HUNG_UP, {"reconciled": True}))
    assert floor.state() is SeatState.READY


async def test_an_answer_and_end_that_are_told_only_afterwards_count_too() -> None:
    floor = Floor()
    await floor.seating.log_in("01", "1001", by="x")
    record = CallRecord(CALL)
    for told in (
        event(CALL, 1, Kind.CALL_STARTED),
        event(CALL, 1, Kind.QUEUED, queue="q_general"),
        event(CALL, 12, Kind.HUNG_UP),
        event(CALL, 2, Kind.ANSWERED, seat="01", operator="1001", reconciled=True),
    ):
        record.apply(told)
    floor.clock.now += 13
    assert floor.wrap_up.hear(event(CALL, 2, Kind.ANSWERED), record)
    assert floor.calls.seat("01").until == T0 + 12 + 30


def test_a_wrap_up_whose_deadline_is_lost_ends() -> None:
    floor = Floor()
    floor.calls.restore([], [SeatRecord("01", SeatState.WRAP_UP, "1001", "", T0)])
    assert floor.wrap_up.end_due() == ["01"]


SEATS = [f"{n:02}" for n in range(1, 28)]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["login"] * 4 + ["logout", "pause", "resume", "talk", "wait"]),
        st.sampled_from(SEATS),
        st.integers(1001, 1028).map(str),
    ),
    max_size=80,
)


def _seats_of(journal: Journal) -> dict[str, SeatRecord]:
    """Tell the seats from the journal, as a restart does."""
    again: dict[str, SeatRecord] = {}
    for told in journal.events:
        if is_seat(told.stream):
            seat = told.stream.removeprefix("seat:")
            assert again.setdefault(seat, SeatRecord(seat)).apply(told), "the journal tells only what may be"
    return again


async def _do(floor: Floor, step: int, verb: str, seat: str, operator: str) -> None:
    there = floor.calls.operator_on(seat)
    if verb == "login":
        await floor.seating.log_in(seat, operator, by="x")
    elif verb == "logout":
        await floor.seating.log_out(seat, by="x")
    elif verb == "pause":
        await floor.seating.pause(seat, "1", by="x")
    elif verb == "resume":
        await floor.seating.resume(seat, by="x")
    elif verb == "talk" and there is not None:
        floor.answer(seat, there, f"a1-1.{step}")
        floor.tell(Kind.HUNG_UP, f"a1-1.{step}")
    else:
        floor.clock.now += 17


def _check(floor: Floor) -> None:
    there = {seat.seat_id: seat for seat in floor.calls.seats.values()}
    seated = [seat.operator for seat in there.values() if seat.state is not SeatState.LOGGED_OUT]
    assert len(seated) == len(set(seated)) <= len(SEATS)
    assert None not in seated
    assert all(
        (seat.operator is None) == (seat.state is SeatState.LOGGED_OUT)
        and (seat.until is not None) == (seat.state is SeatState.WRAP_UP)
        for seat in there.values()
    )
    members = {member.seat: member.paused for member in floor.seating.memberships()}
    assert members == {
        seat.seat_id: seat.state is not SeatState.READY
        for seat in there.values()
        if seat.state is not SeatState.LOGGED_OUT
    }


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 24), STEPS)
async def test_whatever_people_do_there_is_one_person_a_seat_and_one_seat_a_person(
    here: int, steps: list[tuple[str, str, str]]
) -> None:
    floor = Floor(seats=len(SEATS))
    for seat, first in zip(SEATS[:here], range(1001, 1029), strict=False):
        await floor.seating.log_in(seat, str(first), by="x")
    for number, (verb, seat, operator) in enumerate(steps):
        with contextlib.suppress(HotlineError):
            await _do(floor, number, verb, seat, operator)
        floor.wrap_up.end_due()
        _check(floor)
    assert _seats_of(floor.journal) == floor.calls.seats


async def test_who_is_relieved_by_the_shift_leader_wraps_up_and_the_leader_who_goes_on_does_not() -> None:
    floor = Floor()
    await floor.seating.log_in("01", "1001", by="x")
    await floor.seating.log_in("02", "1002", by="x")
    floor.tell(Kind.CALL_STARTED)
    floor.tell(Kind.QUEUED, queue="q_general")
    floor.tell(Kind.ANSWERED, seat="01", operator="1001", channel="PJSIP/seat01-1")
    floor.clock.now += 9
    leader = {"seat": "02", "operator": "1002", "channel": "PJSIP/seat02-2"}
    floor.tell(Kind.TAKEN_OVER, **leader, from_channel="PJSIP/seat01-1", from_operator="1001")
    relieved_at = floor.clock.now
    floor.clock.now += 1
    floor.tell(Kind.OPERATOR_LEFT, channel="PJSIP/seat01-1", reason="agent")  # Asterisk tells it too
    assert (floor.state("01"), floor.state("02")) == (SeatState.WRAP_UP, SeatState.READY)
    assert floor.calls.seat("01").until == relieved_at + 30
    floor.clock.now += 40
    assert floor.wrap_up.end_due() == ["01"]
    floor.tell(Kind.HUNG_UP)
    assert (floor.state("01"), floor.state("02")) == (SeatState.READY, SeatState.WRAP_UP)


async def test_a_call_whose_operator_had_left_before_gives_nobody_a_second_wrap_up_when_it_is_taken_over() -> (
    None
):
    floor = Floor()
    await floor.talk()
    floor.tell(Kind.THREE_WAY)
    floor.tell(Kind.OPERATOR_LEFT)
    await floor.seating.resume("01", by="seat 01")
    floor.tell(Kind.TAKEN_OVER, seat="02", operator="1002", channel="PJSIP/seat02-2", from_channel="")
    assert floor.state("01") is SeatState.READY


@pytest.mark.parametrize("step", [3600.0, -3600.0])
async def test_a_clock_that_is_set_neither_ends_a_wrap_up_nor_makes_it_an_hour_longer(step: float) -> None:
    steady = Clock()
    floor = Floor(steady=steady)

    def later(seconds: float) -> None:
        floor.clock.now += seconds
        steady.now += seconds

    await floor.talk()
    steady.now = floor.clock.now
    floor.wrap_up.end_due()
    floor.tell(Kind.OPERATOR_LEFT)
    floor.clock.now += step
    later(29.0)
    assert floor.wrap_up.end_due() == []
    assert floor.seating.wrap_up_left_s("01") == pytest.approx(1.0)
    later(1.5)
    assert floor.wrap_up.end_due() == ["01"]
    floor.clock.now -= 2 * step  # also a talk that is over right after the next step has its wrap-up
    floor.answer("01", "1001", "a1-2.2")
    steady.now += 10
    floor.tell(Kind.OPERATOR_LEFT, "a1-2.2")
    assert floor.state() is SeatState.WRAP_UP


@pytest.mark.parametrize("step", [3600.0, -3600.0])
async def test_a_wrap_up_in_which_the_clock_was_set_ends_in_time_also_when_the_engine_is_killed_in_it(
    step: float,
) -> None:
    steady = Clock()
    floor = Floor(steady=steady)
    await floor.talk()
    steady.now = floor.clock.now
    floor.wrap_up.end_due()
    floor.tell(Kind.OPERATOR_LEFT)
    floor.clock.now += step
    floor.wrap_up.end_due()
    assert _seats_of(floor.journal) == floor.calls.seats
    again = Floor(steady=steady)
    again.clock.now = floor.clock.now
    again.calls.restore([], _seats_of(floor.journal).values())
    assert again.seating.wrap_up_left_s("01") == pytest.approx(30.0)


async def test_a_clock_that_was_set_back_while_the_engine_was_dead_makes_no_wrap_up_an_hour_longer() -> None:
    floor = Floor()
    await floor.talk()
    floor.tell(Kind.OPERATOR_LEFT)
    again = Floor(steady=Clock())
    again.clock.now = floor.clock.now - 3600
    again.calls.restore([], _seats_of(floor.journal).values())
    assert again.seating.wrap_up_left_s("01") == pytest.approx(30.0)
    assert again.journal.kinds("seat:01") == ["clock_set"]
