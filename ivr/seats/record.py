"""A seat as its events tell it: folding, nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.calls.states import SEAT_TRANSITIONS, SeatState
from ivr.events.event import Event, Kind
from ivr.events.notes import NOTES


@dataclass(slots=True)
class SeatRecord:
    """Who sits on a seat and whether calls may come.

    ``since``, and ``until`` (the end of a wrap-up), are seconds since the epoch.
    """

    seat_id: str
    state: SeatState = SeatState.LOGGED_OUT
    operator: str | None = None
    reason: str = ""
    since: float = 0.0
    until: float | None = None

    def apply(self, event: Event) -> bool:
        """Fold one event in; return whether the table allows it, or it changes no state."""
        if event.kind in NOTES:
            return True
        if event.kind is Kind.CLOCK_SET:
            self._count_on(float(event.data.get("step_s", 0.0)))
            return True
        following = SEAT_TRANSITIONS[self.state].get(event.kind)
        if following is None:
            return False
        self.state = following
        self.since = event.at
        self.reason = str(event.data.get("reason", "")) if event.kind is Kind.PAUSED else ""
        self.until = event.data.get("until") if event.kind is Kind.WRAP_UP_STARTED else None
        if event.kind is Kind.LOGGED_IN:
            self.operator = event.data.get("operator")
        elif event.kind is Kind.LOGGED_OUT:
            self.operator = None
        return True

    def _count_on(self, step_s: float) -> None:
        """Count what has passed, and what remains, by a clock that was set."""
        if self.state is not SeatState.LOGGED_OUT:
            self.since += step_s
            self.until = None if self.until is None else self.until + step_s
