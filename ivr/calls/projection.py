"""Calls as an aggregate, and the row by which each is kept for reading."""

from __future__ import annotations

from typing import Any

from ivr.calls.record import CallRecord
from ivr.events.projection import Projection
from ivr.events.streams import StreamType


def call_row(call: CallRecord) -> dict[str, Any]:
    """Return the columns of a call."""
    return {
        "call_id": call.call_id,
        "state": call.state.value,
        "caller_mask": call.caller_mask,
        "dialled_number": call.dialled,
        "line_id": call.line_id,
        "queue": call.queue,
        "seat": call.seat,
        "operator": call.operator,
        "started_at": call.started_at,
        "answered_at": call.answered_at,
        "ended_at": call.ended_at,
        "legs": [
            {
                "role": leg.role,
                "channel": leg.channel,
                "joined_at": leg.joined_at,
                "left_at": leg.left_at,
                **({"target": leg.target} if leg.target else {}),
            }
            for leg in call.legs
        ],
    }


CALLS = Projection(
    StreamType.CALL,
    CallRecord,
    CallRecord.apply,
    {"calls": lambda call: call_row(call) if call.known else None},
)
