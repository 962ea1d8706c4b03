"""Payloads of callbacks."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.events.payloads.payload import NOBODY, Number, Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackClaimed(Payload):
    """Somebody is to be called back; their place in the queue stays theirs.

    Attributes:
        by: ``caller``, ``message`` or ``missed``.
        caller: the number to call.
        number: the same, masked.
        queue: the queue.
        priority: in that queue.
        since: when the place was taken (seconds since the epoch); the claim itself where it is missing.
        recording: path of the call's recording, without extension.
    """

    by: str = "caller"
    caller: Number = NOBODY
    number: str = ""
    queue: str = ""
    priority: int = 0
    since: float | None = None
    recording: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackAlreadyOpen(Payload):
    """The same number is to be called back already; this call adds no other.

    Attributes:
        call: the call that claimed it.
    """

    call: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackRefused(Payload):
    """The caller asked to be called back, and is not.

    Attributes:
        why: why not.
    """

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackWithheld(Payload):
    """A caller gave up waiting and is not called back by itself.

    Attributes:
        why: why not.
    """

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackLeftToPerson(Payload):
    """The hotline does not call back by itself: somebody must.

    Attributes:
        why: why not.
    """

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackTried(Payload):
    """An operator was given the callback and the citizen's telephone rings.

    Attributes:
        try_: which try, from 1.
        seat: the operator's seat.
        operator: the operator's number.
        channel: the seat's channel.
    """

    try_: int = 0
    seat: str | None = None
    operator: str | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackAnswered(Payload):
    """The citizen answered: the talk begins.

    Attributes:
        try_: which try, from 1.
        channel: the citizen's channel.
        recording: path of the talk's recording, without extension.
    """

    try_: int = 0
    channel: str = ""
    recording: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackUnreached(Payload):
    """A try reached nobody.

    Attributes:
        status: ``BUSY``, ``NOANSWER`` … as Asterisk says it; ``LOST`` where nothing was heard of it.
        try_: which try, from 1.
        reason: in words.
    """

    status: str = ""
    try_: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackFailed(Payload):
    """The callback is over without a talk: a person goes on from here, or the citizen was reached otherwise.

    Attributes:
        reason: why.
        call: the later call of the same person, where that took its place.
    """

    reason: str
    call: str = ""
