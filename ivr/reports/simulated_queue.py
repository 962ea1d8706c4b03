"""What Asterisk's ``Queue`` would do with callers and seats, on virtual time.

Only the executing is modelled here: who waits where, whose seat rings, how long people talk.  Every
decision and every state is the live code's: seats are paused and resumed by ``Seating``, and what
happens is told to ``CallBook.record`` event by event, as AMI would tell it.  app_queue serves by
priority and then in order of arrival, several callers at once (``autofill``), and chooses among the
free members by the queue's strategy.  Wrap-up is the seat's own state, as in the live engine.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import simpy

from ivr.calls.book import CallBook
from ivr.calls.events import Event, Kind, seat_stream
from ivr.calls.reception import Placement
from ivr.calls.seating import Seating
from ivr.calls.states import SeatState
from ivr.hotline.book import HotlineBook

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
        self.seating = Seating(lambda: book, calls, self._align, self.now, most=len(book.seats))
        self.seating.known = True
        self._strategy = {queue.id: queue.strategy for queue in book.queues}
        self._waiting: dict[str, list[_Waiting]] = {queue.id: [] for queue in book.queues}
        self._members: dict[str, list[str]] = {queue.id: [] for queue in book.queues}
        self._memory: dict[str, _Member] = {seat.id: _Member() for seat in book.seats}
        self._turn: dict[str, str] = {}
        self._arrivals = 0
        self.busy: set[str] = set()
        """Seats that ring, talk or wrap up."""

    def now(self) -> float:
        """Return the virtual moment in seconds since the epoch."""
        return self._epoch + self._env.now

    async def _align(self) -> None:
        """Take over who is a member; pauses are read from the seats themselves."""

    def seated(self) -> None:
        """Bring the members in line after somebody logged in or out, and serve who waits."""
        members: dict[str, list[str]] = {queue: [] for queue in self._waiting}
        for membership in self.seating.memberships():
            members[membership.queue].append(membership.seat)
        self._members = members
        self._serve_all()

    def attend(self, call_id: str, placement: Placement) -> Steps:
        """Carry one caller from reception to an operator or to the end of patience."""
        if placement.prompts:
            yield self._env.timeout(self._habits.greeting_s)
        self._tell(call_id, Kind.QUEUED, queue=placement.queue)
        self._arrivals += 1
        caller = _Waiting((-placement.priority, self._arrivals), call_id, self._env.event())
        heapq.heappush(self._waiting[placement.queue], caller)
        self._serve(placement.queue)
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
        waiting = self._waiting[queue]
        while waiting:
            if waiting[0].gone:
                heapq.heappop(waiting)
                continue
            seat = self._choose(queue)
            if seat is None:
                return
            self.busy.add(seat)
            caller = heapq.heappop(waiting)
            caller.rung.succeed()
            self._env.process(self._take(caller.call_id, queue, seat))

    def _choose(self, queue: str) -> str | None:
        """Return the free member whose turn it is."""
        free = [seat for seat in self._members[queue] if seat not in self.busy and self._ready(seat)]
        if not free:
            return None
        strategy = self._strategy[queue]
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
