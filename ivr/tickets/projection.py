"""Tickets as an aggregate: what a call says of its ticket, and what people do with it, in columns of one writer each."""

from __future__ import annotations

from typing import Any

from ivr.calls.projection import CALLS
from ivr.events.projection import Projection
from ivr.events.streams import StreamType, ticket_of_stream
from ivr.tickets.record import TicketRecord
from ivr.tickets.ticket import call_ticket

CALLS_WITH_TICKETS = CALLS.with_rows("tickets", lambda call: call_ticket(call) if call.known else None)
"""Every call has a ticket."""


def life_row(ticket: TicketRecord) -> dict[str, Any] | None:
    """Return the columns that people write of a ticket."""
    if ticket.state is None:
        return None
    return {"call_id": ticket.ticket_id, "life_state": ticket.state, "unit": ticket.unit}


TICKETS = Projection(
    StreamType.TICKET,
    lambda stream: TicketRecord(ticket_of_stream(stream)),
    TicketRecord.apply,
    {"ticket_lives": life_row},
)
