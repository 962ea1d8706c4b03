"""A side that falls silent is asked and told of, and taken away only where it is shown to be gone."""

from __future__ import annotations

import asyncio
from array import array
from pathlib import Path
from typing import Any, cast

import pytest

from ivr.alarms.board import Alarms
from ivr.asterisk.ami.codec import Message
from ivr.asterisk.ami.link import AmiRefused, Link, LinkState
from ivr.asterisk.control.sides import AsteriskSides
from ivr.calls.facts import ChannelEnded, Held
from ivr.calls.record import CallRecord
from ivr.events.event import Kind
from ivr.events.notes import NOTES
from ivr.sides import watch as sides
from ivr.sides.present import present
from ivr.sides.rules import ASK_AGAIN_S, LIMITS, Doing, Role, Sign, Step, step, to_tell
from ivr.sides.watch import SideWatch
from ivr.transfers.states import TransferState
from tests.unit.kit import T0, Clock, Journal, calls_of, event

CALL = "a1-1.1"
SEAT, CALLER, THIRD = "PJSIP/seat01-00000001", "PJSIP/trunk-00000000", "PJSIP/ivr-out-00000002"
URI = "sip:119@192.0.2.9:5062"
SHOWN_GONE = (Sign.AWAY, Sign.ELSEWHERE)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("doing", Doing)
def test_every_side_in_every_state_has_limits_and_is_asked_before_it_is_taken_away(
    role: Role, doing: Doing
) -> None:
    limits = LIMITS[role, doing]
    assert limits.end_s is None or limits.ask_s < limits.end_s
    assert limits.tell_s is None or limits.ask_s < limits.tell_s
    assert step(limits, limits.ask_s, None, Sign.AWAY) is Step.ASK


@pytest.mark.parametrize(("role", "doing"), LIMITS)
@pytest.mark.parametrize("sign", [Sign.UNKNOWN, Sign.ANSWERS])
def test_whoever_is_not_shown_to_be_gone_is_never_taken_away_however_long_they_are_silent(
    role: Role, doing: Doing, sign: Sign
) -> None:
    limits = LIMITS[role, doing]
    assert {step(limits, 86400.0, asked, sign) for asked in (1.0, ASK_AGAIN_S, 9999.0)} == {
        Step.WAIT,
        Step.ASK,
    }


@pytest.mark.parametrize("sign", SHOWN_GONE)
def test_a_caller_is_never_taken_away_by_us(sign: Sign) -> None:
    assert all(
        step(limits, 86400.0, 5.0, sign) is Step.WAIT
        for (role, _), limits in LIMITS.items()
        if role is Role.CALLER
    )


@pytest.mark.parametrize("role", Role)
def test_who_listens_or_holds_is_not_told_of(role: Role) -> None:
    assert not any(to_tell(LIMITS[role, doing], 86400.0) for doing in (Doing.LISTENS, Doing.HOLDS))
    assert to_tell(LIMITS[role, Doing.TALKS], 20.0)


@pytest.mark.parametrize(
    ("state", "room", "listens"),
    [
        ("waiting", "idle", True),
        ("talking", "idle", False),
        ("talking", "consulting", True),
        ("talking", "inviting", True),
        ("three_way", "three_way", False),
        ("handed_off", "handed_off", False),
        ("waiting", "awaited", True),
        ("surveying", "leaving", True),
    ],
)
def test_a_caller_who_hears_music_or_a_question_only_listens(state: str, room: str, listens: bool) -> None:
    record = CallRecord(CALL)
    record.apply(event(CALL, 0, Kind.CALL_STARTED, channel=CALLER))
    record.state = type(record.state)(state)
    (caller,) = present(record, TransferState(room), ())
    assert (caller.doing is Doing.LISTENS) is listens
    (holding,) = present(record, TransferState(room), (CALLER,))
    assert holding.doing is Doing.HOLDS


class Switch:
    """An Asterisk whose channels have so many packets, and whose phones have these addresses."""

    state = LinkState.LIVE

    def __init__(self) -> None:
        self.packets: dict[str, int] = {}
        self.seat = [("sip:seat01@192.0.2.1:5060", "Reachable")]
        self.out = "Reachable"
        self.done: list[tuple[str, dict[str, Any]]] = []

    async def action(self, name: str, headers: dict[str, Any]) -> Message:
        channel = headers.get("Channel", "")
        if channel and channel not in self.packets:
            raise AmiRefused("no such channel")
        if name == "Getvar":
            told = {
                "CHANNEL(pjsip,remote_uri)": "<sip:119@192.0.2.9>",
                "CHANNEL(contact)": "seat01;@sip:seat01@192.0.2.1:5060",
                "CHANNEL(rtcp,rxcount)": str(self.packets[channel]),
            }
            value = told[headers["Variable"]]
            return Message(f"Response: Success\r\nValue: {value}\r\n")
        self.done.append((name, headers))
        return Message("Response: Success\r\n")

    async def list_action(self, name: str, _: dict[str, Any]) -> list[Message]:
        if name == "PJSIPShowEndpoint":
            return [Message(f"Event: ContactStatusDetail\r\nURI: {URI}\r\nStatus: {self.out}\r\n")]
        return [
            Message(f"Event: ContactList\r\nObjectName: seat01;@{uri}\r\nUri: {uri}\r\nStatus: {status}\r\n")
            for uri, status in self.seat
        ]

    def names(self) -> list[str]:
        return [name for name, _ in self.done]


class Scene:
    """A talk of which some seconds pass, a look each."""

    def __init__(self) -> None:
        sides.ANSWER_S = 0.0
        self.journal, self.switch, self.now = Journal(), Switch(), Clock(0.0)
        self.calls = calls_of(self.journal)
        self.alarms = Alarms(self.journal.append, lambda: T0 + self.now.now)
        self.watch = SideWatch(
            self.calls,
            AsteriskSides(cast(Link, self.switch)),
            lambda: T0 + self.now.now,
            self.now,
            watching=lambda: True,
            judge=self.alarms.judge,
        )
        self.calls.record(event(CALL, 0, Kind.CALL_STARTED, channel=CALLER))
        self.calls.record(event(CALL, 1, Kind.QUEUED, queue="q_general"))
        self.calls.record(event(CALL, 2, Kind.ANSWERED, seat="01", operator="1001", channel=SEAT))
        self.switch.packets = {CALLER: 1, SEAT: 1}

    def alone_with_help(self) -> None:
        self.calls.record(event(CALL, 3, Kind.THIRD_ANSWERED, target="119", channel=THIRD))
        self.calls.record(event(CALL, 3, Kind.THREE_WAY, target="119"))
        self.calls.record(event(CALL, 4, Kind.OPERATOR_LEFT, reason="agent", channel=SEAT))
        self.watch.room = lambda _: TransferState.HANDED_OFF
        self.switch.packets = {CALLER: 1, THIRD: 1}

    async def pass_(self, seconds: int, *silent: str) -> None:
        for _ in range(seconds):
            self.now.now += 1
            for channel in self.switch.packets:
                self.switch.packets[channel] += channel not in silent
            await self.watch.look()
            await asyncio.gather(*self.watch._tasks)

    @property
    def up(self) -> list[str]:
        return [alarm.alarm for alarm in self.alarms.active]

    def notes(self) -> list[str]:
        return [f"{one.kind} {one.data['side']}" for one in self.journal.of(CALL) if one.kind in NOTES]


async def test_nobody_is_asked_anything_while_all_are_heard() -> None:
    scene = Scene()
    await scene.pass_(100)
    assert (scene.switch.done, scene.up, scene.notes()) == ([], [], [])


@pytest.mark.parametrize("status", ["Unreachable", "gone"])
async def test_a_seat_that_is_silent_and_does_not_answer_ends_and_the_caller_is_not_asked_to_rate_that(
    status: str,
) -> None:
    scene = Scene()
    await scene.pass_(3)
    scene.switch.seat = [] if status == "gone" else [(scene.switch.seat[0][0], status)]
    await scene.pass_(9, SEAT)
    assert scene.switch.done[-2:] == [
        ("Setvar", {"Channel": CALLER, "Variable": "IVR_PHONE_GONE", "Value": "1"}),
        ("Hangup", {"Channel": SEAT}),
    ]
    assert scene.journal.kinds(CALL)[-2:] == ["side_gone", "operator_left"]
    assert scene.up == ["side_silent"]


async def test_a_softphone_that_was_started_again_elsewhere_has_lost_its_talk() -> None:
    scene = Scene()
    scene.switch.seat = [
        ("sip:seat01@192.0.2.1:6060", "Reachable")
    ]  # before anybody looked for the first time
    await scene.pass_(12, SEAT)
    assert scene.switch.names()[-1] == "Hangup"


async def test_a_phone_that_registers_elsewhere_and_goes_on_talking_is_left_in_peace() -> None:
    scene = Scene()
    await scene.pass_(3)
    scene.switch.seat = [("sip:seat01@192.0.2.1:6060", "Reachable")]
    await scene.pass_(60)
    assert scene.switch.done == []


async def test_a_phone_that_suppresses_silence_is_asked_once_a_minute_and_told_of_and_goes_on() -> None:
    scene = Scene()
    await scene.pass_(3)
    await scene.pass_(70, SEAT)
    assert "Hangup" not in scene.switch.names()
    assert scene.switch.names().count("PJSIPQualify") == 2
    asked = [headers["Value"] for _, headers in scene.switch.done if "REFRESH" in headers.get("Variable", "")]
    assert asked == ["invite", "invite"]
    marks = [headers["Value"] for _, headers in scene.switch.done if "GONE" in headers.get("Variable", "")]
    assert marks == ["1", "", "1", ""], "an operator who hangs up later is followed by the survey"
    assert (scene.up, scene.notes()) == (["side_silent"], ["side_silent operator"])
    await scene.pass_(3)
    assert (scene.up, scene.notes()[1:]) == ([], ["side_heard_again operator"])


async def test_a_phone_that_says_it_has_no_such_call_any_more_does_not_lead_to_the_survey() -> None:
    scene = Scene()
    await scene.pass_(3)
    sides.ANSWER_S = 60.0
    scene.watch._heard[SEAT].since -= 10
    scene.switch.packets[CALLER] += 1
    scene.now.now += 1
    await scene.watch.look()
    await asyncio.sleep(0)
    scene.watch.ended(ChannelEnded(SEAT))
    assert scene.journal.kinds(CALL)[-2:] == ["side_gone", "operator_left"]
    for task in list(scene.watch._tasks):
        task.cancel()


async def test_who_has_put_the_caller_on_hold_rightly_sends_nothing() -> None:
    scene = Scene()
    scene.watch.held(Held(SEAT, True))
    await scene.pass_(50, SEAT)
    assert (scene.switch.done, scene.up) == ([], [])
    scene.watch.held(Held(SEAT, False))
    await scene.pass_(3, SEAT)
    assert scene.switch.done == [], "the limits of talking count from the end of the hold"


async def test_a_caller_who_is_silent_is_asked_and_told_of_and_never_taken_away() -> None:
    scene = Scene()
    await scene.pass_(40, CALLER)
    assert {name for name, _ in scene.switch.done} == {"Setvar"}
    assert scene.up == ["side_silent"]


async def test_help_that_dies_after_the_operator_left_gives_the_caller_back() -> None:
    scene = Scene()
    scene.alone_with_help()
    await scene.pass_(3)
    scene.switch.out = "Unreachable"
    await scene.pass_(9, THIRD)
    assert [one for one in scene.switch.done if one[0] != "PJSIPQualify"][-2:] == [
        ("Setvar", {"Channel": CALLER, "Variable": "IVR_PHONE_GONE", "Value": "1"}),
        ("Hangup", {"Channel": THIRD}),
    ]
    assert (scene.up, scene.notes()[-1]) == (["side_silent"], "side_gone third")


async def test_a_carrier_that_never_answers_options_has_not_gone() -> None:
    scene = Scene()
    scene.switch.out = "Unreachable"
    scene.alone_with_help()
    await scene.pass_(60, THIRD)
    assert "Hangup" not in scene.switch.names()
    assert scene.up == ["side_silent"]


async def test_packets_without_any_sound_are_told_and_nothing_ends(tmp_path: Path) -> None:
    scene = Scene()
    scene.calls[CALL].recording = str(tmp_path / "talk")
    seconds = [400, 0] * 8000 * 4  # the caller is heard, the operator is not
    (tmp_path / "talk.raw").write_bytes(array("h", seconds).tobytes())
    await scene.pass_(25)
    assert scene.notes() == []
    await scene.pass_(10)
    assert (scene.up, scene.notes()) == (["side_silent"], ["side_silent operator"])
    assert "without any sound" in scene.alarms.active[0].sentence
    assert scene.switch.done == [], "it is not asked: its packets come"
    (tmp_path / "talk.raw").write_bytes(array("h", [400, 400] * 8000 * 4).tobytes())
    await scene.pass_(2)
    assert (scene.up, scene.notes()[1:]) == ([], ["side_heard_again operator"])
