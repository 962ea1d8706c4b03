"""Seat phones that are unplugged: no caller rings there.

Asterisk asks each phone from time to time whether it is there (``qualify``).  A phone that no
longer answers is unavailable to ``Queue`` from that moment, and rings again when it answers.  Who
talks there is the matter of ``ivr/sides/watch.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from ivr.asterisk.ami.link import Link, LinkState, Message
from ivr.asterisk.control import queues as members
from ivr.errors import HotlineError
from ivr.events.event import Event, Kind, is_call
from ivr.hotline.book import HotlineBook

_IDLE_S = 30.0


class SeatPhones:
    """Watches the phones of one hotline.

    Args:
        book: gives the present configuration.
        link: the link to Asterisk.
        every_s: tells how often to look by oneself; 0: phones are not checked.
    """

    def __init__(
        self,
        book: Callable[[], HotlineBook],
        link: Link,
        every_s: Callable[[], float],
    ) -> None:
        self._book = book
        self._link = link
        self._every_s = every_s
        self.away: frozenset[str] = frozenset()
        """SIP users whose phone is registered and does not answer."""
        self._wake = asyncio.Event()
        self._asking: set[asyncio.Task[None]] = set()

    def hear(self, message: Message) -> None:
        """Look at once when Asterisk tells that a phone has come or gone."""
        if message.name == "ContactStatus":
            self._wake.set()

    def on_event(self, event: Event) -> None:
        """Ask a phone that rang in vain whether it is there: the next caller should not ring it."""
        if not self._every_s() or event.kind is not Kind.SEAT_NO_ANSWER or not is_call(event.stream):
            return
        seat = self._book().seat(str(event.data.get("seat") or ""))
        if seat is not None:
            task = asyncio.get_running_loop().create_task(self._ask(seat.username))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _ask(self, username: str) -> None:
        with contextlib.suppress(HotlineError):
            await self._link.action("PJSIPQualify", {"Endpoint": username})

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every_s() or _IDLE_S):
                    await self._wake.wait()
            self._wake.clear()
            if not self._every_s():
                self.away = frozenset()
                continue
            with contextlib.suppress(HotlineError):
                await self.look()

    async def look(self) -> None:
        """See which phones do not answer."""
        if self._link.state is LinkState.LIVE:
            self.away = await self._unanswered()

    async def _unanswered(self) -> frozenset[str]:
        contacts = await members.contacts(self._link)
        return frozenset(username for username, answers in contacts.items() if not answers)
