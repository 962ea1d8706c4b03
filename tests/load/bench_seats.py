"""What one seat's pause, and the full look at all members, cost the engine's loop; Asterisk is another process.

Processor time of the loop's thread is measured, so what else the machine does does not count.

``python -m tests.load.bench_seats`` prints a table.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass

from ivr.asterisk.ami.link import Link
from ivr.asterisk.control.members import AsteriskMembers
from ivr.calls.open_calls import CallBook
from ivr.events.event import Event, Kind
from ivr.events.streams import seat_stream
from ivr.hotline.book import HotlineBook, Operator, QueueSpec, Seat, Trunks
from ivr.seats.alignment import Alignment
from ivr.seats.log_in import Seating

SIZES = ((24, 15), (1500, 15))
"""Seats and queues; every seat is in every queue."""
PAUSES, LOOKS = 30, 5
_FIELDS = (
    "Event: QueueMember\r\nQueue: {queue}\r\nName: {name}\r\nLocation: {seat}\r\nStateInterface: {seat}\r\n"
    "Membership: dynamic\r\nPenalty: {penalty}\r\nCallsTaken: 0\r\nLastCall: 0\r\nLastPause: 0\r\n"
    "LoginTime: 1795296848\r\nInCall: 0\r\nStatus: 1\r\nPaused: {paused}\r\nPausedReason: {reason}\r\n"
    "Wrapuptime: 30\r\n"
)


@dataclass(frozen=True)
class Found:
    """Milliseconds of the loop's thread: a pause (median), a full look, and its longest turn without a break."""

    seats: int
    queues: int
    pause_ms: float
    look_ms: float
    turn_ms: float


def book(seats: int, queues: int) -> HotlineBook:
    """Return a hotline of so many seats, each with an operator of every queue."""
    names = tuple(f"q_{n:02}" for n in range(queues))
    numbers = [f"{n:04}" for n in range(1, seats + 1)]
    return HotlineBook(
        "x", "511100", "0833", "12345", "Asia/Shanghai", "P001", (),
        tuple(QueueSpec(name, name) for name in names),
        tuple(Seat(number, f"1{number}") for number in numbers),
        tuple(Operator(number, "x", names) for number in numbers),
        Trunks(),
    )  # fmt: skip


def man_all(calls: CallBook, seats: int) -> None:
    """Let everybody sit on their seat."""
    for n in range(1, seats + 1):
        number = f"{n:04}"
        calls.record(Event(seat_stream(number), 1.0, Kind.LOGGED_IN, {"operator": number, "by": "x"}))


# -- the other process -------------------------------------------------------------------------
Rows = dict[tuple[str, str], dict[str, str]]


def _answer(asked: dict[str, str], members: Rows) -> Iterator[str]:
    """Do what an action asks, and return the messages that Asterisk would write."""
    action, about = asked.get("Action", ""), f"ActionID: {asked.get('ActionID', '')}\r\n"
    if action == "QueueStatus":
        yield f"Response: Success\r\n{about}EventList: start\r\nMessage: Queue status will follow\r\n"
        for (queue, seat), row in members.items():
            if asked.get("Queue", queue) == queue and asked.get("Member", seat) == seat:
                yield _FIELDS.format(queue=queue, seat=seat, **row) + about
        yield f"Event: QueueStatusComplete\r\n{about}EventList: Complete\r\nListItems: 0\r\n"
        return
    yield f"Response: Success\r\n{about}Message: done\r\n"
    if not action.startswith("Queue"):
        return
    key, paused = (asked["Queue"], asked["Interface"]), str(int(asked.get("Paused") == "true"))
    if action == "QueueAdd":
        members[key] = {
            "name": asked["MemberName"],
            "penalty": asked["Penalty"],
            "paused": paused,
            "reason": "",
        }
    elif action == "QueuePause":
        members[key] |= {"paused": paused, "reason": asked.get("Reason", "")}
        yield _FIELDS.format(queue=key[0], seat=key[1], **members[key]).replace(
            "QueueMember", "QueueMemberPause"
        )


async def _serve() -> None:
    members: Rows = {}

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Asterisk Call Manager/9.0.0\r\n")
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                text = (await reader.readuntil(b"\r\n\r\n")).decode()
                asked = dict(line.split(": ", 1) for line in text.split("\r\n") if ": " in line)
                writer.write("".join(f"{one}\r\n" for one in _answer(asked, members)).encode())
                if asked.get("Action") == "Login":
                    writer.write(b"Event: FullyBooted\r\n\r\n")
                await writer.drain()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.asynccontextmanager
async def asterisk() -> AsyncIterator[Link]:
    """Run the other process and a link to it."""
    command = (sys.executable, "-m", __spec__.name if __spec__ else __name__, "serve")
    server = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert server.stdout is not None
    link = Link(
        "127.0.0.1", int(await server.stdout.readline()), "x", "x", action_timeout_s=120.0, heartbeat_s=60.0
    )
    try:
        await link.start()
        await link.wait_live(60.0)
        yield link
    finally:
        await link.close()
        server.kill()
        await server.wait()


# -- measuring ---------------------------------------------------------------------------------
async def measured(work: Callable[[], Awaitable[object]]) -> float:
    """Return the milliseconds of this thread that something took, with what it caused."""
    began = time.thread_time()
    await work()
    return 1000 * (time.thread_time() - began)


async def longest_turn(work: Callable[[], Awaitable[object]]) -> float:
    """Return the most milliseconds of this thread in which nothing else had its turn."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - before)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    await work()
    await asyncio.sleep(0)
    watching.cancel()
    return 1000 * longest


async def figures(seats: int, queues: int, seating: Seating, look: Callable[[], Awaitable[object]]) -> Found:
    """Measure a hotline in which everybody is logged in: pauses of one seat after another, and full looks."""
    await look()
    pauses = []
    for n in range(PAUSES):
        number = f"{n % seats + 1:04}"
        pauses.append(await measured(lambda seat=number: seating.pause(seat, "2", by="x")))  # type: ignore[misc]
    looks = [await measured(look) for _ in range(LOOKS)]
    turns = [await longest_turn(look) for _ in range(LOOKS)]
    return Found(seats, queues, statistics.median(pauses), statistics.median(looks), statistics.median(turns))


async def measure(seats: int, queues: int) -> Found:
    """Measure a hotline of so many seats."""
    small = book(seats, queues)
    calls = CallBook(lambda _: None)
    async with asterisk() as link:

        async def align(changed: object) -> None:
            await alignment.settle(changed)  # type: ignore[arg-type]

        seating = Seating(lambda: small, calls, align, time.time)
        seating.known = True
        alignment = Alignment(seating, lambda: small, AsteriskMembers(link), time.time)
        man_all(calls, seats)
        return await figures(seats, queues, seating, alignment.compare)


def run() -> list[Found]:
    """Measure every size, with the collector set as the engine sets it."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    return [asyncio.run(measure(*size)) for size in SIZES]


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve())
    else:
        for row in run():
            print(
                f"{row.seats:5} seats in {row.queues} queues: a pause {row.pause_ms:.2f} ms, a full look "
                f"{row.look_ms:.0f} ms, its longest turn {row.turn_ms:.1f} ms"
            )
