"""Payloads of what people do with a ticket."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.events.payloads.payload import Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketDispatched(Payload):
    """A unit is told to handle a ticket (派遣).

    Attributes:
        unit: the unit in charge.
    """

    unit: str
