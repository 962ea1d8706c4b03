"""Who found a seat free was not told a place: when its phone rings in vain they are, with the next announcement."""

from __future__ import annotations

import asyncio
import contextlib

from ivr.calls.open_calls import CallBook
from ivr.errors import HotlineError
from ivr.events.event import Event, Kind
from ivr.queueing.announcements import FIRST, FREE
from ivr.queueing.ports import Queues


class PlaceTold:
    """Changes what ``Queue`` says to a caller whose first ring was in vain.

    Args:
        calls: open calls.
        queues: where they wait.
    """

    def __init__(self, calls: CallBook, queues: Queues) -> None:
        self._calls = calls
        self._queues = queues
        self._telling: set[asyncio.Task[None]] = set()

    def on_event(self, event: Event) -> None:
        """Look after a caller whom no seat has answered."""
        call = self._calls.get(event.stream)
        if event.kind is not Kind.SEAT_NO_ANSWER or call is None or not self._queues.live:
            return
        if channel := call.channel_of("caller"):
            task = asyncio.ensure_future(self.tell(channel))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def tell(self, channel: str) -> None:
        """Let the next announcement begin with the place, where the queue was silent about it."""
        with contextlib.suppress(HotlineError):  # the caller has gone
            await self._queues.change_language(channel, FREE, FIRST)
