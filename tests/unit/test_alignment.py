"""Queue members: a seat's change sends that seat's difference, and whatever the switch has lost or gained comes right."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.events.event import Event, Kind
from ivr.hotline.book import Operator, QueueSpec, Seat
from ivr.seats.alignment import Alignment, differences
from ivr.seats.log_in import Membership, Seating
from ivr.seats.ports import Change, Member, Step
from tests.unit.kit import T0, Clock, Journal, calls_of, small_book
from tests.unit.switch import Refused, Silent, Switch

QUEUES = ("q_general", "q_market")


class Floor:
    """A seating whose changes go to a switch."""

    def __init__(self, seats: int = 3, queues: tuple[str, ...] = QUEUES) -> None:
        self.book = small_book(
            queues=tuple(QueueSpec(queue, queue) for queue in queues),
            seats=tuple(Seat(f"{n:03}", str(8000 + n)) for n in range(1, seats + 1)),
            operators=tuple(Operator(str(1000 + n), "话务员", queues) for n in range(1, seats + 1)),
        )
        self.switch, self.clock, self.calls = Switch(), Clock(), calls_of(Journal())
        self.seating = Seating(lambda: self.book, self.calls, self._align, self.clock)
        self.seating.known = True
        self.alignment = Alignment(self.seating, lambda: self.book, self.switch, self.clock)

    async def _align(self, seats: object) -> None:
        assert isinstance(seats, list)
        await self.alignment.settle(seats)

    async def man(self) -> None:
        """Let everybody log in; then only what follows counts."""
        await self.alignment.compare()
        for n, seat in enumerate(self.book.seats, 1):
            await self.seating.log_in(seat.id, str(1000 + n), by="x")
        self.begin()

    def begin(self) -> None:
        self.switch.changes.clear()
        self.switch.asked.clear()

    @property
    def right(self) -> bool:
        """Whether the switch has just what it should have."""
        has = {(m.queue, m.user, m.name, m.paused, m.reason, m.penalty) for m in self.switch.members.values()}
        wanted = self.seating.memberships()
        return has == {(m.queue, m.username, m.name, m.paused, m.reason, m.penalty) for m in wanted}

    def of(self, seat: str) -> list[Member]:
        return [one for one in self.switch.members.values() if one.user == f"seat{seat}"]


@pytest.fixture
async def floor() -> Floor:
    floor = Floor()
    await floor.man()
    return floor


# -- what is sent ------------------------------------------------------------------------------
STATES = st.sampled_from([(False, ""), (True, "meal"), (True, "rest")])
NAMES, PENALTIES = st.sampled_from(["1001", "1002"]), st.sampled_from([0, 10])


def present() -> st.SearchStrategy[dict[str, Member]]:
    one = st.tuples(NAMES, STATES, PENALTIES)
    return st.dictionaries(st.sampled_from(QUEUES), one).map(
        lambda rows: {
            q: Member(q, "seat01", name, *state, penalty) for q, (name, state, penalty) in rows.items()
        }
    )


@given(present(), present())
async def test_whatever_asterisk_had_it_ends_with_just_the_seats_that_should_ring(
    there: dict[str, Member], wanted: dict[str, Member]
) -> None:
    switch = Switch(there.values())
    memberships = [
        Membership(one.queue, "01", one.user, one.name, one.paused, one.reason, one.penalty)
        for one in wanted.values()
    ]
    changes = differences(there, memberships)
    for change in changes:
        await switch.carry_out(change)
    assert {queue: one for (queue, _), one in switch.members.items()} == wanted
    assert bool(changes) == (there != wanted)
    assert differences(wanted, memberships) == []


@pytest.mark.parametrize(
    ("last_call", "free_since", "again"),
    [(100, 110.5, True), (100, 100.0, True), (100, 130.0, False), (100, 99.9, False), (0, 110.5, False)],
    ids=["ended early", "in the same second", "over by time", "a call since", "never called"],
)
def test_asterisk_forgets_a_wrap_up_that_the_operator_ended_early_and_no_other(
    last_call: int, free_since: float, again: bool
) -> None:
    there = Member("q_general", "seat01", "1001", True, "wrap_up", last_call=last_call)
    wanted = Membership("q_general", "01", "seat01", "1001", False, "", free_since=free_since, wrap_up_s=30)
    steps = [change.step for change in differences({"q_general": there}, [wanted])]
    assert steps == ([Step.REMOVE, Step.ADD] if again else [Step.PAUSE])


@pytest.mark.parametrize(("now", "again"), [(90.0, True), (100.0, False), (5000.0, False)])
def test_a_clock_that_was_set_back_keeps_no_seat_from_ringing_until_it_has_caught_up(
    now: float, again: bool
) -> None:
    there = Member("q_general", "seat01", "1001", False, "", last_call=100)
    wanted = Membership("q_general", "01", "seat01", "1001", False, "", free_since=50.0, wrap_up_s=30)
    assert bool(differences({"q_general": there}, [wanted], now)) is again


# -- one seat's change -------------------------------------------------------------------------
async def test_a_pause_costs_that_seat_and_asks_nothing(floor: Floor) -> None:
    await floor.seating.pause("002", "2", by="x")
    assert [(one.step, one.member.queue, one.member.user) for one in floor.switch.changes] == [
        (Step.PAUSE, queue, "seat002") for queue in QUEUES
    ]
    await floor.seating.resume("002", by="x")
    await floor.seating.log_out("002", by="x")
    await floor.seating.log_in("002", "1001", by="x")  # from seat 001
    assert {one.member.user for one in floor.switch.changes} == {"seat001", "seat002"}
    assert floor.switch.asked == []
    assert floor.right


async def test_of_two_changes_in_quick_succession_the_second_holds(floor: Floor) -> None:
    await asyncio.gather(floor.seating.pause("001", "2", by="x"), floor.seating.resume("001", by="x"))
    assert floor.right
    assert not any(one.paused for one in floor.of("001"))
    pauses = (floor.seating.pause("001", reason, by="x") for reason in "129")
    await asyncio.gather(*pauses, floor.seating.log_out("003", by="x"))
    assert floor.right
    assert {one.reason for one in floor.of("001")} == {"other"}


async def test_a_seat_that_lost_a_queue_is_back_in_it_with_its_next_change(floor: Floor) -> None:
    del floor.switch.members["q_market", "seat001"]
    await floor.seating.pause("001", "2", by="x")
    assert floor.switch.asked == ["seat001"]
    assert floor.right


async def test_a_seat_that_joined_by_other_hands_is_put_right_by_its_next_change(floor: Floor) -> None:
    await floor.seating.log_out("001", by="x")
    floor.switch.members["q_general", "seat001"] = Member("q_general", "seat001", "9999", False, "")
    await floor.seating.log_in("001", "1001", by="x")
    assert floor.right


async def test_a_change_that_is_refused_for_good_is_told_and_tried_again_with_everything(
    floor: Floor,
) -> None:
    await floor.seating.log_out("001", by="x")
    floor.switch.no_room = True
    with pytest.raises(Refused):
        await floor.seating.log_in("001", "1001", by="x")
    await floor.seating.pause("002", "2", by="x")
    assert all(one.paused for one in floor.of("002")), "the others' changes are sent all the same"
    with pytest.raises(Refused):
        await floor.alignment.compare()
    floor.switch.no_room = False
    await floor.alignment.compare()
    assert floor.right


async def test_what_was_sent_and_not_answered_is_not_believed(floor: Floor) -> None:
    floor.switch.deaf_to = Step.PAUSE
    with pytest.raises(Silent):
        await floor.seating.pause("001", "2", by="x")
    floor.switch.deaf_to = None
    await floor.seating.resume("001", by="x")
    assert floor.switch.asked == ["seat001"]
    assert floor.right


async def test_a_change_that_is_given_up_half_way_is_looked_up(floor: Floor) -> None:
    floor.alignment.doubt("seat001")
    floor.switch.gate["seat001"] = asyncio.Event()
    pausing = asyncio.create_task(floor.seating.pause("001", "2", by="x"))
    await floor.switch.reached.wait()
    pausing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pausing
    floor.switch.gate.clear()
    await floor.alignment.settle(["001"])
    assert floor.right


async def test_a_wrap_up_that_the_operator_ends_early_ends_in_asterisk_too(floor: Floor) -> None:
    """The switch counts a wrap-up of its own from the end of the talk, of which it is asked once."""
    floor.switch.talked("seat001", T0)
    floor.alignment.doubt("seat001")
    data = {"until": T0 + 30, "call_id": "a1-1.1"}
    floor.calls.record(Event("seat:001", T0, Kind.WRAP_UP_STARTED, data))
    await floor.alignment.settle(["001"])
    floor.clock.now += 10
    await floor.seating.resume("001", by="x")
    assert floor.right
    assert [one.last_call for one in floor.of("001")] == [0, 0]
    assert floor.switch.asked == ["seat001"]


async def test_a_talk_that_ends_while_its_seat_is_being_paused_is_not_missed(floor: Floor) -> None:
    floor.alignment.doubt("seat001")
    floor.switch.gate["seat001"] = asyncio.Event()
    pausing = asyncio.create_task(floor.seating.pause("001", "2", by="x"))
    await floor.switch.reached.wait()
    floor.switch.talked("seat001", T0)
    floor.alignment.doubt("seat001")
    floor.switch.gate["seat001"].set()
    await pausing
    floor.clock.now += 10
    await floor.seating.resume("001", by="x")
    assert [one.last_call for one in floor.of("001")] == [0, 0]


# -- everything --------------------------------------------------------------------------------
async def test_members_that_asterisk_lost_or_that_nobody_wants_come_right_with_the_full_look(
    floor: Floor,
) -> None:
    del floor.switch.members["q_market", "seat001"]
    floor.switch.members["q_market", "SIP/old"] = Member("q_market", "SIP/old", "old", False, "")
    floor.switch.members["q_other", "SIP/theirs"] = theirs = Member("q_other", "SIP/theirs", "x", False, "")
    await floor.alignment.compare()
    assert floor.switch.members.pop(("q_other", "SIP/theirs")) == theirs, "a queue that is not ours"
    assert floor.right
    floor.begin()
    await floor.alignment.compare()
    assert floor.switch.changes == []
    assert floor.switch.asked == list(QUEUES)


async def test_after_a_new_connection_nothing_is_believed(floor: Floor) -> None:
    floor.switch.members.clear()
    floor.alignment.forget()
    await floor.alignment.compare()
    assert floor.right


@pytest.mark.parametrize("held", QUEUES)
async def test_a_change_does_not_wait_for_the_full_look_and_is_not_undone_by_it(
    floor: Floor, held: str
) -> None:
    floor.switch.gate[held] = asyncio.Event()
    looking = asyncio.create_task(floor.alignment.compare())
    await floor.switch.reached.wait()
    await floor.seating.pause("001", "2", by="x")
    assert all(one.paused for one in floor.of("001")), "while the look waits for its answer"
    await floor.seating.log_out("002", by="x")
    floor.begin()
    floor.switch.gate[held].set()
    await looking
    assert floor.switch.changes == [], "the look's answer is older"
    assert floor.right


async def test_a_member_lost_while_the_full_look_runs_is_back_after_the_next(floor: Floor) -> None:
    floor.switch.gate["q_market"] = asyncio.Event()
    looking = asyncio.create_task(floor.alignment.compare())
    await floor.switch.reached.wait()
    del floor.switch.members["q_general", "seat001"]
    floor.switch.gate["q_market"].set()
    await looking
    await floor.alignment.compare()
    assert floor.right


async def test_a_full_look_that_gets_no_answer_leaves_what_is_known(floor: Floor) -> None:
    floor.switch.silent = True
    with pytest.raises(Silent):
        await floor.alignment.compare()
    floor.switch.silent = False
    await floor.seating.pause("001", "2", by="x")
    assert floor.switch.asked == []
    assert floor.right


async def test_while_hundreds_of_seats_are_compared_everything_else_has_its_turn() -> None:
    floor = Floor(seats=300)
    await floor.man()
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await floor.alignment.compare()
    counting.cancel()
    assert turns >= 300 / 20


async def test_seats_change_as_they_like_while_full_looks_run_and_all_is_right_in_the_end() -> None:
    floor = Floor(seats=12)
    await floor.man()

    async def lives(seat: str, operator: str) -> None:
        for n in range(20):
            await floor.seating.pause(seat, "2", by="x")
            await asyncio.sleep(0)
            await floor.seating.resume(seat, by="x")
            if n % 5 == 4:
                await floor.seating.log_out(seat, by="x")
                await floor.seating.log_in(seat, operator, by="x")

    async def look() -> None:
        for _ in range(20):
            await floor.alignment.compare()

    seats = (lives(seat.id, str(1000 + n)) for n, seat in enumerate(floor.book.seats, 1))
    await asyncio.gather(look(), *seats)
    assert floor.right
    floor.begin()
    await floor.alignment.compare()
    assert floor.switch.changes == []


def test_a_change_says_what_it_makes_of_a_member() -> None:
    there = Member("q_general", "seat01", "1001", False, "", last_call=7)
    wanted = Membership("q_general", "01", "seat01", "1001", True, "meal", 10)
    assert differences({"q_general": there}, [wanted]) == [
        Change(Step.PAUSE, Member("q_general", "seat01", "1001", True, "meal", 0, 7)),
        Change(Step.WEIGH, Member("q_general", "seat01", "1001", True, "meal", 10, 7)),
    ]
