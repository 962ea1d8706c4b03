"""The streams of the journal: whose life an event belongs to, told by the stream's name.

A stream's name is its type and its key, ``seat:01``; a call's is Asterisk's ``linkedid`` alone, and what concerns
the whole hotline is ``hotline``.  What is none of these is refused: an event in a stream that nobody folds would be
written and never be seen again.
"""

from __future__ import annotations

import enum
import functools
import re
from datetime import date

from ivr.errors import HotlineError


class StreamType(enum.StrEnum):
    """Whose life a stream tells."""

    CALL = "call"
    SEAT = "seat"
    TICKET = "ticket"
    HOTLINE = "hotline"
    """What concerns the whole hotline: modes, alarms, applied configurations."""
    NODE = "node"
    """One machine of the hotline: its start, its end."""
    REFUSED = "refused"
    """Calls that were not let in, a stream for each local day."""


class UnknownStream(HotlineError):
    """An event belongs to no stream that there is."""

    code = "unknown_stream"


HOTLINE = "hotline"
"""The stream of what concerns the whole hotline."""
_PREFIXED = {
    StreamType.SEAT: re.compile(r"seat:\w{1,10}"),
    StreamType.TICKET: re.compile(r"ticket:[\w.-]{1,72}"),
    StreamType.NODE: re.compile(r"node:\w{1,20}"),
    StreamType.REFUSED: re.compile(r"refused:\d{4}-\d\d-\d\d"),
}
_CALL = re.compile(r"[\w.-]*\d[\w.-]*", re.ASCII)
"""``[system name-]seconds.number``; a call that a script opened has the same form."""


@functools.lru_cache(maxsize=10_000)
def stream_type(stream: str) -> StreamType:
    """Return whose life a stream tells.

    Raises:
        UnknownStream: it is no stream of ours.
    """
    name = stream.partition(":")[0]
    for type_, pattern in _PREFIXED.items():
        if name == type_.value and pattern.fullmatch(stream):
            return type_
    if stream == HOTLINE:
        return StreamType.HOTLINE
    if _CALL.fullmatch(stream):
        return StreamType.CALL
    raise UnknownStream(
        f"an event for the stream {stream[:80]!r} is refused; a stream is a call's id, seat:ID, ticket:ID, node:ID, "
        "refused:DAY or hotline.",
        f"事件流 {stream[:80]!r} 不存在；事件流应为通话编号、seat:编号、ticket：编号、node：编号、refused：日期或 hotline。",
    )


def seat_stream(seat_id: str) -> str:
    """Return the stream of a seat's events."""
    return f"seat:{seat_id}"


def seat_of_stream(stream: str) -> str:
    """Undo :func:`seat_stream`."""
    return stream.removeprefix("seat:")


def ticket_stream(ticket_id: str) -> str:
    """Return the stream of what people do with a ticket; its id exists before its number does."""
    return f"ticket:{ticket_id}"


def ticket_of_stream(stream: str) -> str:
    """Undo :func:`ticket_stream`."""
    return stream.removeprefix("ticket:")


def node_stream(node: str) -> str:
    """Return the stream of one machine of the hotline."""
    return f"node:{node}"


def refused_stream(day: date) -> str:
    """Return the stream of the calls that were not let in on a local day."""
    return f"refused:{day.isoformat()}"


def is_seat(stream: str) -> bool:
    """Tell a seat's stream from others."""
    return stream_type(stream) is StreamType.SEAT


def is_call(stream: str) -> bool:
    """Tell a call's stream from others."""
    return stream_type(stream) is StreamType.CALL
