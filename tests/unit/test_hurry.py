"""Whom a free seat could take now, and what it costs to find out."""

from __future__ import annotations

import asyncio

from ivr.calls.open_calls import CallBook
from ivr.events.event import Event, Kind
from ivr.queueing.announcement_cutter import LISTED, Hurry, at_the_head
from ivr.queueing.ports import QueueCounts
from ivr.seats.log_in import Membership
from ivr.seats.ports import Caller, Phone, Place, QueueStatus
from tests.unit.kit import T0


def status(*phones: Phone, paused: bool = False) -> QueueStatus:
    places = [Place("q", f"seat0{n}", paused) for n in range(len(phones))]
    callers = [Caller(f"c{n}", "q", f"PJSIP/trunk-{n}", 30, n, 0) for n in (3, 1, 2)]
    return QueueStatus(places, callers, ["q", "other"], {f"seat0{n}": one for n, one in enumerate(phones)})


def test_as_many_callers_as_there_are_free_seats_are_hurried_from_the_head() -> None:
    assert [one.call_id for one in at_the_head(status(Phone.FREE, Phone.FREE, Phone.TALKS))] == ["c1", "c2"]


def test_nobody_is_hurried_for_a_seat_that_is_busy_or_paused() -> None:
    assert list(at_the_head(status(Phone.TALKS))) == []
    assert list(at_the_head(status(Phone.FREE, paused=True))) == []


class Switch:
    """A queue with so many free seats and callers, and what was asked and done."""

    live = True

    def __init__(self, free: int, callers: int) -> None:
        self.free, self.callers = free, callers
        self.asked: list[str] = []
        self.pressed: list[str] = []

    async def counts(self) -> list[QueueCounts]:
        self.asked.append("counts")
        return [QueueCounts("q", self.free, self.callers)]

    async def status(self) -> QueueStatus:
        self.asked.append("status")
        return QueueStatus([], [], [], {})

    async def cut_short(self, channel: str) -> None:
        self.pressed.append(channel)

    async def change_language(self, channel: str, was: str, becomes: str) -> None: ...

    async def take_message(self, channel: str) -> None: ...


def crowd(count: int) -> CallBook:
    """So many callers who wait, the newest of them with a priority."""
    calls = CallBook(lambda _: None)
    for n in range(count):
        call_id, data = (
            f"c{n}",
            {"priority": 5 * (n == count - 1), "channel": f"PJSIP/trunk-{n}", "queue": "q"},
        )
        for kind in (Kind.CALL_STARTED, Kind.PLACED, Kind.QUEUED):
            calls.record(Event(call_id, T0 + n, kind, data))
    return calls


def look(calls: CallBook, queue: Switch) -> None:
    asyncio.run(Hurry(calls, queue, lambda: T0).look())


def test_in_a_crowd_asterisk_is_not_asked_for_everybody_and_the_same_callers_are_hurried() -> None:
    queue = Switch(free=2, callers=LISTED + 1)
    look(crowd(LISTED + 1), queue)
    assert queue.asked == ["counts"]
    assert queue.pressed == [f"PJSIP/trunk-{LISTED}", "PJSIP/trunk-0"]


def test_who_waits_is_listed_only_where_a_seat_is_free() -> None:
    busy, few = Switch(free=0, callers=3), Switch(free=1, callers=3)
    look(crowd(3), busy)
    look(crowd(3), few)
    assert (busy.asked, few.asked) == (["counts"], ["counts", "status"])


def test_a_seat_that_rang_in_vain_cuts_no_announcement_and_a_really_free_one_does() -> None:
    assert list(at_the_head(status(Phone.FREE), in_vain={"seat00"})) == []
    assert [one.call_id for one in at_the_head(status(Phone.FREE, Phone.FREE), in_vain={"seat00"})] == ["c1"]


def test_in_a_crowd_a_seat_that_rang_in_vain_counts_as_little() -> None:
    calls, seats = (
        crowd(LISTED + 1),
        [Membership("q", n, f"seat{n}", "1001", False, "") for n in ("00", "01")],
    )
    pressed = []
    for in_vain in (set(), {"seat00"}, {"seat00", "seat01"}):
        queue = Switch(free=2, callers=LISTED + 1)
        hurry = Hurry(calls, queue, lambda: T0, lambda: seats, lambda: frozenset(in_vain))  # noqa: B023
        asyncio.run(hurry.look())
        pressed.append(len(queue.pressed))
    assert pressed == [2, 1, 0]
