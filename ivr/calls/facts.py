"""What is told of calls by whoever carries the voice, in the words of the field."""

from __future__ import annotations

from typing import Any, NamedTuple


class QueueEvent(NamedTuple):
    """What happened to a caller: (call id, seconds since the epoch, what, plain values).

    What a callback's placeholder lives through is told of the call it stands for, as ``callback_…``.
    """

    call_id: str
    at: float
    what: str
    data: dict[str, Any]


class RoomEvent(NamedTuple):
    """What happened to a party of a call: (what, call id, channel id, channel name, plain values).

    ``what`` is one of ``caller_gone held star keys wish help rings answers step failed gone joined left track``.
    """

    what: str
    call_id: str
    channel_id: str
    channel: str
    data: dict[str, Any]


class RecordRow(NamedTuple):
    """One fact of what was written down of calls: (call id, seconds since the epoch, what, data)."""

    call_id: str
    at: float
    what: str
    data: dict[str, Any]


class KeyPressed(NamedTuple):
    """A caller pressed a key; ``theirs``: on the channel that began the call."""

    call_id: str
    channel: str
    key: str
    theirs: bool


class Held(NamedTuple):
    """A telephone has put the others on hold, or takes them back."""

    channel: str
    on: bool


class ChannelEnded(NamedTuple):
    """A channel is over; ``knew_no_call``: its telephone has said that it knows no such call, as after a restart."""

    channel: str
    knew_no_call: bool = False


class MemberMoved(NamedTuple):
    """Something has happened to a seat's places in queues that nobody here has asked for."""

    user: str


class PhoneMoved(NamedTuple):
    """A telephone has come or gone."""

    user: str


CALLING, NOTICE, ANSWERED = "CALLING", "NOTICE", "ANSWERED"
"""How a callback stands: it rings, the citizen hears that they are recorded, they talk."""


class CallbackWord(NamedTuple):
    """How far a callback is: the number of the attempt, how it stands, the channels of citizen and seat."""

    call_id: str
    attempt: int
    what: str
    citizen: str = ""
    seat: str = ""


class MessageBegun(NamedTuple):
    """A caller leaves a message, in a file of this path without ending."""

    call_id: str
    path: str


class Intruder(NamedTuple):
    """Somebody tried to get in.

    Attributes:
        kind: what they did, a word of ``ivr.strangers.record``.
        address: from where.
        account: under which name, or what they dialled.
        by: by which of our doors, or what exactly was told.
    """

    kind: str
    address: str
    account: str
    by: str = ""
