"""A seat whose phone refuses: passed over, paused once with an alarm, tried while somebody waits, and back by itself."""

from __future__ import annotations

from typing import Any

import pytest

from ivr.asterisk.ami.codec import Message
from ivr.asterisk.facts.seat_offers import SeatOffers
from ivr.calls.open_calls import CallBook
from ivr.calls.record import CallRecord
from ivr.calls.states import SeatState
from ivr.events.event import Event, Kind
from ivr.seats.log_in import REASON_NAMES, Membership
from ivr.seats.refusing import GAPS_S, PASSED_OVER, REFUSES, SEAT_REFUSES, TRIES_S, WAITS_S
from ivr.supervision.part import People
from tests.unit.kit import T0, Clock, Journal, event, small_book

CALL = "a1-1.1"


class Floor:
    """People and one Asterisk that tells how phones behave; the clock stands unless told."""

    def __init__(self, journal: Journal | None = None) -> None:
        self.journal, self.clock = journal or Journal(), Clock()
        self.calls = CallBook(self.journal.append)
        self.calls.events.subscribe("the room", self._hear)
        self.people = self._people()
        self.aligned: list[dict[str, str]] = []
        self.rings = 0

    def _people(self) -> People:
        self.offers = SeatOffers()
        return People(small_book, self.calls, self._align, self._audit, self.clock, rings=self.offers)

    def _hear(self, told: Event, call: CallRecord | None) -> None:
        self.people.hear(told, call)

    async def _align(self, _: object) -> None:
        self.aligned.append({seat.seat: seat.reason for seat in self.members()})

    async def _audit(self, *_: Any) -> None: ...

    async def man(self, *seats: str) -> None:
        self.people.seating.known = True
        for seat in seats:
            await self.people.seating.log_in(seat, f"10{seat}", by="x")

    def restart(self) -> None:
        """Begin anew with what the journal holds."""
        told = list(self.journal.events)
        seats = self.calls.seats.values()
        self.calls = CallBook(self.journal.append)
        self.calls.events.subscribe("the room", self._hear)
        self.calls.restore([], seats)
        self.people = self._people()
        self.people.restore([one for one in told if one.stream == "hotline"])
        self.people.seating.known = True

    def members(self) -> list[Membership]:
        return self.people.seating.memberships()

    def rings_at(self, seat: str) -> bool:
        return any(one.seat == seat and not one.paused for one in self.members())

    def reason(self, seat: str = "01") -> str:
        return next(one.reason for one in self.members() if one.seat == seat)

    def ring(self, seat: str, *ends: dict[str, str]) -> None:
        self.rings += 1
        channel = f"PJSIP/seat{seat}-{self.rings:08x}"
        about = {"DestChannel": channel, "Channel": "PJSIP/trunk-00000000", "Interface": f"PJSIP/seat{seat}"}
        for told in ({"Event": "AgentCalled", **about}, *({**about, **end} for end in ends)):
            if told["Event"] == "Hangup":
                told = {**told, "Channel": channel, "DestChannel": ""}
            lines = {"Timestamp": str(self.clock.now), **told}
            message = Message("\r\n".join(f"{k}: {v}" for k, v in lines.items()))
            if (ended := self.offers.hear(message)) is not None:
                self.people.rang(ended.rang)

    def refuse(self, seat: str = "01", status: str = "486") -> None:
        self.ring(
            seat, {"Event": "AgentRingNoAnswer"}, {"Event": "Hangup", "Cause": "17", "TechCause": status}
        )

    def answer(self, seat: str = "01") -> None:
        self.ring(seat, {"Event": "AgentConnect"})

    def ring_out(self, seat: str = "01") -> None:
        end = str(self.clock.now + 15)
        self.ring(seat, {"Event": "AgentRingNoAnswer"}, {"Event": "Hangup", "Cause": "0", "Timestamp": end})

    def refuse_until_paused(self, seat: str = "01") -> int:
        """Refuse whatever comes, as a queue would offer it; return how often it came."""
        count = 0
        while self.calls.seat(seat).state is SeatState.READY:
            if self.rings_at(seat):
                self.refuse(seat)
                count += 1
            self.clock.now += 1
            assert self.clock.now < T0 + 600
        return count

    def a_caller(self, queue: str = "q_general") -> None:
        self.calls.record(event(CALL, self.clock.now - T0, Kind.CALL_STARTED))
        self.calls.record(event(CALL, self.clock.now - T0, Kind.QUEUED, queue=queue))

    def alarms(self) -> list[str]:
        return [one.about for one in self.people.alarms.active if one.alarm == SEAT_REFUSES]


async def test_a_button_pressed_twice_costs_an_operator_nothing() -> None:
    floor = Floor()
    await floor.man("01")
    for _round in range(5):
        floor.refuse()
        floor.refuse()
        assert floor.rings_at("01")
        floor.answer()
    floor.refuse()
    floor.refuse()
    floor.ring_out()
    floor.refuse()
    assert floor.rings_at("01"), "it rang in between: that is not in a row"
    assert floor.alarms() == []


async def test_the_gaps_grow_and_then_the_seat_is_paused_and_named_once() -> None:
    floor = Floor()
    await floor.man("01", "02")
    gaps = []
    for _refusal in range(3 + len(GAPS_S)):
        at = floor.clock.now
        while not floor.rings_at("01"):
            assert floor.reason() == PASSED_OVER
            assert floor.calls.seat("01").state is SeatState.READY
            floor.clock.now += 0.5
        gaps.append(floor.clock.now - at)
        floor.refuse()
    assert gaps == [0, 0, 0, *GAPS_S]
    assert floor.reason() == REFUSES
    assert not floor.rings_at("01")
    assert floor.rings_at("02"), "nobody else pays for it"
    floor.refuse()  # rung before Asterisk had heard of the pause
    paused = [one for one in floor.journal.of("seat:01") if one.kind is Kind.PAUSED]
    assert [(one.data["reason"], one.data["status"]) for one in paused] == [(REFUSES, "SIP 486")]
    assert floor.journal.kinds("hotline") == ["alarm_raised"]
    assert floor.alarms() == ["01"]
    [alarm] = floor.people.alarms.active
    assert "seat 01 (operator 1001)" in alarm.sentence
    assert "01 号座席（话务员 1001）" in alarm.sentence_zh


async def test_refusals_that_cross_a_pass_over_are_one() -> None:
    floor = Floor()
    await floor.man("01")
    for _crowd in range(20):
        floor.refuse()
    assert floor.calls.seat("01").state is SeatState.READY, "so many callers were offered at one moment"
    assert floor.reason() == PASSED_OVER


async def test_asterisk_hears_of_a_gap_and_of_its_end() -> None:
    floor = Floor()
    await floor.man("01")
    floor.aligned.clear()
    for _refusal in range(3):
        floor.refuse()
    await floor.people._tick()
    floor.clock.now += GAPS_S[0]
    await floor.people._tick()
    await floor.people._tick()
    assert floor.aligned == [{"01": PASSED_OVER}, {"01": ""}], "and nothing is asked in vain"


@pytest.mark.parametrize("how", ["resume", "log in again", "rest"])
async def test_the_alarm_goes_and_the_seat_comes_back_with_its_operator(how: str) -> None:
    floor = Floor()
    await floor.man("01")
    floor.refuse_until_paused()
    seating = floor.people.seating
    if how == "resume":
        await seating.resume("01", by="seat 01")
    elif how == "rest":
        await seating.pause("01", "rest", by="seat 01")
    else:
        await seating.log_out("01", by="seat 01")
        await seating.log_in("01", "1001", by="seat 01")
    assert floor.alarms() == []
    assert floor.reason() == ("rest" if how == "rest" else "")
    assert floor.offers.in_vain == (frozenset({"seat01"}) if how == "rest" else frozenset())
    if how != "rest":
        floor.refuse()
        assert floor.rings_at("01"), "it begins anew"


async def test_a_paused_seat_is_tried_only_while_somebody_waits_and_answers_itself_back() -> None:
    floor = Floor()
    await floor.man("01")
    floor.refuse_until_paused()
    floor.clock.now += 3600
    assert not floor.people.refusing.moved(), "nobody waits"
    floor.a_caller()
    floor.people.refusing.moved()
    assert not floor.rings_at("01"), "perhaps another seat takes them"
    floor.clock.now += WAITS_S
    assert floor.people.refusing.moved()
    assert floor.rings_at("01")
    for gap in (*TRIES_S[1:], TRIES_S[-1]):
        floor.refuse()
        assert not floor.rings_at("01")
        floor.clock.now += gap - 1
        assert not floor.people.refusing.moved() or not floor.rings_at("01")
        floor.clock.now += 1
        floor.people.refusing.moved()
        assert floor.rings_at("01")
    assert floor.journal.kinds("hotline") == ["alarm_raised"], "told once"
    floor.answer()
    assert floor.calls.seat("01").state is SeatState.READY
    assert floor.alarms() == []


async def test_where_all_refuse_all_are_tried_and_one_that_rings_is_back() -> None:
    floor = Floor()
    await floor.man("01", "02", "03")
    for seat in ("01", "02", "03"):
        floor.refuse_until_paused(seat)
    assert floor.alarms() == ["01", "02", "03"]
    floor.a_caller()
    floor.clock.now += TRIES_S[0] + WAITS_S
    floor.people.refusing.moved()
    assert all(map(floor.rings_at, ("01", "02", "03")))
    floor.ring_out("02")
    assert floor.calls.seat("02").state is SeatState.READY
    assert floor.alarms() == ["01", "03"]


async def test_a_seat_is_not_tried_for_a_queue_it_does_not_serve() -> None:
    floor = Floor()
    await floor.man("01")
    floor.refuse_until_paused()
    floor.a_caller("q_market")
    floor.clock.now += TRIES_S[0] + WAITS_S
    floor.people.refusing.moved()
    assert not floor.rings_at("01")


async def test_the_pause_and_the_alarm_outlive_the_engine_and_the_seat_is_tried_again() -> None:
    floor = Floor()
    await floor.man("01")
    floor.refuse_until_paused()
    floor.restart()
    assert (floor.reason(), floor.alarms()) == (REFUSES, ["01"])
    floor.a_caller()
    floor.people.refusing.moved()
    assert not floor.rings_at("01")
    floor.clock.now += TRIES_S[0]
    floor.people.refusing.moved()
    assert floor.rings_at("01")
    await floor.people.seating.resume("01", by="seat 01")
    assert floor.alarms() == []


async def test_people_read_why_in_their_language() -> None:
    assert REASON_NAMES[REFUSES] == ("phone refuses", "话机拒接")
