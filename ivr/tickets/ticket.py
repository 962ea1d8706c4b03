"""The call ticket: what a call leaves behind, as its record tells it.

Opened with the first event of a call and finished with the last.  A ticket is ``draft`` until an
operator has talked to the caller, then ``accepted`` (受理); the later life of a ticket starts there.
"""

from __future__ import annotations

from typing import Any

from ivr.calls.record import CallRecord

NO_TRANSCRIPT: dict[str, Any] = {"status": "none", "text": "", "turns": [], "demonstration": None}


def call_ticket(call: CallRecord) -> dict[str, Any]:
    """Return the columns of a call's ticket; ``ticket_no`` is given by the store."""
    return {
        "call_id": call.call_id,
        "channel": "110_diversion" if call.source == "110_diversion" else "phone",
        "source": call.source,
        "opened_at": call.started_at,
        "state": "accepted" if call.answered_at is not None else "draft",
        "outcome": call.outcome,
        "caller_mask": call.caller_mask,
        "caller_enc": call.caller_enc,
        "caller_hash": call.caller_hash,
        "dialled_number": call.dialled,
        "line_id": call.line_id,
        "queue": call.queue,
        "seat": call.seat,
        "operator": call.operator,
        "waited_s": call.waited_s,
        "talk_s": call.talk_s,
        "satisfaction": call.satisfaction,
        "recordings": call.recordings,
        "transcript": {**NO_TRANSCRIPT, **call.transcript},
    }
