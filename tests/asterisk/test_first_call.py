"""A citizen dials 12345, an operator answers, and a ticket tells what was said."""

from __future__ import annotations

import hashlib
import itertools
import re
import wave
from pathlib import Path

import pytest

from tests.asterisk.hotline import SPEECH, Hotline, wait_for

pytestmark = pytest.mark.asterisk
_numbers = itertools.count(7001)


def said(name: str) -> str:
    for line in (SPEECH / "transcripts.tsv").read_text(encoding="utf-8").splitlines():
        cells = line.split("\t")
        if cells[0].removesuffix(".wav") == name:
            return cells[-1]
    raise KeyError(name)


def errors(expected: str, heard: str) -> float:
    """Character error rate."""
    row = list(range(len(heard) + 1))
    for i, a in enumerate(expected, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(heard, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1] / len(expected)


def test_the_ticket_of_a_call_says_who_said_what(hotline: Hotline) -> None:
    hotline.man("01", "1001", sound=SPEECH / "social_card.wav")
    number = "15400001001"
    caller = hotline.phones.caller(
        number=number, before_ms=7500, sound=SPEECH / "power_cut.wav", after_ms=800
    )
    assert caller.wait() == 0, caller.errors()
    ticket = hotline.transcribed(number)

    assert ticket["outcome"] == "answered"
    assert ticket["state"] == "accepted"
    assert ticket["source"] == "live"
    assert (ticket["seat"], ticket["operator"], ticket["queue"]) == ("01", "1001", "q_general")
    assert ticket["dialled_number"] == "12345"
    assert ticket["caller"] == "154****1001"
    assert number not in str(ticket)
    assert len(ticket["ticket_no"]) == 20
    assert ticket["query_code"] == ticket["ticket_no"][-8:]
    assert ticket["talk_s"] > 3

    transcript = ticket["transcript"]
    assert transcript["status"] == "done"
    assert transcript["demonstration"] is True
    by_side = {
        side: "".join(turn["text"] for turn in transcript["turns"] if turn["speaker"] == side)
        for side in ("caller", "operator")
    }
    assert errors(said("power_cut"), by_side["caller"]) < 0.25, by_side
    assert errors(said("social_card"), by_side["operator"]) < 0.25, by_side
    for turn in transcript["turns"]:
        assert 0 <= turn["start"] < turn["end"]

    [recording] = ticket["recordings"]
    path = Path(recording["path"])
    assert recording["sides"] == ["caller", "operator"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == recording["sha256"]
    assert path.stat().st_mode & 0o077 == 0, "a recording is for the hotline's own user"
    with wave.open(str(path)) as sound:
        assert (sound.getnchannels(), sound.getframerate(), sound.getsampwidth()) == (2, 8000, 2)
    assert not path.with_suffix(".raw").exists()
    hotline.unman("01")


def test_the_caller_hears_the_recording_notice_within_six_seconds_of_the_answer(hotline: Hotline) -> None:
    number = "15400001002"
    caller = hotline.phones.caller(number=number, after_ms=8000)
    assert caller.wait() == 0
    ticket = hotline.ticket_of(number)
    assert ticket["outcome"] == "abandoned"
    times = {event["kind"]: event["at"] for event in ticket["events"]}
    greeted = _seconds(times["queued"]) - _seconds(times["greeted"])
    with wave.open(str(Path(__file__).parents[2] / "ivr/speech/prompts/zh/P001.wav")) as sound:
        length = sound.getnframes() / sound.getframerate()
    assert length <= 6.0
    assert greeted % 86400 > length - 0.1, "the queue begins when the whole notice was played"
    assert times["call_started"] <= times["greeted"] <= times["queued"]
    assert ticket["recordings"] == [], "nobody answered, so nothing was recorded"


def _seconds(moment: str) -> float:
    hours, minutes, seconds = moment[11:23].split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


@pytest.mark.parametrize("after_ms", [0, 300, 3000, 5600, 6500])
def test_hanging_up_at_any_moment_leaves_an_abandoned_ticket(hotline: Hotline, after_ms: int) -> None:
    number = f"1540000{2000 + after_ms // 10}"
    assert hotline.phones.caller(number=number, after_ms=after_ms).wait() == 0
    ticket = hotline.ticket_of(number)
    assert ticket["outcome"] == "abandoned"
    kinds = [event["kind"] for event in ticket["events"]]
    assert kinds.count("hung_up") == 1
    assert kinds.count("greeted") == 1, "the moment of the answer, once a call"
    times = {event["kind"]: event["at"] for event in ticket["events"]}
    assert times["call_started"] <= times["greeted"] <= times["hung_up"]
    assert ("queued" in kinds) is (after_ms > 6000), "the notice lasts six seconds"


def test_an_operator_who_hangs_up_first_ends_the_talk_and_the_call(hotline: Hotline) -> None:
    hotline.man("02", "1002", talk_ms=1500)
    number = "15400001003"
    caller = hotline.phones.caller(number=number, stays=True)
    assert caller.wait() == 0, caller.errors()
    ticket = hotline.ticket_of(number)
    assert ticket["outcome"] == "answered"
    left = next(event for event in ticket["events"] if event["kind"] == "operator_left")
    assert left["reason"] == "agent"
    call = hotline.ask("calls", "show", ticket["call_id"])
    assert call["state"] == "ended"
    assert [leg["role"] for leg in call["legs"]] == ["caller", "operator"]
    assert all(leg["joined_at"] <= leg["left_at"] for leg in call["legs"])
    hotline.unman("02")


def test_a_second_seat_rings_when_the_first_does_not_answer(hotline: Hotline) -> None:
    hotline.man("03", "1003", ring_ms=40_000)
    number = "15400001004"
    caller = hotline.phones.caller(number=number, stays=True)
    wait_for(lambda: hotline.call_state(number) == "ringing", why="the first seat rings")
    hotline.man("04", "1004", talk_ms=500)
    assert caller.wait(60) == 0, caller.errors() + hotline.logs()
    ticket = hotline.ticket_of(number)
    kinds = [event["kind"] for event in ticket["events"]]
    assert "seat_no_answer" in kinds
    assert (ticket["seat"], ticket["operator"]) == ("04", "1004")
    hotline.unman("03")
    hotline.unman("04")


@pytest.mark.parametrize(
    ("dialled", "headers", "line"),
    [
        ("12315", "", "market_12315"),
        ("083312315", "", "market_12315"),
        ("+8683312345", "", None),
        ("12345", "Diversion: <sip:12333@10.0.0.1>;reason=unconditional", "hr_12333"),
        ("12345", 'Diversion: "old, line" <tel:+86-833-12329>;reason=unknown', "fund_12329"),
        ("0000", "History-Info: <sip:12369@10.0.0.1>;index=1,<sip:0000@10.0.0.1>;index=1.1", "env_12369"),
        ("0000", "Diversion: <sip:12369@10.0.0.1>;reason=unconditional", "env_12369"),
        ("0000", "Diversion: <sip:0001@10.0.0.1>\nDiversion: <sip:12369@10.0.0.1>", "env_12369"),
        ("0000", "Diversion: <sip:0001@10.0.0.1>, <sip:12369@10.0.0.1>;reason=unconditional", "env_12369"),
        (
            "0000",
            "History-Info: <sip:0001@10.0.0.1>;index=1\nHistory-Info: <sip:12315@10.0.0.1>;index=1.1",
            "market_12315",
        ),
        (
            "12345",
            "History-Info: <sip:12328@10.0.0.1?Reason=SIP%3Bcause%3D302>;index=1,<sip:12345@10.0.0.1>;index=1.1",
            "transport_12328",
        ),
    ],
)
def test_the_ticket_knows_the_line_that_was_meant(
    hotline: Hotline, dialled: str, headers: str, line: str | None
) -> None:
    number = f"1540002{next(_numbers):04d}"  # a ticket is known by the last four digits
    caller = hotline.phones.caller(dialled=dialled, number=number, headers=headers, after_ms=200)
    assert caller.wait() == 0, caller.errors()
    ticket = hotline.ticket_of(number)
    assert ticket["line_id"] == line
    assert ticket["dialled_number"] == dialled.lstrip("+")


@pytest.mark.parametrize(
    "dialled", ["999", "119", "10086", "12345abc", "ivr-seat", "*111001", "1" * 25, "00008100199"]
)
def test_what_is_no_number_of_ours_is_refused_and_never_reaches_reception(
    hotline: Hotline, dialled: str
) -> None:
    before = len(hotline.tickets())
    caller = hotline.phones.refused(dialled=dialled, code=404)
    assert caller.wait() == 0, caller.errors()
    assert len(hotline.tickets()) == before


def test_a_refused_call_is_logged_as_a_security_event(hotline: Hotline) -> None:
    assert hotline.phones.refused(dialled="4008123456", code=404).wait() == 0
    log = hotline.home / "log/engine.log"
    wait_for(lambda: "refused a call to ****3456" in log.read_text(), why="a line in the log")


def test_a_seat_whose_password_is_wrong_is_refused_and_logged(hotline: Hotline) -> None:
    with pytest.raises(RuntimeError):
        hotline.phones.register({"seat05": "guess"}, {"seat05": 5999})
    log = hotline.home / "log/engine.log"
    wait_for(lambda: "security:" in log.read_text() and "seat05" in log.read_text(), why="a line in the log")
    assert not next(row for row in hotline.ask("seats", "list") if row["seat"] == "05")["registered"]


def test_nothing_from_the_trunk_can_be_dialled_out(hotline: Hotline) -> None:
    """What is dialled never becomes a destination: only those that trunks.yaml names stand in a Dial."""
    dialplan = (hotline.home / "asterisk/etc/ivr12345/extensions.conf").read_text()
    for application in ("Originate(", "System(", "Transfer(", "ChannelRedirect("):
        assert application not in dialplan
    called = re.findall(r"\bDial\(([^,]*),", dialplan)
    assert called, "the star key leads to help"
    assert all(re.fullmatch(r"PJSIP/ivr-out/sip:11[0-9]@127\.0\.0\.1:[0-9]+", target) for target in called)


def test_asterisks_log_is_clean_after_all_this(hotline: Hotline) -> None:
    lines = (hotline.home / "asterisk/log/messages.log").read_text(errors="replace").splitlines()
    bad = [line for line in lines if "ERROR[" in line or "WARNING[" in line]
    assert not [line for line in bad if "seat05" not in line and "failed to authenticate" not in line], bad
