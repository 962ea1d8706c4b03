"""What became of each call that ``Queue`` offered to a seat: answered, refused by the phone, or rung in vain.

``AgentRingNoAnswer`` tells of everything that is no answer, with the same words; a phone that forwards its calls is
told of by nothing at all. Why a ring ended stands on the end of the seat's own channel: ``TechCause`` is the phone's
SIP status, and there is none where Asterisk itself ended the ring.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from ivr.asterisk.ami.codec import Message
from ivr.asterisk.facts.queue_events import moment
from ivr.asterisk.facts.records import seat_user

RANG_S = 5.0
"""A phone that rang so long refuses nothing."""
_TIMED_OUT, _CANCELLED = 408, 487
"""Final answers that are no refusal: nobody answered, or the ring was taken back (RFC 3261, 21.4.9, 21.4.25)."""
_OUR_CAUSES = ("", "0", "16", "26", "127")
"""Causes of a ring that was taken back, where an older Asterisk tells no ``TechCause``."""


class Outcome(enum.StrEnum):
    """How a ring ended."""

    ANSWERED = "answered"
    REFUSED = "refused"
    RANG = "rang"


class Offered(NamedTuple):
    """How a ring at a seat ended; ``status``: what the phone said (a SIP status, or Asterisk's cause in words).

    ``untold``: the ``AgentRingNoAnswer`` that Asterisk owes for it, None where it has told it.
    """

    seat_user: str
    outcome: Outcome
    status: str = ""
    untold: Message | None = None


class SeatOffers:
    """Follows the rings at seats; knows where the last one was in vain."""

    def __init__(self) -> None:
        self._ringing: dict[str, Message] = {}
        self._told: set[str] = set()
        self._in_vain: set[str] = set()

    @property
    def in_vain(self) -> frozenset[str]:
        """SIP users whose phone was the last time not answered, or refused, and does not ring now."""
        return frozenset(self._in_vain)

    def forget(self, username: str) -> None:
        """Believe in a seat again: somebody is there."""
        self._in_vain.discard(username)

    def hear(self, message: Message) -> Offered | None:
        """Take a message; return how a ring ended, if it tells that."""
        channel, user = message.get("DestChannel"), seat_user(message.get("DestChannel")) or ""
        if message.name == "FullyBooted":  # after a log-in: what ended meanwhile is not told
            self._ringing.clear()
            self._told.clear()
        elif message.name == "AgentCalled" and user:
            self._ringing[channel] = message
            self._in_vain.discard(user)
        elif message.name == "AgentRingNoAnswer" and user:
            self._told.add(channel)
            self._in_vain.add(user)
        elif message.name == "AgentConnect" and self._ringing.pop(channel, None) is not None:
            return Offered(user, Outcome.ANSWERED)
        elif message.name == "Hangup":
            return self._ended(message)
        return None

    def _ended(self, message: Message) -> Offered | None:
        channel = message.get("Channel")
        told = channel in self._told
        self._told.discard(channel)
        called = self._ringing.pop(channel, None)
        if called is None:
            return None
        user = seat_user(channel) or ""
        if status := _refusal(message):
            self._in_vain.add(user)
            return Offered(user, Outcome.REFUSED, status, None if told else _no_answer(called, message))
        rang_s = moment(message) - moment(called)
        return Offered(user, Outcome.RANG) if rang_s >= RANG_S else None


def _refusal(message: Message) -> str:
    """Return what a phone refused a call with, empty where it did not."""
    status = message.get("TechCause")
    if status.isdigit():
        refused = int(status) >= 300 and int(status) not in (_TIMED_OUT, _CANCELLED)
        return f"SIP {status}" if refused else ""
    return "" if message.get("Cause") in _OUR_CAUSES else message.get("Cause-txt")


def _no_answer(called: Message, ended: Message) -> Message:
    """Return the event that tells a caller's side that this ring is over."""
    same = {
        name: called.get(name)
        for name in ("Channel", "Uniqueid", "Linkedid", "DestChannel", "Queue", "Interface")
    }
    lines = {
        "Event": "AgentRingNoAnswer",
        **same,
        "RingTime": "0",
        "Timestamp": ended.get("Timestamp"),
    }
    return Message("\r\n".join(f"{name}: {value}" for name, value in lines.items() if value))
