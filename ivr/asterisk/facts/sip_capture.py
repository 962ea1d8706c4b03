"""What Asterisk and a carrier say to each other, as packets in a file that Asterisk writes.

``pjsip set logger`` copies every SIP packet from and to some addresses into a file, in the form of tcpdump
(``res_pjsip_logger.c``): Ethernet, IP and UDP headers are made up, the side that is Asterisk's own is all zeroes.
A file is read when the next one has been begun, and deleted: numbers of citizens stand in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ivr.asterisk.ami.link import Link

MOST_BYTES = 16 * 1024 * 1024
"""What is read of one file: 20,000 packets of seconds; beyond it is a flood, and nobody counts its calls."""
ASK_AGAIN_S = 60.0
"""Seconds after which Asterisk is asked anew: somebody may have turned its logger off."""
_FILE_HEAD, _ETHERNET, _UDP = 24, 14, 8
_RECORD = struct.Struct("=IIII")
_IP_BYTES = {0x0800: 20, 0x86DD: 40}
_SOURCE = {0x0800: slice(12, 16), 0x86DD: slice(8, 24)}


class Packet(NamedTuple):
    """One SIP message: seconds since the epoch, whether Asterisk sent it, and its bytes."""

    at: float
    sent: bool
    message: bytes


def packets(data: bytes) -> Iterator[Packet]:
    """Yield the packets of a file; whatever is cut short at its end is passed over."""
    at = _FILE_HEAD
    while at + _RECORD.size <= len(data):
        seconds, micros, length, _ = _RECORD.unpack_from(data, at)
        frame = data[at + _RECORD.size : at + _RECORD.size + length]
        at += _RECORD.size + length
        kind = int.from_bytes(frame[12:14], "big")
        if len(frame) != length or kind not in _IP_BYTES:
            return
        ip = frame[_ETHERNET : _ETHERNET + _IP_BYTES[kind]]
        message = frame[_ETHERNET + _IP_BYTES[kind] + _UDP :]
        yield Packet(seconds + micros / 1e6, not any(ip[_SOURCE[kind]]), message)


def forget(folder: Path) -> None:
    """Delete what was copied and not read yet; for when nobody copies any more."""
    for file in _files(folder):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # there never was a folder for them
            file.unlink()


def _files(folder: Path) -> tuple[Path, Path]:
    return folder / "carrier-0.pcap", folder / "carrier-1.pcap"


class SipCapture:
    """Lets Asterisk copy the packets of some addresses into one file after the other.

    Args:
        folder: where the files are, on Asterisk's own machine.
        clock: seconds that never go back.
    """

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._files = _files(folder)
        self._clock = clock
        self._turn = 0
        self._asked: tuple[object, ...] = ()
        self._asked_at = 0.0

    async def stop(self, link: Link) -> None:
        """Let nothing be copied any more.

        Raises:
            AmiError: Asterisk does not do it.
        """
        self._asked = ()
        await link.command("pjsip set logger off")

    async def turn(self, link: Link, addresses: Sequence[str]) -> bytes:
        """Begin a new file and return what stands in the last one.

        Args:
            link: the link to Asterisk.
            addresses: addresses and networks whose packets are copied.

        Raises:
            AmiError: Asterisk does not do it.
        """
        wanted = (link.protocol, *addresses)  # a new connection may be to a new Asterisk
        if self._asked != wanted or self._clock() - self._asked_at >= ASK_AGAIN_S:
            self._asked = ()
            await link.command(
                "pjsip set logger verbose off"
            )  # or each packet would be a line on the console
            for n, address in enumerate(addresses):
                await link.command(f"pjsip set logger {'add' if n else 'host'} {address}")
            self._asked, self._asked_at = wanted, self._clock()
        self._turn = 1 - self._turn
        fresh, last = self._files[self._turn], self._files[1 - self._turn]
        await link.command(f"pjsip set logger pcap {fresh}")
        return await asyncio.to_thread(_taken, last)


def _taken(file: Path) -> bytes:
    """Return what stands in a file, and delete it."""
    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES)
        file.unlink()
    except FileNotFoundError:
        return b""
    return data
