"""Seat phones that are unplugged: no caller rings there, and who talks there is not left alone.

Asterisk asks each phone from time to time whether it is there (``qualify``).  A phone that no
longer answers is unavailable to ``Queue`` from that moment, and rings again when it answers.  A
talk on it is ended only by two signs: the phone does not answer, and no voice has come from it
for a while.  The dialplan then sends the caller to the head of the queue (``ivr-after-queue``).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from ivr.asterisk import members
from ivr.asterisk.manager import AmiRefused, Link, LinkState, Message
from ivr.calls.book import CallBook
from ivr.calls.events import Event, Kind, is_call
from ivr.calls.record import PHONE_GONE, CallRecord
from ivr.calls.states import CallState
from ivr.errors import HotlineError
from ivr.hotline.book import HotlineBook

log = logging.getLogger(__name__)

LISTEN_S = 2.0
"""No packet in this time, and no answer to OPTIONS: nobody is there."""
_IDLE_S = 30.0
ALONE, TOGETHER = "idle", "together"
"""States of the three-way side in which caller and operator are by themselves: in the queue's bridge, in a room."""
_TALKS = (CallState.TALKING, CallState.THREE_WAY)


class SeatPhones:
    """Watches the phones of one hotline.

    Args:
        book: gives the present configuration.
        calls: open calls.
        link: the link to Asterisk.
        clock: seconds since the epoch.
        every_s: tells how often to look by oneself; 0: phones are not checked.
    """

    def __init__(
        self,
        book: Callable[[], HotlineBook],
        calls: CallBook,
        link: Link,
        clock: Callable[[], float],
        every_s: Callable[[], float],
    ) -> None:
        self._book = book
        self._calls = calls
        self._link = link
        self._clock = clock
        self._every_s = every_s
        self.away: frozenset[str] = frozenset()
        """SIP users whose phone is registered and does not answer."""
        self.room: Callable[[str], str] = lambda _: ALONE
        """Tells the state of a call's three-way side."""
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
        """See which phones do not answer, and end the talks that go on without anybody."""
        if self._link.state is not LinkState.LIVE:
            return
        self.away = await self._unanswered()
        talks = [call for call in self._calls.calls.values() if self._speaks_to(call) in self.away]
        if not talks:
            return
        before = {call.call_id: await self._heard(call) for call in talks}
        await asyncio.sleep(LISTEN_S)
        self.away = await self._unanswered()
        for call in talks:
            heard = await self._heard(call)
            if heard and heard == before[call.call_id] and self._speaks_to(call) in self.away:
                await self._end(call)

    async def _unanswered(self) -> frozenset[str]:
        contacts = await members.contacts(self._link)
        return frozenset(username for username, answers in contacts.items() if not answers)

    def _speaks_to(self, call: CallRecord) -> str | None:
        """Return the SIP user of the phone a caller talks to."""
        seat = self._book().seat(call.seat or "") if call.state in _TALKS else None
        return seat.username if seat else None

    async def _heard(self, call: CallRecord) -> str:
        """Return how many packets have come from the phone; empty where Asterisk cannot tell."""
        try:
            headers = {"Channel": call.channel_of("operator"), "Variable": "CHANNEL(rtcp,rxcount)"}
            return (await self._link.action("Getvar", headers)).get("Value")
        except AmiRefused:
            return ""

    async def _end(self, call: CallRecord) -> None:
        log.warning("call %s: the phone of seat %s is gone", call.call_id, call.seat)
        where, channel = self.room(call.call_id), call.channel_of("operator")
        seat: dict[str, Any] = {"seat": call.seat, "operator": call.operator}
        self._tell(call, Kind.NOTED, what="the seat's phone is gone", **seat)
        if where == ALONE:  # app_queue tells the end of such a talk only when the caller goes
            self._tell(call, Kind.OPERATOR_LEFT, channel=channel, reason=PHONE_GONE, **seat)
        caller = call.channel_of("caller")
        with contextlib.suppress(AmiRefused):  # it has ended by itself
            if where == TOGETHER:
                gone = {"Channel": caller, "Variable": "IVR_PHONE_GONE", "Value": "1"}
                await self._link.action("Setvar", gone)
            await self._link.action("Hangup", {"Channel": channel})

    def _tell(self, call: CallRecord, kind: Kind, **data: Any) -> None:
        self._calls.record(Event(call.call_id, self._clock(), kind, data))
