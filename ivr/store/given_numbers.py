"""Ticket numbers in the journal, so that a database that was set back gives them to the same calls again.

They are no events: the database has them in its tickets.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from ivr.events.event import HOTLINE

_BEGIN = b'{"ticket_numbers":'


def to_line(numbers: Mapping[str, str], at: float) -> bytes:
    """Return numbers by call as one line of the journal, which has what every line has.

    Args:
        numbers: by call.
        at: seconds since the epoch.
    """
    line = {"ticket_numbers": dict(numbers), "stream": HOTLINE, "kind": "ticket_numbers", "at": at}
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def read(line: bytes) -> dict[str, str]:
    """Return the numbers by call of a line; none where it has something else."""
    if not line.startswith(_BEGIN):
        return {}
    try:
        numbers = orjson.loads(line)["ticket_numbers"]
        return {str(call): str(number) for call, number in numbers.items()}
    except (ValueError, AttributeError):  # torn by a power cut
        return {}
