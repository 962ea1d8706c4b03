"""The journal and the database of one engine: nobody waits for one that is away, nobody shares one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from ivr.calls.open_calls import CallBook
from ivr.engine.persistence import Memory
from ivr.events.event import Event, Kind
from ivr.home.settings import Settings
from ivr.store.causes import StoreAway
from ivr.store.lease import LeaseHeld
from ivr.store.store import Batch
from tests.unit.kit import T0, small_book

Start = Callable[[str], Awaitable[Memory]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts the memory of an engine by the name of its state folder, all on one database."""
    started: list[tuple[Memory, list[asyncio.Task[None]]]] = []
    url = f"sqlite+aiosqlite:///{tmp_path / 'shared.sqlite3'}"

    async def engine(home: str) -> Memory:
        memory = Memory(Settings(home=tmp_path / home, database_url=url), small_book(), "i0001")
        tasks: list[asyncio.Task[None]] = []
        started.append((memory, tasks))
        await memory.open(
            lambda: tasks.append(asyncio.ensure_future(memory.recorder.run())), CallBook(memory.append)
        )
        return memory

    yield engine
    for memory, tasks in started:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await memory.let_go()
        await memory.store.close()
        memory.journal.close()


async def test_whoever_asks_for_a_call_does_not_wait_for_a_database_that_is_away(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = await start("home")
    monkeypatch.setattr("ivr.engine.projector.RETRY_S", (0.05,))

    async def refuse(_: Batch) -> None:
        raise StoreAway("it is full", "已满")

    with monkeypatch.context() as patch:
        patch.setattr(memory.store, "write", refuse)
        memory.append(Event("a1-1.1", T0, Kind.CALL_STARTED, {"dialled": "12345", "caller": {}}))
        async with asyncio.timeout(30):
            with pytest.raises(StoreAway, match="it is full"):
                await memory.known(["a1-1.1"])
        assert memory.away is not None
        assert (memory.away.sentence, memory.away.zh, memory.trouble) == ("it is full", "已满", "it is full")
        assert memory.trouble_zh == "已满"
    async with asyncio.timeout(30):
        await memory.recorder.caught_up()
    assert len((await memory.known(["a1-1.1"]))["a1-1.1"]) == 1
    assert memory.away is None
    assert memory.trouble == ""


async def test_the_number_of_a_ticket_is_in_the_journal_before_anybody_can_read_it_in_the_database(
    start: Start,
) -> None:
    memory = await start("home")
    memory.append(Event("a1-1.1", T0, Kind.CALL_STARTED, {"dialled": "12345", "caller": {}}))
    await memory.known(["a1-1.1"])
    (ticket,) = await memory.store.tickets()
    lines, _ = memory.journal.read(memory.journal.start())
    told = f'{{"ticket_numbers":{{"a1-1.1":"{ticket["ticket_no"]}"}},'.encode()
    (line,) = [line for line in lines if line.startswith(told)]
    assert {"stream", "kind", "at"} <= json.loads(line).keys(), "every line has these"


async def test_an_engine_on_the_database_of_another_ends_and_one_that_lost_it_too(start: Start) -> None:
    first = await start("first")
    with pytest.raises(LeaseHeld, match="first"):
        await start("second")
    assert first.store._claim is not None
    first.store._claim.release()  # it is frozen
    second = await start("second")
    async with asyncio.timeout(30):
        with pytest.raises(LeaseHeld, match="second"):
            await first.watch(every_s=0.01)
    await second.let_go()
