"""The calls and seats of this moment, in memory, for decisions on the call path.

``record`` writes an event to the journal first and folds it in second, so that what we decide by
is never ahead of what survives a kill.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from ivr.calls.callback import Callback
from ivr.calls.record import CallRecord
from ivr.calls.states import CallState, SeatState
from ivr.events.bus import EventBus, Folded
from ivr.events.event import Event, Kind
from ivr.events.notes import NOTES
from ivr.events.streams import StreamType, seat_of_stream
from ivr.seats.record import SeatRecord

_REMEMBERED = 5_000

_AFTERWARDS = frozenset(
    {
        Kind.RECORDING_CLOSED,
        Kind.RECORDING_FAILED,
        Kind.TRANSCRIPT_PENDING,
        Kind.TRANSCRIPT_DONE,
        Kind.TRANSCRIPT_FAILED,
        Kind.SURVEYED,
        *NOTES,
    }
)
"""What is told of a call that is over, and never opens one."""

log = logging.getLogger(__name__)


class Heard(NamedTuple):
    """What we heard of a call that is over."""

    whole: bool
    greeted: bool
    queued: bool
    answered: bool


class CallBook:
    """Open calls by id and seats by id.

    Args:
        append: writes one event to the journal; must not lose it and must not wait.
    """

    def __init__(self, append: Callable[[Event], None]) -> None:
        self.events = EventBus(append, {StreamType.CALL: self._fold_call, StreamType.SEAT: self._fold_seat})
        self.calls: dict[str, CallRecord] = {}
        self.seats: dict[str, SeatRecord] = {}
        self.over: dict[str, Heard] = {}
        self.called_back: dict[str, str] = {}
        """The calls of citizens who were called back and are there, by channel."""

    def record(self, event: Event) -> bool:
        """Journal one event, fold it in and tell it; return whether its state table allowed it."""
        return self.events.emit(event)

    def _fold_call(self, event: Event) -> Folded:
        call = self._open(event)
        allowed = call is None or call.apply(event)
        if call is not None and event.kind is Kind.CALLBACK_ANSWERED:
            self._know_citizen(call)
        if call is not None and call.state is CallState.ENDED:
            self.calls.pop(event.stream, None)
            self._settle(call)
        return Folded(call, _as_told(event, allowed=allowed))

    def _fold_seat(self, event: Event) -> Folded:
        seat_id = seat_of_stream(event.stream)
        allowed = self.seats.setdefault(seat_id, SeatRecord(seat_id)).apply(event)
        return Folded(None, _as_told(event, allowed=allowed))

    def _know_citizen(self, call: CallRecord) -> None:
        if call.callback is not None and call.callback.channel:
            self.called_back[call.callback.channel] = call.call_id

    def _open(self, event: Event) -> CallRecord | None:
        """Return the open call of an event; a word about a call that is over opens it no more."""
        call = self.calls.get(event.stream)
        if call is None and event.stream not in self.over and event.kind not in _AFTERWARDS:
            call = self.calls[event.stream] = CallRecord(event.stream)
        return call

    def _settle(self, call: CallRecord) -> None:
        """Remember what we heard of a call, so that reconciliation need not look it up."""
        if call.callback is not None:
            self.called_back.pop(call.callback.channel, None)
        if len(self.over) > _REMEMBERED:
            self.over.pop(next(iter(self.over)))
        answered = call.answered_at is not None
        whole = call.known and not (answered and call.left_at is None)
        greeted, queued = call.greeted_at is not None, call.queued_at is not None
        self.over[call.call_id] = Heard(whole, greeted, queued, answered)

    def callbacks(self) -> list[Callback]:
        """Return the callbacks of open calls, also those that are over while their call goes on."""
        return [call.callback for call in self.calls.values() if call.callback is not None]

    def seat(self, seat_id: str) -> SeatRecord:
        """Return a seat's record; one nobody ever logged in to is logged out."""
        return self.seats.get(seat_id) or SeatRecord(seat_id)

    def restore(self, calls: Iterable[CallRecord], seats: Iterable[SeatRecord]) -> None:
        """Take over what the store remembers, unless something newer is known already."""
        for call in calls:
            there = self.calls.get(call.call_id)
            if there is None or not there.known:
                self.calls[call.call_id] = call
                self._know_citizen(call)
        for seat in seats:
            self.seats.setdefault(seat.seat_id, seat)

    def operator_on(self, seat_id: str) -> str | None:
        """Return the number of the operator on a seat."""
        seat = self.seats.get(seat_id)
        return seat.operator if seat else None

    def seat_of(self, operator: str) -> str | None:
        """Return the seat an operator sits on."""
        for seat in self.seats.values():
            if seat.operator == operator and seat.state is not SeatState.LOGGED_OUT:
                return seat.seat_id
        return None

    def logged_in(self) -> set[str]:
        """Return the operators who are logged in."""
        return {
            seat.operator
            for seat in self.seats.values()
            if seat.operator is not None and seat.state is not SeatState.LOGGED_OUT
        }

    def busy_seats(self) -> Mapping[str, CallRecord]:
        """Return the calls that are being talked on, by seat."""
        return {
            call.seat: call
            for call in self.calls.values()
            if call.seat and call.state in (CallState.TALKING, CallState.THREE_WAY)
        }


def _as_told(event: Event, *, allowed: bool) -> bool:
    if not allowed and not event.data.get("reconciled"):
        log.info("unexpected %s for %s", event.kind, event.stream)
    return allowed
