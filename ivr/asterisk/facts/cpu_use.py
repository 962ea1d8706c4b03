"""How many cores Asterisk keeps busy."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable

from ivr.host.processes import Process, cpu_seconds


def cores() -> int:
    """Return the processors that may be used from here."""
    return len(os.sched_getaffinity(0))


LOOKS = 4


class CpuUse:
    """Cores kept busy by a process since the look before the last three: a moment's burst says nothing.

    Args:
        find: returns the process, None where it cannot be known; asked again when it has ended.
        clock: seconds since any moment.
    """

    def __init__(
        self, find: Callable[[], Process | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._find = find
        self._clock = clock
        self._process: Process | None = None
        self._looks: deque[tuple[float, float]] = deque(maxlen=LOOKS)

    def look(self) -> float | None:
        """Return the cores kept busy; None the first time, and where there is no process."""
        if self._process is None or not self._process.alive:
            self._process = self._find()
            self._looks.clear()
        spent = cpu_seconds(self._process.pid) if self._process else None
        if spent is None:
            return None
        self._looks.append((self._clock(), spent))
        (began, at_first), (now, at_last) = self._looks[0], self._looks[-1]
        return (at_last - at_first) / (now - began) if now > began else None
