"""Seats as an aggregate, and the row by which each is kept for reading."""

from __future__ import annotations

from typing import Any

from ivr.events.projection import Projection
from ivr.events.streams import StreamType, seat_of_stream
from ivr.seats.record import SeatRecord


def seat_row(seat: SeatRecord) -> dict[str, Any]:
    """Return the columns of a seat."""
    return {
        "seat": seat.seat_id,
        "state": seat.state.value,
        "operator": seat.operator,
        "reason": seat.reason,
        "since": seat.since,
    }


SEATS = Projection(
    StreamType.SEAT, lambda stream: SeatRecord(seat_of_stream(stream)), SeatRecord.apply, {"seats": seat_row}
)
