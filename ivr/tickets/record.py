"""What people do with a ticket, as its own events tell it: folding, nothing else.

A call says of its ticket what was heard and how it ended (:mod:`ivr.tickets.ticket`); what people do with it afterwards
stands in columns of its own, so that a transcript that comes late takes no ticket back.
"""

from __future__ import annotations

from dataclasses import dataclass

from ivr.events.event import Event, Kind


@dataclass(slots=True)
class TicketRecord:
    """A ticket in people's hands.

    Attributes:
        ticket_id: the id of the call that opened it.
        state: how far it is, None while it is where the call left it.
        unit: who handles it.
    """

    ticket_id: str
    state: str | None = None
    unit: str | None = None

    def apply(self, event: Event) -> bool:
        """Fold one event in; return whether it means something to a ticket."""
        if event.kind is not Kind.TICKET_DISPATCHED:
            return False
        self.state = "dispatched"
        self.unit = event.data.get("unit")
        return True
