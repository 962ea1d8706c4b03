"""What happened to a call, a seat or the hotline, as one line of the journal.

An event never changes once written.  Its ``stream`` is the call's id (Asterisk's ``linkedid``),
``seat:<id>``, ``hotline`` for what concerns the whole hotline, or ``refused:<day>``; ``at`` is in seconds since the
epoch (UTC).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import orjson


class Kind(enum.StrEnum):
    """Everything the journal knows to have happened."""

    CALL_STARTED = "call_started"
    GREETED = "greeted"
    LINE_CHOSEN = "line_chosen"
    PLACED = "placed"
    QUEUED = "queued"
    SEAT_RINGING = "seat_ringing"
    SEAT_NO_ANSWER = "seat_no_answer"
    ANSWERED = "answered"
    OPERATOR_LEFT = "operator_left"
    HUNG_UP = "hung_up"
    RECORDING_CLOSED = "recording_closed"
    RECORDING_FAILED = "recording_failed"
    TRANSCRIPT_PENDING = "transcript_pending"
    TRANSCRIPT_DONE = "transcript_done"
    TRANSCRIPT_FAILED = "transcript_failed"
    TRANSFER_WANTED = "transfer_wanted"
    EMERGENCY_WANTED = "emergency_wanted"
    NEXT_ROUTE = "next_route"
    CALLER_HELD = "caller_held"
    THIRD_RINGING = "third_ringing"
    THIRD_ANSWERED = "third_answered"
    THIRD_ACCEPTED = "third_accepted"
    THIRD_REFUSED = "third_refused"
    THIRD_MUTED = "third_muted"
    THIRD_LEFT = "third_left"
    TRANSFER_COMPLETED = "transfer_completed"
    TRANSFER_CANCELLED = "transfer_cancelled"
    THREE_WAY = "three_way"
    CALLER_BACK = "caller_back"
    CALLER_KEPT = "caller_kept"
    HANDED_OFF = "handed_off"
    EMERGENCY_FAILED = "emergency_failed"
    TRACK_BEGUN = "track_begun"
    LISTENED = "listened"
    TAKEN_OVER = "taken_over"
    LOGGED_IN = "logged_in"
    LOGGED_OUT = "logged_out"
    PAUSED = "paused"
    RESUMED = "resumed"
    WRAP_UP_STARTED = "wrap_up_started"
    WRAP_UP_ENDED = "wrap_up_ended"
    MODE_SET = "mode_set"
    ALARM_RAISED = "alarm_raised"
    ALARM_CLEARED = "alarm_cleared"
    APPLIED = "applied"
    CALLBACK_CLAIMED = "callback_claimed"
    CALLBACK_TRIED = "callback_tried"
    CALLBACK_ANSWERED = "callback_answered"
    CALLBACK_UNREACHED = "callback_unreached"
    CALLBACK_FAILED = "callback_failed"
    VOICEMAIL_LEFT = "voicemail_left"
    SURVEYED = "surveyed"
    NOTED = "noted"
    CALL_REFUSED = "call_refused"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        stream: a call's id, ``seat:<id>``, ``hotline`` or ``refused:<day>``.
        at: seconds since the epoch.
        kind: one of :class:`Kind`.
        data: plain JSON values.
    """

    stream: str
    at: float
    kind: Kind
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_line(self) -> bytes:
        """Return the event as one line of JSON."""
        return orjson.dumps(
            {"stream": self.stream, "at": self.at, "kind": self.kind.value, "data": dict(self.data)},
            option=orjson.OPT_APPEND_NEWLINE,
        )

    @classmethod
    def from_line(cls, line: bytes) -> Event:
        """Undo :meth:`to_line`.

        Raises:
            ValueError: the line is not an event.
        """
        raw = orjson.loads(line)
        try:
            return cls(str(raw["stream"]), float(raw["at"]), Kind(raw["kind"]), dict(raw["data"].items()))
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not an event: {line[:200]!r}") from error


def seat_stream(seat_id: str) -> str:
    """Return the stream of a seat's events."""
    return f"seat:{seat_id}"


HOTLINE = "hotline"
"""The stream of what concerns the whole hotline: modes, alarms."""


_REFUSED = "refused:"


def refused_stream(day: date) -> str:
    """Return the stream of the calls that were not let in on a local day."""
    return f"{_REFUSED}{day.isoformat()}"


def is_seat(stream: str) -> bool:
    """Tell a seat's stream from others."""
    return stream.startswith("seat:")


def is_call(stream: str) -> bool:
    """Tell a call's stream from a seat's, from the hotline's own and from that of calls not let in."""
    return not is_seat(stream) and stream != HOTLINE and not stream.startswith(_REFUSED)
