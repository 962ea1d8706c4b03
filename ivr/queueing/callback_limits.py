"""Who is called back at all: what strangers can order is bounded, and what was promised is kept.

Anybody can call with a number they made up, and hang up.  So missed calls and promised callbacks
are counted apart, a number is not rung again and again, and a trunk from which many cut their
wait short in a minute earns nothing by it.  Pure: refusals are sentences for the call's events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from ivr.calls.callback import Callback

MOST_PROMISED = 200
"""Open promised callbacks: what 24 seats can do in the 30 minutes that P025 promises, 3.6 minutes each."""
MOST_MISSED = 200
"""Open callbacks of missed calls; further ones are tickets that a person sees."""
FOR_SEATS = 24
"""Where there are more seats, more may be open, in proportion."""
MISSED_FROM_S = 5.0
"""Who waited at least so long before they gave up is called back."""
DEDUPE_S = 30 * 60.0
"""A number whose call was missed is called back once in this time, however often it tried."""
UNREACHED_REST_S = 24 * 3600.0
"""A number that answered no try is not called again by itself for so long."""
SHORT_WAIT_S = 15.0
"""Who hangs up within this time of entering the queue has cut their wait short."""
SHORT_WAITS_WITHIN_S = 60.0
MOST_SHORT_WAITS = 20
"""Waits cut short from one trunk within SHORT_WAITS_WITHIN_S that still earn a callback."""


def already_open(callbacks: Iterable[Callback], number_hash: str) -> Callback | None:
    """Find the open callback of a number, so that nobody is called twice for one wish."""
    return next(
        (one for one in callbacks if number_hash and one.open and one.number_hash == number_hash), None
    )


def most(seats: int, *, promised: bool) -> int:
    """Return how many callbacks of a kind may be open in a hotline of so many seats."""
    return (MOST_PROMISED if promised else MOST_MISSED) * max(seats, FOR_SEATS) // FOR_SEATS


def count_open(callbacks: Iterable[Callback], *, promised: bool) -> int:
    """Count the open callbacks of a kind."""
    return sum(one.open and one.promised is promised for one in callbacks)


def full(callbacks: Iterable[Callback], seats: int, *, promised: bool) -> str:
    """Return why no more callbacks of a kind are taken, empty where there is room."""
    limit = most(seats, promised=promised)
    if count_open(callbacks, promised=promised) < limit:
        return ""
    return f"{limit} {'promised callbacks' if promised else 'callbacks of missed calls'} are open already"


class ShortWaits:
    """Waits that were cut short, by trunk; times in seconds since the epoch."""

    def __init__(self) -> None:
        self._ends: dict[str, deque[float]] = {}

    def ended(self, trunk: str, waited_s: float, at: float) -> str:
        """Take in the end of a wait; return why it earns no callback, empty where it may.

        Args:
            trunk: where the call came from.
            waited_s: in the queue.
            at: when the caller hung up.
        """
        if waited_s >= SHORT_WAIT_S:
            return ""
        ends = self._ends.setdefault(trunk, deque(maxlen=MOST_SHORT_WAITS + 1))
        while ends and at - ends[0] >= SHORT_WAITS_WITHIN_S:
            ends.popleft()
        ends.append(at)
        if len(ends) <= MOST_SHORT_WAITS:
            return ""
        return f"more than {MOST_SHORT_WAITS} waits were cut short within a minute on trunk {trunk}"


class Numbers:
    """Numbers that were called back, or in vain, of late; known by their fingerprints."""

    def __init__(self) -> None:
        self._claimed: dict[str, float] = {}
        self._unreached: dict[str, float] = {}

    def claimed(self, number_hash: str, at: float) -> None:
        """Remember that a number is called back."""
        self._claimed = _recent(self._claimed, at - DEDUPE_S) | {number_hash: at}

    def unreached(self, number_hash: str, at: float) -> None:
        """Remember that a number answered no try."""
        self._unreached = _recent(self._unreached, at - UNREACHED_REST_S) | {number_hash: at}

    def lately_claimed(self, number_hash: str, now: float) -> bool:
        """Tell whether a number was claimed for within DEDUPE_S."""
        return now - self._claimed.get(number_hash, float("-inf")) < DEDUPE_S

    def rests(self, number_hash: str, now: float) -> str:
        """Return why a number is left in peace, empty where it is not."""
        if now - self._unreached.get(number_hash, float("-inf")) >= UNREACHED_REST_S:
            return ""
        return "this number was called back within a day and did not answer"


def _recent(times: Mapping[str, float], since: float) -> dict[str, float]:
    return {name: at for name, at in times.items() if at > since}
