"""The callback desk: placeholders stand in Asterisk's queues for the open callbacks whose turn is near.

Desired state is reconciled: who should have a placeholder has one, in their place, until their
turn; whoever lost one, Asterisk or we, it is put back, and whoever has one too many loses it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ivr.calls import callback as rules
from ivr.calls.callback import Callback, CallbackState
from ivr.calls.channels import endpoint_of
from ivr.calls.facts import CallbackWord
from ivr.calls.file_names import SPARE
from ivr.calls.open_calls import CallBook
from ivr.calls.reception import DIVERSION_110
from ivr.calls.record import CallRecord
from ivr.calls.states import CallState
from ivr.errors import HotlineError
from ivr.events.event import Event, Kind
from ivr.events.streams import is_seat
from ivr.hotline.book import HotlineBook
from ivr.queueing.callback_places import Staff, standing
from ivr.queueing.callback_progress import caught_up
from ivr.queueing.ports import NotTaken, Placeholders, Seen, Standing
from ivr.seats.log_in import WRAP_UP, Membership
from ivr.seats.ports import Phone, QueueStatus
from ivr.seats.refusing import PASSED_OVER

log = logging.getLogger(__name__)

_PENDING = (CallbackState.WAITING, CallbackState.RESTING)
_BACK_SOON = (WRAP_UP, PASSED_OVER)
"""Pauses of seats that are at work, and next."""
_MOVES = frozenset(
    {Kind.ANSWERED, Kind.OPERATOR_LEFT, Kind.SEAT_NO_ANSWER, Kind.HUNG_UP}
    | {Kind.CALLBACK_CLAIMED, Kind.CALLBACK_TRIED, Kind.CALLBACK_ANSWERED}
    | {Kind.CALLBACK_UNREACHED, Kind.CALLBACK_FAILED}
)
"""Events of a call after which somebody else may stand in the queue."""
_BREATH_S = 1.0
"""Between two looks, however much happens."""
_SEATS_LOOK_S = 2.0
"""Between two looks while callbacks wait for the seats there are: Asterisk tells no event when one is free."""
_JOINS_WITHIN_S = 1.0
"""How long a placeholder that was asked for is waited for."""
_READY_S = 1.0
"""How long a seat waits at most for the callbacks that go before those who wait."""


class CallbackDesk:
    """What stands in Asterisk for the callbacks of one hotline.

    Args:
        book: gives the present configuration.
        calls: open calls with their callbacks, and where events go.
        placeholders: what stands in the queues.
        number: the number to dial for a callback, empty where there is none.
        clock: seconds since the epoch.
        seats: which seat is in which queue now.
        retry_after_s: between two tries.
    """

    def __init__(
        self,
        book: Callable[[], HotlineBook],
        calls: CallBook,
        placeholders: Placeholders,
        number: Callable[[Callback], str],
        clock: Callable[[], float],
        seats: Callable[[], Iterable[Membership]],
        retry_after_s: float = rules.RETRY_AFTER_S,
    ) -> None:
        self._book = book
        self._calls = calls
        self._placeholders = placeholders
        self._number = number
        self._clock = clock
        self._seats = seats
        self._retry_after_s = retry_after_s
        self._asked: dict[str, float] = {}
        self._coming: set[str] = set()
        self._idle: set[str] = set()
        """Placeholders that no seat rings for: an operator who answers one is told so before Asterisk tells us."""
        self._joined = asyncio.Event()
        self._lock = asyncio.Lock()
        self._wake = asyncio.Event()

    # -- what happens --------------------------------------------------------------------------
    def on_event(self, event: Event, call: CallRecord | None) -> None:
        """Look again when a seat, or somebody in a queue, has moved."""
        moved = event.kind in _MOVES if call is not None else is_seat(event.stream)
        if moved and self._calls.callbacks():
            self._wake.set()

    def hear(self, call_id: str, at: float, what: str, data: Mapping[str, Any]) -> None:
        """Take what a placeholder lived through, told of its call (``callback_…``)."""
        callback = self._callback(call_id)
        if callback is None:
            return
        if what in ("callback_queued", "callback_seat_no_answer"):
            self._idle.add(call_id)
        else:
            self._idle.discard(call_id)
        if what == "callback_queued":
            self._coming.discard(call_id)
            self._asked[call_id] = self._clock()
            self._joined.set()
        elif what == "callback_answered":
            facts = {name: data.get(name) for name in ("seat", "operator", "channel")}
            self._tell(call_id, Kind.CALLBACK_TRIED, at, **facts, **{"try": callback.tries + 1})
        elif what == "callback_operator_left" and callback.state is CallbackState.TALKING:
            # the placeholder goes when the citizen has gone, and when both were led into a room
            if data.get("reason") != "caller":
                self._tell(call_id, Kind.OPERATOR_LEFT, at, **data)
        elif what == "callback_hung_up":
            self._wake.set()  # the talk is over when the citizen's own channel ends

    def hear_word(self, word: CallbackWord) -> None:
        """Take word of how far a callback is."""
        callback = self._callback(word.call_id)
        if callback is not None:
            self._catch_up(callback, word, present=True)

    def _callback(self, call_id: str) -> Callback | None:
        call = self._calls.get(call_id)
        return call.callback if call else None

    def _catch_up(self, callback: Callback, word: CallbackWord | None, *, present: bool) -> None:
        for kind, data in caught_up(callback, word, present=present):
            facts = dict(data)
            if kind is Kind.CALLBACK_TRIED:
                seat = self._book().seat_by_username(endpoint_of(facts["channel"]))
                facts |= {"seat": seat.id, "operator": self._calls.operator_on(seat.id)} if seat else {}
            self._tell(callback.call_id, kind, **facts)

    # -- placeholders --------------------------------------------------------------------------
    async def run(self, every_s: float = 10.0) -> None:
        """Keep placeholders right until cancelled."""
        while True:
            self._wake.clear()
            with contextlib.suppress(HotlineError):
                await self.align()
            await asyncio.sleep(_BREATH_S)
            waits = any(one.state in _PENDING for one in self._calls.callbacks())
            limit_s = _SEATS_LOOK_S if waits and any(self._seats()) else every_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(limit_s, self._retry_after_s)):
                    await self._wake.wait()

    async def make_ready(self) -> None:
        """Let promised callbacks stand in their places before a seat joins; holds no seat up for long."""
        if not any(one.promised and one.state in _PENDING for one in self._calls.callbacks()):
            return
        with contextlib.suppress(TimeoutError, HotlineError):
            async with asyncio.timeout(_READY_S):
                await self.align(missed=False)

    async def align(self, *, missed: bool = True) -> None:
        """Settle what happened unheard, and let just those stand in the queues who should.

        Args:
            missed: whether missed calls are given placeholders, too.
        """
        if not self._placeholders.live:
            return
        async with self._lock:
            seen = await self._placeholders.look()
            now = self._clock()
            grace_s = {True: rules.COMES_WITHIN_S, False: rules.GRACE_S}
            self._asked = {
                name: at for name, at in self._asked.items() if now - at < grace_s[name in self._coming]
            }
            self._coming &= self._asked.keys() - seen.waiting.keys()
            self._idle &= seen.placeholders.keys()
            for callback in self._calls.callbacks():
                if callback.open and callback.call_id not in self._asked:
                    word = seen.words.get(callback.call_id)
                    citizen = callback.channel or (word.citizen if word else "")
                    lives = callback.call_id in seen.placeholders or citizen in seen.channels
                    self._catch_up(callback, word, present=lives)
            await self._tidy(seen)
            await self._place(seen, [one for one in self._due(seen, now) if missed or one.promised])

    async def _tidy(self, seen: Seen) -> None:
        """Take away what stands, or was left, for callbacks that are over."""
        going_on = {one.call_id for one in self._calls.callbacks() if one.open}
        for call_id in seen.placeholders.keys() - going_on:
            call = self._calls.get(call_id)
            if call is None or call.state is not CallState.SURVEYING:
                log.info("placeholder %s is no longer wanted", seen.placeholders[call_id])
                await self._placeholders.remove(seen.placeholders[call_id])
        for call_id in seen.words.keys() - going_on - seen.placeholders.keys():
            await self._placeholders.forget(call_id)

    def _due(self, seen: Seen, now: float) -> list[Callback]:
        """Settle callbacks whose time is over; return those who could stand in a queue and do not."""
        found = []
        present = seen.placeholders.keys() | self._asked.keys()
        callbacks = self._calls.callbacks()
        for todo in rules.due(callbacks, present, now, retry_after_s=self._retry_after_s):
            call_id = todo.callback.call_id
            if todo.step is rules.Step.LOST:
                self._tell(call_id, Kind.CALLBACK_UNREACHED, status="LOST", reason=todo.reason)
            elif todo.step is rules.Step.FAIL:
                self._tell(call_id, Kind.CALLBACK_FAILED, reason=todo.reason)
            else:
                found.append(todo.callback)
        return found

    async def _place(self, seen: Seen, due: Iterable[Callback]) -> None:
        waiting = seen.waiting
        there = waiting.keys() | self._coming
        queued = [one for one in self._calls.callbacks() if one.call_id in there and one.state in _PENDING]
        due = list(due)
        if not queued and not due:
            return
        wanted = standing([*queued, *due], there, self._staff(seen.status))
        chosen = {one.call_id for one in wanted}
        quiet = not any(phone.on_a_call for phone in seen.status.phones.values())
        for one in queued:
            idle = quiet or one.call_id in self._idle
            if idle and one.call_id in waiting and one.call_id not in chosen:
                log.info("the placeholder of %s makes room", one.call_id)
                await self._placeholders.remove(waiting[one.call_id])
                self._asked.pop(one.call_id, None)
        for one in wanted:
            if one.call_id not in there and not await self._stand(one, seen):
                return  # whoever comes next must not be rung first: the next look goes on

    def _staff(self, status: QueueStatus) -> dict[str, Staff]:
        there = [seat for seat in self._seats() if not seat.paused or seat.reason in _BACK_SOON]
        idle = (Phone.FREE, Phone.RINGS)
        ready = {seat.username for seat in there if status.phone(seat.username) in idle}
        found = {}
        for queue in {seat.queue for seat in there}:
            at_work = frozenset(seat.username for seat in there if seat.queue == queue)
            free = frozenset(
                seat.username
                for seat in there
                if seat.queue == queue and not seat.paused and seat.username in ready
            )
            live = sum(caller.queue == queue and not caller.placeholder for caller in status.callers)
            found[queue] = Staff(at_work, free, live)
        return found

    async def _stand(self, callback: Callback, seen: Seen) -> bool:
        """Let a placeholder stand; return whether it is in the queue now, or never will be."""
        number = self._number(callback)
        uri = rules.destination(self._book().trunks, number) if number else ""
        if not uri:
            self._tell(callback.call_id, Kind.CALLBACK_FAILED, reason="there is no way to call this number")
            return True
        priority = callback.rank(self._book().priorities.callback)
        position = await self.position(callback.queue, priority, callback.since, callback.call_id)
        if callback.call_id in seen.words:
            await self._placeholders.forget(callback.call_id)
        self._asked[callback.call_id] = self._clock()
        self._coming.add(callback.call_id)
        try:
            await self._placeholders.stand(self._standing(callback, uri, priority, position))
        except NotTaken as refused:
            log.warning("no placeholder for %s: %s", callback.call_id, refused.sentence)
            self._coming.discard(callback.call_id)
            return True
        log.info("callback of %s stands at position %d of %s", callback.call_id, position, callback.queue)
        return await self._came(callback.call_id)

    async def _came(self, call_id: str) -> bool:
        """Wait a moment until a placeholder is in the queue; return whether it is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_JOINS_WITHIN_S):
                while call_id in self._coming:
                    self._joined.clear()
                    await self._joined.wait()
        return call_id not in self._coming

    def _standing(self, callback: Callback, uri: str, priority: int, position: int) -> Standing:
        call = self._calls[callback.call_id]
        attempt = callback.tries + 1
        return Standing(
            callback.call_id,
            attempt,
            uri,
            self._book().number,
            callback.queue,
            priority,
            position,
            recording=callback.recording_of(attempt),
            spare=callback.recording + SPARE if callback.recording else "",
            source=call.source if call.source == DIVERSION_110 else "live",
            line_id=call.line_id or "",
            dialled=call.dialled if call.dialled.isalnum() else "",
        )

    # -- places --------------------------------------------------------------------------------
    async def position(self, queue: str, priority: int, since: float, but: str = "") -> int:
        """Return the position that keeps a place, by when each of those who wait took theirs.

        Placeholders that were asked for and are not in the queue yet count as if they were.
        """
        others = []
        coming = self._coming - {but}
        for caller in (await self._placeholders.status()).callers:
            coming.discard(caller.call_id)
            if caller.queue != queue or caller.call_id == but:
                continue
            call = self._calls.get(caller.call_id)
            known = call.callback.since if call and call.callback else call.queued_at if call else None
            began = known if known is not None else self._clock() - caller.wait_s
            others.append(rules.Waiting(caller.priority, began))
        again = self._book().priorities.callback
        for one in map(self._callback, coming):
            if one is not None and one.queue == queue:
                others.append(rules.Waiting(one.rank(again), one.since))
        return rules.place_of(priority, since, others)

    async def place_again(self, call_id: str) -> int:
        """Return the position of a caller who comes back into the queue; 0 when it is not known."""
        call = self._calls.get(call_id)
        if call is None or call.queue is None or call.queued_at is None:
            return 0
        return await self.position(call.queue, call.priority, call.queued_at, call_id)

    def _tell(self, call_id: str, kind: Kind, at: float | None = None, **data: Any) -> None:
        self._calls.record(Event(call_id, at if at is not None else self._clock(), kind, data))
