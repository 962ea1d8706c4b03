"""Wrap-up (话后处理): after a talk no call rings at the operator until the queue's ``wrap_up_s`` are over.

The deadline is in the journal, so that a restart of anything keeps the seconds that remain.  The
wrap-up belongs to the person: it follows to the seat where they sit now.  It ends by time, by the
operator, or with a pause or a log-out, which go before it.
"""

from __future__ import annotations

from collections.abc import Callable

from ivr.calls.open_calls import CallBook
from ivr.calls.record import CallRecord
from ivr.calls.states import SeatState
from ivr.events.clock import ClockSteps
from ivr.events.event import Event, Kind, seat_stream
from ivr.hotline.book import HotlineBook

_MAY_END_A_TALK = (Kind.OPERATOR_LEFT, Kind.HUNG_UP, Kind.ANSWERED, Kind.TAKEN_OVER)


class WrapUp:
    """Begins and ends wrap-ups.

    Args:
        book: the present configuration.
        calls: where seats are remembered.
        clock: seconds since the epoch.
        steady: seconds since any moment, which nobody can set; None: the clock is never set.
    """

    def __init__(
        self,
        book: Callable[[], HotlineBook],
        calls: CallBook,
        clock: Callable[[], float],
        steady: Callable[[], float] | None = None,
    ) -> None:
        self._book = book
        self._calls = calls
        self._clock = clock
        self._steps = ClockSteps(clock, steady)

    def hear(self, event: Event, call: CallRecord | None) -> bool:
        """Begin the wrap-up of a talk that an event ends; return whether one began."""
        self._keep_deadlines()
        if call is None or event.kind not in _MAY_END_A_TALK or event.data.get("channel") in call.relieved:
            return False
        operator = call.operator
        if event.kind is Kind.TAKEN_OVER:  # the call has its new operator already
            operator = event.data.get("from_operator")
        if operator is None:
            return False
        ended_at = talk_ended_at(event, call)
        seat_id = self._calls.seat_of(operator)
        if ended_at is None or seat_id is None:
            return False
        seat = self._calls.seat(seat_id)
        spec = self._book().queue(call.queue or "") or self._book().general_queue
        until = ended_at + spec.wrap_up_s
        if seat.state not in (SeatState.READY, SeatState.WRAP_UP):
            return False  # a pause asked for during the talk wins
        if until <= self._clock() or seat.since > ended_at:
            return False  # told late: it is over, or the operator has done something since
        data = {"until": until, "call_id": call.call_id}
        return self._calls.record(Event(seat_stream(seat_id), ended_at, Kind.WRAP_UP_STARTED, data))

    def end_due(self) -> list[str]:
        """End every wrap-up whose time is over; return the seats."""
        self._keep_deadlines()
        now = self._clock()
        due = [
            seat.seat_id
            for seat in self._calls.seats.values()
            if seat.state is SeatState.WRAP_UP and (seat.until is None or seat.until <= now)
        ]
        for seat_id in due:
            self._calls.record(Event(seat_stream(seat_id), now, Kind.WRAP_UP_ENDED, {"by": "time"}))
        return due

    def _keep_deadlines(self) -> None:
        """Have every seat wait as long as before where the clock was set."""
        if step := self._steps.moved():
            for seat in self._calls.seats.values():
                seat.since += step
                if seat.until is not None:
                    seat.until += step


def talk_ended_at(event: Event, call: CallRecord) -> float | None:
    """Return when the talk ended that ``event`` tells the end of; None when it does not."""
    joined = [leg.joined_at for leg in call.legs if leg.role == "operator"]
    if not joined:
        return None
    left = call.left_at if call.left_at is not None and call.left_at >= joined[-1] else None
    if event.kind in (Kind.OPERATOR_LEFT, Kind.TAKEN_OVER):
        return event.at
    if event.kind is Kind.HUNG_UP:
        return None if left is not None else event.at
    return left or call.ended_at  # an answer that is told only now
