"""A SIPp softphone in somebody's hand: SIPp plays the telephone, a test pushes its buttons.

SIPp finds the call a request belongs to by its Call-ID alone.  So the buttons are requests that no
call server sends a telephone, sent to SIPp's own port; ``scenarios/handled.part.xml`` answers each
with what a softphone would send then: INFO, BYE, a re-INVITE, REFER.
"""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tools.phones.patience import PATIENCE_S

if TYPE_CHECKING:
    from tools.phones.sipp import Running

SCENARIOS = Path(__file__).parent / "scenarios"
SDP = """\
v=0
o=phone 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [rtpstream_audio_port] RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15"""
_FOREIGN_CODEC = ("RTP/AVP 8 101\na=rtpmap:8 PCMA/8000", "RTP/AVP 9 101\na=rtpmap:9 G722/8000")
_OWN = """\
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]n[cseq]
From: {local}
To:[$remote]
Call-ID: [call_id]"""
_CALLED = "<sip:phone@[local_ip]:[local_port]>;tag=[pid]s[call_number]"
_CALLER = '"{name}" <sip:{number}@[local_ip]:[local_port]>;tag=[pid]c[call_number]'
_count = itertools.count(1)


def called_scenario(*, foreign_codec: bool = False) -> str:
    """Return the scenario of a softphone that answers; ``{ring_ms}`` is still to be filled in."""
    sdp = SDP.replace(*_FOREIGN_CODEC) if foreign_codec else SDP
    text = (SCENARIOS / "called.xml").read_text().replace("{handled}", _handled(_CALLED))
    return text.replace("{sdp}", sdp)


def calling_scenario(text: str) -> str:
    """Return a caller's scenario with ``{ending}`` replaced by buttons that can be pushed."""
    heard = (
        '<recv response="200" rtd="true" rrs="true"><action>'
        '<ereg regexp=".*" search_in="hdr" header="To:" assign_to="remote"/>'
        '<log message="up [call_id]"/></action></recv>'
    )
    text = text.replace('<recv response="200" rtd="true" rrs="true"/>', heard).replace('<label id="1"/>', "")
    # a button pushed while SIPp is anywhere between the ACK and where it waits would end the call
    text = text.replace("<send><![CDATA[\nACK", '<send next="1"><![CDATA[\nACK')
    text = text.replace('<pause milliseconds="{before_ms}"/>', "")
    return text.replace("{ending}", _handled(_CALLER).replace("{sdp}", SDP))


def _handled(local: str) -> str:
    text = (SCENARIOS / "handled.part.xml").read_text()
    return text.replace("{own_headers}", _OWN.replace("{local}", local))


class Handled:
    """A softphone and its buttons.

    Args:
        running: the SIPp process.
        host: its address.
        port: its SIP port.
    """

    def __init__(self, running: Running, host: str, port: int) -> None:
        self.running = running
        self.port = port
        self._address = (host, port)

    def happened(self, what: str) -> list[str]:
        """Return what followed each ``invited``, ``up``, ``ended``, ``given up`` or ``refused`` in SIPp's log."""
        return [line[len(what) + 1 :] for line in self.log() if line.startswith(f"{what} ")]

    def in_call(self) -> str:
        """Return SIP's Call-ID of the call that is up, empty when none is: its phone may hear later than others."""
        up, ended = self.happened("up")[-1:], self.happened("ended")
        return next((call_id for call_id in up if call_id not in ended), "")

    def log(self) -> list[str]:
        """Return what happened so far, a line each, with SIP's Call-ID."""
        log = self.running.folder / "happened.log"
        return log.read_text(errors="replace").splitlines() if log.exists() else []

    def press(self, digits: str, gap_s: float = 0.15) -> None:
        """Press keys, each sent as SIP INFO."""
        for digit in digits:
            self._push("MESSAGE", digit)
            time.sleep(gap_s)

    def hang_up(self, call_id: str = "") -> None:
        """End the last call that came up, or another one."""
        self._push("PUBLISH", "bye", call_id)

    def hold(self, direction: str = "sendonly") -> None:
        """Put the other side on hold, or take it back with ``sendrecv``: a re-INVITE, which must be answered."""
        before = len(self.happened(direction))
        self._push("SUBSCRIBE", direction)
        self._expect(lambda: len(self.happened(direction)) > before, f"the answer to {direction}")

    def transfer_on(self, uri: str) -> None:
        """Ask the other side to call somebody else instead (REFER), and do not wait for an answer."""
        self._push("REGISTER", uri)

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait for its end; 0 when everything went as in its scenario."""
        return self.running.wait(timeout_s)

    def stop(self) -> None:
        """End it, whatever it does."""
        self.running.stop()

    def _expect(self, what: Callable[[], bool], name: str, limit_s: float = PATIENCE_S) -> None:
        deadline = time.monotonic() + limit_s
        while not what():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.running.name}: {name} did not come: {self.running.errors()}")
            time.sleep(0.01)

    def _push(self, method: str, body: str, call_id: str = "") -> None:
        """Send what stands for a button to the last call that came up."""
        if not call_id:
            self._expect(lambda: bool(self.happened("up")), "a call")
            call_id = self.happened("up")[-1]
        n = next(_count)
        lines = (
            f"{method} sip:phone@{self._address[0]}:{self.port} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKbutton{n}",
            "From: <sip:hand@127.0.0.1>;tag=hand",
            "To: <sip:phone@127.0.0.1>",
            f"Call-ID: {call_id}",
            f"CSeq: {n} {method}",
            f"Content-Length: {len(body)}",
        )
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hand:
            hand.sendto(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), self._address)
