"""Parts of a call: who was on it, and what was recorded beside the main recording."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Leg:
    """One party's channel; times in seconds since the epoch.

    ``together_at``: when a third party began to talk with the caller, after it was asked and consulted.
    """

    role: str
    channel: str
    joined_at: float
    left_at: float | None = None
    target: str = ""
    together_at: float | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """A recording of one side beside the main one; ``path`` has no ending, ``at`` is when it began."""

    path: str
    sides: tuple[str, ...]
    at: float

    @property
    def both(self) -> bool:
        """Whether it is a part of the call: caller and operator, as in the main recording."""
        return self.sides == ("caller", "operator")
