"""Seats whose phone refuses every call (do not disturb, forwarded, a codec we do not speak).

``Queue`` would offer the waiting caller to such a phone once a second for ever. After a few refusals in a row the seat
is passed over with a growing gap, then paused, and an alarm names it. It comes back when its operator resumes or logs
in; and while somebody waits it is tried now and then: were all phones like that, the caller would wait for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ivr.alarms.board import Alarms
from ivr.calls.callback import CallbackState
from ivr.calls.open_calls import CallBook
from ivr.calls.states import CallState, SeatState
from ivr.events.event import Event, Kind
from ivr.events.notes import NOTES
from ivr.events.streams import is_seat, seat_stream
from ivr.hotline.book import HotlineBook
from ivr.hotline.overflow import helped_queues
from ivr.seats.record import SeatRecord

SEAT_REFUSES = "seat_refuses"
REFUSES = "refuses"
"""The reason of the pause (话机拒接)."""
PASSED_OVER = "passed_over"
"""The reason of the gap between two tries, where Asterisk wants one."""

FORGIVEN = 2
"""So many refusals in a row change nothing: somebody presses the button to finish a sentence."""
GAPS_S = (5.0, 10.0)
"""Passed over so long after each further refusal; the one after the last gap pauses the seat."""
TRIES_S = (30.0, 60.0, 120.0, 300.0)
"""A paused seat is tried after so long, if somebody waits; the last one again and again."""
WAITS_S = 5.0
"""Whoever waits so long has found no other seat."""
_WAITING = (CallState.WAITING, CallState.RINGING)
_OWED = (CallbackState.WAITING, CallbackState.RESTING)


@dataclass(slots=True)
class _Row:
    """Refusals in a row; ``not_before`` is by the steady clock; ``trying``: a paused seat that calls may come to."""

    refusals: int = 0
    not_before: float = 0.0
    tries: int = 0
    trying: bool = False


class Refusing:
    """Knows which seats refuse, and when they are tried again.

    Args:
        book: gives the present configuration.
        calls: where calls and seats are remembered.
        alarms: the board of alarms.
        clock: seconds since the epoch.
        steady: seconds since any moment, which nobody can set.
    """

    def __init__(
        self,
        book: Callable[[], HotlineBook],
        calls: CallBook,
        alarms: Alarms,
        clock: Callable[[], float],
        steady: Callable[[], float],
    ) -> None:
        self._book = book
        self._calls = calls
        self._alarms = alarms
        self._clock = clock
        self._steady = steady
        self._rows: dict[str, _Row] = {}
        self._held: dict[str, str] = {}

    # -- what happens --------------------------------------------------------------------------
    def refused(self, seat_id: str, status: str) -> None:
        """Count a refusal; ``status`` is what the phone said."""
        seat, now = self._calls.seat(seat_id), self._steady()
        if not (_refuses(seat) or seat.state is SeatState.READY):
            return
        row = self._rows.setdefault(seat_id, _Row())
        if now < row.not_before and not row.trying:
            return  # rung before Asterisk had heard that it is passed over
        row.refusals += 1
        if _refuses(seat):
            row.trying, row.tries = False, row.tries + 1
            row.not_before = now + TRIES_S[min(row.tries, len(TRIES_S) - 1)]
            return
        further = row.refusals - FORGIVEN
        if further > len(GAPS_S):
            row.not_before = now + TRIES_S[0]
            self._pause(seat, row.refusals, status)
        elif further > 0:
            row.not_before = now + GAPS_S[further - 1]

    def reached(self, seat_id: str) -> None:
        """Take note that a seat's phone was answered, or rang: it refuses no more."""
        self._rows.pop(seat_id, None)
        if _refuses(self._calls.seat(seat_id)):
            told = {"by": "engine"}
            self._calls.record(Event(seat_stream(seat_id), self._clock(), Kind.RESUMED, told))

    def on_event(self, event: Event) -> None:
        """Begin anew with a seat whose operator has done something."""
        if not is_seat(event.stream) or event.kind in NOTES or event.kind is Kind.CLOCK_SET:
            return
        seat_id = event.stream.removeprefix("seat:")
        if not _refuses(self._calls.seat(seat_id)):
            self._rows.pop(seat_id, None)
            self._alarms.clear(SEAT_REFUSES, seat_id)

    # -- what follows --------------------------------------------------------------------------
    def hold(self, seat: SeatRecord) -> str:
        """Return why no call may come to a seat because of its phone; empty where one may."""
        row = self._rows.get(seat.seat_id)
        if _refuses(seat):
            return "" if row is not None and row.trying else REFUSES
        passed_over = seat.state is SeatState.READY and row is not None and self._steady() < row.not_before
        return PASSED_OVER if passed_over else ""

    def moved(self) -> set[str]:
        """Look whether a gap is over or a paused seat is to be tried; return the seats whose hold has changed."""
        for seat in self._calls.seats.values():
            if _refuses(seat):
                self._try(seat)
        held = {seat.seat_id: why for seat in self._calls.seats.values() if (why := self.hold(seat))}
        changed = {seat_id for seat_id, _ in held.items() ^ self._held.items()}
        self._held = held
        return changed

    def _try(self, seat: SeatRecord) -> None:
        now = self._steady()
        # a restart has forgotten the row, not the pause
        row = self._rows.setdefault(seat.seat_id, _Row(not_before=now + TRIES_S[0]))
        row.trying = (row.trying or now >= row.not_before) and self._somebody_waits(seat)

    def _somebody_waits(self, seat: SeatRecord) -> bool:
        person = self._book().operator(seat.operator or "")
        if person is None:
            return False
        queues = {*person.queues, *helped_queues(self._book(), person.queues)}
        late = self._clock() - WAITS_S
        waits = any(
            call.queue in queues and call.queued_at is not None and call.queued_at <= late
            for call in self._calls.in_state(*_WAITING)
        )
        return waits or any(one.queue in queues and one.state in _OWED for one in self._calls.callbacks())

    def _pause(self, seat: SeatRecord, refusals: int, status: str) -> None:
        operator = seat.operator
        told = {"reason": REFUSES, "by": "engine", "status": status, "refusals": refusals}
        self._calls.record(Event(seat_stream(seat.seat_id), self._clock(), Kind.PAUSED, told))
        self._alarms.raise_(
            SEAT_REFUSES,
            seat.seat_id,
            f"the phone of seat {seat.seat_id} (operator {operator}) refuses every call ({status}); the seat is "
            "paused: end do-not-disturb or forwarding there, then resume with *13.",
            f"{seat.seat_id} 号座席（话务员 {operator}）的话机拒接所有来电（{status}），已自动示忙："
            "请关闭话机的免打扰或呼叫转移，再按 *13 示闲。",
        )


def _refuses(seat: SeatRecord) -> bool:
    return seat.state is SeatState.PAUSED and seat.reason == REFUSES
