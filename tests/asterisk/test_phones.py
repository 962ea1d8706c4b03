"""The phones of the tests are as stubborn as real ones, however late a busy call server hears and answers them."""

from __future__ import annotations

import itertools
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.asterisk.hotline import wait_for
from tools.phones import Phones, free_udp_port
from tools.phones.handled import Handled
from tools.phones.patience import PATIENCE_S
from tools.phones.sipp import Running

pytestmark = pytest.mark.asterisk
SDP = """\
v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 9 RTP/AVP 8 101
a=rtpmap:101 telephone-event/8000
""".replace("\n", "\r\n")


class BusyServer:
    """A call server that a test plays: it hears some things late or never, as one does on a busy machine."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self.port: int = self._socket.getsockname()[1]
        self._branches = itertools.count(1)
        self.phone: Running | None = None
        self.tag = ""

    def close(self) -> None:
        self._socket.close()

    def hear(self, begin: str, cseq: str = "") -> str:
        """Wait for a message of the phone that begins so, or for its end."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                message, self._at = self._socket.recvfrom(4096)
            except TimeoutError:
                assert self.phone is None or self.phone.process.poll() is None, self.phone.errors()
                continue
            text = message.decode()
            if text.startswith(begin) and f"CSeq: {cseq}" in text:
                self.tag = _first(r"To: .*;tag=(\S+)", text) or self.tag
                return text
        raise AssertionError(f"the phone did not say {begin}")

    def ok(self, request: str) -> None:
        """Answer a request of the phone."""
        kept = "".join(re.findall(r"(?m)^(?:Via|From|Call-ID|CSeq):.*\r\n", request))
        to = _first(r"To: ([^;\r]*)", request)
        self._say(f"SIP/2.0 200 OK\r\n{kept}To: {to};tag=server\r\n", SDP if " INVITE" in request else "")

    def call(self, port: int) -> None:
        """Call a phone."""
        self._at = ("127.0.0.1", port)
        self.ask("INVITE", 1)
        self.hear("SIP/2.0 200", "1 INVITE")

    def ask(self, method: str, cseq: int) -> None:
        """Ask the phone that was called for something."""
        branch = f"z9hG4bK{method}{cseq}" if method != "ACK" else f"z9hG4bKack{cseq}"
        self._say(
            f"{method} sip:phone@127.0.0.1:{self._at[1]} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch={branch}\r\n"
            f"From: <sip:server@127.0.0.1>;tag=server\r\n"
            f"To: <sip:phone@127.0.0.1>{f';tag={self.tag}' if self.tag else ''}\r\n"
            f"Call-ID: called@server\r\nCSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n",
            SDP if method == "INVITE" else "",
        )

    def _say(self, head: str, body: str) -> None:
        kind = "Content-Type: application/sdp\r\n" if body else ""
        head += f"Contact: <sip:127.0.0.1:{self.port}>\r\n{kind}Content-Length: {len(body)}\r\n\r\n"
        self._socket.sendto((head + body).encode(), self._at)


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1] if found else ""


@pytest.fixture
def server() -> Iterator[BusyServer]:
    with closing(BusyServer()) as busy:
        yield busy


def test_a_caller_who_hangs_up_while_the_answer_is_told_again_hangs_up_until_it_is_heard(
    tmp_path: Path, server: BusyServer
) -> None:
    with Phones(server.port, tmp_path) as phones:
        server.phone = phones.caller(after_ms=0)
        invite = server.hear("INVITE")
        server.ok(invite)
        server.hear("ACK")
        server.hear("BYE")
        server.ok(invite)  # neither ACK nor BYE was heard
        server.ok(server.hear("BYE"))
        assert server.phone.wait() == 0, server.phone.errors()


def test_a_button_that_hangs_up_while_the_answer_is_told_again_hangs_up_until_it_is_heard(
    tmp_path: Path, server: BusyServer
) -> None:
    with Phones(server.port, tmp_path) as phones:
        caller = phones.calling()
        server.phone = caller.running
        invite = server.hear("INVITE")
        server.ok(invite)
        server.hear("ACK")
        caller.hang_up()  # as soon as the call is up, sooner than any person
        server.hear("BYE")
        server.ok(invite)
        server.ok(server.hear("BYE"))
        assert caller.wait() == 0, caller.running.errors()


def test_a_key_that_is_answered_after_the_button_hung_up_is_not_taken_for_the_end(
    tmp_path: Path, server: BusyServer
) -> None:
    with Phones(server.port, tmp_path) as phones:
        caller = phones.calling()
        server.phone = caller.running
        server.ok(server.hear("INVITE"))
        server.hear("ACK")
        caller.press("1")
        key = server.hear("INFO")
        caller.hang_up()
        server.hear("BYE")
        server.ok(key)
        server.ok(server.hear("BYE"))
        assert caller.wait() == 0, caller.running.errors()


@pytest.fixture
def called(tmp_path: Path, server: BusyServer) -> Iterator[Handled]:
    """Return a phone that was called by the server and is up."""
    with Phones(server.port, tmp_path) as phones:
        port = free_udp_port()
        phone = phones.called(port, calls=1)
        server.phone = phone.running
        server.call(port)
        server.ask("ACK", 1)
        yield phone


@pytest.mark.parametrize("between", ["UPDATE", "INVITE"])
def test_a_phone_whose_answer_was_heard_twice_stays_in_its_call(
    server: BusyServer, called: Handled, between: str
) -> None:
    """It said 200 twice, so it hears ACK twice, and something else in between."""
    server.ask(between, 2)
    server.hear("SIP/2.0 200", f"2 {between}")
    server.ask("ACK", 1)
    if between == "INVITE":
        server.ask("ACK", 2)
    _hangs_up(server, called)


@pytest.mark.parametrize("talk_ms", [0, 300])
def test_a_seat_whose_answer_was_heard_twice_stays_in_its_call(
    tmp_path: Path, server: BusyServer, talk_ms: int
) -> None:
    with Phones(server.port, tmp_path) as phones:
        port = free_udp_port()
        server.phone = phones.seat(port, talk_ms=talk_ms, calls=1)
        server.call(port)
        server.ask("ACK", 1)
        if talk_ms:
            bye = server.hear("BYE")
            server.ask("ACK", 1)
            server.ok(bye)
        else:
            server.ask("UPDATE", 2)
            server.hear("SIP/2.0 200", "2 UPDATE")
            server.ask("ACK", 1)
            server.ask("BYE", 3)
            server.hear("SIP/2.0 200", "3 BYE")
        assert server.phone.wait() == 0, server.phone.errors()


@pytest.mark.parametrize("instead", ["UPDATE", "a button", "BYE"])
def test_a_phone_whose_call_is_changed_stays_in_it_when_something_comes_before_the_ack(
    server: BusyServer, called: Handled, instead: str
) -> None:
    server.ask("INVITE", 2)
    server.hear("SIP/2.0 200", "2 INVITE")
    if instead == "BYE":
        server.ask("BYE", 3)
        server.hear("SIP/2.0 200", "3 BYE")
        assert called.wait() == 0, called.running.errors()
        return
    if instead == "UPDATE":
        server.ask("UPDATE", 3)
        server.hear("SIP/2.0 200", "3 UPDATE")
    else:
        called.press("1")
        server.ok(server.hear("INFO"))
    server.ask("ACK", 2)
    _hangs_up(server, called)


def test_a_phone_that_did_not_run_for_a_while_says_nothing_of_it(server: BusyServer, called: Handled) -> None:
    """SIPp counts such whiles, complains of each, and after some of them ends."""
    wait_for(lambda: called.happened("up"), why="the call is up")
    os.kill(called.running.process.pid, signal.SIGSTOP)
    time.sleep(1.5)  # the passing of time is the event
    os.kill(called.running.process.pid, signal.SIGCONT)
    _hangs_up(server, called)
    assert not called.running.errors()


def _hangs_up(server: BusyServer, phone: Handled) -> None:
    """See that a phone is in its call: its button ends it."""
    phone.hang_up()
    server.ok(server.hear("BYE"))
    assert phone.wait() == 0, phone.running.errors()
