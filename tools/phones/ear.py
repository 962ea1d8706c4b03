"""What a caller hears: the RTP that Asterisk sends to a phone, kept as sound."""

from __future__ import annotations

import array
import audioop
import contextlib
import math
import socket
import threading
import wave
from collections.abc import Iterable
from pathlib import Path

RATE_HZ = 8000
_RTP_HEADER = 12
_ALAW = 8


class Ear:
    """A UDP port that hears A-law RTP (payload type 8); close it or use ``with``."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self.port: int = self._socket.getsockname()[1]
        self._payload = bytearray()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def __enter__(self) -> Ear:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(1.0)

    def _listen(self) -> None:
        while True:
            try:
                packet = self._socket.recv(2048)
            except OSError:
                return
            if len(packet) > _RTP_HEADER and packet[1] & 0x7F == _ALAW:
                self._payload += packet[_RTP_HEADER:]

    @property
    def seconds(self) -> float:
        """How much was heard."""
        return len(self._payload) / RATE_HZ

    @property
    def samples(self) -> array.array[int]:
        """What was heard, 8 kHz 16-bit mono."""
        return array.array("h", audioop.alaw2lin(bytes(self._payload), 2))

    def find(self, sound: Path) -> float | None:
        """Return at which second a recording (8 kHz 16-bit mono wav) was heard; None if it was not.

        A second from its middle is compared, so that what is cut at the ends does no harm.
        """
        wanted = _samples([sound])
        half = min(len(wanted), RATE_HZ) // 2
        start = len(wanted) // 2 - half
        at = _best(self.samples, wanted[start : start + 2 * half])
        return None if at is None else (at - start) / RATE_HZ


def _samples(sounds: Iterable[Path]) -> array.array[int]:
    samples = array.array("h")
    for sound in sounds:
        with wave.open(str(sound)) as opened:
            samples.frombytes(opened.readframes(opened.getnframes()))
    return samples


def _best(heard: array.array[int], wanted: array.array[int], like: float = 0.9) -> int | None:
    """Return where ``wanted`` lies in ``heard``: the place of the highest correlation above ``like``."""
    best, place = 0.0, None
    if len(heard) >= len(wanted):
        # audioop.findfit does this search in C; it wants bytes and gives (place, factor)
        place, _factor = audioop.findfit(heard.tobytes(), wanted.tobytes())
        piece = heard[place : place + len(wanted)]
        best = _alike(piece, wanted)
    return place if best >= like else None


def _alike(one: array.array[int], other: array.array[int]) -> float:
    product = sum(a * b for a, b in zip(one, other, strict=True))
    power = math.sqrt(sum(a * a for a in one) * sum(b * b for b in other))
    return product / power if power else 0.0
