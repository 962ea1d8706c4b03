"""What Asterisk says of rooms and third parties, in the words of the field."""

from __future__ import annotations

import pytest

from ivr.asterisk.ami.codec import Message
from ivr.asterisk.facts.room_events import translate_room

CALL = "a1-1.1"


def message(**headers: str) -> Message:
    return Message("\r\n".join(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()))


@pytest.mark.parametrize(
    ("headers", "what", "call_id", "channel_id"),
    [
        ({"Event": "ConfbridgeJoin", "Conference": CALL, "Linkedid": "x", "Uniqueid": "t1"}, "joined", CALL, "t1"),
        ({"Event": "ConfbridgeLeave", "Conference": CALL, "Linkedid": "x", "Uniqueid": CALL}, "left", CALL, CALL),
        ({"Event": "UserEvent", "UserEvent": "IvrHeld", "Linkedid": CALL, "Uniqueid": CALL}, "held", CALL, CALL),
        (
            {"Event": "UserEvent", "UserEvent": "IvrKeys", "Call": CALL, "Keys": "9", "Linkedid": "own", "Uniqueid": "l"},
            "keys", CALL, "l",
        ),
        ({"Event": "DialState", "DialStatus": "RINGING", "DestLinkedid": CALL, "DestUniqueid": "t"}, "rings", CALL, "t"),
        ({"Event": "DialEnd", "DialStatus": "ANSWER", "DestLinkedid": CALL, "DestUniqueid": "t"}, "answers", CALL, "t"),
        ({"Event": "Hangup", "Linkedid": CALL, "Uniqueid": "t", "Cause": "17"}, "gone", CALL, "t"),
        ({"Event": "OriginateResponse", "Response": "Failure", "Reason": "5", "Uniqueid": "t"}, "failed", "", "t"),
    ],
)  # fmt: skip
def test_each_message_is_told(headers: dict[str, str], what: str, call_id: str, channel_id: str) -> None:
    told = translate_room(message(**headers))
    assert told is not None
    assert (told.what, told.call_id, told.channel_id) == (what, call_id, channel_id)


@pytest.mark.parametrize(
    "headers",
    [
        {"Event": "UserEvent", "UserEvent": "Somebodys"},
        {"Event": "DialState", "DialStatus": "PROGRESS"},
        {"Event": "DialEnd", "DialStatus": "BUSY"},
        {"Event": "OriginateResponse", "Response": "Success"},
        {"Event": "QueueCallerJoin"},
    ],
)
def test_what_is_not_ours_is_passed_over(headers: dict[str, str]) -> None:
    assert translate_room(message(**headers)) is None
