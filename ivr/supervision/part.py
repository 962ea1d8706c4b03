"""People on the floor: seats, wrap-up, the mode, the watch over shifts, and callers who must move.

Puts the domain's decisions and Asterisk together; decides nothing itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ivr.alarms.board import Alarms
from ivr.calls.open_calls import CallBook
from ivr.calls.record import CallRecord
from ivr.calls.states import CallState, SeatState
from ivr.errors import HotlineError
from ivr.events.event import Event, Kind
from ivr.events.streams import is_seat, seat_stream
from ivr.hotline.book import HotlineBook
from ivr.hotline.duty import Duty
from ivr.hotline.overflow import Waiting, returns
from ivr.seats.log_in import Seating
from ivr.seats.ports import Caller, NoRings, Outcome, QueueStatus, Rang, Rings
from ivr.seats.refusing import Refusing
from ivr.seats.wrap_up import WrapUp
from ivr.supervision.modes import ModeBoard
from ivr.supervision.ports import Floor
from ivr.supervision.shift_watch import Sitting, Watched, watch

log = logging.getLogger(__name__)

TICK_S = 0.5
WATCH_S = 3.0

Audit = Callable[[float, str, str, Mapping[str, Any]], Awaitable[None]]


class People:
    """The floor of one hotline.

    Args:
        book: gives the present configuration.
        calls: where calls and seats are remembered.
        align: brings Asterisk's queue members of some seats in line with who sits there.
        audit: notes what a person did: (when, who, what, values).
        clock: seconds since the epoch.
        steady: seconds since any moment, which nobody can set; None: the clock is never set.
        rings: knows where the last ring was in vain.
    """

    def __init__(
        self,
        book: Callable[[], HotlineBook],
        calls: CallBook,
        align: Callable[[Collection[str]], Awaitable[None]],
        audit: Audit,
        clock: Callable[[], float],
        steady: Callable[[], float] | None = None,
        rings: Rings | None = None,
    ) -> None:
        self._book = book
        self._calls = calls
        self._align = align
        self._audit = audit
        self._clock = clock
        self.modes = ModeBoard(book, calls, clock)
        self.alarms = Alarms(calls.record, clock)
        self.rings = rings or NoRings()
        self.refusing = Refusing(book, calls, self.alarms, clock, steady or clock)
        mode = lambda: self.modes.current  # noqa: E731
        self.seating = Seating(book, calls, align, clock, mode, refusing=self.refusing)
        self.wrap_up = WrapUp(book, calls, clock)
        self.watched: Watched | None = None
        self._reminded: dict[str, Duty] = {}
        self._changed: set[str] = set()
        """Seats that Asterisk has not been told of yet."""
        self._must_align = asyncio.Event()
        self._auditing: set[asyncio.Task[None]] = set()

    # -- what happens --------------------------------------------------------------------------
    def hear(self, event: Event, call: CallRecord | None) -> None:
        """Take in an event that was journalled a moment ago."""
        self.wrap_up.hear(event, call)
        if event.kind is Kind.WRAP_UP_STARTED:
            self._change({event.stream.removeprefix("seat:")})
        elif event.kind is Kind.MODE_SET:
            self._change(self._calls.seats)
        self.refusing.on_event(event)
        if is_seat(event.stream) and event.kind in (Kind.LOGGED_IN, Kind.RESUMED, Kind.WRAP_UP_ENDED):
            self._believe_in(event.stream.removeprefix("seat:"))
        if event.kind is Kind.MODE_SET:
            by = str(event.data.get("by", ""))
            work = self._audit(event.at, f"operator {by}", "mode_set", dict(event.data))
            task = asyncio.ensure_future(work)
            self._auditing.add(task)
            task.add_done_callback(self._auditing.discard)

    def _change(self, seats: Iterable[str]) -> None:
        self._changed.update(seats)
        if self._changed:
            self._must_align.set()

    def _believe_in(self, seat_id: str) -> None:
        if (seat := self._book().seat(seat_id)) is not None:
            self.rings.forget(seat.username)

    def rang(self, told: Rang) -> None:
        """Learn how a ring at a seat ended."""
        seat = self._book().seat_by_username(told.seat_user)
        if seat is None:
            return
        if told.outcome is Outcome.REFUSED:
            self.refusing.refused(seat.id, told.status)
        else:
            self.refusing.reached(seat.id)
        self._change(self.refusing.moved())

    def restore(self, events: Sequence[Event]) -> None:
        """Take over the mode and the alarms from before a restart."""
        self.modes.restore(events)
        self.alarms.restore(events)

    # -- what goes on --------------------------------------------------------------------------
    async def run(self, floor: Floor) -> None:
        """End wrap-ups in time, watch shifts and queues; until cancelled."""
        watched_at = 0.0
        loop = asyncio.get_running_loop()
        while True:
            if not self.seating.known:
                await asyncio.sleep(TICK_S)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._must_align.wait()
            try:
                await self._tick()
                if loop.time() - watched_at >= WATCH_S:
                    watched_at = loop.time()
                    await self.look(floor)
            except HotlineError as error:
                log.info("the floor is looked at again in a moment: %s", error.sentence)
            except Exception:  # a fault here must not end the engine, again and again
                log.exception("the watch over the floor failed; the next round tries again")

    async def _tick(self) -> None:
        self._change(self.refusing.moved())
        self._change(self.wrap_up.end_due())
        self._must_align.clear()
        if self._changed:
            changed, self._changed = self._changed, set()
            await self._align(changed)

    async def look(self, floor: Floor) -> None:
        """Look at the floor once: alarms, reminders, and callers who cannot stay where they wait."""
        status = await floor.status() if floor.live else None
        present = await floor.registered() if status is not None else None
        now = datetime.fromtimestamp(self._clock(), UTC)
        sitting = self._sitting(status, present)
        owed = any(one.open for one in self._calls.callbacks())
        waiting = len(status.callers) + owed if status else 1  # nobody is sent home by guess
        seen = watch(self._book(), now, sitting, waiting)
        self.watched = seen
        self.alarms.judge(seen.faults, seen.judged)
        self._remind(seen.may_leave)
        if status is not None:
            await self._return_callers(floor, status, now)

    def _sitting(self, status: QueueStatus | None, present: set[str] | None) -> list[Sitting]:
        found = []
        for seat in self._book().seats:
            record = self._calls.seat(seat.id)
            if record.operator is None or record.state is SeatState.LOGGED_OUT:
                continue
            registered = None if present is None else seat.username in present
            busy = status is not None and status.phone(seat.username).on_a_call
            found.append(Sitting(seat.id, record.operator, record.state, registered, busy))
        return found

    def _remind(self, may_leave: Mapping[str, Duty]) -> None:
        """Journal once a shift that somebody stayed beyond it and may leave."""
        for operator, duty in may_leave.items():
            seat_id = self._calls.seat_of(operator)
            if seat_id is None or self._reminded.get(operator) == duty:
                continue
            self._reminded[operator] = duty
            told = {"operator": operator, "shift": duty.shift.id}
            self._calls.record(Event(seat_stream(seat_id), self._clock(), Kind.SHIFT_OVER, told))

    async def _return_callers(self, floor: Floor, status: QueueStatus, now: datetime) -> None:
        served = {
            queue
            for number in self._calls.logged_in()
            if (person := self._book().operator(number)) is not None
            for queue in person.queues
        }
        waiting = [self._waiting(caller) for caller in status.callers]
        for back in returns(self._book(), waiting, now, self.modes.current, served):
            caller = back.caller
            moved = await floor.back_to_general(caller.channel, back.position)
            if moved:
                told = {"from": caller.queue, "why": back.why}
                self._calls.record(Event(caller.call_id, self._clock(), Kind.BACK_TO_GENERAL_QUEUE, told))

    def _waiting(self, caller: Caller) -> Waiting:
        call = self._calls.get(caller.call_id)
        since = self._clock() - caller.wait_s
        if call is not None and call.queued_at is not None:
            since = min(since, call.queued_at)
        free = call is None or call.state in (CallState.WAITING, CallState.GREETING)
        return Waiting(caller.call_id, caller.queue, caller.channel, since, caller.priority, free)
