"""Payloads of a seat: who sits there, and whether calls may come."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.events.payloads.payload import Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn(Payload):
    """An operator sits down.

    Attributes:
        operator: the operator's number.
        rostered: the roster has them on duty now, or soon.
        by: ``seat 01`` or ``administrator``.
    """

    operator: str
    rostered: bool = True
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedOut(Payload):
    """The seat is free.

    Attributes:
        by: ``seat 01``, ``administrator``, or ``configuration`` where the seat or the operator is gone.
    """

    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused(Payload):
    """No calls come.

    Attributes:
        reason: ``rest``, ``meal``, ``training``, ``ticket``, ``other``; ``refuses`` where the phone refuses every call.
        by: ``seat 01``, ``administrator`` or ``engine``.
        status: what the phone said, where it refuses.
        refusals: so many in a row.
    """

    reason: str
    by: str = ""
    status: str = ""
    refusals: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed(Payload):
    """Calls come again after a pause.

    Attributes:
        by: ``seat 01``, ``administrator`` or ``engine``.
    """

    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapUpStarted(Payload):
    """A talk is over and its operator has time to write it up (话后处理).

    Attributes:
        until: when that ends by itself (seconds since the epoch).
        call_id: the call.
    """

    until: float
    call_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapUpEnded(Payload):
    """The wrap-up is over.

    Attributes:
        by: ``time``, ``seat 01`` or ``administrator``.
    """

    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinRefused(Payload):
    """Somebody did not know an operator's PIN, three times.

    Attributes:
        operator: the number that was keyed.
    """

    operator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenRefused(Payload):
    """Somebody who does not lead the shift wanted to listen in.

    Attributes:
        how: ``listen``, ``whisper``, ``barge`` or ``take over``.
        seat: the seat they wanted to listen to.
        by: who sits on the seat this is told of.
        reason: why not.
    """

    how: str
    seat: str
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftOver(Payload):
    """An operator stayed beyond their shift, and may leave: enough others are there and nobody waits.

    Attributes:
        operator: the operator's number.
        shift: the shift that ended.
    """

    operator: str
    shift: str
