"""Which callbacks are taken, and which of them stand in Asterisk: strangers can order neither without end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import cast

import pytest

from ivr.asterisk.ami.link import Link
from ivr.asterisk.control.placeholders import AsteriskPlaceholders
from ivr.asterisk.control.queues import IN_USE, NOT_IN_USE, RINGING
from ivr.calls.callback import Callback
from ivr.calls.record import fold_call
from ivr.events.event import Kind
from ivr.queueing import callback_desk as waiting_desk
from ivr.queueing import callback_limits as limits
from ivr.queueing.callback_places import Staff
from ivr.queueing.callback_places import standing as chosen
from ivr.seats.log_in import WRAP_UP, Membership
from tests.unit.callback_kit import CALL, desk, standing
from tests.unit.kit import T0, event


async def test_a_missed_call_leaves_a_row_and_no_channel_until_a_seat_is_free() -> None:
    at = desk()
    for n in range(9):
        at.gives_up(f"a1-{n}.1", f"138001380{n:02d}")
        at.clock.now += 1
    assert await standing(at) == []
    assert [call.state for call in at.calls.open()] == ["callback"] * 9
    at.man("01", status=IN_USE)
    assert await standing(at) == [], "the seat talks"
    at.link.states["seat01"] = NOT_IN_USE
    assert await standing(at) == ["a1-0.1", "a1-1.1"], "two for one seat, those who came first"
    assert await standing(at) == ["a1-0.1", "a1-1.1"]


async def test_as_many_placeholders_stand_as_the_free_seats_can_serve_soon_whatever_is_missed() -> None:
    at = desk()
    for n in range(150):
        at.gives_up(f"a1-{n}.1", f"13800138{n:03d}")
    at.man("01", "02", "03")
    at.link.states["seat02"] = RINGING
    at.link.states["seat03"] = IN_USE
    assert len(await standing(at)) == 4
    at.link.states["seat02"] = IN_USE
    assert len(await standing(at)) == 2, "the rest makes room, and the callbacks stay open"
    assert len(at.calls.callbacks()) == 150
    at.seats.clear()
    assert await standing(at) == [], "nobody is there"


async def test_an_operator_who_is_just_told_of_a_callback_keeps_it() -> None:
    at = desk()
    for n in range(2):
        at.gives_up(f"a1-{n}.1", f"138001380{n:02d}")
    at.man("01")
    assert await standing(at) == ["a1-0.1", "a1-1.1"]
    at.desk.hear("a1-0.1", T0, "callback_seat_ringing", {})
    at.link.states["seat01"] = IN_USE
    assert await standing(at) == ["a1-0.1"], (
        "Asterisk says that it was answered when the announcement is over"
    )
    at.desk.hear("a1-0.1", T0, "callback_seat_no_answer", {})
    assert await standing(at) == []


async def test_who_waits_is_served_before_those_who_gave_up() -> None:
    at = desk()
    at.gives_up(CALL, "13800138000")
    at.man("01")
    at.waits("a1-2.2", "13900139000", 30)
    at.link.caller("a1-2.2")
    assert await standing(at) == [], "the seat is theirs"
    at.link.callers.clear()
    assert await standing(at) == [CALL]
    at.link.caller("a1-3.3")
    assert await standing(at) == [CALL], "the seat may ring for it already"
    assert int(at.link.standing[CALL]["IVR_PRIORITY"]) < 0, "whoever comes now goes before it"


async def test_a_promised_callback_stands_in_its_place_while_every_seat_is_busy() -> None:
    at = desk()
    at.man("01", status=IN_USE)
    at.gives_up("a1-5.5", "13800138001")
    at.waits(CALL, "13800138000")
    at.waits("a1-3.3", "13900139000", 5)
    at.clock.now = T0 + 60
    at.claims.claim(CALL, "13800138000", by="caller")
    at.calls.record(event(CALL, 60, Kind.HUNG_UP))
    at.link.caller("a1-3.3")
    assert await standing(at) == [CALL]
    assert at.link.standing[CALL]["IVR_POSITION"] == "1", "before who came later"
    assert at.link.standing[CALL]["IVR_PRIORITY"] == "0"


async def test_missed_calls_take_no_room_from_promised_callbacks() -> None:
    at = desk()
    for n in range(4):
        at.gives_up(f"a1-{n}.1", f"138001380{n:02d}")
    at.man("01")
    assert await standing(at) == ["a1-0.1", "a1-1.1"]
    for n in range(3):
        at.waits(f"a1-{n}.9", f"139001390{n:02d}")
        at.claims.claim(f"a1-{n}.9", f"139001390{n:02d}", by="caller")
    assert await standing(at) == ["a1-0.9", "a1-1.9"]


async def test_a_seat_that_is_paused_or_gone_has_no_placeholders_and_one_in_wrap_up_those_promised() -> None:
    at = desk()
    at.waits(CALL, "13800138000")
    at.claims.claim(CALL, "13800138000", by="caller")
    at.gives_up("a1-2.2", "13800138001")
    at.seats = [Membership("q_general", "01", "seat01", "01", True, "rest")]
    at.link.states["seat01"] = NOT_IN_USE
    assert await standing(at) == []
    at.seats = [replace(at.seats[0], reason=WRAP_UP)]
    assert await standing(at) == [CALL]


async def test_placeholders_that_join_late_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    at = desk()
    at.man("01")
    at.link.late = True
    monkeypatch.setattr(waiting_desk, "_JOINS_WITHIN_S", 0.0)
    for n in range(2):
        at.waits(f"a1-{n}.1", f"138001380{n:02d}", n)
        at.claims.claim(f"a1-{n}.1", f"138001380{n:02d}", by="caller")
    assert await standing(at) == ["a1-0.1"], "the second one is not rung before the first is there"
    assert await standing(at) == ["a1-0.1", "a1-1.1"]
    assert [at.link.standing[call_id]["IVR_POSITION"] for call_id in at.link.standing] == ["1", "2"]
    asked = len(at.link.asked)
    at.clock.now += 10
    assert await standing(at) == ["a1-0.1", "a1-1.1"]
    assert len(at.link.asked) == asked, "one that is slow to come is not asked for twice"


async def test_a_seat_joins_after_the_promised_callbacks_stand_and_waits_for_missed_ones_not_at_all() -> None:
    at = desk()
    at.gives_up("a1-2.2", "13800138001")
    at.man("01")
    await at.desk.make_ready()
    assert at.link.asked == [], "nothing was promised"
    at.waits(CALL, "13800138000")
    at.claims.claim(CALL, "13800138000", by="caller")
    at.link.late = True
    ready = asyncio.create_task(at.desk.make_ready())
    await at.link.asked_for(CALL)
    assert not ready.done()
    at.desk.hear(CALL, T0, "callback_queued", {})
    await ready


async def test_after_a_kill_open_callbacks_are_known_and_placeholders_of_nobody_are_taken_away() -> None:
    at = desk()
    at.gives_up(CALL, "13800138000")
    at.link.standing["a1-7.7"] = {"__IVR_QUEUE": "q_general", "IVR_PRIORITY": "0"}
    again = desk()
    again.link = at.link
    again.link.joined = again._joined
    again.desk._placeholders = AsteriskPlaceholders(cast(Link, at.link))
    again.calls.restore([fold_call(CALL, at.journal.of(CALL))], [])
    again.man("01")
    assert await standing(again) == [CALL]
    assert not again.calls.callbacks()[0].promised


def test_strangers_missed_calls_are_capped_and_crowd_no_promise_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_MISSED", 10)
    monkeypatch.setattr(limits, "MOST_PROMISED", 3)
    at = desk()
    for n in range(12):
        at.gives_up(f"a1-{n}.1", f"138001380{n:02d}")
    assert len(at.calls.callbacks()) == 10
    assert [(alarm.alarm, alarm.about) for alarm in at.alarms.active] == [("callbacks_full", "missed")]
    late = at.journal.of("a1-11.1")
    noted = next(one for one in late if one.kind is Kind.CALLBACK_LEFT_TO_PERSON)
    assert "10 callbacks of missed calls are open already" in noted.data["why"]
    assert fold_call("a1-11.1", late).outcome == "abandoned", "a ticket that a person sees"
    for n in range(4):
        at.waits(f"a1-{n}.9", f"139001390{n:02d}")
        assert at.claims.claim(f"a1-{n}.9", f"139001390{n:02d}", by="caller") is (n < 3)
    assert at.journal.kinds("a1-3.9")[-1] == "callback_refused", (
        "who may not is told to wait on, and it is noted"
    )
    assert {alarm.about for alarm in at.alarms.active} == {"missed", "promised"}
    for n in range(2):
        at.calls.record(event(f"a1-{n}.1", 50, Kind.CALLBACK_FAILED, reason="test"))
    assert {alarm.about for alarm in at.alarms.active} == {"promised"}, "there is room again"
    assert all(alarm.sentence and alarm.sentence_zh for alarm in at.alarms.active)


def test_who_was_missed_and_calls_again_to_be_called_back_has_the_place_that_is_promised_now() -> None:
    at = desk()
    at.gives_up(CALL, "13800138000")
    at.waits("a1-2.2", "13800138000", 5)
    assert at.claims.claim("a1-2.2", "13800138000", by="caller")
    assert at.journal.kinds(CALL)[-1] == "callback_failed"
    (callback,) = at.calls.callbacks()
    assert (callback.call_id, callback.promised, callback.since) == ("a1-2.2", True, T0 + 5)
    at.gives_up("a1-3.3", "13800138000")
    assert at.calls.callbacks() == [callback], "a promise is not replaced by a missed call"


def test_a_number_that_did_not_answer_is_left_in_peace_for_a_day_also_after_a_restart() -> None:
    at = desk()
    at.gives_up(CALL, "13800138000")
    for n in (1, 2):
        at.calls.record(event(CALL, 60 + n, Kind.CALLBACK_TRIED))
        at.calls.record(event(CALL, 60 + n, Kind.CALLBACK_UNREACHED))
    at.calls.record(event(CALL, 70, Kind.CALLBACK_FAILED, reason="not reached in 2 tries"))
    again = desk()
    callback = fold_call(CALL, at.journal.of(CALL)).callback
    assert callback is not None
    again.claims.restore([callback])
    for one in (at, again):
        one.clock.now = T0 + 23 * 3600
        one.gives_up("a1-2.2", "13800138000")
        (noted,) = [e for e in one.journal.of("a1-2.2") if e.kind is Kind.CALLBACK_LEFT_TO_PERSON]
        assert "did not answer" in noted.data["why"]
        one.clock.now = T0 + 25 * 3600
        one.gives_up("a1-3.3", "13800138000")
        assert "callback_claimed" in one.journal.kinds("a1-3.3")


def test_many_waits_cut_short_in_a_minute_on_one_trunk_earn_no_callback() -> None:
    at = desk()
    for n in range(limits.MOST_SHORT_WAITS + 5):
        at.gives_up(f"a1-{n}.1", f"138001380{n:02d}", waited_s=6)
    assert len(at.calls.callbacks()) == limits.MOST_SHORT_WAITS
    noted = at.journal.of(f"a1-{limits.MOST_SHORT_WAITS}.1")[-2]
    assert noted.kind is Kind.CALLBACK_WITHHELD
    at.gives_up("a1-90.1", "13800138090", waited_s=20)
    assert "callback_claimed" in at.journal.kinds("a1-90.1"), "who waited long is not one of them"


@pytest.mark.parametrize(
    ("waits", "earn"),
    [
        ([("trunk", 6.0, 0.0)] * 20, 20),
        ([("trunk", 6.0, 0.0)] * 21, 20),
        ([("trunk", 14.9, n * 2.9) for n in range(25)], 20),
        ([("trunk", 14.9, n * 3.0) for n in range(100)], 100),
        ([("trunk", 15.0, 0.0)] * 100, 100),
        ([("trunk", 1.0, 0.0)] * 20 + [("trunk", 6.0, 0.0)], 20),
        ([("trunk", 6.0, 0.0), ("from-110", 6.0, 0.0)] * 20, 40),
        ([("trunk", 6.0, 0.0)] * 30 + [("trunk", 6.0, 60.0)], 21),
    ],
)
def test_the_rate_of_waits_cut_short_is_told_by_trunk_and_minute(
    waits: list[tuple[str, float, float]], earn: int
) -> None:
    short = limits.ShortWaits()
    assert sum(not short.ended(trunk, waited_s, T0 + at) for trunk, waited_s, at in waits) == earn


def row(call_id: str, by: str, since: float, queue: str = "q_general", priority: int = 0) -> Callback:
    return Callback(call_id, queue, priority, since, since, by=by)


PEOPLE = [row("m1", "missed", 1), row("c2", "caller", 2), row("m3", "missed", 3), row("v4", "message", 4)]


def seats(*names: str) -> frozenset[str]:
    return frozenset(names)


@pytest.mark.parametrize(
    ("staff", "there", "stand"),
    [
        (Staff(), "", ""),
        (Staff(seats("a")), "", "c2 v4"),
        (Staff(seats("a"), seats("a")), "", "c2 v4"),
        (Staff(seats("a"), seats("a")), "m1 m3", "c2 v4"),
        (Staff(seats("a", "b"), seats("a", "b")), "", "c2 v4 m1 m3"),
        (Staff(seats("a", "b"), seats("a", "b"), live=1), "", "c2 v4"),
        (Staff(seats("a", "b"), seats("a", "b"), live=1), "m1", "c2 v4 m1"),
        (Staff(seats("a", "b", "c"), seats("a", "b", "c"), live=1), "", "c2 v4 m1 m3"),
        (Staff(seats("a", "b"), seats("a"), live=0), "m1", "c2 v4"),
    ],
)
def test_promised_ones_stand_first_and_missed_ones_where_a_seat_is_left_over(
    staff: Staff, there: str, stand: str
) -> None:
    found = chosen(PEOPLE, set(there.split()), {"q_general": staff})
    assert [one.call_id for one in found] == stand.split()


def test_seats_that_serve_two_queues_are_counted_once() -> None:
    people = [row(f"g{n}", "missed", n) for n in range(9)]
    people += [row(f"x{n}", "missed", n, "q_market") for n in range(9)]
    both = Staff(seats("a"), seats("a"))
    assert len(chosen(people, set(), {"q_general": both, "q_market": both})) == 2
    apart = {"q_general": both, "q_market": Staff(seats("b"), seats("b"))}
    found = [one.call_id for one in chosen(people, set(), apart)]
    assert sorted(found) == ["g0", "g1", "x0", "x1"]


def test_more_seats_can_keep_more_promises() -> None:
    assert [limits.most(seats, promised=True) for seats in (3, 24, 48, 1500)] == [200, 200, 400, 12_500]
