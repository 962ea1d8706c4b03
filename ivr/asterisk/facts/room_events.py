"""Asterisk's words about rooms and third parties, in the words of the field.  Only translation."""

from __future__ import annotations

from typing import Any, NamedTuple

from ivr.asterisk.ami.codec import Message


class RoomEvent(NamedTuple):
    """What happened: (what, call id, channel id, channel name, plain values).

    ``what`` is one of ``caller_gone held star keys wish help rings answers step failed gone joined left track``.
    """

    what: str
    call_id: str
    channel_id: str
    channel: str
    data: dict[str, Any]


_USER_EVENTS = {
    "IvrGone": ("caller_gone", ()),
    "IvrHeld": ("held", ()),
    "IvrStar": ("star", ()),
    "IvrKeys": ("keys", ("Keys",)),
    "IvrRoom": ("wish", ("Wish",)),
    "IvrHelp": ("help", ("Step", "Number", "Route")),
    "IvrThird": ("step", ("Step",)),
    "IvrTrack": ("track", ("Side", "Path")),
}

_DIALS = {"DialState": ("RINGING", "rings"), "DialEnd": ("ANSWER", "answers")}


def translate_room(message: Message) -> RoomEvent | None:
    """Return what a message tells of a three-way call, None when it tells nothing of one."""
    if message.name == "UserEvent":
        known = _USER_EVENTS.get(message.get("UserEvent"))
        return _event(message, known[0], known[1]) if known else None
    if message.name in ("ConfbridgeJoin", "ConfbridgeLeave"):
        what = "joined" if message.name == "ConfbridgeJoin" else "left"
        return _event(message, what)._replace(call_id=message.get("Conference"))
    if message.name in _DIALS:
        status, what = _DIALS[message.name]
        if message.get("DialStatus") != status:
            return None
        channel_id, channel = message.get("DestUniqueid"), message.get("DestChannel")
        return RoomEvent(what, message.get("DestLinkedid"), channel_id, channel, {})
    if message.name == "OriginateResponse" and message.get("Response") == "Failure":
        return _event(message, "failed")._replace(data={"reason": message.get("Reason")})
    if message.name == "Hangup":
        return _event(message, "gone")._replace(data={"cause": int(message.get("Cause") or 0)})
    return None


def _event(message: Message, what: str, values: tuple[str, ...] = ()) -> RoomEvent:
    data = {name.lower(): message.get(name) for name in values}
    return RoomEvent(
        what,
        message.get("Call") or message.get("Linkedid"),
        message.get("Uniqueid"),
        message.get("Channel"),
        data,
    )
