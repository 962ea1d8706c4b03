"""Citizens' and operators' phones, played by SIPp."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import re
import shutil
import socket
import subprocess
import threading
import time
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ivr.asterisk.install.installation import Programs
from ivr.asterisk.install.instance import port_owner
from tools.phones.handled import Handled, called_scenario, calling_scenario
from tools.phones.patience import PATIENCE_S

SCENARIOS = Path(__file__).parent / "scenarios"
PROGRAMS = Path("~/.cache/ivr12345/sip-tester").expanduser()
AT_LEISURE = (
    *("-watchdog_minor_threshold", "86400000", "-watchdog_major_threshold", "86400000"),
    *("-max_invite_retrans", "7", "-max_non_invite_retrans", "17"),
)
"""Milliseconds SIPp may be kept from running (a day), and how often it asks again: it calls for two minutes and
hangs up for one, while a busy Asterisk passes new calls over.  As shipped it ends itself, or takes a call for lost
after half a minute.
"""
_numbers = itertools.count(1)
_kept: set[int] = set()
_media_blocks = itertools.count(random.randrange(500))
_media_lock = threading.Lock()


def sipp_program() -> list[str]:
    """Return the command that runs SIPp: the installed one, else Debian's unpacked."""
    found = shutil.which("sipp")
    if found:
        return [found]
    return list(
        Programs(PROGRAMS, ("sip-tester",), "usr/bin/sipp").command(lambda line: print(line, flush=True))
    )


def free_udp_port() -> int:
    """Return a UDP port nobody holds right now, even, so that RTP may stand beside it."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port % 2 == 0 and port < 60000:
            return port


def kept_udp_port() -> int:
    """Return a UDP port for a phone that comes later: neither the kernel, a phone's RTP nor another test takes it."""
    first = 61000 + _worker() % 4 * 1100
    while True:
        port = random.randrange(first, first + 1100, 2)
        if port in _kept:
            continue
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", port))
            _kept.add(port)
            return port


def media_port() -> int:
    """Return the first of a block of ports for RTP: SIPp also binds the next ones, for RTCP and video.

    SIPp gives up if one is taken, so each comes once in a long while, from where the kernel gives none out,
    Asterisk has its RTP elsewhere, and no other worker of the tests looks.
    """
    while True:
        with _media_lock:
            block = next(_media_blocks)
        first = 2000 + _worker() % 4 * 2000 + block % 500 * 4
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + 4):
                probe = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                probe.bind(("127.0.0.1", port))
            return first


def _worker() -> int:
    """Return which of the tests' workers this is; they run beside each other."""
    return int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)


def alaw_of(wav: Path, folder: Path) -> Path:
    """Return a raw A-law copy of an 8 kHz 16-bit mono wav, as SIPp streams it."""
    import audioop

    target = folder / f"{wav.stem}.alaw"
    if not target.exists():
        with wave.open(str(wav)) as sound:
            if (sound.getframerate(), sound.getsampwidth(), sound.getnchannels()) != (8000, 2, 1):
                raise ValueError(f"{wav} is not 8 kHz 16-bit mono")
            target.write_bytes(audioop.lin2alaw(sound.readframes(sound.getnframes()), 2))
    return target


@dataclass
class Running:
    """A SIPp process; ``name`` tells which phone it plays."""

    name: str
    process: subprocess.Popen[bytes]
    folder: Path
    address: tuple[str, int] = ("", 0)

    def hang_up(self) -> int:
        """Let a caller who ``stays`` hang up, once what they say is said; return what :meth:`wait` does."""
        deadline, said = time.monotonic() + PATIENCE_S, self.folder / "happened.log"
        while self.process.poll() is None and not (
            said.exists() and "stays" in said.read_text(errors="replace")
        ):
            if time.monotonic() > deadline:
                return self.wait(0.0)
            time.sleep(0.02)
        call = f"1-{self.process.pid}@{self.address[0]}"  # SIPp's own form of a Call-ID
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hand:
            hand.sendto(
                f"MESSAGE sip:caller@{self.address[0]} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {self.address[0]};branch=z9hG4bKhand\r\n"
                f"From: <sip:hand@{self.address[0]}>;tag=hand\r\nTo: <sip:caller@{self.address[0]}>\r\n"
                f"Call-ID: {call}\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n".encode(),
                self.address,
            )
        return self.wait()

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait for it to end by itself; 0 when every call went as the scenario says."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.stop()
            return -1

    def stop(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def errors(self) -> str:
        """Return what SIPp complained of: the beginnings, where the cause stands, and the ends of long logs."""
        logs = [path.read_text(errors="replace") for path in sorted(self.folder.glob("errors*.log"))]
        return "\n".join(log if len(log) <= 8000 else f"{log[:4000]}\n[…]\n{log[-4000:]}" for log in logs)


class Phones:
    """Phones that know one Asterisk.

    Args:
        port: Asterisk's SIP port.
        folder: for scenarios, sounds and logs.
        host: Asterisk's address, loopback.
    """

    def __init__(self, port: int, folder: Path, host: str = "127.0.0.1") -> None:
        self.address = f"{host}:{port}"
        self.host = host
        self.folder = folder
        self.running: list[Running] = []
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Phones:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every phone that still runs."""
        for phone in self.running:
            phone.stop()

    def register(self, users: dict[str, str], ports: dict[str, int]) -> None:
        """Register softphones: passwords and ports by SIP user.

        Raises:
            RuntimeError: Asterisk refused one.
        """
        injected = self.folder / f"users{next(_numbers)}.csv"
        lines = [
            f"{user};[authentication username={user} password={password}];{ports[user]};"
            for user, password in users.items()
        ]
        injected.write_text("SEQUENTIAL\n" + "\n".join(lines) + "\n")
        text = (SCENARIOS / "register.xml").read_text()
        options = ["-inf", str(injected), "-m", str(len(users)), "-r", "50"]
        phone = self._start("register", text, free_udp_port(), options)
        if phone.wait() != 0:
            raise RuntimeError(f"registration failed: {phone.errors()}")

    def seat(
        self, port: int, *, sound: Path | None = None, ring_ms: int = 200, talk_ms: int = 0, calls: int = 0
    ) -> Running:
        """Answer calls on a port; ``talk_ms`` > 0 hangs up by itself, ``calls`` > 0 ends after as many."""
        hang_up = (SCENARIOS / "seat_hangs_up.part.xml").read_text() if talk_ms else ""
        text = (SCENARIOS / "seat.xml").read_text().replace("{hang_up}", hang_up)
        values = {"ring_ms": ring_ms, "talk_ms": talk_ms, "speak": self._speak(sound), "sound": "-"}
        return self._start("seat", _filled(text, values), port, ["-m", str(calls)] if calls else [])

    def restarted(self, port: int, *, hesitates_ms: int = 0) -> Running:
        """Answer calls on a port, and questions (OPTIONS); what is asked in a call that is not known gets 481, late."""
        text = (SCENARIOS / "seat.xml").read_text().replace("{hang_up}", "")
        head, tail = text.index("<recv request"), text.index("<send")
        text = text[:head] + (SCENARIOS / "restarted.part.xml").read_text() + text[tail:]
        values = {"ring_ms": 200, "hesitates_ms": hesitates_ms, "speak": "", "sound": "-"}
        return self._start("seat", _filled(text, values), port, [])

    def refuses(
        self, port: int, status: str = "486 Busy Here", *, ring_ms: int = 0, calls: int = 0
    ) -> Handled:
        """Refuse calls to a port with a SIP status, at once or after ringing; ``calls`` > 0 ends after as many."""
        values = {"status": status, "ring_ms": ring_ms, **_provisional(bool(ring_ms))}
        return self._hand("refuses", values, port, calls)

    def busy(self, port: int) -> Running:
        """Refuse every call to a port as a telephone that is in use does."""
        return self.refuses(port).running

    def unanswered(self, port: int, *, rings: bool, calls: int = 0) -> Handled:
        """Never answer calls to a port: ring, or say no more than that the call has arrived (100)."""
        return self._hand("unanswered", _provisional(rings), port, calls)

    def called(self, port: int, *, ring_ms: int = 0, calls: int = 0, foreign_codec: bool = False) -> Handled:
        """Answer calls to a port and then do what is asked of the phone's buttons.

        ``foreign_codec`` answers with a codec that was not offered.
        """
        text = called_scenario(foreign_codec=foreign_codec)
        return self._hand(text, {"ring_ms": ring_ms}, port, calls)

    def calling(
        self,
        *,
        dialled: str = "12345",
        number: str = "15400000000",
        headers: str = "",
        user: str = "",
        password: str = "",
    ) -> Handled:
        """Call from the trunk, or with a password as somebody who logs in, and then do what is asked."""
        text = calling_scenario((SCENARIOS / "caller.xml").read_text())
        if user:
            text = _with_login(text, user, password)
        values = {
            "dialled": dialled,
            "number": user if user.startswith("seat") else number,
            "name": "市民",
            "before_ms": 0,
            "speak": "",
            "headers": f"{headers}\n" if headers else "",
            "refusals": "",
        }
        port = free_udp_port()
        return Handled(self._start("caller", _filled(text, values), port, ["-m", "1"]), self.host, port)

    def _hand(self, scenario: str, values: Mapping[str, object], port: int, calls: int) -> Handled:
        text = scenario if scenario.startswith("<") else (SCENARIOS / f"{scenario}.xml").read_text()
        running = self._start("seat", _filled(text, values), port, ["-m", str(calls)] if calls else [])
        return Handled(running, self.host, port)

    def caller(  # noqa: PLR0913 - a phone call has many sides
        self,
        *,
        dialled: str = "12345",
        number: str = "15400000000",
        name: str = "市民",
        before_ms: int = 0,
        after_ms: int = 1000,
        stays: bool = False,
        sound: Path | None = None,
        headers: str = "",
        calls: int = 1,
        rate: float = 10.0,
        user: str = "",
        password: str = "",
        keys: str = "",
        ear: int = 0,
        key_gap_ms: int = 400,
        numbers: Sequence[str] = (),
    ) -> Running:
        """Call from the trunk, or with ``user`` and ``password`` as somebody who logs in.

        ``rate`` is calls a second, ``stays`` waits for the other side to hang up, or for
        :meth:`Running.hang_up`; ``keys`` are pressed (SIP INFO) once the call is answered, ``key_gap_ms``
        before each.  ``ear`` is the port of an :class:`Ear` that hears instead of SIPp, for as long as the
        caller is silent.
        ``numbers`` are those of several callers, one after the other.
        """
        ending = (SCENARIOS / "caller_hangs_up.part.xml").read_text()
        if stays:
            ending = (SCENARIOS / "caller_stays.part.xml").read_text().replace("{hangs_up}", ending)
        text = (SCENARIOS / "caller.xml").read_text().replace("{ending}", ending)
        if user:
            text = _with_login(text, user, password)
        elif keys:  # each key is a request of its own, before the last one
            text = text.replace("CSeq: 2 BYE", "CSeq: 99 BYE")
        if ear:
            text = text.replace("[rtpstream_audio_port]", str(ear))
        values = {
            "dialled": dialled,
            "number": user if user.startswith("seat") else number,
            "name": name,
            "before_ms": before_ms,
            "after_ms": 0 if stays else after_ms,
            "speak": self._speak(sound)
            + "".join(_key(digit, n, key_gap_ms) for n, digit in enumerate(keys, 3)),
            "headers": f"{headers}\n" if headers else "",
            "refusals": "",
        }
        options = ["-m", str(calls), "-r", str(int(rate)), "-l", "2000"]
        if numbers:
            injected = self.folder / f"numbers{next(_numbers)}.csv"
            injected.write_text("SEQUENTIAL\n" + "".join(f"{number};\n" for number in numbers))
            values["number"] = "[field0]"
            options = ["-m", str(len(numbers)), *options[2:], "-inf", str(injected)]
        return self._start("caller", _filled(text, values), free_udp_port(), options)

    def refused(self, *, dialled: str, code: int, number: str = "15400000000", headers: str = "") -> Running:
        """Call what must be refused with a SIP status."""
        values = {
            "dialled": dialled,
            "number": number,
            "name": "市民",
            "code": code,
            "headers": f"{headers}\n" if headers else "",
        }
        text = _filled((SCENARIOS / "caller_refused.xml").read_text(), values)
        return self._start("refused", text, free_udp_port(), ["-m", "1"])

    def _speak(self, sound: Path | None) -> str:
        if sound is None:
            return ""
        stream = alaw_of(sound, self.folder)
        seconds = stream.stat().st_size / 8000
        action = f'<nop><action><exec rtp_stream="{stream},1,8,PCMA/8000"/></action></nop>'
        return f'{action}\n<pause milliseconds="{int(seconds * 1000) + 100}"/>'

    def _start(self, name: str, scenario: str, port: int, options: list[str]) -> Running:
        folder = self.folder / f"{name}{next(_numbers)}"
        folder.mkdir()
        path = folder / "scenario.xml"
        path.write_text(scenario, encoding="utf-8")
        media = media_port()
        command = [
            *sipp_program(), "-sf", str(path), "-i", self.host, "-p", str(port), "-mi", self.host,
            "-mp", str(media),
            *AT_LEISURE, "-nostdin", "-trace_err", "-error_file", str(folder / "errors.log"),
            "-trace_logs", "-log_file", str(folder / "happened.log"), *options, self.address,
        ]  # fmt: skip
        with (folder / "screen.log").open("wb") as screen:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=screen, stderr=screen, cwd=folder
            )
        running = Running(f"{name} on {port}", process, folder, (self.host, port))
        self.running.append(running)
        if name == "seat":
            _wait_bound(process, port)
        return running


def _with_login(text: str, user: str, password: str) -> str:
    """Answer the challenge with a second INVITE; 110 names itself in From and the caller in P-Asserted-Identity."""
    # nothing is sent again soon: a busy Asterisk would ask for the password a second time
    text = text.replace('<send retrans="500">', '<send retrans="20000">')
    start, end = text.index("<send retrans"), text.index('<recv response="100"')
    first = text[start:end]
    challenged = (
        '<recv response="100" optional="true"/>\n<recv response="401" auth="true"/>\n'
        + "<send><![CDATA[\nACK sip:{dialled}@[remote_ip]:[remote_port] SIP/2.0\n"
        + "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n"
        + 'From: "{name}" <sip:{from}@[local_ip]:[local_port]>;tag=[pid]c[call_number]\n'
        + "To: <sip:{dialled}@[remote_ip]:[remote_port]>[peer_tag_param]\nCall-ID: [call_id]\nCSeq: 1 ACK\n"
        + "Max-Forwards: 70\nContent-Length: 0\n\n]]></send>\n"
    )
    login = f"[authentication username={user} password={password}]\n"
    second = first.replace("CSeq: 1 INVITE", "CSeq: 2 INVITE").replace("Max-Forwards", login + "Max-Forwards")
    text = text[:start] + first + challenged + second + text[end:].replace("CSeq: 1 ACK", "CSeq: 2 ACK")
    text = text.replace("CSeq: 2 BYE", "CSeq: 99 BYE").replace(
        "<sip:{number}@[local_ip]", "<sip:{from}@[local_ip]"
    )
    text = text.replace("{headers}", "P-Asserted-Identity: <sip:{number}@[local_ip]>\n{headers}")
    return text.replace("{from}", user)


def _key(digit: str, sequence: int, gap_ms: int) -> str:
    return (
        f'<pause milliseconds="{gap_ms}"/>\n<send><![CDATA[\nINFO [next_url] SIP/2.0\n'
        "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n"
        'From: "{name}" <sip:{number}@[local_ip]:[local_port]>;tag=[pid]c[call_number]\n'
        "To: <sip:{dialled}@[remote_ip]:[remote_port]>[peer_tag_param]\nCall-ID: [call_id]\n"
        f"CSeq: {sequence} INFO\nMax-Forwards: 70\nContent-Type: application/dtmf-relay\n"
        f'Content-Length: [len]\n\nSignal={digit}\nDuration=120\n]]></send>\n<recv response="200"/>\n'
    )


def _provisional(rings: bool) -> dict[str, object]:
    tag = ";tag=[pid]u[call_number]"
    return {"provisional": "180 Ringing" if rings else "100 Trying", "ring_tag": tag if rings else ""}


def _filled(text: str, values: Mapping[str, object]) -> str:
    for key, value in [*values.items(), *values.items()]:  # twice: a value may name another one
        text = text.replace("{" + key + "}", str(value))
    return text


def _wait_bound(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until SIPp listens, so that the first call does not find nobody."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        if port_owner(port, "udp"):
            return
        time.sleep(0.02)
