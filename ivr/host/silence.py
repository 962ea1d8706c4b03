"""How long somebody has owed an answer, counted only while we ourselves ran.

A machine that was suspended, or so busy that nobody got a turn, says nothing about the one who was
asked: between two looks at most ``LONGEST_STEP_S`` counts.
"""

from __future__ import annotations

LONGEST_STEP_S = 0.5


class Silence:
    """Seconds of silence.

    Args:
        longest_step_s: seconds that count at most between two looks.
    """

    def __init__(self, longest_step_s: float = LONGEST_STEP_S) -> None:
        self._longest_step_s = longest_step_s
        self._last: float | None = None
        self.seconds = 0.0

    def look(self, now: float, *, silent: bool) -> float:
        """Take in a moment; return the seconds of silence up to it.

        Args:
            now: seconds of a clock that only grows.
            silent: whether an answer is owed.
        """
        step_s = 0.0 if self._last is None else min(max(now - self._last, 0.0), self._longest_step_s)
        self._last = now
        self.seconds = self.seconds + step_s if silent else 0.0
        return self.seconds
