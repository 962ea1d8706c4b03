"""Everything that Asterisk tells over AMI, turned into typed facts: nobody else reads a message."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from urllib.parse import unquote

from ivr.asterisk.ami.codec import Message
from ivr.asterisk.contract import UNKNOWN_CALL, Says
from ivr.asterisk.control.members import moved
from ivr.asterisk.facts.callback_words import word_of
from ivr.asterisk.facts.called_back import as_caller
from ivr.asterisk.facts.queue_events import translate
from ivr.asterisk.facts.room_events import translate_room
from ivr.asterisk.facts.seat_offers import SeatOffers
from ivr.calls.facts import (
    CallbackWord,
    ChannelEnded,
    Held,
    Intruder,
    KeyPressed,
    MemberMoved,
    MessageBegun,
    PhoneMoved,
    QueueEvent,
    RoomEvent,
)
from ivr.seats.ports import Rang

Fact = (
    QueueEvent | RoomEvent | Rang | KeyPressed | Held | ChannelEnded | PhoneMoved | MemberMoved
    | CallbackWord | MessageBegun | Intruder
)  # fmt: skip

INTRUDERS: Mapping[str, str] = {
    "InvalidAccountID": "unknown",
    "InvalidPassword": "wrong_password",
    "ChallengeResponseFailed": "wrong_password",
    "FailedACL": "not_allowed",
}
"""What somebody did, in the words of ``ivr.strangers.record``."""
REFUSED_CALL = "refused_call"


class Translator:
    """Turns one message after the other into facts.

    Args:
        called_back: gives the calls of citizens who were called back, by channel.
    """

    def __init__(self, called_back: Callable[[], Mapping[str, str]]) -> None:
        self._called_back = called_back
        self.rings = SeatOffers()

    def facts(self, heard: Message) -> Iterator[Fact]:
        """Yield what a message tells, in the order in which it should be taken in."""
        message = as_caller(heard, self._called_back())
        if (told := translate(message)) is not None:
            yield told
        else:
            yield from _words(message)
        if (offered := self.rings.hear(message)) is not None:
            yield offered.rang
            if offered.untold is not None and (late := translate(offered.untold)) is not None:
                yield late
        yield from _of_channels(message)
        if (party := translate_room(message)) is not None:
            yield party


def _words(message: Message) -> Iterator[Fact]:
    """Yield what the dialplan says of callbacks, messages and refused calls, and what Asterisk says of intruders."""
    says = message.get("UserEvent") if message.name == "UserEvent" else ""
    if says == Says.CALLBACK:
        word = word_of(message.get("Call"), f"{message.get('Try')}/{message.get('What')}")
        if word is not None:
            yield word
    elif says == Says.VOICEMAIL:
        yield MessageBegun(message.get("Call"), unquote(message.get("Message")))
    elif says == Says.REFUSED:
        yield Intruder(REFUSED_CALL, message.get("Address"), message.get("Dialled"), message.get("Endpoint"))
    elif message.name in INTRUDERS:
        yield Intruder(
            INTRUDERS[message.name], message.get("RemoteAddress"), message.get("AccountID"), message.name
        )


def _of_channels(message: Message) -> Iterator[Fact]:
    """Yield what happens to telephones and channels, whoever is there."""
    channel = message.get("Channel")
    if (user := moved(message)) is not None:
        yield MemberMoved(user)
    if message.name == "ContactStatus":
        yield PhoneMoved(message.get("EndpointName"))
    elif message.name in ("Hold", "Unhold"):
        yield Held(channel, message.name == "Hold")
    elif message.name == "Hangup":
        yield ChannelEnded(channel, message.get("Cause") == UNKNOWN_CALL)
    elif message.name == "DTMFEnd":
        call_id = message.get("Linkedid")
        yield KeyPressed(call_id, channel, message.get("Digit"), message.get("Uniqueid") == call_id)
