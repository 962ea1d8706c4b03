"""Asterisk's events about callers and their queue in the words of the field.

Only translation: which call, what happened, with which plain values.  What it means is decided
elsewhere.
"""

from __future__ import annotations

import time
from typing import Any

from ivr.asterisk.ami.codec import Message
from ivr.asterisk.contract import Context
from ivr.asterisk.facts.records import called_back, seat_user
from ivr.calls.facts import QueueEvent


def moment(message: Message) -> float:
    """Return when Asterisk says that it happened, in seconds since the epoch."""
    try:
        return float(message.get("Timestamp"))
    except ValueError:
        return time.time()


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0


RECEPTION_CONTEXTS = (Context.RECEPTION, Context.AWAY, Context.MENU)
"""Where the dialplan answers a caller; the manager tells of no other change of a channel's state."""
_UP = "6"


def _greeted(message: Message) -> dict[str, Any]:
    return {"channel": message.get("Channel")}


def _joined(message: Message) -> dict[str, Any]:
    return {"queue": message.get("Queue"), "position": _whole(message.get("Position"))}


def _seat(message: Message) -> dict[str, Any]:
    channel = message.get("DestChannel")
    return {"queue": message.get("Queue"), "seat_user": seat_user(channel) or "", "channel": channel}


def _connected(message: Message) -> dict[str, Any]:
    return {**_seat(message), "waited_s": _whole(message.get("HoldTime"))}


def _no_answer(message: Message) -> dict[str, Any]:
    seat = message.get("Interface").removeprefix("PJSIP/")
    return {
        "queue": message.get("Queue"),
        "seat_user": seat,
        "ring_s": _whole(message.get("RingTime")) / 1000,
    }


def _completed(message: Message) -> dict[str, Any]:
    return {**_seat(message), "talk_s": _whole(message.get("TalkTime")), "reason": message.get("Reason")}


def _hung_up(message: Message) -> dict[str, Any]:
    return {
        "channel": message.get("Channel"),
        "cause": _whole(message.get("Cause")),
        "cause_text": message.get("Cause-txt"),
    }


_TRANSLATIONS = {
    "Newstate": ("greeted", _greeted),
    "QueueCallerJoin": ("queued", _joined),
    "AgentCalled": ("seat_ringing", _seat),
    "AgentRingNoAnswer": ("seat_no_answer", _no_answer),
    "AgentConnect": ("answered", _connected),
    "AgentComplete": ("operator_left", _completed),
    "Hangup": ("hung_up", _hung_up),
}


def _is_answer(message: Message) -> bool:
    """Tell whether a channel's new state is that reception has answered a caller."""
    return message.get("ChannelState") == _UP and message.get("Context") in RECEPTION_CONTEXTS


def translate(message: Message) -> QueueEvent | None:
    """Return what a message tells of a caller, None when it tells nothing of one."""
    known = _TRANSLATIONS.get(message.name)
    if known is None or (message.name == "Newstate" and not _is_answer(message)):
        return None
    original = called_back(message.get("Channel"))
    if original is not None:
        if not message.get("Channel").endswith(";2"):
            return None  # the other end of the same placeholder
        return QueueEvent(original, moment(message), f"callback_{known[0]}", known[1](message))
    call_id = message.get("Linkedid")
    if not call_id or message.get("Uniqueid") != call_id:
        return None  # the seat's own channel; the caller's tells the same
    what, values = known
    return QueueEvent(call_id, moment(message), what, values(message))
