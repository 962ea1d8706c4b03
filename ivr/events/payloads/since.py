"""Since which version of the engine each kind is written."""

from __future__ import annotations

from ivr.events.kinds import Kind
from ivr.events.notes import NOTES

FIRST = "0.1"
_LATER = {
    Kind.GREETED, Kind.TAKE_OVER_WANTED, Kind.GATHER_WANTED, Kind.GATHER_SENT, Kind.GATHER_OVER, Kind.SENT_AGAIN,
    Kind.ROOM_ENTERED, Kind.ROOM_LEFT, Kind.CALLER_GONE, Kind.CLOCK_SET, Kind.TICKET_DISPATCHED,
}  # fmt: skip
_SINCE = dict.fromkeys((NOTES - {Kind.NOTED}) | _LATER, "0.2")


def since(kind: Kind) -> str:
    """Return the version that wrote a kind first."""
    return _SINCE.get(kind, FIRST)
