"""What was journalled as ``noted`` with a phrase, before each of these things had a kind of its own.

Old lines and rows are told in today's kinds when they are read, so that nobody else knows two forms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ivr.events.kinds import Kind

PHRASES: Mapping[str, tuple[Kind, Mapping[str, Any]]] = {
    "a side is heard again": (Kind.SIDE_HEARD_AGAIN, {}),
    "a side is silent": (Kind.SIDE_SILENT, {}),
    "alarm": (Kind.ALARM_NOTED, {}),
    "back to the general queue": (Kind.BACK_TO_GENERAL_QUEUE, {}),
    "callback already open": (Kind.CALLBACK_ALREADY_OPEN, {}),
    "callback refused": (Kind.CALLBACK_REFUSED, {}),
    "help route": (Kind.HELP_ROUTE_TRIED, {}),
    "help wanted": (Kind.HELP_WANTED, {}),
    "leave": (Kind.LEAVE_WANTED, {}),
    "message not closed": (Kind.MESSAGE_NOT_CLOSED, {}),
    "mode refused": (Kind.MODE_REFUSED, {}),
    "no automatic callback": (Kind.CALLBACK_WITHHELD, {}),
    "refused to barge": (Kind.LISTEN_REFUSED, {"how": "barge"}),
    "refused to listen": (Kind.LISTEN_REFUSED, {"how": "listen"}),
    "refused to take over": (Kind.LISTEN_REFUSED, {"how": "take over"}),
    "refused to whisper": (Kind.LISTEN_REFUSED, {"how": "whisper"}),
    "shift over, may leave": (Kind.SHIFT_OVER, {}),
    "somebody must call back": (Kind.CALLBACK_LEFT_TO_PERSON, {}),
    "the seat's phone is gone": (Kind.SIDE_GONE, {"side": "operator"}),
    "the third party is gone": (Kind.SIDE_GONE, {"side": "third"}),
    "third party dropped": (Kind.THIRD_DROPPED, {}),
    "track not closed": (Kind.TRACK_NOT_CLOSED, {}),
    "transfer refused": (Kind.TRANSFER_REFUSED, {}),
    "wrong PIN": (Kind.PIN_REFUSED, {}),
}
"""The phrase in ``what``: its kind today, and what the phrase itself said besides."""

NOTES = frozenset({Kind.NOTED, *(kind for kind, _ in PHRASES.values())})
"""Kinds that are words about something: they move no state, and begin none."""


def told_now(kind: str, data: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the kind and the data by which something is told today.

    A phrase that no table knows stays ``noted``.
    """
    known = PHRASES.get(str(data.get("what"))) if kind == Kind.NOTED.value else None
    if known is None:
        return kind, dict(data.items())
    now, said = known
    return now.value, {**said, **{name: value for name, value in data.items() if name != "what"}}
