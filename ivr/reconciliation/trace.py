"""What the journal should say, told from Asterisk's own records.

Asterisk writes channel events (CEL) and call detail records (CDR) whether or not we listen.  A
trace gathers what they say of one call; ``missing_events`` tells what the journal lacks.  Running
it again, or live events arriving late, adds nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ivr.calls.record import CallRecord
from ivr.events.event import Event, Kind


class Fact(Protocol):
    """One thing Asterisk wrote down; ``at`` in seconds since the epoch.

    ``what`` is one of ``reception``, ``greeted`` (the call was answered), ``queued``, ``answered`` (by a seat),
    ``left``, ``voicemail``, ``help`` (the star key was pressed), ``helped`` (somebody outside answered), ``ended``.
    """

    @property
    def call_id(self) -> str:
        """The call."""

    @property
    def at(self) -> float:
        """When."""

    @property
    def what(self) -> str:
        """What happened."""

    @property
    def data(self) -> Mapping[str, Any]:
        """Plain values."""


@dataclass(slots=True)
class CallTrace:
    """What Asterisk says of one call, the first moment of each thing; the last of its end."""

    call_id: str
    reception: Fact | None = None
    greeted: Fact | None = None
    queued: Fact | None = None
    answered: Fact | None = None
    left: Fact | None = None
    voicemail: Fact | None = None
    help: Fact | None = None
    helped: Fact | None = None
    ended: Fact | None = None
    last_at: float = 0.0

    def add(self, row: Fact) -> None:
        """Take one row in."""
        self.last_at = max(self.last_at, row.at)
        if row.what in ("left", "ended") or getattr(self, row.what) is None:
            setattr(self, row.what, row)


def gather(traces: dict[str, CallTrace], rows: Iterable[Fact]) -> None:
    """Sort rows into traces by call."""
    for row in rows:
        traces.setdefault(row.call_id, CallTrace(row.call_id)).add(row)


_FIRST = (
    ("reception", Kind.CALL_STARTED, "started_at"),
    ("greeted", Kind.GREETED, "greeted_at"),
    ("queued", Kind.QUEUED, "queued_at"),
    ("answered", Kind.ANSWERED, "answered_at"),
)
"""What happens first, in order: the fact, the kind, and the moment by which the call knows it."""


def missing_events(record: CallRecord | None, trace: CallTrace) -> list[Event]:
    """Tell what the journal lacks of a call.

    Args:
        record: the call as the journal tells it, None if it does not know the call.
        trace: what Asterisk wrote down.

    Returns:
        Events in order, each marked ``reconciled``; empty when nothing is missing, or when the
        call never reached reception.
    """
    if trace.reception is None and record is None:
        return []
    events: list[Event] = []

    def tell(fact: Fact, kind: Kind) -> None:
        events.append(Event(trace.call_id, fact.at, kind, {**fact.data, "reconciled": True}))

    for what, kind, known in _FIRST:
        fact: Fact | None = getattr(trace, what)
        if fact is not None and (record is None or getattr(record, known) is None):
            tell(fact, kind)
    answered = trace.answered is not None or (record is not None and record.answered_at is not None)
    if trace.left and answered and (record is None or record.left_at is None) and trace.ended:
        tell(trace.left, Kind.OPERATOR_LEFT)
    if trace.ended and not answered:
        events += _without_operator(record, trace)
    if record is not None and record.callback is not None:
        return events  # the caller's own channel has ended, and the call goes on
    if trace.ended and (record is None or record.ended_at is None):
        tell(trace.ended, Kind.HUNG_UP)
    return events


def _without_operator(record: CallRecord | None, trace: CallTrace) -> list[Event]:
    """Tell what became of a caller whom no operator answered: help that the dialplan called, a message.

    ``extra`` of ``help`` is the number and the path of what is recorded.
    """
    events = []

    def tell(fact: Fact, kind: Kind, **data: Any) -> None:
        events.append(Event(trace.call_id, fact.at, kind, {**data, "reconciled": True}))

    if trace.help is not None:
        number, slash, path = str(trace.help.data.get("extra", "")).partition("/")
        begun = {track.path for track in record.tracks} if record else set()
        if slash and slash + path not in begun:
            tell(trace.help, Kind.TRACK_BEGUN, path=slash + path, sides=["caller", "third"])
        if trace.helped is not None and not (record and record.handed_off):
            tell(
                trace.helped, Kind.THIRD_ANSWERED, target=number, channel=trace.helped.data.get("channel", "")
            )
            tell(trace.helped, Kind.HANDED_OFF, target=number)
    if trace.voicemail is not None and not (record and record.message):
        tell(trace.voicemail, Kind.VOICEMAIL_LEFT, message=trace.voicemail.data.get("extra", ""))
    return events


def lost(record: CallRecord, last_seen: float) -> Event:
    """Tell the end of a call that Asterisk no longer has and never told the end of.

    Args:
        record: the call.
        last_seen: the last moment anything is known of it.
    """
    return Event(
        record.call_id,
        max(last_seen, record.answered_at or 0, record.queued_at or 0, record.started_at or 0),
        Kind.HUNG_UP,
        {
            "reconciled": True,
            "cause_text": "Asterisk no longer knows the call",
            "failed": record.answered_at is None,
        },
    )
