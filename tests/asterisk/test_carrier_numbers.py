"""Carriers write one number in many ways, and name several in one call: each reaches the hotline, as the same person.

Sent by hand: each case is a request as a trunk might send it, of which nothing may be tidied up on the way.
"""

from __future__ import annotations

import itertools
import socket
import time
from typing import Any

import pytest

from tests.asterisk.hotline import Hotline
from tools.phones import free_udp_port
from tools.phones.patience import PATIENCE_S

pytestmark = pytest.mark.asterisk

_calls = itertools.count(1)


class Trunk:
    """One call of a carrier's trunk.

    Args:
        hotline: who is called.
        target: the request's URI before the host, with its scheme; ``{}`` in it is the host.
        caller: the From header's value.
        headers: more headers, one a line.
    """

    def __init__(self, hotline: Hotline, target: str, caller: str, headers: str = "") -> None:
        self.server = ("127.0.0.1", hotline.sip_port)
        self.port = free_udp_port()
        self.id = f"numbers{next(_calls)}-{self.port}"
        self.uri = target.replace("{}", f"127.0.0.1:{hotline.sip_port}")
        self.caller = caller
        self.headers = "".join(f"{line}\r\n" for line in headers.splitlines())
        self.to = f"To: <sip:12345@127.0.0.1:{hotline.sip_port}>"
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", self.port))
        self.socket.settimeout(1.0)

    def call(self) -> int:
        """Call, ring off as soon as somebody answers, and return the final status."""
        invite = self._request("INVITE", 1, self.headers, self._offer())
        deadline = time.monotonic() + PATIENCE_S
        self._send(invite)
        while time.monotonic() < deadline:
            try:
                answer = self.socket.recv(65535).decode(errors="replace")
            except TimeoutError:
                self._send(invite)
                continue
            status = int(answer.split(" ", 2)[1])
            if status < 200:
                continue
            self.to = next(line for line in answer.split("\r\n") if line.lower().startswith("to:"))
            self._send(self._request("ACK", 1))
            if status < 300:
                self.ring_off()
            self.socket.close()
            return status
        raise AssertionError(f"no answer to {self.uri}")

    def ring_off(self) -> None:
        """Hang up, and be heard."""
        bye, deadline = self._request("BYE", 2), time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            self._send(bye)
            try:
                while b"2 BYE" not in self.socket.recv(65535):
                    pass
                return
            except TimeoutError:
                continue

    def _send(self, request: str) -> None:
        self.socket.sendto(request.encode(), self.server)

    def _request(self, method: str, number: int, headers: str = "", body: str = "") -> str:
        return (
            f"{method} {self.uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};rport;branch=z9hG4bK{self.id}{method.replace('ACK', 'INVITE')}\r\n"
            f"From: {self.caller};tag=t{self.port}\r\n{self.to}\r\nCall-ID: {self.id}\r\nCSeq: {number} {method}\r\n"
            f"Contact: <sip:c@127.0.0.1:{self.port}>\r\nMax-Forwards: 70\r\n{headers}"
            + ("Content-Type: application/sdp\r\n" if body else "")
            + f"Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def _offer(self) -> str:
        return (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {self.port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
        )


def caller_of(number: str) -> str:
    return f"<sip:{number}@127.0.0.1>"


def citizen(series: int, n: int) -> str:
    """A mobile number whose last four digits nobody else here has."""
    return f"1540000{series}{n:03}"


CALLED = [
    ("sip:12345;phone-context=+86833@{};user=phone", "q_general"),
    ("sip:12345;npdi@{}", "q_general"),
    ("sip:12345;tgrp=c20;trunk-context=sc.cn@{};user=phone", "q_general"),
    ("sip:12345;cpc=ordinary@{}", "q_general"),
    ("sip:12345%3Bcpc=ordinary@{}", "q_general"),
    ("sip:+8612345@{}", "q_general"),
    ("sip:8612345@{}", "q_general"),
    ("sip:008612345@{}", "q_general"),
    ("sip:008683312345@{}", "q_general"),
    ("sip:+8683312345;npdi;rn=+868339999@{};user=phone", "q_general"),
    ("sip:%2B8683312345@{}", "q_general"),
    ("sip:(0833)12345@{};user=phone", "q_general"),
    ("tel:12345;phone-context=+86833", "q_general"),
    ("sip:+8683312333;npdi;rn=+868339999@{};user=phone", "hr_12333"),
    ("sip:+8612333@{}", "hr_12333"),
    ("sip:008683312333@{}", "hr_12333"),
    ("sip:0086-833-12333@{};user=phone", "hr_12333"),
    ("sip:+86083312333@{}", "hr_12333"),
]
"""What is called, and the line that is meant, or the general queue."""

FORWARDED = [
    "Diversion: <sip:+868332200000@x>;counter=1\nDiversion: <sip:12333@x>;reason=unconditional",
    "Diversion: <tel:+868332200000>;reason=unknown;counter=1;privacy=off\n"
    "Diversion: <tel:12333>;reason=unconditional;counter=1;privacy=off",
    "History-Info: <sip:12345@x>;index=1.1.1\nHistory-Info: <sip:12333@x?Reason=SIP%3Bcause%3D302>;index=1",
    "Diversion: <sip:12345@x>\nDiversion: <sip:12345@x>\nHistory-Info: <sip:12345@x>\nHistory-Info: <sip:+8612333@x>",
    'Diversion: "a, <sip:12315@x>" <sip:12345@x>, sip:12333;npdi@x;reason=unknown',
    f'Diversion: <sip:12333@x>;reason="{"A" * 40000}"',
    f"Diversion: <sip:12345@x>;reason={'b' * 3500}\nHistory-Info: <sip:12333@x>;index=1",
]
"""Headers in each of which the line 12333 stands somewhere."""

ASSERTED = [
    "P-Asserted-Identity: <sip:{}@x;user=phone>, <tel:{}>",
    "P-Asserted-Identity: <tel:{}>\nP-Asserted-Identity: <sip:{}@x>",
    "P-Asserted-Identity: <sip:wang3.wu4@x>\nP-Asserted-Identity: <tel:{}>",
    'P-Asserted-Identity: "Wang, <sip:1@x>" <sip:{};cpc=ordinary@x>, <tel:{}>',
]
NOBODY = '"Anonymous" <sip:anonymous@anonymous.invalid>'


def test_the_hotline_is_reached_however_its_number_is_written(quick_hotline: Hotline) -> None:
    for n, (target, _) in enumerate(CALLED):
        assert Trunk(quick_hotline, target, caller_of(citizen(1, n))).call() == 200, target
    for n, (target, line) in enumerate(CALLED):
        ticket = quick_hotline.ticket_of(citizen(1, n))
        assert (ticket["line_id"] or "q_general") == line, target
        assert ticket["source"] == "live", target


def test_other_numbers_are_refused_however_they_are_written(quick_hotline: Hotline) -> None:
    for target in (
        "sip:12345x@{}",
        "sip:x12345;npdi@{}",
        "sip:12346;npdi@{}",
        "sip:+862812345@{}",
    ):
        assert Trunk(quick_hotline, target, caller_of(citizen(9, 0))).call() == 404, target


def test_the_line_is_found_in_any_header_that_tells_where_a_call_was_forwarded(
    quick_hotline: Hotline,
) -> None:
    for n, headers in enumerate(FORWARDED):
        for dialled, suffix in (("12345", 2), ("868332200000", 3)):
            number = citizen(suffix, n)
            assert Trunk(quick_hotline, f"sip:{dialled}@{{}}", caller_of(number), headers).call() == 200, (
                headers[:80]
            )
    for n, headers in enumerate(FORWARDED):
        found = {
            event["data"]["line_id"]
            for event in started(quick_hotline)
            if event["data"]["caller"]["mask"][-4:] in (citizen(2, n)[-4:], citizen(3, n)[-4:])
        }
        assert found == {"hr_12333"}, headers[:80]


def started(hotline: Hotline) -> list[dict[str, Any]]:
    return [event for event in hotline.journal() if event["kind"] == "call_started"]


def test_who_calls_is_known_when_the_network_says_it_in_two_ways(quick_hotline: Hotline) -> None:
    people = [f"+86{citizen(4, n)}" for n in range(len(ASSERTED))]
    for number, headers in zip(people, ASSERTED, strict=True):
        said = headers.replace("{}", number)
        assert Trunk(quick_hotline, "sip:12345@{}", NOBODY, said).call() == 200
        assert Trunk(quick_hotline, "sip:12345@{}", caller_of(f"0{number[3:]}")).call() == 200
    for number in people:
        mask = f"154****{number[-4:]}"
        known = [e["data"]["caller"] for e in started(quick_hotline) if e["data"]["caller"]["mask"] == mask]
        assert len(known) >= 2
        assert len({one["hash"] for one in known}) == 1, "one person, whatever the carrier writes"


def test_headers_of_any_length_cost_neither_the_line_nor_the_caller(quick_hotline: Hotline) -> None:
    many = ", ".join(f"<sip:138{n:08}@x>" for n in range(1900))
    monsters = (
        "A" * 40000,
        "<" * 4000,
        f'"{"%" * 3900}" <sip:1@x>',
        many,
        f"<sip:{'9' * 3900}@x>",
        "张" * 1300,
    )
    for n, monster in enumerate(monsters):
        headers = f"Diversion: {monster}\nHistory-Info: {monster[:3000]}\nDiversion: {monster[:3000]}"
        number = citizen(5, n)
        assert Trunk(quick_hotline, "sip:12333@{}", caller_of(number), headers).call() == 200
        ticket = quick_hotline.ticket_of(number)
        assert (ticket["line_id"], ticket["source"]) == ("hr_12333", "live"), monster[:40]
        assert any(event["kind"] == "placed" for event in ticket["events"])
    assert "Traceback" not in (quick_hotline.home / "log/engine.log").read_text()
