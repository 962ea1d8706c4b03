"""A seat is free, and the caller at the head still hears an announcement: cut it short.

``Queue`` plays an announcement to its end before it rings a seat (app_queue, say_position and
say_periodic_announcement wait for the stream), but any key ends it.

A seat that was not answered the last time, or refused, is free only by name: for it nothing is cut, or callers at the
head would hear half a second of each announcement while phones ring in vain.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from ivr.calls.open_calls import CallBook
from ivr.calls.record import CallRecord
from ivr.calls.states import CallState
from ivr.errors import HotlineError
from ivr.events.event import Event, Kind
from ivr.events.streams import is_call
from ivr.queueing.ports import QueueCounts, Queues
from ivr.seats.log_in import Membership
from ivr.seats.ports import Phone, QueueStatus

log = logging.getLogger(__name__)

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


def at_the_head(status: QueueStatus, in_vain: Collection[str] = ()) -> Iterable[Head]:
    """Return the callers that a free seat could take now, queue by queue.

    Args:
        status: everything about the queues.
        in_vain: the SIP users whose phone was not answered, or refused, the last time.
    """
    for queue in status.queues:
        free = sum(
            place.queue == queue
            and not place.paused
            and status.phone(place.username) is Phone.FREE
            and place.username not in in_vain
            for place in status.places
        )
        waiting = sorted((one for one in status.callers if one.queue == queue), key=lambda one: one.position)
        yield from (Head(one.call_id, one.channel) for one in waiting[:free])


def ahead_of_a_crowd(counts: Iterable[QueueCounts], calls: Iterable[CallRecord]) -> Iterable[Head]:
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
        queues: where they wait.
        clock: seconds since the epoch.
        seats: in which queues those seats are now whose phone rang in vain.
        in_vain: the SIP users whose phone was not answered, or refused, the last time.
    """

    def __init__(
        self,
        calls: CallBook,
        queues: Queues,
        clock: Callable[[], float],
        seats: Callable[[], Iterable[Membership]] = tuple,
        in_vain: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self._calls = calls
        self._queues = queues
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
        waits = self._calls.in_state(CallState.WAITING, CallState.CALLBACK)
        if not waits or not self._queues.live:
            return
        for head in await self._heads():
            call = self._calls.get(head.call_id)
            if call is None or call.state not in (CallState.WAITING, CallState.CALLBACK):
                continue
            await self._queues.cut_short(head.channel)

    async def _heads(self) -> list[Head]:
        counts = [one for one in await self._queues.counts() if one.free and one.callers]
        if not counts:
            return []
        if sum(one.callers for one in counts) > LISTED:
            return list(ahead_of_a_crowd(map(self._really_free, counts), self._calls.open()))
        return list(at_the_head(await self._queues.status(), self._in_vain()))

    def _really_free(self, queue: QueueCounts) -> QueueCounts:
        """Leave out seats that are free only by name; one that is not even that costs a whole announcement."""
        in_vain = self._in_vain()
        idle = sum(
            seat.queue == queue.queue and not seat.paused and seat.username in in_vain
            for seat in self._seats()
        )
        return queue._replace(free=max(0, queue.free - idle))
