"""Three-way calls on virtual time, with a room that does what it is told, late, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import types
from collections.abc import Coroutine, Generator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.calls.open_calls import CallBook
from ivr.calls.record import CallRecord
from ivr.calls.states import CallState
from ivr.errors import HotlineError
from ivr.events.event import Event, Kind
from ivr.hotline.book import Line, MergeMode, Trunks
from ivr.hotline.modes import ReceptionSpec
from ivr.transfers.commands import Moves
from ivr.transfers.coordinator import Desk
from ivr.transfers.ports import Invitation, Presence
from ivr.transfers.presence import Floor, Taking
from ivr.transfers.requests import Wishes
from ivr.transfers.states import COMPANY, DEADLINES, TransferState
from ivr.transfers.targets import Targets, TransferRefused
from ivr.transfers.transfer import Transfer, fold_transfer
from tests.unit.kit import T0, Clock, Journal, event, small_book

CALL = "a1-1.1"
CALLER, OPERATOR = "PJSIP/trunk-00000001", "PJSIP/seat01-00000002"
THIRD = "PJSIP/ivr-out-00000003"
CENTRE = "subcenter:tax"


@types.coroutine
def _later() -> Generator[None]:
    yield


class FakeRoom:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []
        self.broken = False
        self.keying: set[str] = set()
        self.there = Presence(True, True, True)

    def of(self, what: str) -> list[tuple[str, ...]]:
        return [told for told in self.told if told[0] == what]

    def _do(self, *what: str) -> None:
        if self.broken:
            raise HotlineError("the wire is cut", retry=True)
        self.told.append(what)

    async def keys_done(self, *channels: str) -> None:
        while self.keying.intersection(channels):
            await _later()

    async def gather(self, caller: str, operator: str, *, hold: bool, help_number: str = "") -> None:
        self._do("gather", caller, operator, "hold" if hold else "room", help_number)

    async def hold(self, caller: str, *, help_number: str = "") -> None:
        self._do("hold", caller, help_number)

    async def bring(self, caller: str, *, help_number: str = "") -> None:
        self._do("bring", caller, help_number)

    async def requeue(self, caller: str) -> None:
        self._do("requeue", caller)

    async def expect(self, caller: str) -> None:
        self._do("expect", caller)

    async def settle(self, caller: str) -> None:
        self._do("settle", caller)

    async def invite(self, invitation: Invitation) -> None:
        self._do("invite", invitation.channel_id, invitation.route.address, invitation.caller_number)

    async def drop(self, channel_id: str) -> None:
        self._do("drop", channel_id)

    async def say(self, channel: str, prompt: str, slots: Mapping[str, str]) -> None:
        self._do("say", channel, prompt)

    async def mute(self, call_id: str, channel: str, on: bool) -> None:
        self._do("mute", channel, str(on))

    async def record(self, channel: str, path: str) -> None:
        self._do("record", channel, path)

    async def present(self, call_id: str, caller: str, operator: str, third: str) -> Presence:
        return self.there


class Commands:
    """Commands of the fake room: they wait for nothing but keys."""

    def __init__(self) -> None:
        self.waiting: list[Coroutine[Any, Any, None]] = []

    def begin(self, command: Coroutine[Any, Any, None]) -> None:
        """Run a command as far as it goes."""
        try:
            command.send(None)
        except StopIteration:
            return
        self.waiting.append(command)

    def go_on(self) -> None:
        """Run what waits."""
        waiting, self.waiting = self.waiting, []
        for command in waiting:
            self.begin(command)


class Hall:
    """One call that is being talked on, and everything that decides about it."""

    def __init__(
        self,
        source: str = "live",
        routes: tuple[str, ...] = ("sip:119@127.0.0.1:5119",),
        centre: tuple[str, ...] = ("sip:1@127.0.0.1:5200",),
        star_number: str = "110",
        steady: Clock | None = None,
    ) -> None:
        self.clock, self.journal, self.room = Clock(), Journal(), FakeRoom()
        book = small_book(
            lines=(Line("tax", "12366", "税务服务热线", "税务局", MergeMode.SUBCENTER),),
            trunks=Trunks(destinations={CENTRE: centre, "119": routes, "110": routes}),
            reception=ReceptionSpec(star_number=star_number),
        )
        self.alarms: list[tuple[str, str, str, str]] = []
        self.calls = CallBook(self.journal.append, lambda told, call: self.desk.hear(told, call))
        self.floor = Floor(self.calls, self.clock, steady)
        self.commands = Commands()
        moves = Moves(self.floor, lambda: book, self.room, self.commands.begin, lambda _: "13800138000")
        self.desk = Desk(self.floor, moves, self.room, lambda *said: self.alarms.append(said))
        self.wishes = Wishes(self.floor, moves, lambda: Targets(book, lambda _: True))
        for after, kind, data in (
            (0, Kind.CALL_STARTED, {"channel": CALLER, "source": source, "recording": "/r/c1"}),
            (1, Kind.QUEUED, {"queue": "q_general"}),
            (2, Kind.ANSWERED, {"seat": "01", "operator": "1001", "channel": OPERATOR}),
        ):
            self.calls.record(event(CALL, after, kind, **data))
        self.clock.now += 10

    @property
    def transfer(self) -> Transfer:
        return self.floor.transfer(CALL)

    @property
    def state(self) -> TransferState:
        return self.transfer.state

    def where(self) -> TransferState:
        return self.transfer.state

    @property
    def call(self) -> CallRecord:
        return self.calls.calls[CALL]

    def pass_(self, seconds: float) -> None:
        """Let time go by in small steps."""
        for _ in range(round(seconds * 10)):
            self.clock.now += 0.1
            self.desk.tick()

    def to(self, state: TransferState) -> None:
        """Bring the call to a state by what really happens."""
        self.wishes.start(CALL, CENTRE, "seat 01")
        self.desk.held(CALL)
        self.desk.joined(CALL, "o", OPERATOR)
        third = self.transfer.third
        self.desk.third_rings(third)
        if state is TransferState.INVITING:
            return
        self.desk.third_step(third, "answered", THIRD)
        if state is TransferState.ASKING:
            return
        self.desk.joined(CALL, third, THIRD)
        if state is TransferState.CONSULTING:
            return
        self.wishes.complete(CALL, "seat 01")
        self.desk.joined(CALL, CALL, CALLER)
        assert self.state is TransferState.THREE_WAY
        if state is TransferState.HANDED_OFF:
            self.operator_leaves()

    def operator_leaves(self) -> None:
        self.calls.record(
            Event(CALL, self.clock(), Kind.OPERATOR_LEFT, {"reason": "agent", "channel": OPERATOR})
        )

    def caller_leaves(self) -> None:
        self.calls.record(Event(CALL, self.clock(), Kind.HUNG_UP, {}))


def test_a_consultation_becomes_three_and_goes_on_without_the_operator() -> None:
    hall = Hall()
    hall.to(TransferState.CONSULTING)
    assert hall.room.told[:2] == [("expect", CALLER), ("gather", CALLER, OPERATOR, "hold", "")]
    assert hall.call.state is CallState.TALKING
    hall.wishes.complete(CALL, "seat 01")
    assert hall.room.told[-1] == ("bring", CALLER, "")
    hall.desk.joined(CALL, CALL, CALLER)
    assert (hall.state, hall.call.state) == (TransferState.THREE_WAY, CallState.THREE_WAY)
    hall.operator_leaves()
    assert (hall.state, hall.call.state) == (TransferState.HANDED_OFF, CallState.HANDED_OFF)
    call = hall.call
    hall.caller_leaves()
    assert call.outcome == "handed_off"
    assert [(leg.role, leg.target) for leg in call.legs][-1] == ("third", CENTRE)


def test_the_third_party_sees_the_hotlines_number_and_only_help_sees_the_callers() -> None:
    hall = Hall()
    hall.to(TransferState.INVITING)
    assert hall.room.of("invite") == [("invite", f"{CALL}-t1-0", "sip:1@127.0.0.1:5200", "12345")]
    hall.wishes.start(CALL, "119", "seat 01")
    assert hall.room.of("invite")[-1][-1] == "13800138000"


@pytest.mark.parametrize(
    ("reason", "prompt"),
    [("busy", "S050"), ("no_answer", "S051"), ("refused", "S052"), ("wrong", "S053"), ("congestion", "S057")],
)
def test_a_third_party_that_does_not_come_is_told_with_its_reason_within_a_second(
    reason: str, prompt: str
) -> None:
    hall = Hall()
    hall.to(TransferState.INVITING)
    hall.desk.third_gone(hall.transfer.third, reason)
    assert hall.where() is TransferState.RETURNING
    assert ("say", OPERATOR, prompt) in hall.room.told
    assert ("say", CALLER, "P034") in hall.room.told
    assert ("bring", CALLER, "") in hall.room.told
    hall.desk.joined(CALL, CALL, CALLER)
    assert hall.where() is TransferState.TOGETHER


def test_who_hangs_up_instead_of_pressing_a_key_has_refused_however_many_telephones_there_are() -> None:
    hall = Hall(centre=("sip:1@127.0.0.1:5200", "sip:2@127.0.0.1:5201"))
    hall.to(TransferState.ASKING)
    assert hall.transfer.more_routes
    hall.desk.third_gone(hall.transfer.third, "congestion")
    assert hall.where() is TransferState.RETURNING, "the caller does not listen to music for nobody"
    assert ("say", OPERATOR, "S052") in hall.room.told


def test_an_operator_who_is_on_the_way_into_the_room_is_not_sent_out_of_it_again() -> None:
    hall = Hall()
    hall.wishes.start(CALL, CENTRE, "seat 01")
    hall.desk.held(CALL)
    hall.desk.third_gone(hall.transfer.third, "busy")  # before the operator has arrived
    assert len(hall.room.of("gather")) == 1, "the caller alone would be seen off by Asterisk"
    assert hall.room.of("bring") == [("bring", CALLER, "")]
    hall.desk.joined(CALL, CALL, CALLER)
    assert hall.where() is TransferState.TOGETHER
    hall.pass_(1.0)
    assert len(hall.room.of("gather")) == 2, "one who does not arrive is sent again"


def test_nobody_rings_longer_than_twenty_five_seconds() -> None:
    hall = Hall()
    hall.to(TransferState.INVITING)
    third = hall.transfer.third
    hall.pass_(24.8)
    assert hall.where() is TransferState.INVITING
    hall.pass_(0.4)
    assert hall.where() is TransferState.RETURNING
    assert ("drop", third) in hall.room.told


def test_a_third_party_seen_in_the_room_before_its_answer_is_heard_is_one_party() -> None:
    hall = Hall()
    hall.to(TransferState.INVITING)
    hall.desk.joined(CALL, hall.transfer.third, THIRD)
    hall.desk.third_step(hall.transfer.third, "answered", THIRD)
    assert hall.state is TransferState.CONSULTING
    assert [leg.role for leg in hall.call.legs].count("third") == 1


def test_an_operator_who_leaves_while_it_rings_leaves_the_caller_to_the_third_party_or_the_queue() -> None:
    hall = Hall()
    hall.to(TransferState.INVITING)
    hall.operator_leaves()
    assert (hall.state, hall.call.state) == (TransferState.AWAITED, CallState.WAITING)
    hall.desk.third_step(hall.transfer.third, "answered", THIRD)
    hall.desk.joined(CALL, hall.transfer.third, THIRD)
    assert hall.room.told[-1] == ("bring", CALLER, "")
    hall.desk.joined(CALL, CALL, CALLER)
    assert (hall.state, hall.call.state) == (TransferState.HANDED_OFF, CallState.HANDED_OFF)

    hall = Hall()
    hall.to(TransferState.INVITING)
    hall.operator_leaves()
    hall.desk.third_gone(hall.transfer.third, "busy")
    assert hall.room.of("requeue") == [("requeue", CALLER)]
    hall.calls.record(Event(CALL, hall.clock(), Kind.QUEUED, {"queue": "q_general"}))
    assert (hall.state, hall.call.state) == (TransferState.IDLE, CallState.WAITING)


def test_an_emergency_holds_nobody_and_goes_on_to_the_next_route_every_ten_seconds() -> None:
    hall = Hall(routes=("sip:119@127.0.0.1:5119", "sip:119@127.0.0.2:5119"))
    hall.wishes.start(CALL, "119", "seat 01")
    assert hall.room.told[:2] == [("expect", CALLER), ("gather", CALLER, OPERATOR, "room", "119")]
    hall.desk.joined(CALL, "o", OPERATOR)
    hall.desk.joined(CALL, CALL, CALLER)
    first = hall.transfer.third
    hall.pass_(10.1)
    assert [told[2] for told in hall.room.of("invite")] == [
        "sip:119@127.0.0.1:5119",
        "sip:119@127.0.0.2:5119",
    ]
    assert ("drop", first) in hall.room.told
    hall.pass_(10.1)
    assert hall.where() is TransferState.TOGETHER
    assert ("say", CALLER, "P011") in hall.room.told
    assert [alarm[0] for alarm in hall.alarms] == ["emergency_failed"]


def test_an_emergency_is_three_way_as_soon_as_somebody_answers() -> None:
    hall = Hall()
    hall.wishes.start(CALL, "119", "seat 01")
    hall.desk.joined(CALL, "o", OPERATOR)
    hall.desk.joined(CALL, CALL, CALLER)
    hall.desk.third_step(hall.transfer.third, "answered", THIRD)
    hall.desk.joined(CALL, hall.transfer.third, THIRD)
    assert hall.call.state is CallState.THREE_WAY
    assert ("say", THIRD, "S058") in hall.room.told


@pytest.mark.parametrize("state", ["INVITING", "ASKING", "CONSULTING", "THREE_WAY"])
def test_an_emergency_does_not_wait_for_a_department(state: str) -> None:
    hall = Hall()
    hall.to(TransferState[state])
    third = hall.transfer.third
    hall.wishes.star(CALL)
    assert hall.where() is TransferState.CALLING_HELP
    assert ("drop", third) in hall.room.told
    assert hall.room.of("bring")[-1] == ("bring", CALLER, "110")


def test_a_second_target_is_refused_while_the_first_is_being_brought_in() -> None:
    hall = Hall()
    hall.to(TransferState.INVITING)
    invited = hall.room.of("invite")
    hall.wishes.keys(CALL, OPERATOR, "601")
    hall.wishes.keys(CALL, OPERATOR, "601")
    assert hall.room.of("invite") == invited
    assert hall.room.of("say")[-1] == ("say", OPERATOR, "S055")
    with pytest.raises(TransferRefused, match="cancel that first"):
        hall.wishes.start(CALL, CENTRE, "administrator")


def test_keys_of_anybody_but_the_operator_do_nothing() -> None:
    hall = Hall()
    hall.wishes.keys(CALL, THIRD, "9")
    hall.wishes.keys("unknown", OPERATOR, "9")
    hall.wishes.room_keys(CALL, CALLER, "cancel")
    assert hall.room.told == []
    hall.wishes.keys(CALL, OPERATOR, "77")
    assert hall.room.told == [("say", OPERATOR, "S053")]


def test_a_call_from_110_is_not_sent_back_and_the_operator_hears_why() -> None:
    hall = Hall(source="110_diversion")
    hall.wishes.keys(CALL, OPERATOR, "0")
    assert hall.room.told == [("say", OPERATOR, "S056")]
    assert hall.journal.of(CALL)[-1].data["reason"] == "loop"


def test_a_redirect_that_asterisk_only_queued_is_given_again_and_then_given_up() -> None:
    hall = Hall()
    hall.wishes.start(CALL, CENTRE, "seat 01")
    hall.pass_(1.0)
    assert len(hall.room.of("gather")) == 2
    hall.pass_(4.0)
    assert hall.where() is TransferState.TOGETHER
    assert not hall.transfer.moved
    assert hall.journal.of(CALL)[-1].data == {"unmoved": True}


def test_a_caller_who_does_not_arrive_is_sent_again_and_never_forgotten() -> None:
    hall = Hall()
    hall.to(TransferState.CONSULTING)
    hall.operator_leaves()
    assert hall.where() is TransferState.DELIVERING
    hall.pass_(10.0)
    assert len(hall.room.of("bring")) == 3
    assert hall.where() is TransferState.REQUEUEING
    hall.pass_(5.0)
    assert len(hall.room.of("requeue")) >= 3


def test_a_consultation_does_not_keep_the_caller_on_music_for_ever() -> None:
    hall = Hall()
    hall.to(TransferState.CONSULTING)
    hall.pass_(180.2)
    assert hall.where() is TransferState.JOINING


def test_a_wire_cut_between_redirect_and_originate_is_mended_when_it_is_back() -> None:
    hall = Hall()
    hall.room.broken = True
    hall.wishes.start(CALL, "119", "seat 01")
    hall.room.broken = False
    hall.room.there = Presence(True, True, False)
    asyncio.run(hall.desk.recover())
    assert len(hall.room.of("invite")) == 1, "help is called after all"

    hall = Hall()
    hall.room.broken = True
    hall.wishes.start(CALL, CENTRE, "seat 01")
    hall.room.broken = False
    hall.room.there = Presence(True, True, False)
    asyncio.run(hall.desk.recover())
    assert hall.where() is TransferState.RETURNING, "an ordinary third party is not dialled twice"


@pytest.mark.parametrize("state", ["INVITING", "ASKING", "CONSULTING", "THREE_WAY", "HANDED_OFF"])
def test_the_state_of_a_call_is_what_its_journal_says(state: str) -> None:
    hall = Hall()
    hall.to(TransferState[state])
    told = fold_transfer(CALL, hall.journal.of(CALL))
    assert (told.state, told.third, told.deadline) == (
        TransferState[state],
        hall.transfer.third,
        hall.transfer.deadline,
    )


@pytest.mark.parametrize("state", ["INVITING", "CONSULTING", "THREE_WAY"])
def test_what_happened_while_the_engine_was_dead_is_told_when_it_is_back(state: str) -> None:
    hall = Hall()
    hall.to(TransferState[state])
    hall.room.there = Presence(True, False, False, caller_in_room=state == "THREE_WAY")
    asyncio.run(hall.desk.recover())
    kinds = hall.journal.kinds(CALL)
    assert "operator_left" in kinds
    assert {"third_left", "third_refused"} & set(kinds)
    assert hall.state in (TransferState.REQUEUEING, TransferState.LEAVING)


HAPPENINGS = st.sampled_from(
    [
        "start", "emergency", "star", "complete", "cancel", "mute", "leave", "held", "caller_in", "caller_out",
        "operator_in", "operator_out", "third_in", "rings", "answered", "refused", "gone", "operator_left", "queued",
        "operator_gone", "time", "long", "recover", "answered_again",
    ]
)  # fmt: skip


def happen(hall: Hall, what: str) -> None:
    """One thing happens, fitting or not."""
    third, clock = hall.transfer.third or f"{CALL}-t9-9", hall.clock()
    queued = Event(CALL, clock, Kind.QUEUED, {"queue": "q_general"})
    answered = Event(CALL, clock, Kind.ANSWERED, {"seat": "02", "operator": "1002", "channel": OPERATOR})
    table: dict[str, Any] = {
        "start": lambda: hall.wishes.start(CALL, CENTRE, "x"),
        "emergency": lambda: hall.wishes.start(CALL, "119", "x"),
        "star": lambda: hall.wishes.star(CALL),
        "complete": lambda: hall.wishes.complete(CALL, "x"),
        "cancel": lambda: hall.wishes.cancel(CALL, "x"),
        "mute": lambda: hall.wishes.mute(CALL, "x"),
        "leave": lambda: hall.wishes.leave(CALL, "x"),
        "held": lambda: hall.desk.held(CALL),
        "caller_in": lambda: hall.desk.joined(CALL, CALL, CALLER),
        "caller_out": lambda: hall.desk.left(CALL, CALL, CALLER),
        "operator_in": lambda: hall.desk.joined(CALL, "o", OPERATOR),
        "operator_out": lambda: hall.desk.left(CALL, "o", OPERATOR),
        "third_in": lambda: hall.desk.joined(CALL, third, THIRD),
        "rings": lambda: hall.desk.third_rings(third),
        "answered": lambda: hall.desk.third_step(third, "answered", THIRD),
        "refused": lambda: hall.desk.third_step(third, "refused", THIRD),
        "gone": lambda: hall.desk.third_gone(third, "busy"),
        "operator_left": hall.operator_leaves,
        "operator_gone": lambda: hall.desk.operator_gone(OPERATOR),
        "queued": lambda: hall.calls.record(queued),
        "answered_again": lambda: hall.calls.record(answered),
        "time": lambda: hall.pass_(1.0),
        "long": lambda: hall.pass_(40.0),
        "recover": lambda: asyncio.run(hall.desk.recover()),
    }
    with contextlib.suppress(TransferRefused):
        table[what]()


@settings(max_examples=300, deadline=None)
@given(st.lists(HAPPENINGS, max_size=25))
def test_whatever_happens_in_whatever_order_no_caller_waits_without_a_deadline(happenings: list[str]) -> None:
    hall = Hall()
    for what in happenings:
        happen(hall, what)
        state = hall.state
        assert state in COMPANY or hall.transfer.deadline is not None
        assert (state in DEADLINES) == (state not in COMPANY)
        told = fold_transfer(CALL, hall.journal.of(CALL))
        assert told.state is state, "a restart would see something else"
    hall.caller_leaves()
    assert CALL not in hall.floor.transfers


@settings(max_examples=100, deadline=None)
@given(st.lists(HAPPENINGS, max_size=15))
def test_when_nothing_more_happens_the_caller_ends_with_company_or_at_the_head_of_the_queue(
    happenings: list[str],
) -> None:
    hall = Hall()
    for what in happenings:
        happen(hall, what)
    hall.pass_(300.0)
    assert hall.state in COMPANY or (
        hall.state is TransferState.REQUEUEING and hall.room.told[-1] == ("requeue", CALLER)
    )


def test_a_shift_leader_who_takes_over_is_there_before_the_operator_goes() -> None:
    leader = "PJSIP/seat02-00000009"
    hall = Hall()
    hall.wishes.take_over(CALL, Taking("02", "1002", leader))
    assert hall.room.told == []
    hall.desk.joined(CALL, "l", leader)
    assert hall.room.told[0] == ("bring", CALLER, "")
    assert ("drop", OPERATOR) in hall.room.told
    assert (hall.call.seat, hall.call.operator) == ("02", "1002")
    taken = next(told for told in hall.journal.of(CALL) if told.kind is Kind.TAKEN_OVER)
    assert taken.data["from_operator"] == "1001", "who is to wrap up now"
    hall.desk.joined(CALL, CALL, CALLER)
    hall.operator_leaves()  # app_queue tells the end of the operator who was relieved
    assert hall.where() is TransferState.TOGETHER
    assert hall.call.state is CallState.TALKING
    hall.desk.operator_gone(leader)
    assert hall.where() is TransferState.LEAVING


def test_a_call_that_waits_for_somebody_cannot_be_taken_over() -> None:
    hall = Hall()
    hall.to(TransferState.INVITING)
    with pytest.raises(TransferRefused):
        hall.wishes.take_over(CALL, Taking("02", "1002", "PJSIP/seat02-00000009"))


def test_a_caller_who_waits_for_a_third_party_without_the_operator_is_still_recorded() -> None:
    hall = Hall()
    assert not hall.floor.goes_on(CALL)
    hall.wishes.start(CALL, CENTRE, "seat 01")
    hall.operator_leaves()
    assert hall.where() is TransferState.AWAITED
    assert hall.floor.goes_on(CALL)
    hall.caller_leaves()
    assert not hall.floor.goes_on(CALL)


@pytest.mark.parametrize("number", ["110", "119"])
def test_the_star_key_in_the_talk_leads_to_the_number_that_the_city_chose(number: str) -> None:
    hall = Hall(star_number=number)
    hall.wishes.star(CALL)
    assert hall.where() is TransferState.CALLING_HELP
    assert hall.transfer.target == number


def test_a_room_of_a_callback_is_found_again_though_its_caller_had_hung_up_before() -> None:
    claim = {"queue": "q_general", "since": T0, "recording": "/r/x"}
    before = [event(CALL, 1, Kind.CALLBACK_CLAIMED, **claim), event(CALL, 2, Kind.HUNG_UP)]
    called = [event(CALL, 3, Kind.CALLBACK_TRIED), event(CALL, 4, Kind.CALLBACK_ANSWERED)]
    hall = Hall()
    hall.to(TransferState.THREE_WAY)
    told_since = hall.journal.of(CALL)
    assert fold_transfer(CALL, [*before, *called, *told_since]).state is TransferState.THREE_WAY


def test_an_operator_in_the_middle_of_a_code_is_led_away_when_it_is_done() -> None:
    hall = Hall()
    hall.room.keying = {OPERATOR}
    hall.wishes.star(CALL)
    hall.pass_(3.0)
    assert hall.room.of("invite") and not hall.room.of("gather"), "help is called at once, and nobody is lost"
    third = hall.transfer.third
    hall.desk.third_step(third, "answered", THIRD)
    hall.desk.joined(CALL, third, THIRD)
    hall.room.keying.clear()
    hall.commands.go_on()
    assert hall.room.of("gather") == [("gather", CALLER, OPERATOR, "room", "")]
    assert hall.state is TransferState.THREE_WAY


def test_whoever_is_refused_before_anybody_was_led_away_is_still_together() -> None:
    hall = Hall()
    hall.room.keying = {OPERATOR}
    hall.wishes.start(CALL, CENTRE, "seat 01")
    hall.desk.third_gone(hall.transfer.third, "busy")
    hall.pass_(0.3)
    hall.room.keying.clear()
    hall.commands.go_on()
    assert hall.state is TransferState.TOGETHER
    assert not hall.room.of("gather") and not hall.room.of("bring")


def test_an_operator_who_leaves_before_being_led_away_leaves_the_caller_with_music() -> None:
    hall = Hall()
    hall.room.keying = {CALLER}
    hall.wishes.start(CALL, CENTRE, "seat 01")
    hall.operator_leaves()
    hall.room.keying.clear()
    hall.commands.go_on()
    assert hall.state is TransferState.AWAITED
    assert hall.room.of("hold") == [("hold", CALLER, "")]


def test_a_caller_who_hangs_up_in_a_room_is_not_handed_off_because_the_others_are_sent_home_first() -> None:
    hall = Hall()
    hall.to(TransferState.THREE_WAY)
    call = hall.call
    hall.desk.caller_goes(CALL)
    hall.desk.operator_gone(OPERATOR)
    hall.desk.third_gone(hall.transfer.third, "congestion")
    hall.caller_leaves()
    assert hall.journal.of(CALL)[-1].kind is Kind.HUNG_UP
    assert Kind.HANDED_OFF not in [told.kind for told in hall.journal.of(CALL)]
    assert call.outcome == "answered"


@pytest.mark.parametrize("state", ["INVITING", "ASKING", "CONSULTING", "THREE_WAY", "CALLING_HELP"])
def test_an_operator_who_is_still_on_the_way_to_the_room_when_the_caller_hangs_up_is_sent_home(
    state: str,
) -> None:
    hall = Hall()
    if state == "CALLING_HELP":
        hall.wishes.start(CALL, "119", "seat 01")
    else:
        hall.to(TransferState[state])
    hall.caller_leaves()
    assert ("drop", OPERATOR) in hall.room.told


def test_an_operator_who_has_left_before_is_not_hung_up_in_their_next_call() -> None:
    hall = Hall()
    hall.to(TransferState.HANDED_OFF)
    hall.pass_(1.0)
    hall.caller_leaves()
    assert ("drop", OPERATOR) not in hall.room.told


@pytest.mark.parametrize("operator_stays", [True, False])
def test_a_telephone_that_answers_and_says_nothing_gives_way_to_the_next(operator_stays: bool) -> None:
    hall = Hall(centre=("sip:1@127.0.0.1:5200", "sip:2@127.0.0.1:5201"))
    hall.to(TransferState.ASKING)
    first = hall.transfer.third
    if not operator_stays:
        hall.operator_leaves()
    hall.desk.third_step(first, "unheeded", THIRD)
    assert hall.where() is (TransferState.INVITING if operator_stays else TransferState.AWAITED)
    assert hall.room.of("invite")[-1][2] == "sip:2@127.0.0.1:5201"
    assert ("drop", first) in hall.room.told
    hall.desk.third_step(hall.transfer.third, "answered", THIRD)
    hall.desk.third_step(hall.transfer.third, "refused", THIRD)
    assert hall.where() is (TransferState.RETURNING if operator_stays else TransferState.REQUEUEING)


@pytest.mark.parametrize("state", ["AWAITED", "AWAITED_ASKING", "HANDED_OFF"])
def test_a_caller_whose_operator_has_gone_still_reaches_help_with_the_star_key(state: str) -> None:
    hall = Hall()
    hall.to(
        {"AWAITED": TransferState.INVITING, "AWAITED_ASKING": TransferState.ASKING}.get(
            state, TransferState.HANDED_OFF
        )
    )
    if state != "HANDED_OFF":
        hall.operator_leaves()
    assert hall.where() is TransferState[state]
    department = hall.transfer.third
    hall.wishes.star(CALL)
    assert (hall.where(), hall.call.state) == (TransferState.AWAITED_HELP, CallState.WAITING)
    assert ("drop", department) in hall.room.told
    assert hall.room.of("hold")[-1] == ("hold", CALLER, "110")
    assert all(leg.left_at is not None for leg in hall.call.legs if leg.role == "third")
    invited = len(hall.room.of("invite"))
    hall.wishes.star(CALL)
    assert len(hall.room.of("invite")) == invited, "help is called once"
    hall.desk.third_step(hall.transfer.third, "answered", THIRD)
    hall.desk.joined(CALL, hall.transfer.third, THIRD)
    hall.desk.joined(CALL, CALL, CALLER)
    assert (hall.where(), hall.call.state) == (TransferState.HANDED_OFF, CallState.HANDED_OFF)
    hall.wishes.star(CALL)
    assert hall.where() is TransferState.HANDED_OFF, "who talks with help keeps it"


def test_help_that_answered_and_did_not_come_has_gone_when_the_story_says_so() -> None:
    hall = Hall()
    hall.wishes.start(CALL, "119", "seat 01")
    hall.desk.third_step(hall.transfer.third, "answered", THIRD)
    hall.desk.third_gone(hall.transfer.third, "refused")
    gone_at = hall.clock()
    hall.pass_(60.0)
    assert [leg.left_at for leg in hall.call.legs if leg.role == "third"] == [gone_at]


@pytest.mark.parametrize("step", [600.0, -3600.0])
def test_a_clock_that_is_set_gives_a_third_party_neither_less_nor_more_time(step: float) -> None:
    steady = Clock()
    hall = Hall(steady=steady)

    def later(seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            steady.now += 0.1
            hall.pass_(0.1)

    hall.to(TransferState.INVITING)
    later(10.0)
    hall.clock.now += step
    later(14.8)
    assert hall.where() is TransferState.INVITING
    later(0.4)
    assert hall.where() is TransferState.RETURNING
    hall.clock.now += step
    hall.desk.joined(CALL, CALL, CALLER)
    hall.clock.now -= step
    hall.wishes.start(CALL, CENTRE, "seat 01")  # in the moment of the step, before anybody has looked
    later(24.8)
    assert hall.where() is TransferState.INVITING
    later(0.4)
    assert hall.where() is TransferState.TOGETHER


def test_a_clock_that_was_set_back_before_a_restart_keeps_nobody_waiting_for_it() -> None:
    before = Hall()
    before.to(TransferState.CONSULTING)
    told = fold_transfer(CALL, before.journal.of(CALL))
    hall = Hall()
    hall.clock.now -= 3600
    hall.desk.restore([told])
    assert hall.transfer.deadline == pytest.approx(hall.clock() + DEADLINES[TransferState.CONSULTING])


@pytest.mark.parametrize("step", ["complete", "cancel", "leave", "mute"])
def test_a_step_without_a_third_party_is_refused_for_what_it_is(step: str) -> None:
    hall = Hall()
    with pytest.raises(TransferRefused, match=f"{step} is not possible now"):
        getattr(hall.wishes, step)(CALL, "administrator")
    with pytest.raises(TransferRefused, match="no operator talks"):
        getattr(hall.wishes, step)("nobody", "administrator")


@pytest.mark.parametrize("arrived", [True, False])
def test_a_caller_who_reached_the_queue_while_the_engine_was_dead_is_not_taken_out_of_it_again(
    arrived: bool,
) -> None:
    hall = Hall()
    hall.to(TransferState.INVITING)
    hall.operator_leaves()
    hall.desk.third_gone(hall.transfer.third, "busy")
    assert hall.where() is TransferState.REQUEUEING
    sent = len(hall.room.of("requeue"))
    hall.room.there = Presence(True, False, False, caller_in_queue=arrived)
    asyncio.run(hall.desk.recover())
    assert len(hall.room.of("requeue")) == sent + (not arrived)
    assert (hall.where() is TransferState.IDLE) is arrived
    assert hall.call.state is CallState.WAITING
