"""Whom a free seat could take now, and what it costs to find out."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from ivr.asterisk.ami.codec import Message
from ivr.asterisk.ami.link import Link, LinkState
from ivr.asterisk.control.queues import IN_USE, NOT_IN_USE, Caller, Member, QueueStatus
from ivr.calls.open_calls import CallBook
from ivr.events.event import Event, Kind
from ivr.queueing.announcement_cutter import LISTED, Hurry, at_the_head
from ivr.seats.log_in import Membership
from tests.unit.kit import T0


def status(*states: int, paused: bool = False) -> QueueStatus:
    seats = [Member("q", f"PJSIP/seat0{n}", "1001", paused, "") for n in range(len(states))]
    callers = [Caller(f"c{n}", "q", f"PJSIP/trunk-{n}", 30, n, 0) for n in (3, 1, 2)]
    return QueueStatus(seats, callers, ["q", "other"], {f"PJSIP/seat0{n}": s for n, s in enumerate(states)})


def test_as_many_callers_as_there_are_free_seats_are_hurried_from_the_head() -> None:
    assert [one.call_id for one in at_the_head(status(NOT_IN_USE, NOT_IN_USE, IN_USE))] == ["c1", "c2"]


def test_nobody_is_hurried_for_a_seat_that_is_busy_or_paused() -> None:
    assert list(at_the_head(status(IN_USE))) == []
    assert list(at_the_head(status(NOT_IN_USE, paused=True))) == []


class FakeLink:
    """A queue with so many free seats and callers, and what was asked and done."""

    state = LinkState.LIVE

    def __init__(self, free: int, callers: int) -> None:
        self.free, self.callers = free, callers
        self.asked: list[str] = []
        self.pressed: list[str] = []

    async def list_action(self, name: str, headers: dict[str, str] | None = None) -> list[Message]:
        self.asked.append(name)
        if name == "QueueSummary":
            text = f"Event: QueueSummary\r\nQueue: q\r\nAvailable: {self.free}\r\nCallers: {self.callers}"
            return [Message(text)]
        return []

    async def action(self, name: str, headers: dict[str, Any]) -> None:
        self.pressed.append(headers["Channel"])


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


def look(calls: CallBook, link: FakeLink) -> None:
    asyncio.run(Hurry(calls, cast("Link", link), lambda: T0).look())


def test_in_a_crowd_asterisk_is_not_asked_for_everybody_and_the_same_callers_are_hurried() -> None:
    link = FakeLink(free=2, callers=LISTED + 1)
    look(crowd(LISTED + 1), link)
    assert link.asked == ["QueueSummary"]
    assert link.pressed == [f"PJSIP/trunk-{LISTED}", "PJSIP/trunk-0"]


def test_who_waits_is_listed_only_where_a_seat_is_free() -> None:
    busy, few = FakeLink(free=0, callers=3), FakeLink(free=1, callers=3)
    look(crowd(3), busy)
    look(crowd(3), few)
    assert (busy.asked, few.asked) == (["QueueSummary"], ["QueueSummary", "QueueStatus"])


def test_a_seat_that_rang_in_vain_cuts_no_announcement_and_a_really_free_one_does() -> None:
    assert list(at_the_head(status(NOT_IN_USE), in_vain={"seat00"})) == []
    assert [one.call_id for one in at_the_head(status(NOT_IN_USE, NOT_IN_USE), in_vain={"seat00"})] == ["c1"]


def test_in_a_crowd_a_seat_that_rang_in_vain_counts_as_little() -> None:
    calls, seats = (
        crowd(LISTED + 1),
        [Membership("q", n, f"seat{n}", "1001", False, "") for n in ("00", "01")],
    )
    pressed = []
    for in_vain in (set(), {"seat00"}, {"seat00", "seat01"}):
        link = FakeLink(free=2, callers=LISTED + 1)
        hurry = Hurry(calls, cast("Link", link), lambda: T0, lambda: seats, lambda: frozenset(in_vain))  # noqa: B023
        asyncio.run(hurry.look())
        pressed.append(len(link.pressed))
    assert pressed == [2, 1, 0]
