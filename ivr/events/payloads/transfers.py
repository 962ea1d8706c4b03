"""Payloads of three-way calls and of calling help."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.events.payloads.payload import Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferWanted(Payload):
    """A third party is wanted and called from here on.

    Attributes:
        n: how many third parties were wanted so far, this one included.
        target: who: ``expert:…``, ``subcenter:…``, ``unit:…``, ``seat:…``.
        name: what people call them.
        by: ``seat 01``, ``caller`` or ``administrator``.
        routes: the ways there, in order: how (``sip``, ``queue``, ``seat``), address, seconds it may ring.
    """

    n: int
    target: str
    name: str = ""
    by: str = ""
    routes: tuple[tuple[str, str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyWanted(TransferWanted):
    """Help is wanted: ``target`` is 110, 119, 120 or 122."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRefused(Payload):
    """A third party was wanted and is not called.

    Attributes:
        target: who was wanted.
        reason: ``nobody``, ``wrong``, ``loop``, ``occupied``, ``not_now`` …
        by: ``seat 01``, ``caller`` or ``administrator``.
    """

    target: str
    reason: str
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpWanted(Payload):
    """The caller pressed ``*`` and the dialplan calls help by itself.

    Attributes:
        target: 110, 119, 120 or 122.
        by: ``caller``.
    """

    target: str
    by: str = "caller"


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpRouteTried(Payload):
    """The dialplan tries another way to help.

    Attributes:
        target: 110, 119, 120 or 122.
        route: which way, from 1.
    """

    target: str
    route: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRoute(Payload):
    """A third party is tried by another way.

    Attributes:
        route: which of the routes, from 0.
        reason: why the one before led nowhere: ``no_answer``, ``busy`` …
        ended: its channel has ended already, there is nothing to hang up.
    """

    route: int
    reason: str = ""
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerHeld(Payload):
    """The caller hears music; what follows is not on the main recording."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThirdRinging(Payload):
    """The third party's telephone rings.

    Attributes:
        target: who.
    """

    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThirdAnswered(Payload):
    """The third party has answered.

    Attributes:
        target: who.
        channel: their channel.
    """

    target: str
    channel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThirdAccepted(Payload):
    """The third party takes the call and is in the room.

    Attributes:
        target: who.
        channel: their channel.
    """

    target: str
    channel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThirdRefused(Payload):
    """The third party is not coming; the caller goes back.

    Attributes:
        target: who.
        reason: ``refused``, ``no_answer``, ``busy``, ``unheeded``, ``wrong``, ``no_room`` …
        ended: its channel has ended already, there is nothing to hang up.
    """

    target: str
    reason: str = ""
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ThirdMuted(Payload):
    """The operator muted the third party, or let them speak again.

    Attributes:
        on: muted.
        by: ``seat 01`` or ``administrator``.
    """

    on: bool
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThirdDropped(Payload):
    """The third party is sent home.

    Attributes:
        by: ``seat 01`` or ``administrator``.
    """

    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThirdLeft(Payload):
    """The third party is there no more.

    Attributes:
        target: who.
        reason: ``no_room``, or which help is called instead; empty where they hung up.
        ended: its channel has ended already, there is nothing to hang up.
    """

    target: str
    reason: str = ""
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferCompleted(Payload):
    """The caller is brought into the consultation.

    Attributes:
        by: ``seat 01``, ``administrator`` or ``deadline``.
    """

    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferCancelled(Payload):
    """The third party is dropped, or called no longer.

    Attributes:
        by: ``seat 01``, ``administrator``, or which help is called instead.
    """

    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreeWay(Payload):
    """Caller, operator and third party talk together.

    Attributes:
        target: who.
    """

    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerBack(Payload):
    """The caller is with the operator again.

    Attributes:
        unmoved: they never left the queue's bridge.
    """

    unmoved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerKept(Payload):
    """The operator has gone and the caller waits for the third party, or for the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveWanted(Payload):
    """The operator leaves the call to the third party.

    Attributes:
        by: ``seat 01`` or ``administrator``.
    """

    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOff(Payload):
    """The caller talks with the third party alone.

    Attributes:
        target: who.
    """

    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyFailed(Payload):
    """Help could not be reached by any way.

    Attributes:
        target: 110, 119, 120 or 122.
        reason: of the last way.
        by: ``caller`` where the dialplan called by itself.
        ended: its channel has ended already, there is nothing to hang up.
    """

    target: str
    reason: str = ""
    by: str = ""
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GatherWanted(Payload):
    """Everybody is to be brought together in the room.

    Attributes:
        tries: how often it was tried before.
    """

    tries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GatherSent(GatherWanted):
    """Everybody was sent to the room; who arrives is told by ``room_entered``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatherOver(Payload):
    """Nobody is being brought together any more.

    Attributes:
        reason: ``never parted``, ``did not arrive`` or ``restart``.
    """

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SentAgain(Payload):
    """Somebody who should have been moved is moved again.

    Attributes:
        tries: how often so far.
    """

    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomEntered(Payload):
    """Somebody is in the room.

    Attributes:
        party: ``caller`` or ``operator``.
    """

    party: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomLeft(RoomEntered):
    """Somebody has left the room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerGone(Payload):
    """The caller has hung up while a third party was with them or on the way."""
