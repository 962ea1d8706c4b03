"""The calls and seats of this moment, in memory, for decisions on the call path.

``record`` writes an event to the journal first and folds it in second, so that what we decide by
is never ahead of what survives a kill.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from ivr.calls.callback import Callback
from ivr.calls.projection import CALLS
from ivr.calls.record import CallRecord
from ivr.calls.states import CallState, SeatState
from ivr.events.bus import EventBus, Folded
from ivr.events.clock import ClockSteps
from ivr.events.event import FIRST_NODE, Event, Kind
from ivr.events.notes import NOTES
from ivr.events.streams import StreamType, seat_of_stream, seat_stream
from ivr.seats.projection import SEATS
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

FoldAlong = Callable[[Event, CallRecord | None], None]
"""Folds an event of a call into something that is kept of the call beside its record."""

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
        steps: notices that the clock was set; None: it never is.
        node: the machine of the hotline that this is.
    """

    def __init__(
        self, append: Callable[[Event], None], steps: ClockSteps | None = None, node: str = FIRST_NODE
    ) -> None:
        folds = {StreamType.CALL: self._fold_call, StreamType.SEAT: self._fold_seat}
        self.events = EventBus(append, folds, node)
        self._steps = steps
        self._along: tuple[FoldAlong, ...] = ()
        self._calls: dict[str, CallRecord] = {}
        self._seats: dict[str, SeatRecord] = {}
        self._over: dict[str, Heard] = {}
        self._called_back: dict[str, str] = {}
        self.seats: Mapping[str, SeatRecord] = MappingProxyType(self._seats)
        """Seats by id."""
        self.over: Mapping[str, Heard] = MappingProxyType(self._over)
        """What we heard of the last calls that are over."""
        self.called_back: Mapping[str, str] = MappingProxyType(self._called_back)
        """The calls of citizens who were called back and are there, by channel."""

    # -- who asks ------------------------------------------------------------------------------
    def get(self, call_id: str) -> CallRecord | None:
        """Return an open call; None for one that is over, or of which nothing was heard."""
        return self._calls.get(call_id)

    def __getitem__(self, call_id: str) -> CallRecord:
        """Return a call that is open."""
        return self._calls[call_id]

    def __contains__(self, call_id: object) -> bool:
        """Tell whether a call is open."""
        return call_id in self._calls

    def ids(self) -> frozenset[str]:
        """Return the ids of the open calls, as they are now."""
        return frozenset(self._calls)

    def open(self) -> tuple[CallRecord, ...]:
        """Return the open calls, those we heard of first, first."""
        return tuple(self._calls.values())

    def in_state(self, *states: CallState) -> tuple[CallRecord, ...]:
        """Return the open calls that are in one of some states."""
        return tuple(call for call in self._calls.values() if call.state in states)

    # -- what happens --------------------------------------------------------------------------
    def fold_along(self, fold: FoldAlong) -> None:
        """Have every event of a call folded in somewhere else too, before anybody is told of it."""
        self._along += (fold,)

    def record(self, event: Event) -> bool:
        """Journal one event, fold it in and tell it; return whether its state table allowed it."""
        self.keep_clock()  # what the new clock tells must not be counted from what the old one told
        return self.events.emit(event)

    def keep_clock(self) -> None:
        """Tell every seat and every call on the line that the clock was set, if it was."""
        if self._steps is None or not (step := self._steps.moved()):
            return
        log.warning("the clock was set by %+.1f s", step)
        seated = [seat.seat_id for seat in self._seats.values() if seat.state is not SeatState.LOGGED_OUT]
        on_the_line = [call.call_id for call in self._calls.values() if call.state is not CallState.CALLBACK]
        for stream in [*map(seat_stream, seated), *on_the_line]:
            self._tell_clock(stream, step)

    def clock_back(self, stream: str, since: float) -> None:
        """Tell a stream taken up after a restart that the clock was set back since a moment of it, if it was."""
        if self._steps is not None and (step := self._steps.back_since(since)):
            self._tell_clock(stream, step)

    def _tell_clock(self, stream: str, step: float) -> None:
        if self._steps is not None:
            self.events.emit(Event(stream, self._steps.clock(), Kind.CLOCK_SET, {"step_s": step}))

    def _fold_call(self, event: Event) -> Folded:
        call = self._open(event)
        allowed = call is None or CALLS.apply(call, event)
        if call is not None and event.kind is Kind.CALLBACK_ANSWERED:
            self._know_citizen(call)
        if call is not None and call.state is CallState.ENDED:
            self._calls.pop(event.stream, None)
            self._settle(call)
        for fold in self._along:
            fold(event, call)
        return Folded(call, _as_told(event, allowed=allowed))

    def _fold_seat(self, event: Event) -> Folded:
        seat_id = seat_of_stream(event.stream)
        allowed = SEATS.apply(self._seats.setdefault(seat_id, SEATS.new(event.stream)), event)
        return Folded(None, _as_told(event, allowed=allowed))

    def _know_citizen(self, call: CallRecord) -> None:
        if call.callback is not None and call.callback.channel:
            self._called_back[call.callback.channel] = call.call_id

    def _open(self, event: Event) -> CallRecord | None:
        """Return the open call of an event; a word about a call that is over opens it no more."""
        call = self._calls.get(event.stream)
        if call is None and event.stream not in self.over and event.kind not in _AFTERWARDS:
            call = self._calls[event.stream] = CALLS.new(event.stream)
        return call

    def _settle(self, call: CallRecord) -> None:
        """Remember what we heard of a call, so that reconciliation need not look it up."""
        if call.callback is not None:
            self._called_back.pop(call.callback.channel, None)
        if len(self.over) > _REMEMBERED:
            self._over.pop(next(iter(self.over)))
        answered = call.answered_at is not None
        whole = call.known and not (answered and call.left_at is None)
        greeted, queued = call.greeted_at is not None, call.queued_at is not None
        self._over[call.call_id] = Heard(whole, greeted, queued, answered)

    def callbacks(self) -> list[Callback]:
        """Return the callbacks of open calls, also those that are over while their call goes on."""
        return [call.callback for call in self._calls.values() if call.callback is not None]

    def seat(self, seat_id: str) -> SeatRecord:
        """Return a seat's record; one nobody ever logged in to is logged out."""
        return self.seats.get(seat_id) or SeatRecord(seat_id)

    def restore(self, calls: Iterable[CallRecord], seats: Iterable[SeatRecord]) -> None:
        """Take over what the store remembers, unless something newer is known already."""
        for call in calls:
            there = self._calls.get(call.call_id)
            if there is None or not there.known:
                self._calls[call.call_id] = call
                self._know_citizen(call)
        for seat in seats:
            if self._seats.setdefault(seat.seat_id, seat) is seat and seat.state is not SeatState.LOGGED_OUT:
                self.clock_back(seat_stream(seat.seat_id), seat.since)

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
            for call in self._calls.values()
            if call.seat and call.state in (CallState.TALKING, CallState.THREE_WAY)
        }


def _as_told(event: Event, *, allowed: bool) -> bool:
    if not allowed and not event.data.get("reconciled"):
        log.info("unexpected %s for %s", event.kind, event.stream)
    return allowed
