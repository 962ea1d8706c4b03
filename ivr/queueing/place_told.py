"""Who found a seat free was not told a place: when its phone rings in vain they are, with the next announcement."""

from __future__ import annotations

import asyncio
import contextlib

from ivr.asterisk.ami.link import Link, LinkState
from ivr.calls.open_calls import CallBook
from ivr.errors import HotlineError
from ivr.events.event import Event, Kind
from ivr.queueing.announcements import FIRST, FREE

_LANGUAGE = "CHANNEL(language)"


class PlaceTold:
    """Changes what ``Queue`` says to a caller whose first ring was in vain.

    Args:
        calls: open calls.
        link: the link to Asterisk.
    """

    def __init__(self, calls: CallBook, link: Link) -> None:
        self._calls = calls
        self._link = link
        self._telling: set[asyncio.Task[None]] = set()

    def on_event(self, event: Event) -> None:
        """Look after a caller whom no seat has answered."""
        call = self._calls.calls.get(event.stream)
        if event.kind is not Kind.SEAT_NO_ANSWER or call is None or self._link.state is not LinkState.LIVE:
            return
        if channel := call.channel_of("caller"):
            task = asyncio.ensure_future(self.tell(channel))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def tell(self, channel: str) -> None:
        """Let the next announcement begin with the place, where the queue was silent about it."""
        with contextlib.suppress(HotlineError):  # the caller has gone
            about = {"Channel": channel, "Variable": _LANGUAGE}
            if (await self._link.action("Getvar", about)).get("Value") == FREE:
                await self._link.action("Setvar", {**about, "Value": FIRST})
