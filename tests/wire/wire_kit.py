"""What the wire tests share: a scripted Asterisk on loopback, and readers that owe us nothing.

The readers are written after Asterisk's C sources and import no code of ours, so that an error
of ours cannot hide behind the same error here.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from panoramisk import Manager

from ivr.asterisk.ami.link import Backoff, Link

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
QUICK = Backoff(first_s=0.05, cap_s=0.1, refused_s=0.2, jitter=0.0)


# -- Asterisk's readers ----------------------------------------------------------------------
def read_actions(stream: bytes) -> list[list[tuple[str, str]]]:
    """Read actions as ``main/manager.c`` does: lines end at LF, a CR before it is dropped."""
    actions: list[list[tuple[str, str]]] = []
    headers: list[tuple[str, str]] = []
    for line in stream.split(b"\n")[:-1]:
        line = line.removesuffix(b"\r").split(b"\0")[0]
        if line:
            name, _, value = line.partition(b":")
            headers.append((name.decode(), value.decode().lstrip(" ")))
        elif headers:
            actions.append(headers)
            headers = []
    return actions


def read_words(line: bytes) -> list[bytes]:
    """Split one AGI command as ``parse_args`` of ``res/res_agi.c`` does, byte by byte."""
    words: list[bytearray] = []
    quoted = escaped = False
    blank = True
    for byte in line.split(b"\0")[0]:
        char = bytes([byte])
        literal = True
        if char == b'"' and not escaped:
            quoted = not quoted
            if quoted and blank:
                words.append(bytearray())
                blank = False
            literal = False
        elif char in b" \t" and not quoted and not escaped:
            blank = True
            literal = False
        elif char == b"\\" and not escaped:
            escaped = True
            continue
        if literal:
            if blank:
                words.append(bytearray())
                blank = False
            words[-1] += char
        escaped = False
    return [bytes(word) for word in words]


def read_commands(stream: bytes, size: int = 2048) -> list[list[bytes]]:
    """Read AGI commands as ``run_agi`` does, with a buffer of ``size`` bytes."""
    commands = []
    while stream:
        end = stream.find(b"\n")
        taken = min(size - 1, len(stream) if end < 0 else end + 1)
        line, stream = stream[:taken], stream[taken:]
        commands.append(read_words(line.removesuffix(b"\n")))
    return commands


# -- a scripted manager ----------------------------------------------------------------------
Answer = Callable[[dict[str, str]], bytes | None]


def grant(action: dict[str, str], *extra: str) -> bytes:
    """Write a positive response."""
    lines = ["Response: Success", f"ActionID: {action.get('ActionID', '')}", *extra]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def refuse(action: dict[str, str], message: str) -> bytes:
    """Write a refusal."""
    return f"Response: Error\r\nActionID: {action.get('ActionID', '')}\r\nMessage: {message}\r\n\r\n".encode()


def event(name: str, **headers: str) -> bytes:
    """Write an event."""
    return "".join(f"{k}: {v}\r\n" for k, v in {"Event": name, **headers}.items()).encode() + b"\r\n"


class FakeManager:
    """Asterisk's manager port, as far as a script says.

    ``answers``: what to do with an action instead of granting it; None says nothing.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.actions: list[dict[str, str]] = []
        self.received = b""
        self.connections = 0
        self.ended = 0
        self.mute = False
        self.banner = BANNER
        self.booted = True
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> FakeManager:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.drop()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        writer.write(self.banner)
        pending = b""
        try:
            while data := await reader.read(4096):
                self.received += data
                pending += data
                while b"\r\n\r\n" in pending:
                    block, _, pending = pending.partition(b"\r\n\r\n")
                    self._answer(dict(read_actions(block + b"\r\n\r\n")[0]), writer)
        except ConnectionError:
            pass
        finally:
            self.ended += 1
            self._writers.discard(writer)
            writer.close()

    def _answer(self, action: dict[str, str], writer: asyncio.StreamWriter) -> None:
        self.actions.append(action)
        if self.mute:
            return
        answer = self.answers.get(action["Action"], grant)(action)
        if answer is not None:
            writer.write(answer)
        if action["Action"] == "Login" and answer is not None and b"Success" in answer and self.booted:
            writer.write(event("FullyBooted", Status="Fully Booted"))

    def send(self, data: bytes) -> None:
        """Say something to everybody connected."""
        for writer in self._writers:
            writer.write(data)

    def drop(self) -> None:
        """Cut every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    def count(self, name: str) -> int:
        """How often an action came."""
        return sum(action["Action"] == name for action in self.actions)


def our_link(server: FakeManager, **options: Any) -> Link:
    """Build a link to the scripted manager with short waits."""
    options = {"backoff": QUICK, "heartbeat_s": 5.0, "boot_wait_s": 0.2, **options}
    return Link("127.0.0.1", server.port, "hotline", "secret", **options)


def published_manager(server: FakeManager, **options: Any) -> Any:
    """Build panoramisk's manager, as published."""
    return Manager(
        loop=asyncio.get_running_loop(),
        host="127.0.0.1",
        port=server.port,
        username="hotline",
        secret="secret",
        **options,
    )


async def eventually(true: Callable[[], object], within_s: float = 60.0) -> bool:
    """Wait until something is so; False if it never was (no test passes by waiting longer)."""
    end = time.monotonic() + within_s
    while not true():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.005)
    return True


# -- a scripted FastAGI client ---------------------------------------------------------------
REQUEST = (
    "agi_network: yes\nagi_network_script: {script}\nagi_request: agi://127.0.0.1/{script}\n"
    "agi_channel: PJSIP/trunk-00000001\nagi_uniqueid: test-1795295795.0\nagi_callerid: 10086\n"
    "agi_calleridname: {name}\nagi_context: from-trunk\nagi_arg_1: 参数\nagi_arg_2: b\n\n"
)


def request(script: str = "ivr", name: str = "来电者") -> bytes:
    """Write what Asterisk says about a call."""
    return REQUEST.format(script=script, name=name).encode()


async def play_asterisk(
    port: int, replies: list[bytes], *, head: bytes | None = None, hold_s: float = 0.0
) -> list[bytes]:
    """Call, give one item of ``replies`` for each command, then hang up.

    Returns:
        The command lines received.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    commands = []
    try:
        writer.write(request() if head is None else head)
        for reply in replies:
            line = await asyncio.wait_for(reader.readline(), 30)
            if not line:
                break
            commands.append(line)
            writer.write(reply)
        if hold_s:
            await asyncio.wait_for(reader.read(), hold_s)
    except (ConnectionError, TimeoutError):
        pass
    finally:
        writer.close()
    return commands


Conversation = Callable[[Any], Awaitable[None]]


def run_published(code: str, timeout_s: float) -> str:
    """Run code against the library in a process of its own; what it printed, or ``FROZEN``."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as frozen:
        printed = frozen.stdout or b""
        return "FROZEN " + (printed.decode() if isinstance(printed, bytes) else printed)
    return done.stdout + done.stderr
