"""A seat is free, and the caller at the head still hears an announcement: cut it short.

``Queue`` plays an announcement to its end before it rings a seat (app_queue, say_position and
say_periodic_announcement wait for the stream), but any key ends it.  ``D`` stands on no
telephone, so nobody means anything by it, and no extension of ours answers to it.

A seat that was not answered the last time, or refused, is free only by name: for it nothing is cut, or callers at the
head would hear half a second of each announcement while phones ring in vain.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from ivr.asterisk.ami.link import AmiRefused, Link, LinkState
from ivr.asterisk.control import queues as members
from ivr.calls.open_calls import CallBook
from ivr.calls.record import CallRecord
from ivr.calls.states import CallState
from ivr.errors import HotlineError
from ivr.events.event import Event, Kind, is_call
from ivr.seats.log_in import Membership

log = logging.getLogger(__name__)

_KEY = "D"
_LOOK_EVERY_S = 0.7
"""The queue itself looks for a free seat once a second."""
_WATCH_S = 12.0
"""Longer than any announcement."""
LISTED = 50
"""So many callers are listed by Asterisk. It holds the queue while it writes its list, and every caller in it waits for
that: of a crowd only the counts are asked, and who is at the head is known from the calls themselves."""


class Head(NamedTuple):
    """Somebody at the head of a queue: the call, the channel that hears the announcement."""

    call_id: str
    channel: str


def at_the_head(status: members.QueueStatus, in_vain: Collection[str] = ()) -> Iterable[Head]:
    """Return the callers that a free seat could take now, queue by queue.

    Args:
        status: everything about the queues.
        in_vain: the SIP users whose phone was not answered, or refused, the last time.
    """
    for queue in status.queues:
        free = sum(
            member.queue == queue
            and not member.paused
            and status.states.get(member.interface) == members.NOT_IN_USE
            and member.interface.removeprefix("PJSIP/") not in in_vain
            for member in status.members
        )
        waiting = sorted((one for one in status.callers if one.queue == queue), key=lambda one: one.position)
        yield from (Head(one.call_id, one.channel) for one in waiting[:free])


def ahead_of_a_crowd(counts: Iterable[members.QueueCounts], calls: Iterable[CallRecord]) -> Iterable[Head]:
    """Return whom free seats will most likely take, by what the calls tell; to be wrong cuts one announcement short."""
    waiting = [call for call in calls if call.state is CallState.WAITING]
    for queue in counts:
        here = [call for call in waiting if call.queue == queue.queue]
        here.sort(key=lambda call: (-call.priority, call.queued_at or 0.0))
        for call in here[: queue.free]:
            if channel := call.channel_of("caller"):
                yield Head(call.call_id, channel)


class Hurry:
    """Looks after callers at the head whenever a seat may have become free.

    Args:
        calls: open calls.
        link: the link to Asterisk.
        clock: seconds since the epoch.
        seats: in which queues those seats are now whose phone rang in vain.
        in_vain: the SIP users whose phone was not answered, or refused, the last time.
    """

    def __init__(
        self,
        calls: CallBook,
        link: Link,
        clock: Callable[[], float],
        seats: Callable[[], Iterable[Membership]] = tuple,
        in_vain: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self._calls = calls
        self._link = link
        self._clock = clock
        self._seats = seats
        self._in_vain = in_vain
        self._until = 0.0
        self._wake = asyncio.Event()

    def on_event(self, event: Event) -> None:
        """Watch for a while after whatever may have freed a seat."""
        if not is_call(event.stream) or event.kind in (Kind.OPERATOR_LEFT, Kind.SEAT_NO_ANSWER):
            self._until = self._clock() + _WATCH_S
            self._wake.set()

    async def run(self) -> None:
        """Look until cancelled; asks Asterisk nothing while nobody waits."""
        while True:
            await self._wake.wait()
            while self._clock() < self._until:
                await asyncio.sleep(_LOOK_EVERY_S)
                with contextlib.suppress(HotlineError):
                    await self.look()
            self._wake.clear()

    async def look(self) -> None:
        """Cut announcements short where a seat is free."""
        waits = any(
            call.state in (CallState.WAITING, CallState.CALLBACK) for call in self._calls.calls.values()
        )
        if not waits or self._link.state is not LinkState.LIVE:
            return
        for head in await self._heads():
            call = self._calls.calls.get(head.call_id)
            if call is None or call.state not in (CallState.WAITING, CallState.CALLBACK):
                continue
            with contextlib.suppress(AmiRefused):
                key = {"Channel": head.channel, "Digit": _KEY, "Receive": "true", "Async": "false"}
                await self._link.action("PlayDTMF", key)

    async def _heads(self) -> list[Head]:
        counts = [one for one in await members.counts(self._link) if one.free and one.callers]
        if not counts:
            return []
        if sum(one.callers for one in counts) > LISTED:
            return list(ahead_of_a_crowd(map(self._really_free, counts), self._calls.calls.values()))
        return list(at_the_head(await members.status(self._link, self._calls.called_back), self._in_vain()))

    def _really_free(self, queue: members.QueueCounts) -> members.QueueCounts:
        """Leave out seats that are free only by name; one that is not even that costs a whole announcement."""
        in_vain = self._in_vain()
        idle = sum(
            seat.queue == queue.queue and not seat.paused and seat.username in in_vain
            for seat in self._seats()
        )
        return queue._replace(free=max(0, queue.free - idle))
