"""Asterisk's words about rooms and third parties, in the words of the field.  Only translation."""

from __future__ import annotations

from collections.abc import Mapping

from ivr.asterisk.ami.codec import Message
from ivr.asterisk.contract import WAY_OUT, Says
from ivr.calls.facts import RoomEvent

_USER_EVENTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    Says.GONE: ("caller_gone", ()),
    Says.HELD: ("held", ()),
    Says.STAR: ("star", ()),
    Says.KEYS: ("keys", ("Keys",)),
    Says.ROOM: ("wish", ("Wish",)),
    Says.HELP: ("help", ("Step", "Number", "Route")),
    Says.THIRD: ("step", ("Step",)),
    Says.TRACK: ("track", ("Side", "Path")),
}

_OUTSIDE = f"PJSIP/{WAY_OUT}-"
_REASONS = {"3": "no_answer", "5": "busy"}
"""Reasons of OriginateResponse (AST_CONTROL_RINGING, AST_CONTROL_BUSY)."""
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
        outside = {"outside": channel.startswith(_OUTSIDE)}
        return RoomEvent(what, message.get("DestLinkedid"), channel_id, channel, outside)
    if message.name == "OriginateResponse" and message.get("Response") == "Failure":
        return _event(message, "failed")._replace(
            data={"reason": _REASONS.get(message.get("Reason"), "congestion")}
        )
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
