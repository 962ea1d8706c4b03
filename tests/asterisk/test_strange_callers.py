"""Callers and visitors nobody expects: they get an answer or a clear no, and disturb nobody."""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path

import pytest

from tests.asterisk.hotline import Hotline, wait_for
from tools.phones import free_udp_port
from tools.phones.tone_phone import TonePhone

pytestmark = pytest.mark.asterisk


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("张三", "3001"),
        (r"a\"b\\c", "3002"),
        ("x" * 4000, "3003"),
        ("$\\{SHELL(id)\\};|,^&", "3004"),
        ("%0d%0aAction: Originate", "3005"),
    ],
)
def test_a_strange_caller_name_costs_nothing(quick_hotline: Hotline, name: str, suffix: str) -> None:
    number = f"1540000{suffix}"
    caller = quick_hotline.phones.caller(number=number, name=name, stays=True)
    wait_for(lambda: quick_hotline.call_state(number) == "waiting", why="the caller got as far as the queue")
    assert caller.hang_up() == 0, caller.errors()
    ticket = quick_hotline.ticket_of(number)
    assert ticket["outcome"] == "abandoned"
    assert ticket["queue"] == "q_general", "the caller got as far as the queue"
    assert ticket["source"] == "live", "the engine itself received the call"


def invite(port: int, local: int, name: bytes, number: str) -> bytes:
    body = (
        f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=audio {local + 2} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
    ).encode()
    head = (
        f"INVITE sip:12345@127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{local};branch=z9hG4bK{local}\r\n"
        'From: "'.encode()
        + name
        + (
            f'" <sip:{number}@127.0.0.1:{local}>;tag=t{local}\r\nTo: <sip:12345@127.0.0.1:{port}>\r\n'
            f"Call-ID: raw{local}\r\nCSeq: 1 INVITE\r\nContact: <sip:c@127.0.0.1:{local}>\r\nMax-Forwards: 70\r\n"
            f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
    )
    return head + body


@pytest.mark.parametrize(
    ("name", "suffix"), [("张三".encode("gbk"), "4001"), (b"a\x00b", "4002"), (b"tab\there", "4003")]
)
def test_a_name_in_bytes_that_are_no_text_does_not_cost_the_call(
    quick_hotline: Hotline, name: bytes, suffix: str
) -> None:
    """Sent by hand: SIPp cannot say such things."""
    number = f"1540000{suffix}"
    local = free_udp_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", local))
        phone.settimeout(10)
        phone.sendto(
            invite(quick_hotline.sip_port, local, name, number), ("127.0.0.1", quick_hotline.sip_port)
        )
        status = b""
        while not status.startswith(b"SIP/2.0 200"):
            status = phone.recv(4096)
            assert status.startswith((b"SIP/2.0 1", b"SIP/2.0 200")), status[:200]
        to_tag = next(line for line in status.split(b"\r\n") if line.lower().startswith(b"to:"))
        phone.sendto(
            b"BYE sip:12345@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bKb%d\r\n"
            b"From: <sip:%s@127.0.0.1:%d>;tag=t%d\r\n%s\r\nCall-ID: raw%d\r\nCSeq: 2 BYE\r\nMax-Forwards: 70\r\n"
            b"Content-Length: 0\r\n\r\n" % (local, local, number.encode(), local, local, to_tag, local),
            ("127.0.0.1", quick_hotline.sip_port),
        )
        assert quick_hotline.ticket_of(number)["outcome"] == "abandoned"
    assert quick_hotline.run("status").returncode == 0


@pytest.mark.parametrize(
    "garbage", [b"", b"\x00" * 2000, b"GET / HTTP/1.0\r\n\r\n", b"agi_network: yes\nagi_", b"A" * 70000]
)
def test_port_probes_and_half_headers_disturb_nobody(quick_hotline: Hotline, garbage: bytes) -> None:
    port = int(quick_hotline.environment["IVR_AGI_PORT"])
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port)) as probe:
            try:
                probe.sendall(garbage)
            except OSError:
                continue
    number = f"1540000{5000 + len(garbage) % 1000}"
    assert quick_hotline.phones.caller(number=number, after_ms=800).wait() == 0
    assert quick_hotline.ticket_of(number)["source"] == "live"


def test_a_recording_of_no_length_is_said_in_the_ticket(quick_hotline: Hotline) -> None:
    quick_hotline.man("01", "1001", ring_ms=0)
    number = "15400006001"
    caller = quick_hotline.phones.caller(number=number, stays=True)
    wait_for(lambda: quick_hotline.call_state(number) == "talking", why="they talk, and nobody sends a sound")
    assert caller.hang_up() == 0, caller.errors()
    ticket = quick_hotline.transcribed(number)
    assert ticket["outcome"] == "answered"
    quick_hotline.unman("01")
    assert ticket["recordings"] == []
    assert ticket["transcript"]["status"] == "failed"
    assert any(event["kind"] == "recording_failed" for event in ticket["events"])


@pytest.mark.parametrize("user", ["trunk", "ivr-out", "ivr-callback", "15400008001"])
def test_an_unknown_address_is_refused_whatever_it_calls_itself(quick_hotline: Hotline, user: str) -> None:
    """Only the carrier's address is the trunk; a name in From proves nothing."""
    before = len(quick_hotline.tickets())
    port = free_udp_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.9", port))
        stranger.settimeout(10)
        stranger.sendto(
            invite(quick_hotline.sip_port, port, b"stranger", user).replace(
                b"SIP/2.0/UDP 127.0.0.1", b"SIP/2.0/UDP 127.0.0.9"
            ),
            ("127.0.0.1", quick_hotline.sip_port),
        )
        answer = stranger.recv(4096).split(b"\r\n")[0]
    assert answer == b"SIP/2.0 401 Unauthorized"
    log = quick_hotline.home / "log/strangers.log"
    wait_for(lambda: log.exists() and "address=127.0.0.9 " in log.read_text(), why="it is a security event")
    assert len(quick_hotline.tickets()) == before


def test_a_diversion_from_110_hears_no_prompt_and_goes_before_everybody(quick_hotline: Hotline) -> None:
    waiting = [quick_hotline.phones.caller(number=f"1540000700{i}", stays=True) for i in range(2)]
    wait_for(lambda: quick_hotline.waiting() == 2, why="two callers wait")
    secrets = json.loads((quick_hotline.home / "secrets.json").read_text())
    police = from_110(quick_hotline, secrets["sip"]["from-110"], "15400007009")
    wait_for(lambda: quick_hotline.waiting() == 3, why="the police waits too")
    quick_hotline.man("05", "1005", talk_ms=600)
    assert police.wait() == 0, police.errors()
    for caller in waiting:
        assert caller.wait() == 0, caller.errors()
    first = quick_hotline.ticket_of("15400007009")
    assert first["source"] == first["channel"] == "110_diversion"
    times = {event["kind"]: event["at"] for event in first["events"]}
    assert times["call_started"] <= times["greeted"] <= times["queued"], "answered, though nothing is said"
    assert first["police_ref"] == "JJ-2026.1122_0001", "what could be more than a name is left out"
    answers = {
        last: next(
            e["at"] for e in quick_hotline.ticket_of(f"1540000{last}")["events"] if e["kind"] == "answered"
        )
        for last in ("7000", "7001", "7009")
    }
    assert min(answers, key=lambda who: answers[who]) == "7009"
    quick_hotline.unman("05")


def from_110(hotline: Hotline, password: str, number: str):  # type: ignore[no-untyped-def]
    """Call as the 110 platform, which logs in with its own user."""
    reference = 'X-Police-Ref: JJ-2026.1122_,0"0)0}1;'
    return hotline.phones.caller(
        number=number, user="from-110", password=password, stays=True, headers=reference
    )


def test_a_seat_logs_in_and_out_by_star_code_and_pin(quick_hotline: Hotline) -> None:
    secrets = json.loads((quick_hotline.home / "secrets.json").read_text())
    user, password, pin = "seat06", secrets["sip"]["seat06"], secrets["pins"]["1006"]

    def seat() -> dict[str, object]:
        return next(row for row in quick_hotline.engine("seats") if row["seat"] == "06")

    def dial(code: str, keys: str = "") -> None:
        phone = quick_hotline.phones.caller(
            dialled=code, number=user, user=user, password=password, keys=keys, stays=True
        )
        assert phone.wait() == 0, phone.errors()

    def shows(state: str) -> None:
        wait_for(
            lambda: seat()["state"] == state, why=f"{state}, once the phone that dialled is back on its hook"
        )

    wrong = "000000" if pin != "000000" else "111111"
    dial("*111006", wrong * 3)
    assert seat()["state"] == "logged_out"
    dial("*111006", pin)
    shows("ready")
    assert seat()["operator"] == "1006"
    dial("*122")
    shows("paused")
    assert seat()["reason"] == "meal"
    dial("*13")
    shows("ready")
    dial("*10")
    shows("logged_out")
    assert seat()["operator"] is None


class Forwarded(TonePhone):
    """A seat's telephone that was set to forward its calls to a star code."""

    def _send(self, text: str, to: tuple[str, int]) -> None:
        super()._send(text.replace("Contact: <sip:tone@", "Contact: <sip:*111001@"), to)


def test_a_seat_whose_phone_is_forwarded_sends_no_caller_anywhere(quick_hotline: Hotline) -> None:
    server = ("127.0.0.1", quick_hotline.sip_port)
    secrets = json.loads((quick_hotline.home / "secrets.json").read_text())
    number = "15400008101"
    with contextlib.closing(Forwarded(0, 0.0, server, behaviour="302")) as phone:
        quick_hotline.phones.register({"seat09": secrets["sip"]["seat09"]}, {"seat09": phone.port})
        quick_hotline.engine("login", seat="09", operator="1009")
        quick_hotline.phones.caller(number=number, stays=True)
        wait_for(lambda: len(phone.invites) >= 2, why="the telephone was rung twice")
        quick_hotline.man("10", "1010", talk_ms=500)
        ticket = quick_hotline.ticket_of(number)
    quick_hotline.unman("09")
    quick_hotline.unman("10")
    assert ticket["seat"] == "10", "somebody who is there answers"
    assert [e["seat"] for e in ticket["events"] if e["kind"] == "answered"] == ["10"]


def test_asterisk_lost_nothing_and_leaked_nothing(quick_hotline: Hotline) -> None:
    def calm() -> bool:
        text = (Path(quick_hotline.home) / "asterisk/log/messages.log").read_text(errors="replace")
        return "segfault" not in text and quick_hotline.waiting() == 0

    wait_for(calm, why="no caller is left over")
    states = {call["state"] for call in quick_hotline.ask("calls", "list")}
    assert states == {"ended"}
