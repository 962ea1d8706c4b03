"""Which open callbacks stand in Asterisk's queues now: only those whose turn can come soon.

A callback is an entry in the journal.  A placeholder in Asterisk costs two channels, so there are at
most two for each seat that could take one; the second is there when the first has been taken.  Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from ivr.calls.callback import Callback

EACH_SEAT = 2
"""Placeholders for each seat."""


@dataclass(frozen=True)
class Staff:
    """The seats of a queue, and those who wait in it themselves.

    Attributes:
        at_work: seats logged in and not paused, also those that talk or wrap up: they are next.
        free: of these, the ones that are on no call; one that rings is free.
        live: callers who wait, callbacks aside.
    """

    at_work: frozenset[str] = frozenset()
    free: frozenset[str] = frozenset()
    live: int = 0


def standing(
    callbacks: Iterable[Callback], there: Collection[str], staff: Mapping[str, Staff]
) -> list[Callback]:
    """Return the callbacks that should have a placeholder, in the order of their turn.

    A promised one stands while the seats are busy, so that its place among the live callers is
    right when one is free.  A missed one stands only where a seat is free and nobody waits for it;
    one that stands already keeps it while a caller comes: the seat may ring for it.

    Args:
        callbacks: those whose placeholder waits, or should.
        there: call ids of those whose placeholder stands now.
        staff: by queue.
    """
    anywhere = {
        True: EACH_SEAT * len(frozenset().union(*(one.at_work for one in staff.values()))),
        False: EACH_SEAT * len(frozenset().union(*(one.free for one in staff.values()))),
    }
    chosen: list[Callback] = []
    taken: Counter[str] = Counter()
    for one in sorted(callbacks, key=turn):
        room = _room(one, staff.get(one.queue, Staff()), one.call_id in there)
        if taken[one.queue] < room and len(chosen) < anywhere[one.promised]:
            chosen.append(one)
            taken[one.queue] += 1
    return chosen


def _room(callback: Callback, staff: Staff, stands: bool) -> int:
    """Return how many may stand in the queue of a callback, as far as it is concerned."""
    if callback.promised:
        return EACH_SEAT * len(staff.at_work)
    return EACH_SEAT * max(0, len(staff.free) - (0 if stands else staff.live))


def turn(callback: Callback) -> tuple[bool, int, float, str]:
    """Return the key that sorts callbacks by whose turn it is: promised ones first, then as a queue does."""
    return not callback.promised, -callback.priority, callback.since, callback.call_id
