"""A SIP phone that sings: it sends one tone, and measures which tones it hears.

SIPp tells whether a call went as written; this phone tells who hears whom.  One dialog at a time,
UDP, PCMA or PCMU, keys by SIP INFO.  For tests and benchmarks on loopback only.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import re
import socket
import struct
import threading
import time
import wave
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tools.phones.patience import PATIENCE_S
from tools.phones.stream import PCMA, RATE_HZ, Codec, Stream, decoded

LOUD = 0.02
"""Of full scale: what counts as heard; a tone is sent at 0.25."""
_ids = itertools.count(int(time.time()) % 100000 * 1000)


def level(samples: bytes, hertz: float) -> float:
    """Return the strength of one frequency, as a share of full scale (Goertzel).

    Args:
        samples: 16-bit little-endian mono, 8 kHz.
        hertz: the frequency.
    """
    values = struct.unpack(f"<{len(samples) // 2}h", samples)
    if not values:
        return 0.0
    factor = 2 * math.cos(2 * math.pi * hertz / RATE_HZ)
    before = last = 0.0
    for value in values:
        before, last = last, value + factor * last - before
    power = last * last + before * before - factor * last * before
    return 2 * math.sqrt(max(power, 0.0)) / len(values) / 32768


@dataclass
class Dialog:
    """One call of the phone, as SIP sees it."""

    call_id: str
    remote: tuple[str, int]
    target: str
    local_header: str
    remote_header: str
    outgoing: bool
    sequence: int = 1
    invited: int = 1
    media: tuple[str, int] | None = None
    invite: str = ""
    up: bool = False
    login: tuple[str, str] | None = None
    headers: str = ""
    version: int = 1
    direction: str = "sendrecv"
    agreed: int = 0


def _header(message: str, name: str) -> str:
    found = re.search(rf"^{name}\s*:\s*(.*?)\r?$", message, re.MULTILINE | re.IGNORECASE)
    return found.group(1) if found else ""


def _all_headers(message: str, name: str) -> list[str]:
    return re.findall(rf"^{name}\s*:\s*.*?(?=\r?$)", message, re.MULTILINE | re.IGNORECASE)


class TonePhone:
    """One phone.

    Args:
        port: its SIP port; 0 takes a free one.
        hertz: the tone it sends; 0 sends silence.
        server: Asterisk's SIP address.
        behaviour: what it does when called: ``answer``, ``ring`` (for ever), ``silent`` (not even
            that), or a SIP status such as ``486``.
        ring_s: seconds it rings before it answers.
        keys: pressed this many seconds after the answer: (seconds, digits).
        name: for messages of failed tests.
        codec: the one it speaks.
        deaf: hears nothing and says nothing: in a crowd nobody is woken for each packet of music.
        packet_ms: what one packet of it holds, in milliseconds.
        translated: it stands behind an address translation: its media come from another port than it names.
    """

    def __init__(  # noqa: PLR0913 - a telephone has many sides
        self,
        port: int,
        hertz: float,
        server: tuple[str, int],
        *,
        behaviour: str = "answer",
        ring_s: float = 0.0,
        keys: tuple[float, str] | None = None,
        name: str = "",
        codec: Codec = PCMA,
        deaf: bool = False,
        packet_ms: int = 20,
        translated: bool = False,
    ) -> None:
        self.port, self.hertz, self.server = port, hertz, server
        self.behaviour, self.ring_s, self.auto_keys = behaviour, ring_s, keys
        self.name = name
        self._codec = codec
        self._stream = Stream(codec)
        self._packet_ms, self._frame = packet_ms, RATE_HZ * packet_ms // 1000
        self.asked_at_home = 0
        """How often somebody has asked whether it is there (OPTIONS)."""
        self.suppresses = False
        """Whether it sends nothing at all now, as phones do that suppress silence."""
        self.invites: list[tuple[float, str]] = []
        """Each INVITE that reached us: (monotonic seconds, message)."""
        self.answered_at = 0.0
        self.ended_at = 0.0
        self.status = 0
        """The last final status of a call we made."""
        self._sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sip.bind(("127.0.0.1", port))
        self.port = self._sip.getsockname()[1]
        self._sip.settimeout(0.1)
        self._rtp = _media_socket()
        self._inside = _media_socket() if translated else self._rtp
        self._media_port: int = self._inside.getsockname()[1]
        """The port it names."""
        self._heard: deque[tuple[float, bytes]] = deque(maxlen=3000)
        self._speech: deque[bytes] = deque()
        self._dialog: Dialog | None = None
        self._lock = threading.RLock()
        self._closed = False
        tasks = (self._serve,) if deaf else (self._serve, self._listen, self._sing)
        self._threads = [threading.Thread(target=work, daemon=True) for work in tasks]
        for thread in self._threads:
            thread.start()

    # -- what a person does --------------------------------------------------------------------
    def call(
        self, dialled: str, number: str, headers: str = "", login: tuple[str, str] | None = None
    ) -> None:
        """Dial; returns at once.  ``login`` is user and password where Asterisk asks for them."""
        dialog = Dialog(
            f"tone{next(_ids)}@127.0.0.1", self.server, f"sip:{dialled}@{self.server[0]}:{self.server[1]}",
            f'"{number}" <sip:{number}@127.0.0.1:{self.port}>;tag=t{next(_ids)}',
            f"<sip:{dialled}@{self.server[0]}:{self.server[1]}>", True,
        )  # fmt: skip
        dialog.login, dialog.headers = login, headers
        self._dialog, self.status, self.answered_at, self.ended_at = dialog, 0, 0.0, 0.0
        self._request(dialog, "INVITE", self._sdp(dialog), "application/sdp", headers)

    def hang_up(self) -> None:
        """End the call, or refuse the one that rings."""
        with self._lock:
            dialog, self._dialog = self._dialog, None
        if dialog is None:
            return
        if dialog.up:
            dialog.sequence += 1
            self._request(dialog, "BYE")
        elif not dialog.outgoing:
            self._reply(dialog, dialog.invite, "603 Decline")
        else:
            self._request(dialog, "CANCEL")
        self.ended_at = time.monotonic()

    def press(self, digits: str, gap_s: float = 0.15) -> None:
        """Press keys."""
        for digit in digits:
            dialog = self._dialog
            if dialog is None:
                return
            dialog.sequence += 1
            self._request(dialog, "INFO", f"Signal={digit}\r\nDuration=100\r\n", "application/dtmf-relay")
            time.sleep(gap_s)

    def begin_anew(self, hertz: float) -> None:
        """Send another stream from now on, with a lower sequence number and another tone, so that it is told apart."""
        with self._lock:
            self.hertz = hertz
            self._stream.begin_anew()

    def move_media(self, *, told: bool) -> None:
        """Send and hear at another port from now on, without a re-INVITE.

        Args:
            told: whether a re-INVITE of Asterisk's is answered with that port.
        """
        with self._lock:
            before, self._rtp = self._rtp, _media_socket()
            if told:
                self._media_port = self._rtp.getsockname()[1]
            before.close()

    @property
    def sends_from(self) -> int:
        """The port its media come from."""
        port: int = self._rtp.getsockname()[1]
        return port

    def hold(self) -> None:
        """Put the call on hold: nothing is sent until it is resumed."""
        self._offer("sendonly")

    def resume(self, hertz: float) -> None:
        """Take the call up again, as many phones do: with media that begin anew."""
        self.begin_anew(hertz)
        self._offer("sendrecv")

    def _offer(self, direction: str) -> None:
        with self._lock:
            dialog = self._dialog
            assert dialog is not None and dialog.up, f"{self.name}: no call to hold or resume"
            dialog.direction = direction
            dialog.version += 1
            dialog.sequence += 1
            self._request(dialog, "INVITE", self._sdp(dialog), "application/sdp")
        assert until(lambda: dialog.agreed == dialog.sequence), f"{self.name}: {direction} was not agreed to"

    def say(self, sound: Path) -> None:
        """Speak a recording (8 kHz 16-bit mono wav) from now on, instead of the tone."""
        with wave.open(str(sound)) as opened:
            coded = self._codec.code(opened.readframes(opened.getnframes()), 2)
        silence, frame = self._codec.silence, self._frame
        self._speech.extend(coded[n : n + frame].ljust(frame, silence) for n in range(0, len(coded), frame))

    @property
    def speaking(self) -> bool:
        """Whether something is still to be said."""
        return bool(self._speech)

    @property
    def up(self) -> bool:
        """Whether it is in a call that was answered."""
        dialog = self._dialog
        return dialog is not None and dialog.up

    def sound(self, seconds: float = 60.0) -> bytes:
        """Return what came in the last seconds, at most a minute: 16-bit mono, 8 kHz."""
        since = time.monotonic() - seconds
        return b"".join(samples for at, samples in list(self._heard) if at >= since)

    def hears(self, tones: Iterable[float], seconds: float = 0.4) -> set[float]:
        """Return which of these frequencies came in the last seconds."""
        sound = self.sound(seconds)
        return {hertz for hertz in tones if level(sound, hertz) > LOUD}

    def first_heard(self, hertz: float, since: float) -> float | None:
        """Return when (monotonic seconds) a tone first came after a moment."""
        for at, samples in list(self._heard):
            if at >= since and level(samples, hertz) > LOUD:
                return at
        return None

    def heard_share(self, hertz: float, since: float, until: float, window_s: float = 0.2) -> float:
        """Return the share of windows between two moments in which a tone came."""
        frames = list(self._heard)
        count = max(1, int((until - since) / window_s))
        heard = 0
        for n in range(count):
            first = since + n * window_s
            sound = b"".join(samples for at, samples in frames if first <= at < first + window_s)
            heard += level(sound, hertz) > LOUD
        return heard / count

    def close(self) -> None:
        """Hang up and go."""
        self.hang_up()
        self._closed = True
        for thread in self._threads:
            thread.join(1.0)
        for one in (self._sip, self._rtp, self._inside):
            one.close()

    # -- SIP -----------------------------------------------------------------------------------
    def _serve(self) -> None:
        while not self._closed:
            try:
                data, source = self._sip.recvfrom(65536)
            except (TimeoutError, OSError):
                continue
            message = data.decode("utf-8", "replace")
            with self._lock:
                if message.startswith("SIP/2.0"):
                    self._replied(message)
                else:
                    self._asked(message, source)

    def _replied(self, message: str) -> None:
        dialog, status = self._dialog, int(message.split(" ", 2)[1])
        method = _header(message, "CSeq").split()[-1]
        if (
            dialog is None
            or _header(message, "Call-ID") != dialog.call_id
            or method != "INVITE"
            or status < 180
        ):
            return
        if status < 200:
            return
        self.status = status
        dialog.remote_header = _header(message, "To")
        if status >= 300:
            self._request(dialog, "ACK")
            if dialog.up:
                return  # what we offered in the talk was refused, not the talk
            if status == 401 and dialog.login is not None:
                self._log_in(dialog, _header(message, "WWW-Authenticate"))
            else:
                self._dialog = None
            return
        contact = re.search(r"<([^>]+)>", _header(message, "Contact"))
        dialog.target = contact.group(1) if contact else dialog.target
        dialog.media, dialog.agreed = _media(message), dialog.sequence
        self._request(dialog, "ACK")
        if not dialog.up:
            self.answered_at, dialog.up = time.monotonic(), True  # whoever sees it up sees since when
            self._press_later()

    def _log_in(self, dialog: Dialog, challenge: str) -> None:
        """Answer a challenge once (RFC 2617, MD5)."""
        assert dialog.login is not None
        user, password = dialog.login
        dialog.login = None
        realm, nonce = (re.search(rf'{name}="([^"]*)"', challenge) for name in ("realm", "nonce"))
        assert realm and nonce
        secret = _md5(f"{user}:{realm.group(1)}:{password}")
        answer = _md5(f"{secret}:{nonce.group(1)}:00000001:c0:auth:{_md5(f'INVITE:{dialog.target}')}")
        header = (
            f'Authorization: Digest username="{user}", realm="{realm.group(1)}", nonce="{nonce.group(1)}", '
            f'uri="{dialog.target}", response="{answer}", algorithm=MD5, qop=auth, nc=00000001, cnonce="c0"'
        )
        dialog.remote_header = dialog.remote_header.split(";tag=")[0]
        dialog.sequence += 1
        headers = "\n".join(filter(None, (dialog.headers, header)))
        self._request(dialog, "INVITE", self._sdp(dialog), "application/sdp", headers)

    def _asked(self, message: str, source: tuple[str, int]) -> None:
        method, call_id = message.split(" ", 1)[0], _header(message, "Call-ID")
        dialog = self._dialog
        ours = dialog is not None and dialog.call_id == call_id
        if method == "INVITE" and not ours and ";tag=" not in _header(message, "To"):
            self._invited(message, source)
        elif method == "ACK":
            return
        elif dialog is not None and ours and method in ("INVITE", "UPDATE"):
            dialog.media = _media(message) or dialog.media
            if not dialog.up and method == "INVITE":
                return  # sent again
            self._reply(dialog, message, "200 OK", self._sdp(dialog) if _media(message) else "")
        elif dialog is not None and ours and method in ("BYE", "CANCEL"):
            self._reply(dialog, message, "200 OK")
            if method == "CANCEL":
                self._reply(dialog, dialog.invite, "487 Request Terminated")
            self._dialog, self.ended_at = None, time.monotonic()
        else:
            self.asked_at_home += method == "OPTIONS"
            stray = Dialog(call_id, source, "", "", "", False)
            self._reply(stray, message, "200 OK" if method in ("BYE", "OPTIONS") else "481 Gone")

    def _invited(self, message: str, source: tuple[str, int]) -> None:
        self.invites.append((time.monotonic(), message))
        if self.behaviour == "silent":
            return
        to = _header(message, "To") + f";tag=t{next(_ids)}"
        contact = re.search(r"<([^>]+)>", _header(message, "Contact"))
        dialog = Dialog(
            _header(message, "Call-ID"), source, contact.group(1) if contact else "", to,
            _header(message, "From"), False, media=_media(message), invite=message,
        )  # fmt: skip
        if self._dialog is not None or self.behaviour.isdigit():
            status = self.behaviour if self.behaviour.isdigit() else "486"
            self._reply(dialog, message, f"{status} No")
            return
        self._dialog, self.answered_at, self.ended_at = dialog, 0.0, 0.0
        self._reply(dialog, message, "180 Ringing")
        if self.behaviour == "answer":
            threading.Timer(self.ring_s, self.answer).start() if self.ring_s else self.answer()

    def answer(self) -> None:
        """Answer what rings."""
        with self._lock:
            dialog = self._dialog
            if dialog is None or dialog.up or dialog.outgoing:
                return
            self.answered_at, dialog.up = time.monotonic(), True  # whoever sees it up sees since when
            self._reply(dialog, dialog.invite, "200 OK", self._sdp(dialog))
        self._press_later()

    def _press_later(self) -> None:
        if self.auto_keys is not None:
            threading.Timer(self.auto_keys[0], self.press, [self.auto_keys[1]]).start()

    def _request(
        self, dialog: Dialog, method: str, body: str = "", kind: str = "", headers: str = ""
    ) -> None:
        if method == "INVITE":
            dialog.invited = dialog.sequence
        sequence = f"{dialog.sequence if method not in ('ACK', 'CANCEL') else dialog.invited} {method}"
        lines = [
            f"{method} {dialog.target} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{next(_ids)};rport",
            f"From: {dialog.local_header}",
            f"To: {dialog.remote_header}",
            f"Call-ID: {dialog.call_id}",
            f"CSeq: {sequence}",
            f"Contact: <sip:tone@127.0.0.1:{self.port}>",
            "Max-Forwards: 70",
            *(headers.splitlines() if headers else []),
            *([f"Content-Type: {kind}"] if body else []),
            f"Content-Length: {len(body.encode())}",
        ]
        self._send("\r\n".join(lines) + "\r\n\r\n" + body, dialog.remote)

    def _reply(self, dialog: Dialog, request: str, status: str, body: str = "") -> None:
        to = _header(request, "To")
        if ";tag=" not in to and dialog.local_header:
            to = dialog.local_header
        lines = [
            f"SIP/2.0 {status}",
            *_all_headers(request, "Via"),
            f"From: {_header(request, 'From')}",
            f"To: {to}",
            f"Call-ID: {_header(request, 'Call-ID')}",
            f"CSeq: {_header(request, 'CSeq')}",
            f"Contact: <sip:tone@127.0.0.1:{self.port}>",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self._send("\r\n".join(lines) + "\r\n\r\n" + body, dialog.remote)

    def _send(self, text: str, to: tuple[str, int]) -> None:
        if not self._closed:
            self._sip.sendto(text.encode(), to)

    def _sdp(self, dialog: Dialog) -> str:
        port, codec = self._media_port, self._codec
        return (
            f"v=0\r\no=tone 1 {dialog.version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP {codec.payload} 101\r\na=rtpmap:{codec.payload} {codec.name}/8000\r\n"
            f"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:{self._packet_ms}\r\n"
            f"a={dialog.direction}\r\n"
        )

    # -- RTP -----------------------------------------------------------------------------------
    def _listen(self) -> None:
        while not self._closed:
            try:
                packet = self._rtp.recv(2048)
            except (TimeoutError, OSError):
                continue
            if samples := decoded(packet):
                self._heard.append((time.monotonic(), samples))

    def _sing(self) -> None:
        tone, frames = self.hertz, self._codec.tone(self.hertz, self._frame)
        number, moment, packet_s = 0, time.monotonic(), self._packet_ms / 1000
        while not self._closed:
            moment = max(moment + packet_s, time.monotonic() - 0.2)
            time.sleep(max(0.0, moment - time.monotonic()))
            dialog = self._dialog
            if dialog is None or not dialog.up or dialog.media is None or self.suppresses:
                continue
            if dialog.direction == "sendonly":
                continue
            number += 1
            with self._lock:
                if tone != self.hertz:
                    tone, frames = self.hertz, self._codec.tone(self.hertz, self._frame)
                said = self._speech.popleft() if self._speech else frames[number % len(frames)]
                packet = self._stream.packet(said)
            try:
                self._rtp.sendto(packet, dialog.media)
            except OSError:
                continue


def _media_socket() -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", 0))
    one.settimeout(0.1)
    return one


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def _media(message: str) -> tuple[str, int] | None:
    port = re.search(r"^m=audio (\d+)", message, re.MULTILINE)
    host = re.search(r"^c=IN IP4 (\S+)", message, re.MULTILINE)
    return (host.group(1), int(port.group(1))) if port and host else None


def until(what: Callable[[], bool], limit_s: float = PATIENCE_S) -> bool:
    """Wait until something is true; return whether it became so."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.02)
    return what()
