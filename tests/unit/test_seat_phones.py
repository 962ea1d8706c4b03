"""A talk is ended only where the phone does not answer and no voice comes from it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from ivr import deployment
from ivr.asterisk.ami_codec import Message
from ivr.asterisk.manager import AmiRefused, Link, LinkState
from ivr.calls.events import Kind
from ivr.calls.record import CallRecord
from ivr.hotline.book import Trunks
from ivr.settings import Settings
from ivr.waiting import seat_phones
from ivr.waiting.seat_phones import SeatPhones
from tests.unit.kit import T0, Clock, Journal, calls_of, event, small_book

CALL = "a1-1.1"
SEAT_CHANNEL, CALLER_CHANNEL = "PJSIP/seat01-1", "PJSIP/trunk-0"


class Switch:
    """An Asterisk with one phone; ``packets`` are what has come from it, asked again and again."""

    state = LinkState.LIVE

    def __init__(self, status: str, packets: list[str]) -> None:
        self.status, self.packets = status, packets
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def action(self, name: str, headers: dict[str, Any]) -> Message:
        self.asked.append((name, headers))
        if name == "Getvar":
            value = self.packets.pop(0)
            if value == "refused":
                raise AmiRefused("no such channel")
            return Message(f"Response: Success\r\nValue: {value}\r\n")
        return Message("Response: Success\r\n")

    async def list_action(self, name: str, _: dict[str, Any]) -> list[Message]:
        assert name == "PJSIPShowContacts"
        return [Message(f"Event: ContactList\r\nObjectName: seat01;@x\r\nStatus: {self.status}\r\n")]

    def names(self) -> list[str]:
        return [name for name, _ in self.asked if name != "Getvar"]


class Scene:
    def __init__(self, status: str, *packets: str, room: str = "idle") -> None:
        seat_phones.LISTEN_S = 0.0
        self.journal, self.switch = Journal(), Switch(status, list(packets))
        self.calls = calls_of(self.journal)
        self.phones = SeatPhones(small_book, self.calls, cast(Link, self.switch), Clock(T0 + 40), lambda: 30)
        self.phones.room = lambda _: room
        self.calls.record(event(CALL, 0, Kind.CALL_STARTED, channel=CALLER_CHANNEL))
        self.calls.record(event(CALL, 1, Kind.QUEUED, queue="q_general"))
        self.calls.record(event(CALL, 2, Kind.ANSWERED, seat="01", operator="1001", channel=SEAT_CHANNEL))

    @property
    def call(self) -> CallRecord:
        return self.calls.calls[CALL]


@pytest.mark.parametrize(
    ("status", "packets"),
    [
        ("Reachable", []),
        ("NonQualified", []),
        ("Unreachable", ["100", "150"]),
        ("Unreachable", ["", ""]),
        ("Unreachable", ["refused", "refused"]),
    ],
)
async def test_a_talk_goes_on_where_the_phone_answers_or_its_voice_comes(
    status: str, packets: list[str]
) -> None:
    scene = Scene(status, *packets)
    await scene.phones.look()
    assert scene.switch.names() == []
    assert scene.call.state == "talking"


async def test_a_dead_phone_ends_its_side_and_the_caller_is_not_asked_to_rate_that() -> None:
    scene = Scene("Unreachable", "100", "100")
    await scene.phones.look()
    assert scene.switch.asked[-1] == ("Hangup", {"Channel": SEAT_CHANNEL})
    assert scene.journal.kinds(CALL)[-2:] == ["noted", "operator_left"]
    scene.calls.record(event(CALL, 41, Kind.QUEUED, queue="q_general"))
    scene.calls.record(event(CALL, 50, Kind.ANSWERED, seat="02", operator="1002", channel="PJSIP/seat02-2"))
    scene.calls.record(event(CALL, 55, Kind.OPERATOR_LEFT, channel=SEAT_CHANNEL))
    assert scene.call.state == "talking", "Asterisk's late word is about the former operator"
    assert scene.call.seat == "02"


@pytest.mark.parametrize(
    ("room", "marked"), [("together", True), ("three_way", False), ("consulting", False)]
)
async def test_in_a_room_the_rules_of_the_room_go_on(room: str, marked: bool) -> None:
    scene = Scene("Unreachable", "100", "100", room=room)
    await scene.phones.look()
    assert scene.switch.names() == (["Setvar", "Hangup"] if marked else ["Hangup"])
    assert "operator_left" not in scene.journal.kinds(CALL), "the desk of the room tells it"


async def test_a_phone_that_rang_in_vain_is_asked_at_once() -> None:
    scene = Scene("Reachable")
    scene.phones.on_event(event(CALL, 9, Kind.SEAT_NO_ANSWER, seat="01"))
    for task in list(scene.phones._asking):
        await task
    assert scene.switch.asked == [("PJSIPQualify", {"Endpoint": "seat01"})]


@pytest.mark.parametrize(
    ("setting", "lab", "seconds"), [(None, True, 0), (None, False, 30), (5, True, 5), (0, False, 0)]
)
def test_phones_are_asked_in_service_and_in_the_lab_only_where_that_is_wished(
    setting: int | None, lab: bool, seconds: int
) -> None:
    book = small_book(trunks=Trunks(lab=lab))
    assert deployment.phone_check_s(Settings(phone_check_s=setting), book) == seconds
