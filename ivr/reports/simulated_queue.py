"""What Asterisk's ``Queue`` would do with callers and seats, on virtual time.

Only the executing is modelled here: who waits where, whose seat rings, how long people talk.  Every
decision and every state is the live code's: seats are paused and resumed by ``Seating``, and what
happens is told to ``CallBook.record`` event by event, as AMI would tell it.  app_queue serves by
priority and then in order of arrival, several callers at once (``autofill``), and chooses among the
free members by the queue's strategy.  Who only helps a queue has a penalty, and rings for a caller who
has waited ``overflow_after_s`` there; whoever cannot stay in an expert queue goes to the general one.
Wrap-up is the seat's own state, as in the live engine.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Collection, Coroutine, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import simpy

from ivr.calls.open_calls import CallBook
from ivr.calls.reception import Placement
from ivr.calls.states import SeatState
from ivr.events.event import Event, Kind
from ivr.events.streams import seat_stream
from ivr.hotline.book import HotlineBook
from ivr.hotline.modes import ModeName
from ivr.hotline.overflow import OVERFLOW_PENALTY, closed_because
from ivr.seats.log_in import Seating

LOOK_S = 3.0
"""The live engine looks so often at who cannot stay in an expert queue (``ivr.supervision.part.WATCH_S``)."""

Steps = Generator[simpy.Event, Any, None]
T = TypeVar("T")


@dataclass(frozen=True)
class Habits:
    """How people behave; means in seconds, drawn from exponential distributions.

    Attributes:
        aht_s: how long a call keeps a seat: ringing, talk and wrap-up.
        patience_s: how long a caller waits for a seat; while one rings nobody hangs up.
        wrap_up_share: wrap-up's part of ``aht_s``; 60 s of 210 s by the staffing study.
        ring_s: seconds until a seat is picked up, always the same.
        greeting_s: seconds of the prompts before the queue, always the same.
    """

    aht_s: float
    patience_s: float
    wrap_up_share: float = 60 / 210
    ring_s: float = 1.0
    greeting_s: float = 5.0


@dataclass(slots=True, order=True)
class _Waiting:
    """A caller in a queue, in the order in which they are served."""

    before: tuple[int, int]
    call_id: str = field(compare=False)
    since: float = field(compare=False)
    rung: simpy.Event = field(compare=False)
    gone: bool = field(default=False, compare=False)


@dataclass(slots=True)
class _Member:
    """What app_queue remembers of a member."""

    last_call: float = float("-inf")
    taken: int = 0


class SimulatedQueue:
    """Carries callers through queues to seats.

    Args:
        env: virtual time, seconds since its own beginning.
        book: the configuration.
        calls: where everything is told.
        seating: who sits where.
        habits: how people behave.
        chance: where all randomness comes from.
        on_work: told of every stretch of a seat's work: (from, until), virtual seconds.
        epoch: seconds since the epoch at virtual time 0.
    """

    def __init__(
        self,
        env: simpy.Environment,
        book: HotlineBook,
        calls: CallBook,
        *,
        habits: Habits,
        chance: random.Random,
        on_work: Callable[[float, float], None],
        epoch: float,
    ) -> None:
        self._env = env
        self._calls = calls
        self._habits = habits
        self._chance = chance
        self._on_work = on_work
        self._epoch = epoch
        self.seating = Seating(lambda: book, calls, self._align, self.now)
        self.seating.known = True
        self._book = book
        self._specs = {queue.id: queue for queue in book.queues}
        self._waiting: dict[str, list[_Waiting]] = {queue.id: [] for queue in book.queues}
        self._members: dict[str, dict[str, int]] = {queue.id: {} for queue in book.queues}
        """Of each queue, the seats and their penalties."""
        self._memory: dict[str, _Member] = {seat.id: _Member() for seat in book.seats}
        self._turn: dict[str, str] = {}
        self._arrivals = 0
        self.busy: set[str] = set()
        """Seats that ring, talk or wrap up."""

    def now(self) -> float:
        """Return the virtual moment in seconds since the epoch."""
        return self._epoch + self._env.now

    async def _align(self, _: Collection[str]) -> None:
        """Take over who is a member; pauses are read from the seats themselves."""

    def seated(self) -> None:
        """Bring the members in line after somebody logged in or out, and serve who waits."""
        members: dict[str, dict[str, int]] = {queue: {} for queue in self._waiting}
        for membership in self.seating.memberships():
            members[membership.queue][membership.seat] = membership.penalty
        self._members = members
        self._serve_all()

    def attend(self, call_id: str, placement: Placement) -> Steps:
        """Carry one caller from reception to an operator or to the end of patience."""
        if placement.prompts:
            yield self._env.timeout(self._habits.greeting_s)
        self._tell(call_id, Kind.QUEUED, queue=placement.queue)
        self._arrivals += 1
        before = (-placement.priority, self._arrivals)
        caller = _Waiting(before, call_id, self._env.now, self._env.event())
        heapq.heappush(self._waiting[placement.queue], caller)
        self._serve(placement.queue)
        if not caller.rung.triggered:
            self._env.process(self._overflow(caller, placement.queue))
        patience = self._env.timeout(self._chance.expovariate(1 / self._habits.patience_s))
        yield caller.rung | patience
        if not caller.rung.triggered:
            caller.gone = True
            self._tell(call_id, Kind.HUNG_UP)

    # -- seats ---------------------------------------------------------------------------------
    def _serve_all(self) -> None:
        for queue in self._waiting:
            self._serve(queue)

    def _serve(self, queue: str) -> None:
        """Ring seats while there are both callers and free members."""
        waiting, left = self._waiting[queue], []
        while waiting and self._free(queue):
            caller = heapq.heappop(waiting)
            if caller.gone:
                continue
            seat = self._choose(queue, self._limit(queue, caller))
            if seat is None:  # only helpers are free, and this caller has not waited long enough for them
                left.append(caller)
                continue
            self.busy.add(seat)
            caller.rung.succeed()
            self._env.process(self._take(caller.call_id, queue, seat))
        for caller in left:
            heapq.heappush(waiting, caller)

    def _overflow(self, caller: _Waiting, queue: str) -> Steps:
        """Let helpers ring once it is time, and look whether an expert queue can keep its caller."""
        spec, general = self._specs[queue], self._book.general_queue
        yield self._env.timeout(LOOK_S - self._env.now % LOOK_S)
        moment = datetime.fromtimestamp(self.now(), UTC)
        served = {name for name, seats in self._members.items() if 0 in seats.values()}
        why = closed_because(self._book, spec, moment, ModeName.REGULAR, served)
        if caller.rung.triggered or caller.gone:
            return
        if why:
            self._waiting[queue].remove(caller)
            heapq.heapify(self._waiting[queue])
            heapq.heappush(self._waiting[general.id], caller)
            self._tell(caller.call_id, Kind.QUEUED, queue=general.id)
            self._serve(general.id)
            return
        yield self._env.timeout(max(0.0, caller.since + spec.overflow_after_s - self._env.now))
        self._serve(queue)

    def _limit(self, queue: str, caller: _Waiting) -> int:
        """Return the highest penalty that may ring for a caller now, as the queue's rule raises it."""
        waited_s = self._env.now - caller.since
        return OVERFLOW_PENALTY if waited_s >= self._specs[queue].overflow_after_s else 0

    def _free(self, queue: str) -> list[str]:
        return [seat for seat in self._members[queue] if seat not in self.busy and self._ready(seat)]

    def _choose(self, queue: str, limit: int) -> str | None:
        """Return the free member whose turn it is, of those with the lowest penalty."""
        penalties = self._members[queue]
        free = [seat for seat in self._free(queue) if penalties[seat] <= limit]
        if not free:
            return None
        lowest = min(penalties[seat] for seat in free)
        free = [seat for seat in free if penalties[seat] == lowest]
        strategy = self._specs[queue].strategy
        if strategy == "leastrecent":
            return min(free, key=lambda seat: self._memory[seat].last_call)
        if strategy == "fewestcalls":
            return min(free, key=lambda seat: self._memory[seat].taken)
        if strategy == "rrmemory":
            last = self._turn.get(queue, "")
            seat = next((seat for seat in free if seat > last), free[0])
            self._turn[queue] = seat
            return seat
        return self._chance.choice(free)  # random; and of all that ring, anybody may be the first

    def _ready(self, seat: str) -> bool:
        return self._calls.seat(seat).state is SeatState.READY

    def _take(self, call_id: str, queue: str, seat: str) -> Steps:
        """Ring, talk, wrap up."""
        began, habits = self._env.now, self._habits
        busy_s = self._chance.expovariate(1 / habits.aht_s)
        wrap_up_s = busy_s * habits.wrap_up_share
        self._tell(call_id, Kind.SEAT_RINGING, seat=seat, queue=queue)
        yield self._env.timeout(habits.ring_s)
        self._tell(call_id, Kind.ANSWERED, seat=seat, operator=self._calls.operator_on(seat))
        yield self._env.timeout(max(0.0, busy_s - wrap_up_s - habits.ring_s))
        self._tell(call_id, Kind.OPERATOR_LEFT, seat=seat)
        self._tell(call_id, Kind.HUNG_UP)
        yield from self._wrap_up(seat, wrap_up_s)
        memory = self._memory[seat]
        memory.last_call, memory.taken = self._env.now, memory.taken + 1
        self._on_work(began, self._env.now)
        self.busy.discard(seat)
        self._serve_all()

    def _wrap_up(self, seat: str, seconds: float) -> Steps:
        if self._ready(seat):  # whose shift ended during the call is logged out already
            until = self.now() + seconds
            self._calls.record(Event(seat_stream(seat), self.now(), Kind.WRAP_UP_STARTED, {"until": until}))
        yield self._env.timeout(seconds)
        if self._calls.seat(seat).state is SeatState.WRAP_UP:
            self._calls.record(Event(seat_stream(seat), self.now(), Kind.WRAP_UP_ENDED, {"by": "time"}))

    def _tell(self, call_id: str, kind: Kind, **data: object) -> None:
        self._calls.record(Event(call_id, self.now(), kind, data))


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """Run a decision of the live code that waits for nothing, without an event loop.

    Raises:
        RuntimeError: it does wait for something, and then has no place in virtual time.
    """
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    name = getattr(work, "__qualname__", work)
    raise RuntimeError(f"{name} waits for something that virtual time does not know")
