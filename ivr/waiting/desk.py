"""The callback desk: claims are journalled, and placeholders stand in Asterisk's queues for them.

Desired state is reconciled: every open callback should have one placeholder, in its place, until
its turn; whoever lost one, Asterisk or we, it is put back.  Once a placeholder stands in the
queue, Asterisk carries the callback out alone and leaves word of it in its own database.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ivr.asterisk import members
from ivr.asterisk.manager import AmiRefused, Link, LinkState, Message
from ivr.asterisk.records import called_back, seat_user
from ivr.calls import callbacks as rules
from ivr.calls.book import CallBook
from ivr.calls.callbacks import Callback, CallbackState
from ivr.calls.events import Event, Kind
from ivr.calls.reception import DIVERSION_110
from ivr.calls.record import CallRecord
from ivr.calls.states import CallState
from ivr.errors import HotlineError
from ivr.hotline.book import HotlineBook
from ivr.waiting.progress import caught_up, citizen_in

log = logging.getLogger(__name__)

FAMILY = "ivr-callback"
_CLAIMABLE = (CallState.WAITING, CallState.RINGING, CallState.VOICEMAIL)
_HELD_MS = 24 * 3600 * 1000
"""How long Asterisk holds a placeholder that nobody answers."""


@dataclass(frozen=True)
class Secrets:
    """What the desk needs of the hotline's keys: sealing, opening and recognising a number."""

    identify: Callable[[str], Mapping[str, str]]
    reveal: Callable[[str], str]


class CallbackDesk:
    """Callbacks of one hotline.

    Args:
        book: gives the present configuration.
        calls: open calls with their callbacks, and where events go.
        link: the link to Asterisk.
        secrets: what is done with numbers.
        clock: seconds since the epoch.
        retry_after_s: between two tries.
    """

    def __init__(
        self,
        book: Callable[[], HotlineBook],
        calls: CallBook,
        link: Link,
        secrets: Secrets,
        clock: Callable[[], float],
        retry_after_s: float = rules.RETRY_AFTER_S,
    ) -> None:
        self._book = book
        self._calls = calls
        self._link = link
        self._secrets = secrets
        self._clock = clock
        self._retry_after_s = retry_after_s
        self._asked: dict[str, float] = {}
        self._settled: set[str] = set()
        self._claims: list[tuple[float, str]] = []
        self._lock = asyncio.Lock()
        self._wake = asyncio.Event()

    # -- claims --------------------------------------------------------------------------------
    def all(self) -> Iterable[Callback]:
        """Return the callbacks of open calls."""
        return [call.callback for call in self._calls.calls.values() if call.callback is not None]

    def claim(self, call_id: str, number: str, by: str) -> bool:
        """Take a caller's wish to be called back; their place stays theirs.

        Args:
            call_id: the call that is given up for it.
            number: where to call, checked by ``diallable``.
            by: ``caller``, ``message`` or ``missed``.

        Returns:
            Whether there is an open callback of this number now, this one or an earlier one.
        """
        call = self._calls.calls.get(call_id)
        if call is None or not rules.destination(self._book().trunks, number):
            return False
        if call.callback is not None:
            return call.callback.state is not CallbackState.TALKING  # they were called, and wait like others
        if call.state not in _CLAIMABLE:
            return False
        sealed = dict(self._secrets.identify(number))
        earlier = rules.already_open(self.all(), sealed["hash"])
        if earlier is not None:
            self._tell(call_id, Kind.NOTED, what="callback already open", call=earlier.call_id)
            return True
        # who gave up without a wish stands behind those who wait now; who was asked for a message did not give up
        since = (call.queued_at or self._clock()) if by in ("caller", "message") else self._clock()
        self._tell(
            call_id,
            Kind.CALLBACK_CLAIMED,
            caller=sealed,
            number=sealed["mask"],
            by=by,
            queue=call.queue or self._book().general_queue.id,
            priority=call.priority,
            since=since,
            recording=call.recording,
        )
        self._claims = [*self._claims[-999:], (self._clock(), sealed["hash"])]
        self._wake.set()
        return True

    def missed(self, call_id: str, at: float) -> None:
        """Call back who gave up waiting (漏接回拨); told just before their hang-up is journalled."""
        call = self._calls.calls.get(call_id)
        if call is not None and call.state is CallState.VOICEMAIL:
            self.message_over(call_id)
            return
        if call is None or call.state not in (CallState.WAITING, CallState.RINGING) or not call.caller_enc:
            return
        if (
            call.queued_at is None
            or at - call.queued_at < rules.MISSED_FROM_S
            or call.answered_at is not None
        ):
            return
        if rules.recently_claimed(self._claims, call.caller_hash, at):
            return
        number = rules.diallable(self._revealed(call.caller_enc))
        if number:
            self.claim(call_id, number, by="missed")

    def message_over(self, call_id: str) -> None:
        """Keep the promise of P042 to who left a message; told just before their hang-up is journalled.

        Where nobody can be called, the ticket says that a person must see to it.
        """
        call = self._calls.calls.get(call_id)
        if call is None or call.state is not CallState.VOICEMAIL or call.callback is not None:
            return
        why = self.cannot_call(call)
        if why:
            self._tell(call_id, Kind.NOTED, what="somebody must call back", why=why)
        else:
            self.claim(call_id, rules.diallable(self._revealed(call.caller_enc)), by="message")

    def cannot_call(self, call: CallRecord) -> str:
        """Return why a caller cannot be called back, empty where they can."""
        if not rules.offered(self._book().trunks):
            return "trunks.yaml names no callback destination"
        if not rules.diallable(self._revealed(call.caller_enc) if call.caller_enc else ""):
            return "the number is unknown, or none that is called back"
        return ""

    def _revealed(self, sealed: str) -> str:
        try:
            return self._secrets.reveal(sealed)
        except (HotlineError, ValueError):
            return ""

    def on_event(self, event: Event, call: CallRecord | None) -> None:
        """Withdraw a callback when the same person has reached an operator by themselves."""
        if call is not None and call.callback is not None and call.callback.state is CallbackState.DONE:
            self._settled.add(call.call_id)
            self._wake.set()
        if call is None or event.kind is not Kind.ANSWERED or not call.caller_hash:
            return
        for callback in self.all():
            if callback.call_id == call.call_id or callback.number_hash != call.caller_hash:
                continue
            if callback.state in (CallbackState.WAITING, CallbackState.RESTING):
                self._tell(
                    callback.call_id,
                    Kind.CALLBACK_FAILED,
                    reason="the citizen called again and was answered",
                    call=call.call_id,
                )
                self._wake.set()

    # -- what Asterisk tells -------------------------------------------------------------------
    def hear(self, call_id: str, at: float, what: str, data: Mapping[str, Any]) -> None:
        """Take what a placeholder lived through, told of its call (``callback_…``)."""
        callback = self._callback(call_id)
        if callback is None:
            return
        if what == "callback_answered":
            facts = {name: data.get(name) for name in ("seat", "operator", "channel")}
            self._tell(call_id, Kind.CALLBACK_TRIED, at, **facts, **{"try": callback.tries + 1})
        elif what == "callback_operator_left" and callback.state is CallbackState.TALKING:
            # the placeholder goes when the citizen has gone, and when both were led into a room
            if data.get("reason") != "caller":
                self._tell(call_id, Kind.OPERATOR_LEFT, at, **data)
        elif what == "callback_hung_up":
            self._wake.set()  # the talk is over when the citizen's own channel ends

    def hear_word(self, message: Message) -> None:
        """Take the dialplan's own word (UserEvent IvrCallback)."""
        callback = self._callback(message.get("Call"))
        if callback is not None:
            self._catch_up(callback, f"{message.get('Try')}/{message.get('What')}", present=True)

    def _callback(self, call_id: str) -> Callback | None:
        call = self._calls.calls.get(call_id)
        return call.callback if call else None

    def _catch_up(self, callback: Callback, word: str, *, present: bool) -> None:
        for kind, data in caught_up(callback, word, present=present):
            facts = dict(data)
            if kind is Kind.CALLBACK_TRIED:
                seat = self._book().seat_by_username(seat_user(facts["channel"]) or "")
                facts |= {"seat": seat.id, "operator": self._calls.operator_on(seat.id)} if seat else {}
            self._tell(callback.call_id, kind, **facts)

    # -- placeholders --------------------------------------------------------------------------
    async def run(self, every_s: float = 10.0) -> None:
        """Keep placeholders right until cancelled."""
        while True:
            with contextlib.suppress(HotlineError):
                await self.align()
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(every_s, self._retry_after_s)):
                    await self._wake.wait()

    async def align(self) -> None:
        """Give every open callback its placeholder, and settle what was missed."""
        if self._link.state is not LinkState.LIVE:
            return
        async with self._lock:
            channels = await members.channels(self._link)
            ends = ((called_back(name), name) for name in channels if name.endswith(";2"))
            there = {call_id: name for call_id, name in ends if call_id is not None}
            while self._settled:
                await self._forget(self._settled.pop())
            for callback in list(self.all()):
                if callback.open and callback.call_id not in self._asked:
                    word = await self._word(callback.call_id)
                    citizen = callback.channel or citizen_in(word)
                    lives = callback.call_id in there or citizen in channels
                    self._catch_up(callback, word, present=lives)
            for call_id in there.keys() - {one.call_id for one in self.all() if one.open}:
                await self._remove(call_id, there[call_id])
            now = self._clock()
            self._asked = {name: at for name, at in self._asked.items() if now - at < rules.GRACE_S}
            present = there.keys() | self._asked.keys()
            for todo in rules.due(self.all(), present, now, retry_after_s=self._retry_after_s):
                await self._do(todo)

    async def _do(self, todo: rules.Due) -> None:
        callback = todo.callback
        if todo.step is rules.Step.LOST:
            self._tell(callback.call_id, Kind.CALLBACK_UNREACHED, status="LOST", reason=todo.reason)
        elif todo.step is rules.Step.FAIL:
            self._tell(callback.call_id, Kind.CALLBACK_FAILED, reason=todo.reason)
            await self._forget(callback.call_id)
        else:
            await self._place(callback)

    async def _place(self, callback: Callback) -> None:
        number = rules.diallable(self._revealed(callback.number_enc))
        uri = rules.destination(self._book().trunks, number) if number else ""
        if not uri:
            self._tell(callback.call_id, Kind.CALLBACK_FAILED, reason="there is no way to call this number")
            return
        attempt = callback.tries + 1
        again = self._book().priorities.callback if attempt > 1 else 0
        priority = max(callback.priority, again)
        position = await self.position(callback.queue, priority, callback.since, callback.call_id)
        call = self._calls.calls[callback.call_id]
        dialled = call.dialled
        variables = {
            "__IVR_CALL": callback.call_id,
            "__IVR_TRY": str(attempt),
            "IVR_TO": uri,
            "__IVR_QUEUE": callback.queue,
            "IVR_PRIORITY": str(priority),
            "IVR_POSITION": str(position),
            "__IVR_RECORDING": callback.recording_of(attempt),
            "IVR_SPARE": f"{callback.recording}-spare" if callback.recording else "",
            # what a caller's own channel has from the reception
            "__IVR_SOURCE": call.source if call.source == DIVERSION_110 else "live",
            "__IVR_LINE": call.line_id or "",
            "__IVR_DIALLED": dialled if dialled.isalnum() else "",
        }
        await self._forget(callback.call_id)
        headers = {
            "Channel": f"Local/{callback.call_id}@ivr-callback/n",
            "Context": "ivr-callback-out",
            "Exten": "s",
            "Priority": "1",
            "CallerID": f"<{self._book().number}>",
            "Timeout": str(_HELD_MS),
            "Async": "true",
            # not slin, the format of a room: Asterisk would go on with the translator that it has, which takes
            # the room's frames, numbered anew, for old ones, and nobody would hear anything (translate.c)
            "Codecs": "alaw",
            "Variable": [f"{name}={value}" for name, value in variables.items()],
        }
        self._asked[callback.call_id] = self._clock()
        await self._link.action("Originate", headers)
        log.info("callback of %s stands at position %d of %s", callback.call_id, position, callback.queue)

    async def position(self, queue: str, priority: int, since: float, but: str = "") -> int:
        """Return the position that keeps a place, by when each of those who wait took theirs."""
        others = []
        for caller in (await members.status(self._link, self._calls.called_back)).callers:
            if caller.queue != queue or caller.call_id == but:
                continue
            call = self._calls.calls.get(caller.call_id)
            known = call.callback.since if call and call.callback else call.queued_at if call else None
            began = known if known is not None else self._clock() - caller.wait_s
            others.append(rules.Waiting(caller.priority, began))
        return rules.place_of(priority, since, others)

    async def place_again(self, call_id: str) -> int:
        """Return the position of a caller who comes back into the queue; 0 when it is not known."""
        call = self._calls.calls.get(call_id)
        if call is None or call.queue is None or call.queued_at is None:
            return 0
        return await self.position(call.queue, call.priority, call.queued_at, call_id)

    async def _word(self, call_id: str) -> str:
        with contextlib.suppress(AmiRefused):
            for item in await self._link.list_action("DBGet", {"Family": FAMILY, "Key": call_id}):
                return item.get("Val")
        return ""

    async def _forget(self, call_id: str) -> None:
        if not await self._word(call_id):
            return  # Asterisk complains of what is not there
        with contextlib.suppress(AmiRefused):
            await self._link.action("DBDel", {"Family": FAMILY, "Key": call_id})

    async def _remove(self, call_id: str, channel: str) -> None:
        call = self._calls.calls.get(call_id)
        if call is not None and call.callback is not None and call.callback.open:
            return
        if call is not None and call.state is CallState.SURVEYING:
            return
        log.info("placeholder %s is no longer wanted", channel)
        with contextlib.suppress(AmiRefused):
            await self._link.action("Hangup", {"Channel": channel})

    def _tell(self, call_id: str, kind: Kind, at: float | None = None, **data: Any) -> None:
        self._calls.record(Event(call_id, at if at is not None else self._clock(), kind, data))
