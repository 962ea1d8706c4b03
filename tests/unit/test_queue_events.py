"""What Asterisk's queue tells live, in the words of the journal, and what it has at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.asterisk.ami.codec import Message
from ivr.asterisk.ami.link import AmiRefused, Link
from ivr.asterisk.control import queues as members
from ivr.asterisk.control.queues import Member
from ivr.asterisk.facts.queue_events import translate
from ivr.calls.facts import QueueEvent
from ivr.events.event import Kind

CALL = "a1-1795296848.3"


def message(name: str, **headers: str) -> Message:
    lines = {"Event": name, "Uniqueid": CALL, "Linkedid": CALL, "Timestamp": "1795296848.5"} | headers
    return Message("\r\n".join(f"{key.replace('_', '-')}: {value}" for key, value in lines.items()))


@pytest.mark.parametrize(
    ("heard", "what", "data"),
    [
        (message("Newstate", Channel="PJSIP/trunk-2", ChannelState="6", Context="ivr-reception"), "greeted",
         {"channel": "PJSIP/trunk-2"}),
        (message("QueueCallerJoin", Queue="q_general", Position="2"), "queued",
         {"queue": "q_general", "position": 2}),
        (message("AgentCalled", Queue="q_general", DestChannel="PJSIP/seat01-3"), "seat_ringing",
         {"queue": "q_general", "seat_user": "seat01", "channel": "PJSIP/seat01-3"}),
        (message("AgentRingNoAnswer", Queue="q_general", Interface="PJSIP/seat01", RingTime="15000"),
         "seat_no_answer", {"queue": "q_general", "seat_user": "seat01", "ring_s": 15.0}),
        (message("AgentConnect", Queue="q_general", DestChannel="PJSIP/seat02-4", HoldTime="7"), "answered",
         {"queue": "q_general", "seat_user": "seat02", "channel": "PJSIP/seat02-4", "waited_s": 7}),
        (message("AgentComplete", Queue="q_general", DestChannel="PJSIP/seat02-4", TalkTime="61",
                 Reason="agent"), "operator_left",
         {"queue": "q_general", "seat_user": "seat02", "channel": "PJSIP/seat02-4", "talk_s": 61,
          "reason": "agent"}),
        (message("Hangup", Channel="PJSIP/trunk-2", Cause="16", Cause_txt="Normal Clearing"), "hung_up",
         {"channel": "PJSIP/trunk-2", "cause": 16, "cause_text": "Normal Clearing"}),
    ],
)  # fmt: skip
def test_each_queue_event_says_what_happened_to_the_caller(
    heard: Message, what: str, data: dict[str, Any]
) -> None:
    assert translate(heard) == QueueEvent(CALL, 1795296848.5, what, data)
    assert what in set(Kind)


def test_events_of_other_channels_and_other_things_are_none_of_a_caller_s() -> None:
    assert translate(message("Hangup", Uniqueid="a1-1795296848.4")) is None
    assert translate(message("Hangup", Linkedid="")) is None
    assert translate(message("PeerStatus")) is None
    assert translate(message("Newstate", ChannelState="6", Context="ivr-seat")) is None, "a star code"
    assert translate(message("Newstate", ChannelState="4", Context="ivr-reception")) is None, (
        "not answered yet"
    )
    assert translate(Message("Response: Success")) is None


@given(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=30))
def test_no_value_of_a_strange_asterisk_stops_the_listening(value: str) -> None:
    for name in ("QueueCallerJoin", "AgentRingNoAnswer", "AgentConnect", "AgentComplete", "Hangup"):
        told = translate(
            message(name, Position=value, RingTime=value, HoldTime=value, TalkTime=value, Cause=value)
        )
        assert told is not None


@pytest.mark.parametrize("stamp", ["", "soon"])
def test_an_event_without_a_time_of_its_own_has_happened_now(stamp: str) -> None:
    told = translate(message("Hangup", Timestamp=stamp))
    assert told is not None
    assert told.at > 1_500_000_000


# -- this moment -----------------------------------------------------------------------------------
class Switch:
    """An Asterisk that lists what it is told to, and refuses some actions."""

    def __init__(self, *, refuses: Sequence[str] = ()) -> None:
        self.items: list[Message] = []
        self._refuses = refuses

    async def action(self, name: str, _: Mapping[str, str]) -> Message:
        if name in self._refuses:
            raise AmiRefused(f"{name}: no")
        return Message("Response: Success")

    async def list_action(self, name: str, headers: Mapping[str, str]) -> list[Message]:
        if name in self._refuses:
            raise AmiRefused("No Contacts found")
        return self.items


def link(switch: Switch) -> Link:
    return cast(Link, switch)


async def test_a_channel_that_has_just_gone_is_not_moved_and_no_fault() -> None:
    assert not await members.redirect(link(Switch(refuses=["Redirect"])), "PJSIP/trunk-1", "there", "1")


async def test_the_queues_of_this_moment_are_read() -> None:
    switch = Switch()
    switch.items = [
        message("QueueParams", Queue="q_general"),
        message("QueueMember", Queue="q_general", Name="1001", StateInterface="PJSIP/seat01",
                Paused="1", PausedReason="meal", Status="1", Penalty="10"),
        message("QueueMember", Queue="q_general", Name="1002", StateInterface="", Location="PJSIP/seat02",
                Paused="0", PausedReason="old", Status=""),
        message("QueueEntry", Queue="q_general", Channel="PJSIP/trunk-1", Wait="12", Priority="30"),
        message("QueueStatusComplete"),
    ]  # fmt: skip
    status = await members.status(link(switch))
    assert status.queues == ["q_general"]
    assert status.members == [
        Member("q_general", "PJSIP/seat01", "1001", True, "meal", 10),
        Member("q_general", "PJSIP/seat02", "1002", False, ""),
    ]
    assert status.callers == [members.Caller(CALL, "q_general", "PJSIP/trunk-1", 12, priority=30)]
    assert status.states["PJSIP/seat01"] == members.NOT_IN_USE


async def test_live_calls_and_registered_phones_are_read() -> None:
    switch = Switch()
    switch.items = [message("CoreShowChannel"), message("CoreShowChannel", Uniqueid="x"), message("Other")]
    assert await members.live_calls(link(switch), {}) == {CALL}
    citizen = "PJSIP/ivr-callback-00000004"
    switch.items = [message("CoreShowChannel", Channel=citizen, Uniqueid="x", Linkedid="y")]
    assert await members.live_calls(link(switch), {citizen: CALL}) == {CALL}, "who was called back"
    switch.items = [
        message("ContactList", ObjectName="seat01;@abc"),
        message("ContactList", ObjectName="seat02/sip:x", Status="NonQualified"),
        message("ContactList", ObjectName="seat03;@abc", Status="Unreachable"),
    ]
    assert await members.registered(link(switch)) == {"seat01", "seat02"}
    assert await members.registered(link(Switch(refuses=["PJSIPShowContacts"]))) == set()
