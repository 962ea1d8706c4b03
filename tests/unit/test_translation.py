"""What Asterisk tells becomes facts in one place, in the order in which they must be taken in."""

from __future__ import annotations

import pytest

from ivr.asterisk.ami.codec import Message
from ivr.asterisk.facts.translation import INTRUDERS, REFUSED_CALL, Fact, Translator
from ivr.calls.facts import (
    ANSWERED,
    CallbackWord,
    ChannelEnded,
    Held,
    Intruder,
    KeyPressed,
    MessageBegun,
    PhoneMoved,
    QueueEvent,
    RoomEvent,
)
from ivr.seats.ports import Outcome, Rang
from ivr.strangers import record
from tests.unit.kit import T0

CALL, CALLER, SEAT = "a1-1.1", "PJSIP/trunk-00000001", "PJSIP/seat01-00000002"
CITIZEN = "PJSIP/ivr-callback-00000003"


def message(name: str, **headers: str) -> Message:
    lines = {"Event": name, "Timestamp": str(T0), **headers}
    return Message("\r\n".join(f"{key.replace('_', '-')}: {value}" for key, value in lines.items()))


def facts(*messages: Message) -> list[Fact]:
    translator = Translator(lambda: {CITIZEN: CALL})
    return [fact for one in messages for fact in translator.facts(one)]


@pytest.mark.parametrize(
    ("told", "fact"),
    [
        (message("ContactStatus", EndpointName="seat01"), PhoneMoved("seat01")),
        (message("Hold", Channel=SEAT), Held(SEAT, True)),
        (message("Unhold", Channel=SEAT), Held(SEAT, False)),
        (
            message("DTMFEnd", Channel=CALLER, Digit="*", Linkedid=CALL, Uniqueid=CALL),
            KeyPressed(CALL, CALLER, "*", True),
        ),
        (
            message("DTMFEnd", Channel=SEAT, Digit="1", Linkedid=CALL, Uniqueid="a1-1.2"),
            KeyPressed(CALL, SEAT, "1", False),
        ),
        (
            message("DTMFEnd", Channel=CITIZEN, Digit="*", Linkedid="x", Uniqueid="y"),
            KeyPressed(CALL, CITIZEN, "*", True),
        ),
        (
            message(
                "UserEvent", UserEvent="IvrCallback", Call=CALL, Try="1", What=f"ANSWERED/{CITIZEN}^{SEAT}"
            ),
            CallbackWord(CALL, 1, ANSWERED, CITIZEN, SEAT),
        ),
        (
            message("UserEvent", UserEvent="IvrVoicemail", Call=CALL, Message="%2Fr%2Fm"),
            MessageBegun(CALL, "/r/m"),
        ),
        (
            message("UserEvent", UserEvent="IvrRefused", Dialled="9", Endpoint="trunk", Address="192.0.2.1:5060"),
            Intruder(REFUSED_CALL, "192.0.2.1:5060", "9", "trunk"),
        ),
        (
            message("InvalidPassword", AccountID="seat05", RemoteAddress="IPV4/UDP/192.0.2.1/5060"),
            Intruder("wrong_password", "IPV4/UDP/192.0.2.1/5060", "seat05", "InvalidPassword"),
        ),
    ],
)  # fmt: skip
def test_each_message_is_one_fact(told: Message, fact: Fact) -> None:
    assert facts(told) == [fact]


def test_what_says_nothing_is_no_fact() -> None:
    assert facts(message("UserEvent", UserEvent="IvrCallback", Call=CALL, Try="x", What="BUSY")) == []
    assert facts(message("UserEvent", UserEvent="Somebodys"), message("PeerStatus")) == []


def test_a_hang_up_is_the_caller_s_first_then_the_side_s_then_the_room_s() -> None:
    bye = message("Hangup", Channel=CALLER, Linkedid=CALL, Uniqueid=CALL, Cause="16", Cause_txt="bye")
    told = facts(bye)
    assert [type(one) for one in told] == [QueueEvent, ChannelEnded, RoomEvent]
    assert isinstance(told[0], QueueEvent)
    assert (told[0].call_id, told[0].what) == (CALL, "hung_up")


def test_a_phone_that_forwards_is_told_of_before_the_ring_that_asterisk_forgot() -> None:
    about = {"Channel": CALLER, "Linkedid": CALL, "Uniqueid": CALL, "DestChannel": SEAT, "Queue": "q"}
    called = message("AgentCalled", Interface="PJSIP/seat01", **about)
    ended = message("Hangup", Channel=SEAT, Linkedid=CALL, Uniqueid="s", Cause="23", TechCause="302")
    told = facts(called, ended)[1:]
    assert told[0] == Rang("seat01", Outcome.REFUSED, "SIP 302")
    assert isinstance(told[1], QueueEvent)
    assert (told[1].what, told[1].data["seat_user"]) == ("seat_no_answer", "seat01")
    assert [type(one) for one in told[2:]] == [ChannelEnded, RoomEvent]


@pytest.mark.parametrize(("channel", "outside"), [("PJSIP/ivr-out-0000001a", True), (SEAT, False)])
def test_who_is_rung_outside_is_told_apart_from_a_seat(channel: str, outside: bool) -> None:
    ring = message(
        "DialState", DialStatus="RINGING", DestChannel=channel, DestUniqueid="t", DestLinkedid=CALL
    )
    assert facts(ring) == [RoomEvent("rings", CALL, "t", channel, {"outside": outside})]


@pytest.mark.parametrize(
    ("reason", "word"), [("3", "no_answer"), ("5", "busy"), ("8", "congestion"), ("", "congestion")]
)
def test_why_nobody_came_is_told_in_words(reason: str, word: str) -> None:
    failed = message("OriginateResponse", Response="Failure", Reason=reason, Uniqueid="t", Channel=SEAT)
    (told,) = facts(failed)
    assert isinstance(told, RoomEvent)
    assert told.data == {"reason": word}


def test_intruders_are_told_in_the_words_of_the_log_that_fail2ban_reads() -> None:
    assert {*INTRUDERS.values(), REFUSED_CALL} <= set(record.KINDS)
