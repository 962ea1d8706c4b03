"""How fast our AMI parser and FastAGI server are, beside panoramisk's, in one run.

Rounds alternate, so that what else the machine does falls on both; medians are compared.  It
must never be used to state absolute figures: only the ratios travel between machines.

``python -m tests.load.bench_wires [SECONDS]`` prints a table.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import select
import socket
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from ivr.asterisk.agi.server import AgiSession, FastAgiServer  # noqa: E402
from ivr.asterisk.ami.protocol import LinkProtocol  # noqa: E402

CONNECTIONS = 50
COMMANDS = 10
ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Ratio:
    """One comparison; ``ours`` and ``theirs`` in ``unit``, medians over alternating rounds."""

    name: str
    ours: float
    theirs: float
    ratio: float
    unit: str
    target: float


# -- AMI: events parsed ----------------------------------------------------------------------
_CHANNEL = (
    "Channel: PJSIP/trunk-000004{n:02x}\r\nChannelState: 6\r\nChannelStateDesc: Up\r\n"
    "CallerIDNum: 0000138{n:04d}\r\nCallerIDName: 来电者{n}\r\nConnectedLineNum: 80{m:02d}\r\n"
    "ConnectedLineName: 座席{m:02d}\r\nLanguage: zh\r\nAccountCode: \r\nContext: from-trunk\r\n"
    "Exten: 12345\r\nPriority: 7\r\nUniqueid: hotline-17952957{n:02d}.{n}\r\n"
    "Linkedid: hotline-17952957{n:02d}.{n}\r\n"
)
_MIX = (
    "Event: Newchannel\r\nPrivilege: call,all\r\nTimestamp: 1795295795.123456\r\n" + _CHANNEL,
    "Event: VarSet\r\nPrivilege: dialplan,all\r\nTimestamp: 1795295795.123457\r\n"
    + _CHANNEL
    + "Variable: IVR_LINE\r\nValue: 税务热线\r\n",
    "Event: Newexten\r\nPrivilege: dialplan,all\r\nTimestamp: 1795295795.123458\r\n"
    + _CHANNEL
    + "Extension: 12345\r\nApplication: Queue\r\nAppData: hot12345,tT,,,120\r\n",
    "Event: QueueCallerJoin\r\nPrivilege: agent,all\r\nTimestamp: 1795295795.123459\r\n"
    + _CHANNEL
    + "Queue: hot12345\r\nPosition: 1\r\nCount: 1\r\n",
    "Event: QueueMemberStatus\r\nPrivilege: agent,all\r\nTimestamp: 1795295795.12346\r\n"
    "Queue: hot12345\r\nMemberName: 座席{m:02d}\r\nInterface: PJSIP/80{m:02d}\r\n"
    "StateInterface: PJSIP/80{m:02d}\r\nMembership: dynamic\r\nPenalty: 0\r\nCallsTaken: 3\r\n"
    "LastCall: 1795295700\r\nLastPause: 0\r\nLoginTime: 1795290000\r\nInCall: 0\r\nStatus: 1\r\n"
    "Paused: 0\r\nPausedReason: \r\nRinginuse: 0\r\nWrapuptime: 0\r\n",
    "Event: Hangup\r\nPrivilege: call,all\r\nTimestamp: 1795295796.5\r\n"
    + _CHANNEL
    + "Cause: 16\r\nCause-txt: Normal Clearing\r\nTechCause: 200\r\n",
)


def event_stream(count: int) -> list[bytes]:
    """Return ``count`` events cut into reads as a busy link brings them."""
    text = "".join(_MIX[i % len(_MIX)].format(n=i % 97, m=i % 24 + 1) + "\r\n" for i in range(count))
    data = text.encode()
    rng = random.Random(12345)
    chunks, at = [], 0
    while at < len(data):
        size = rng.choice((137, 512, 1460, 2896, 4096))
        chunks.append(data[at : at + size])
        at += size
    return chunks


def _ours_parser(seen: Callable[[Any], None]) -> Callable[[bytes], None]:
    protocol = LinkProtocol(seen, lambda *_: None, lambda: None)
    protocol.data_received(b"Asterisk Call Manager/11.0.0\r\n")
    return protocol.data_received


def _their_parser(seen: Callable[[Any], None]) -> Callable[[bytes], None]:
    from panoramisk.ami_protocol import AMIProtocol

    class Factory:
        save_stream = None

        def dispatch(self, message: Any) -> None:
            seen(message)

    protocol: Any = AMIProtocol()
    protocol.connection_made(None)
    protocol.factory, protocol.encoding, protocol.queue = Factory(), "utf8", deque()
    protocol.data_received(b"Asterisk Call Manager/11.0.0\r\n")
    feed: Callable[[bytes], None] = protocol.data_received
    return feed


def _parse_rate(
    make: Callable[[Callable[[Any], None]], Callable[[bytes], None]], seconds: float, *, whole: bool
) -> float:
    """Return events a second, with four headers read from each as an engine does, or all."""
    chunks = event_stream(3000)
    events = 0

    def seen(message: Any) -> None:
        nonlocal events
        events += 1
        message.event, message.get("Uniqueid"), message.get("Linkedid"), message.get("Channel")
        if whole:
            dict(message.items())

    feed = make(seen)
    # Nothing here waits, so processor time is what passes, and neighbours do not count.
    end = time.perf_counter() + seconds
    start = time.process_time()
    while time.perf_counter() < end:
        for chunk in chunks:
            feed(chunk)
    return events / (time.process_time() - start)


def ami_ratio(seconds: float, *, whole: bool = False) -> Ratio:
    """Compare AMI parsing for about ``seconds`` seconds.

    Args:
        seconds: how long.
        whole: read every header of every event: our messages are lazy, so this shows how much
            of the first ratio is work avoided rather than work done faster.
    """
    share = seconds / ROUNDS / 2
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(_parse_rate(_ours_parser, share, whole=whole))
        theirs.append(_parse_rate(_their_parser, share, whole=whole))
    read, target = ("all headers", 1.5) if whole else ("4 headers read", 3.0)
    return _ratio(f"AMI events, split reads, {read}", ours, theirs, "events/s", target)


# -- FastAGI: sessions served ----------------------------------------------------------------
_REQUEST = (
    "agi_network: yes\nagi_network_script: bench\nagi_request: agi://127.0.0.1:4573/bench\n"
    "agi_channel: PJSIP/trunk-00000001\nagi_language: zh\nagi_type: PJSIP\n"
    "agi_uniqueid: hotline-1795295795.0\nagi_version: 22.10.1\nagi_callerid: 00001380001\n"
    "agi_calleridname: 来电者\nagi_callingpres: 0\nagi_callingani2: 0\nagi_callington: 0\n"
    "agi_callingtns: 0\nagi_dnid: 12345\nagi_rdnis: unknown\nagi_context: from-trunk\n"
    "agi_extension: 12345\nagi_priority: 3\nagi_enhanced: 0.0\nagi_accountcode: \n"
    "agi_threadid: 140274328938176\nagi_arg_1: 参数\n\n"
).encode()


async def _our_handler(session: AgiSession) -> None:
    for number in range(COMMANDS // 2):
        await session.command("SET", "VARIABLE", f"IVR_{number}", "税务热线 12366")
        await session.command("GET", "VARIABLE", "UNIQUEID")


async def _their_handler(request: Any) -> None:
    for number in range(COMMANDS // 2):
        await request.send_command(f'SET VARIABLE IVR_{number} "税务热线 12366"')
        await request.send_command("GET VARIABLE UNIQUEID")


async def _serve(which: str) -> None:
    if which == "ours":
        server = FastAgiServer({"bench": _our_handler}, port=0)
        await server.start()
        port = server.port
    else:
        from panoramisk import fast_agi

        app = fast_agi.Application(loop=asyncio.get_running_loop())
        app.add_route("bench", _their_handler)
        theirs = await asyncio.start_server(app.handler, "127.0.0.1", 0, backlog=1024)
        port = theirs.sockets[0].getsockname()[1]
    print(port, flush=True)
    # The parent's end of our standard input closes when it is done, or dies.
    await asyncio.to_thread(sys.stdin.read)


@contextlib.contextmanager
def _server(which: str) -> Iterator[tuple[int, psutil.Process]]:
    process = subprocess.Popen(
        [sys.executable, __file__, "serve", which], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        yield int(process.stdout.readline()), psutil.Process(process.pid)
    finally:
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _session_rate(port: int, server: psutil.Process, seconds: float) -> tuple[float, float]:
    """Play Asterisk on ``CONNECTIONS`` connections, by bare epoll, so that this side is cheap.

    Returns:
        Whole sessions a second by the clock, and a second of the server's processor time.  On
        an idle machine both tell the server's capacity; on a busy one only the second does,
        the first tells mostly how long the two sides wait for a core.
    """
    poller = select.epoll()
    open_calls: dict[int, socket.socket] = {}
    in_time = finished = 0

    def call() -> None:
        connection = socket.socket()
        connection.connect(("127.0.0.1", port))
        connection.send(_REQUEST)
        open_calls[connection.fileno()] = connection
        poller.register(connection.fileno(), select.EPOLLIN)

    used = sum(server.cpu_times()[:2])
    end = time.perf_counter() + seconds
    for _ in range(CONNECTIONS):
        call()
    while open_calls:
        for number, _ in poller.poll(1.0):
            command = os.read(number, 4096)
            if command.startswith(b"S"):
                os.write(number, b"200 result=1\n")
            elif command:
                os.write(number, b"200 result=1 (hotline-1795295795.0)\n")
            else:
                poller.unregister(number)
                open_calls.pop(number).close()
                finished += 1
                # The last calls are played to their end, so that no server sees a fault.
                if time.perf_counter() < end:
                    in_time += 1
                    call()
    poller.close()
    used = sum(server.cpu_times()[:2]) - used
    return in_time / seconds, finished / max(used, 0.01)


def fastagi_ratios(seconds: float) -> list[Ratio]:
    """Compare FastAGI sessions for about ``seconds`` seconds."""
    share = seconds / ROUNDS / 2
    ours, theirs = [], []
    with _server("ours") as our_server, _server("theirs") as their_server:
        for server in (our_server, their_server):
            _session_rate(*server, 0.2)
        for _ in range(ROUNDS):
            ours.append(_session_rate(*our_server, share))
            theirs.append(_session_rate(*their_server, share))
    name = f"FastAGI, {COMMANDS} commands, {CONNECTIONS} connections"
    mine, other = ([list(column) for column in zip(*side, strict=True)] for side in (ours, theirs))
    return [
        _ratio(name, mine[0], other[0], "sessions/s", 2.0),
        _ratio(name, mine[1], other[1], "sessions/CPU s", 2.0),
    ]


def _ratio(name: str, ours: list[float], theirs: list[float], unit: str, target: float) -> Ratio:
    # Neighbouring rounds met the same weather: their ratios are compared, not the medians'.
    ratio = statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
    return Ratio(name, statistics.median(ours), statistics.median(theirs), ratio, unit, target)


def run(seconds: float = 10.0) -> list[Ratio]:
    """Measure everything here in about ``seconds`` seconds."""
    return [*fastagi_ratios(seconds * 0.6), ami_ratio(seconds * 0.2), ami_ratio(seconds * 0.2, whole=True)]


def main() -> None:
    """Print the table, or be the server of a measurement."""
    if sys.argv[1:2] == ["serve"]:
        logging.disable(logging.CRITICAL)
        if sys.argv[2] == "ours":
            with contextlib.suppress(ImportError):
                import uvloop

                uvloop.run(_serve("ours"))
                return
        asyncio.run(_serve(sys.argv[2]))
        return
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    print(f"{'measured':56} {'ours':>10} {'panoramisk':>10} {'ratio':>6} {'target':>6}")
    for ratio in run(seconds):
        verdict = "ok" if ratio.ratio >= ratio.target else "MISSED"
        name = f"{ratio.name} ({ratio.unit})"
        rates = f"{ratio.ours:10.0f} {ratio.theirs:10.0f} {ratio.ratio:6.2f}"
        print(f"{name:56} {rates} {ratio.target:6.1f} {verdict}")


if __name__ == "__main__":
    main()
