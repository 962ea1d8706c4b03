"""Overflow (溢出): who helps which queue, and who cannot stay in the queue they wait in.

Helpers are members with a penalty, and Asterisk's queue rule lets a caller's penalty limit rise
after ``overflow_after_s``: so callers keep their place.  An expert queue (专家座席) that is closed,
or where nobody of its own is logged in, gives its callers back to the general queue, where they
stand as if they had waited there from the beginning.  Nobody is ever dropped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ivr.hotline.book import HotlineBook, QueueKind, QueueSpec
from ivr.hotline.modes import ModeName
from ivr.hotline.workdays import CalendarMissing

OVERFLOW_PENALTY = 10
"""The penalty of members who only help out; the queue's rule raises a caller's limit to it."""


@dataclass(frozen=True)
class Waiting:
    """A caller who waits, and since when (seconds since the epoch); ``free``: no seat rings for them."""

    call_id: str
    queue: str
    channel: str
    since: float
    priority: int = 0
    free: bool = True


@dataclass(frozen=True)
class Return:
    """That a caller goes back to the general queue, to a place in it counted from 1, and why."""

    caller: Waiting
    position: int
    why: str


def helper_of(book: HotlineBook, queue: QueueSpec) -> str:
    """Return the queue whose operators help ``queue``; empty for none.

    An expert queue that names no other is helped by the general queue, so that nobody starves.
    """
    if queue.overflow_to:
        return queue.overflow_to
    general = book.general_queue.id
    return general if queue.kind is QueueKind.EXPERT and queue.id != general else ""


def helped_queues(book: HotlineBook, own: Collection[str]) -> list[str]:
    """Return the queues that operators of ``own`` help, and do not serve anyway."""
    return [queue.id for queue in book.queues if queue.id not in own and helper_of(book, queue) in own]


def closed_because(
    book: HotlineBook, queue: QueueSpec, now: datetime, mode: ModeName, served: Collection[str]
) -> str:
    """Return why an expert queue cannot keep its callers; empty when it can.

    Args:
        book: the configuration.
        queue: any queue; the general one keeps its callers always.
        now: aware.
        mode: the present mode.
        served: the queues that somebody who is logged in serves.
    """
    if queue.kind is not QueueKind.EXPERT or queue.id == book.general_queue.id:
        return ""
    if book.modes[mode].experts_closed:
        return "closed in this mode"
    try:
        if not queue.is_open(now, book.calendar):
            return "closed at this hour"
    except CalendarMissing:  # an alarm tells it; a caller should not pay for it
        pass
    return "" if queue.id in served else "nobody is logged in"


def returns(
    book: HotlineBook, callers: Sequence[Waiting], now: datetime, mode: ModeName, served: Collection[str]
) -> list[Return]:
    """Decide who goes back to the general queue, the longest waiting first.

    Args:
        book: the configuration.
        callers: everybody who waits in any queue.
        now: aware.
        mode: the present mode.
        served: the queues that somebody who is logged in serves.
    """
    general = [caller for caller in callers if caller.queue == book.general_queue.id]
    reasons = {queue.id: closed_because(book, queue, now, mode, served) for queue in book.queues}
    going = [caller for caller in callers if caller.free and reasons.get(caller.queue)]
    decided = []
    for caller in sorted(going, key=lambda caller: (-caller.priority, caller.since)):
        decided.append(Return(caller, place_in(general, caller), reasons[caller.queue]))
        general.append(caller)
    return decided


def place_in(queue: Iterable[Waiting], caller: Waiting) -> int:
    """Return the place, counted from 1, behind everybody of higher priority or longer patience."""
    mine = (-caller.priority, caller.since)
    return 1 + sum((-other.priority, other.since) <= mine for other in queue)
