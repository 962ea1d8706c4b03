"""The machine's clock is set while calls go on: what is waited for goes with it.

Moments in the journal are told by the clock on the wall.  Whoever waits for a number of seconds
must not wait an hour longer, or not at all, because somebody has set that clock.
"""

from __future__ import annotations

from collections.abc import Callable

STEP_S = 0.5
"""A smaller difference is the clock being disciplined, or two readings that are not at one moment."""


class ClockSteps:
    """Notices that the clock was set.

    Args:
        clock: seconds since the epoch.
        steady: seconds since any moment, which nobody can set; None: the clock is never set.
    """

    def __init__(self, clock: Callable[[], float], steady: Callable[[], float] | None = None) -> None:
        self._clock = clock
        self._steady = steady or clock
        self._ahead = clock() - self._steady()

    def moved(self) -> float:
        """Return by how many seconds the clock was set since this was asked last; 0.0 where it was not."""
        ahead = self._clock() - self._steady()
        step = ahead - self._ahead
        self._ahead = ahead
        return step if abs(step) >= STEP_S else 0.0
