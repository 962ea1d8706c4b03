"""The RTP stream that a phone sends, which may begin anew; and the two codecs of a telephone."""

from __future__ import annotations

import audioop
import itertools
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

RATE_HZ = 8000
FRAME = 160
_LOWER = 20_000
_sources = itertools.count(0x12345)


@dataclass(frozen=True)
class Codec:
    """One of G.711's: its name in SDP, its payload type, how 16-bit samples are coded and decoded."""

    name: str
    payload: int
    code: Callable[[bytes, int], bytes]
    decode: Callable[[bytes, int], bytes]

    @property
    def silence(self) -> bytes:
        """One sample of nothing."""
        return self.code(b"\0\0", 2)

    def tone(self, hertz: float, frame: int = FRAME) -> list[bytes]:
        """Return whole seconds of a tone as frames of so many samples, by default of 20 ms."""
        if not hertz:
            return [self.silence * frame]
        length = math.lcm(RATE_HZ, frame)
        samples = [int(8192 * math.sin(2 * math.pi * hertz * n / RATE_HZ)) for n in range(length)]
        coded = self.code(struct.pack(f"<{length}h", *samples), 2)
        return [coded[n : n + frame] for n in range(0, length, frame)]


PCMA = Codec("PCMA", 8, audioop.lin2alaw, audioop.alaw2lin)
PCMU = Codec("PCMU", 0, audioop.lin2ulaw, audioop.ulaw2lin)
CODECS: Mapping[int, Codec] = {codec.payload: codec for codec in (PCMA, PCMU)}


class Stream:
    """Numbers the packets of what a phone sends.

    Args:
        codec: of its frames.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._source = next(_sources)
        self._number = 40_000
        self._time = 0

    def packet(self, frame: bytes) -> bytes:
        """Return the next packet."""
        self._number = self._number + 1 & 0xFFFF
        head = struct.pack("!BBHII", 0x80, self._codec.payload, self._number, self._time, self._source)
        self._time = self._time + len(frame) & 0xFFFFFFFF  # G.711: a byte a sample
        return head + frame

    def begin_anew(self) -> None:
        """Be another stream: other source, other time, a lower sequence number, as after hold and resume."""
        self._source = next(_sources)
        self._number = self._number - _LOWER & 0xFFFF
        self._time = self._time + 0x40000000 & 0xFFFFFFFF


def decoded(packet: bytes) -> bytes | None:
    """Return the 16-bit samples of a packet, None where it is no voice."""
    codec = CODECS.get(packet[1] & 0x7F) if len(packet) > 12 else None
    return codec.decode(packet[12:], 2) if codec else None
