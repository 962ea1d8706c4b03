"""What happened to a call, a seat or the hotline, as one line of the journal.

An event never changes once written.  Its ``stream`` says whose life it belongs to (:mod:`ivr.events.streams`); ``at``
is in seconds since the epoch (UTC).  An event of a kind that a newer version wrote is kept as it is and folded nowhere.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

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
    TAKE_OVER_WANTED = "take_over_wanted"
    TAKEN_OVER = "taken_over"
    GATHER_WANTED = "gather_wanted"
    GATHER_SENT = "gather_sent"
    GATHER_OVER = "gather_over"
    SENT_AGAIN = "sent_again"
    ROOM_ENTERED = "room_entered"
    ROOM_LEFT = "room_left"
    CALLER_GONE = "caller_gone"
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
    CLOCK_SET = "clock_set"
    CALLBACK_CLAIMED = "callback_claimed"
    CALLBACK_TRIED = "callback_tried"
    CALLBACK_ANSWERED = "callback_answered"
    CALLBACK_UNREACHED = "callback_unreached"
    CALLBACK_FAILED = "callback_failed"
    VOICEMAIL_LEFT = "voicemail_left"
    SURVEYED = "surveyed"
    TICKET_DISPATCHED = "ticket_dispatched"
    NOTED = "noted"
    CALL_REFUSED = "call_refused"


class _NewerKind(str):
    """A kind that a newer version knows and we do not."""

    __slots__ = ()

    @property
    def value(self) -> str:
        """Its name, as of a :class:`Kind`."""
        return str(self)


ENGINE = "engine"
"""The actor of what nobody did: a deadline, a rule, a fact that Asterisk told."""
FIRST_NODE = "1"
"""The node of a hotline on one machine."""
VERSION = 1
"""The newest version of events that we write and understand."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        stream: whose life it belongs to.
        at: seconds since the epoch.
        kind: one of :class:`Kind`, or one that a newer version wrote.
        data: plain JSON values; which, says :mod:`ivr.events.payloads`.
        actor: who did it: ``engine``, ``caller``, ``operator:1001``, ``administrator`` …
        node: the machine of the hotline that it happened on.
        version: of the form of ``data``.
    """

    stream: str
    at: float
    kind: Kind
    data: Mapping[str, Any] = field(default_factory=dict)
    actor: str = ENGINE
    node: str = FIRST_NODE
    version: int = VERSION

    @property
    def newer(self) -> bool:
        """Whether a newer version wrote it, so that we must not guess what it means."""
        return self.version > VERSION or self.kind not in _KINDS

    def to_line(self) -> bytes:
        """Return the event as one line of JSON; what is as ever (actor, node, version) is left out."""
        line: dict[str, Any] = {
            "stream": self.stream,
            "at": self.at,
            "kind": self.kind.value,
            "data": dict(self.data),
        }
        if self.actor != ENGINE:
            line["actor"] = self.actor
        if self.node != FIRST_NODE:
            line["node"] = self.node
        if self.version != 1:
            line["version"] = self.version
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)

    def to_row(self) -> dict[str, Any]:
        """Return the event as plain values."""
        return {
            "stream": self.stream,
            "at": self.at,
            "kind": self.kind.value,
            "data": dict(self.data),
            "actor": self.actor,
            "node": self.node,
            "version": self.version,
        }

    @classmethod
    def from_line(cls, line: bytes) -> Event:
        """Undo :meth:`to_line`; lines of before actor, node and version were written are read as well.

        Raises:
            ValueError: the line is not an event.
        """
        try:
            return cls.from_row(orjson.loads(line))
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not an event: {line[:200]!r}") from error

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Event:
        """Undo :meth:`to_row`."""
        return cls(
            str(row["stream"]),
            float(row["at"]),
            kind_of(str(row["kind"])),
            dict(row["data"].items()),
            str(row.get("actor") or ENGINE),
            str(row.get("node") or FIRST_NODE),
            int(row.get("version") or 1),
        )


def kind_of(name: str) -> Kind:
    """Return the kind of a name; for one of a newer version, what equals no kind and has its name."""
    return Kind(name) if name in _KINDS else cast(Kind, _NewerKind(name))


_KINDS = frozenset(Kind)


class PassingKind(enum.StrEnum):
    """What is told while it lasts, and never journalled."""

    WORDS = "words"
    """Words of a call while they are spoken."""
    PRESENCE = "presence"
    """Whether a seat's phone is there."""
    PLACES = "places"
    """Who waits, at which place of which queue."""


@dataclass(frozen=True, slots=True)
class Passing:
    """Something that is so for this moment, and would be of no use in the journal.

    Attributes:
        stream: whose life it belongs to.
        at: seconds since the epoch.
        kind: one of :class:`PassingKind`.
        data: plain JSON values.
    """

    stream: str
    at: float
    kind: PassingKind
    data: Mapping[str, Any] = field(default_factory=dict)
