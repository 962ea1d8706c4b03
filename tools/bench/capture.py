"""Time AGI commands from outside: the kernel's own time stamps of the packets on loopback.

Neither the engine nor Asterisk is touched: the kernel hands us copies of one port's packets,
stamped when they passed.  Needs the right to open packet sockets (root); without it nothing is
measured and the table says so.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from dataclasses import dataclass, field

_ETH_P_ALL = 0x0003
_SO_ATTACH_FILTER = 26
_SO_TIMESTAMPNS = 35
_SO_RCVBUFFORCE = 33
_SOL_PACKET = 263
_PACKET_IGNORE_OUTGOING = 23
_BUFFER = 64 * 1024 * 1024
_ETHERNET = 14
_FIN = 0x01


@dataclass
class _Talk:
    """Moments of one AGI session, in seconds since the epoch."""

    asked: float | None = None
    command: float | None = None
    reply: float | None = None


@dataclass
class Timings:
    """Seconds, one entry per AGI session.

    Attributes:
        decided: from the last header of the request to the engine's command.
        replied: from the engine's command to Asterisk's reply, on the wire.
        served: from the engine's command to its next move after the reply (it closes): the command
            as the engine's own code sees it, and the journal entry that follows it.
    """

    decided: list[float] = field(default_factory=list)
    replied: list[float] = field(default_factory=list)
    served: list[float] = field(default_factory=list)

    def take(self, more: Timings) -> None:
        """Add those of another capture."""
        self.decided += more.decided
        self.replied += more.replied
        self.served += more.served


class AgiCapture:
    """Listens to one TCP port on loopback.

    Args:
        port: the engine's FastAGI port.

    Raises:
        PermissionError: this user may not open packet sockets.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._talks: dict[int, _Talk] = {}
        self.timings = Timings()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._attach_filter()
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        self._socket.bind(("lo", 0))
        self._socket.setblocking(False)

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()

    def drain(self) -> None:
        """Read what has passed; the packets wait in the kernel with their time stamps until then."""
        while True:
            try:
                frame, notes, _, _ = self._socket.recvmsg(512, 64)
            except BlockingIOError:
                return
            for level, kind, data in notes:
                if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
                    seconds, nanoseconds = struct.unpack("qq", data[:16])
                    self._note(frame, seconds + nanoseconds / 1e9)

    def _note(self, frame: bytes, at: float) -> None:
        """Sort one TCP packet into its session."""
        head = _ETHERNET + (frame[_ETHERNET] & 0x0F) * 4
        source, target = struct.unpack_from("!HH", frame, head)
        payload = frame[head + (frame[head + 12] >> 4) * 4 :]
        length = struct.unpack_from("!H", frame, _ETHERNET + 2)[0] + _ETHERNET
        payload = payload[: max(0, length - (len(frame) - len(payload)))]
        if target == self._port:
            talk = self._talks.setdefault(source, _Talk())
            self._from_asterisk(talk, payload, at)
        else:
            self._from_engine(target, payload, frame[head + 13], at)

    def _from_asterisk(self, talk: _Talk, payload: bytes, at: float) -> None:
        if talk.command is None:
            talk.asked = at if payload else talk.asked
        elif payload.startswith(b"200") and talk.reply is None:
            talk.reply = at
            self.timings.replied.append(at - talk.command)

    def _from_engine(self, port: int, payload: bytes, flags: int, at: float) -> None:
        talk = self._talks.get(port)
        if talk is None:
            return
        if payload and talk.command is None:
            talk.command = at
            if talk.asked is not None:
                self.timings.decided.append(at - talk.asked)
        elif flags & _FIN:
            if talk.command is not None and talk.reply is not None:
                self.timings.served.append(at - talk.command)
            self._talks.pop(port, None)

    def _attach_filter(self) -> None:
        """Let the kernel pass only IPv4 TCP packets of our port (classic BPF)."""
        accept, drop = 0x200, 0
        program = [
            (0x28, 0, 0, 12),  # half-word: ethertype
            (0x15, 0, 8, 0x0800),
            (0x30, 0, 0, 23),  # byte: protocol
            (0x15, 0, 6, 6),
            (0xB1, 0, 0, 14),  # x = length of the IP header
            (0x48, 0, 0, 14),  # half-word: source port
            (0x15, 2, 0, self._port),
            (0x48, 0, 0, 16),  # half-word: target port
            (0x15, 0, 1, self._port),
            (0x06, 0, 0, accept),
            (0x06, 0, 0, drop),
        ]
        code = b"".join(struct.pack("HBBI", *step) for step in program)
        buffer = ctypes.create_string_buffer(code)
        head = struct.pack("HL", len(program), ctypes.addressof(buffer))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, head)
