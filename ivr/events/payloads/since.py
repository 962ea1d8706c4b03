"""Since which version of the engine each kind is written."""

from __future__ import annotations

from ivr.events.kinds import Kind
from ivr.events.notes import NOTES

FIRST = "0.1"
_SINCE = dict.fromkeys((NOTES - {Kind.NOTED}) | {Kind.GREETED}, "0.2")


def since(kind: Kind) -> str:
    """Return the version that wrote a kind first."""
    return _SINCE.get(kind, FIRST)
