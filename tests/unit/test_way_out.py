"""No caller and no seat can make the hotline dial anything but what the city wrote into trunks.yaml."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from ivr.hotline.book import Seat
from tests.unit.dialplan import RUNS, contexts, leaving, reached, ways
from tests.unit.test_rendering import DESTINATIONS, render_hotline

HELP = DESTINATIONS["110"]
DOORS = ("ivr-from-trunk", "ivr-from-110", "ivr-from-seat", "ivr-refused")
CALLBACK = ("ivr-callback-out", "Dial(PJSIP/ivr-callback/${IVR_TO}")
"""Led to by the engine alone, which also sets the number."""


@dataclass(frozen=True)
class Asterisk:
    """Asterisk's own files, as text by name."""

    files: dict[str, str]

    def named(self, file: str, pattern: str) -> set[str]:
        return set(re.findall(pattern, self.files[f"ivr12345/{file}.conf"], re.MULTILINE))

    @property
    def also(self) -> dict[str, set[str]]:
        """Contexts to which keys lead in a queue, in a room and in a talk, by the application."""
        in_queue = self.named("queues", r"^context *= *(\S+)")
        in_room = self.named("confbridge", r"dialplan_exec\(([^,]+)")
        in_talk = self.named("features", r'"([^,"]+),')
        assert in_queue and in_room and in_talk
        return {"Queue(": in_queue | in_talk, "ConfBridge(": in_room | in_talk, "Dial(": in_talk}


@pytest.fixture(scope="module", params=[0, 30], ids=["no phone check", "phones are checked"])
def asterisk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Asterisk:
    home = tmp_path_factory.mktemp("hotline")
    return Asterisk(render_hotline(home, Seat("01", "8001"), "from-110", DESTINATIONS, request.param))


def faults(asterisk: Asterisk, text: str) -> set[tuple[str, str]]:
    """What may leave the hotline and should not: nothing a caller or a seat reaches but the star's help."""
    dialplan = contexts(text)
    by_any_door = reached(ways(dialplan, asterisk.also), DOORS)
    help_ = {("ivr-star", f"Dial(PJSIP/ivr-out/{uri}") for uri in HELP}
    return {
        place
        for place in leaving(dialplan)
        if place not in help_ and (place != CALLBACK or place[0] in by_any_door)
    }


@pytest.fixture(scope="module")
def text(asterisk: Asterisk) -> str:
    return asterisk.files["ivr12345/extensions.conf"]


def test_calls_leave_by_the_star_key_and_for_callbacks_and_nowhere_else(
    asterisk: Asterisk, text: str
) -> None:
    assert faults(asterisk, text) == set()
    star = [("ivr-star", f"Dial(PJSIP/ivr-out/{uri}") for uri in HELP]
    assert sorted(leaving(contexts(text))) == [
        CALLBACK,
        *star,
    ]  # they are there: the test above looked at something


def test_a_seat_has_no_way_out_at_all(asterisk: Asterisk, text: str) -> None:
    dialplan = contexts(text)
    mine = reached(ways(dialplan, asterisk.also), ["ivr-from-seat"])
    assert {"ivr-seat", "ivr-leader", "ivr-refused"} <= mine
    assert not mine & {context for context, _ in leaving(dialplan)}


def test_every_endpoint_comes_in_by_a_door_that_is_watched(asterisk: Asterisk) -> None:
    assert asterisk.named("pjsip", r"^context *= *(\S+)") == set(DOORS)


def test_who_is_called_back_is_never_said_by_the_dialplan(text: str) -> None:
    assert "${IVR_TO}" in text
    assert not re.search(r"\bIVR_TO *=", text)


def test_nobody_may_transfer_a_call_that_left(text: str) -> None:
    """Options t, T, k, K, h, H … of Dial and Queue would give a stranger our keys; i forwards nobody."""
    options = [call.split(",")[2] for call in re.findall(r"Dial\((PJSIP/[^\n]*)\)$", text, re.MULTILINE)]
    assert len(options) == 3
    for one in options:
        assert set(re.sub(r"\([^()]*(\([^()]*\))*[^()]*\)", "", one)) <= set("gmbUF"), one
    queued = re.findall(r"Queue\([^,)]*,([^,)]*)", text)
    assert queued and set("".join(queued)) <= set("ci")


def programs(text: str) -> list[str]:
    """What the dialplan starts beside our own two: who answers over FastAGI, and the script for when nobody does."""
    asked = re.findall(r"AGI\(([^,)]*)", text)
    assert asked
    ours = re.compile(r"agi://127\.0\.0\.1:\d+/\w+\?key=[^,]*|/[^,]*/agi-bin/reception-away")
    after_recording = re.findall(r"MixMonitor\([^,)]*,[^,)]*,[^)]*", text)
    return [one for one in asked if not ours.fullmatch(one)] + after_recording + RUNS.findall(text)


def test_nothing_of_the_dialplan_runs_a_program(text: str) -> None:
    assert programs(text) == []


@pytest.mark.parametrize(
    "step",
    [
        "System(touch /x)",
        "Set(IVR_X=${SHELL(id)})",
        "AGI(/bin/sh,${EXTEN})",
        "AGI(agi://192.0.2.1/reception)",
        "MixMonitor(/x.raw,D,/bin/sh)",
    ],
)
def test_a_program_that_somebody_adds_is_found(text: str, step: str) -> None:
    assert programs(f"{text}\n same => n,{step}")


def test_whoever_is_asked_whether_they_are_there_stands_in_trunks_yaml(asterisk: Asterisk) -> None:
    thirds = {uri for name, uris in DESTINATIONS.items() if name != "callback" for uri in uris}
    assert asterisk.named("pjsip", r"^contact *= *(\S+)") in (thirds, set())


@pytest.mark.parametrize(
    ("context", "line"),
    [
        ("ivr-from-trunk", "exten => _0X.,1,Dial(PJSIP/ivr-out/sip:${EXTEN}@127.0.0.1:5110)"),
        ("ivr-from-seat", "exten => _9X.,1,Dial(PJSIP/ivr-out/sip:110@127.0.0.1:5110)"),
        ("ivr-star", "exten => 1,1,Dial(PJSIP/ivr-out/sip:${EXTEN}@127.0.0.1:5110)"),
        ("ivr-star", "exten => 1,1,Dial(PJSIP/ivr-callback/${IVR_TO})"),
        ("ivr-star", f"exten => 1,1,Dial(PJSIP/ivr-out/{DESTINATIONS['119'][0]})"),
        ("ivr-star", f"exten => 1,1,Dial(PJSIP/ivr-out/{HELP[0]}&PJSIP/ivr-out/sip:1@127.0.0.1)"),
        ("ivr-queue", "exten => 1,1,Goto(ivr-callback-out,s,1)"),
        ("ivr-in-queue", "exten => 1,1,Gosub(ivr-callback-out,s,1)"),
        ("ivr-room-keys", "exten => 1,1,GotoIf($[1]?ivr-callback-out,s,1)"),
        ("ivr-refused", "exten => 1,1,ExecIf($[1]?Originate(Local/s@ivr-callback-out,app,NoOp))"),
    ],
)
def test_a_way_out_that_somebody_adds_is_found(
    asterisk: Asterisk, text: str, context: str, line: str
) -> None:
    assert faults(asterisk, text.replace(f"[{context}]\n", f"[{context}]\n{line}\n", 1))
