"""Another process hears what happens: a snapshot, then every event once, from a position on, also after a kill."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ivr.api.socket import ControlServer, Refused, follow, short_path
from ivr.api.stream import Stream, WrongPosition
from ivr.calls.open_calls import CallBook
from ivr.calls.projection import call_row
from ivr.events.event import Event, Kind, Passing, PassingKind
from ivr.store import given_numbers
from ivr.store.journal_file import JournalFile
from tests.unit.kit import T0, event

CALL = "a1-1795296848.3"
PATIENCE_S = 60


class Engine:
    """What an engine has of the stream, on a folder of its own."""

    def __init__(
        self, folder: Path, reads_no_more_s: float = PATIENCE_S, segment_bytes: int = 10_000_000
    ) -> None:
        self.journal = JournalFile(folder / "journal", segment_bytes=segment_bytes, keep_s=0)
        self.calls = CallBook(lambda told: self.journal.append(told.to_line()))
        self.stream = Stream(self.journal, self.calls.events, self.snapshot, reads_no_more_s)
        self.control = ControlServer(folder / "run", {}, {"subscribe": self.stream})
        self._stopped = False

    def snapshot(self) -> dict[str, Any]:
        return {"calls": [call_row(call) for call in self.calls.open()]}

    def tell(self, *kinds: str, call: str = CALL) -> None:
        for after, kind in enumerate(kinds):
            self.calls.record(event(call, after, kind))

    async def stop(self) -> None:
        await self.control.close()
        if not self._stopped:
            self.journal.close()
        self._stopped = True


class Reader:
    """A reader in this process; takes what is sent, and forgets nothing."""

    def __init__(self, engine: Engine, **request: Any) -> None:
        self.told: list[Mapping[str, Any]] = []
        self._more = asyncio.Event()
        self._task = asyncio.ensure_future(engine.stream(request, self._take))

    async def _take(self, told: Mapping[str, Any]) -> None:
        self.told.append(told)
        self._more.set()

    @property
    def kinds(self) -> list[str]:
        return [one["kind"] for told in self.told for one in told.get("events", ())]

    @property
    def position(self) -> str:
        return next(str(told["position"]) for told in reversed(self.told) if "position" in told)

    async def until(self, *kinds: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not self.told or self.kinds != list(kinds):
                self._more.clear()
                await self._more.wait()

    async def over(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self._task

    async def go(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    engine = Engine(tmp_path)
    yield engine
    await engine.stop()


async def test_a_reader_gets_what_is_so_and_then_every_event_once(engine: Engine) -> None:
    engine.tell("call_started", "queued")
    reader = Reader(engine)
    await reader.until()
    engine.tell("answered", "operator_left")
    await reader.until("answered", "operator_left")
    (call,) = reader.told[0]["snapshot"]["calls"]
    assert (call["call_id"], call["state"]) == (CALL, "waiting")
    await reader.go()


async def test_a_reader_goes_on_from_its_position_across_a_kill_of_the_engine(tmp_path: Path) -> None:
    first = Engine(tmp_path)
    reader = Reader(first)
    await reader.until()
    first.tell("call_started", "queued")
    await reader.until("call_started", "queued")
    await reader.go()
    first.tell("seat_ringing")  # nobody reads, and the engine is killed
    first.journal.close()
    second = Engine(tmp_path)
    again = Reader(second, position=reader.position)
    second.tell("answered")
    await again.until("seat_ringing", "answered")
    assert "snapshot" not in again.told[0]
    await again.go()
    await second.stop()


async def test_a_position_that_is_gone_is_told_so_that_the_reader_starts_over(engine: Engine) -> None:
    reader = Reader(engine, position="17:4000")
    await reader.over()
    assert list(reader.told[-1]) == ["start_over"]


@pytest.mark.parametrize("position", ["", "yesterday", "1:x", "1", 5, "1:" + "9" * 60])
async def test_what_is_no_position_is_refused_in_both_languages(engine: Engine, position: object) -> None:
    with pytest.raises(WrongPosition) as refused:
        await engine.stream({"position": position}, Reader(engine)._take)
    assert "leave it out" in refused.value.sentence
    assert "位置" in refused.value.zh


async def test_a_reader_that_never_reads_is_hung_up_on_and_costs_the_others_nothing(tmp_path: Path) -> None:
    engine = Engine(tmp_path, reads_no_more_s=0.05)
    never = asyncio.Event()

    async def take_nothing(_: Mapping[str, Any]) -> None:
        await never.wait()

    deaf = asyncio.ensure_future(engine.stream({}, take_nothing))
    reader = Reader(engine)
    await reader.until()
    engine.tell("call_started", "queued")
    await reader.until("call_started", "queued")
    async with asyncio.timeout(PATIENCE_S):
        await deaf
    await reader.go()
    await engine.stop()


async def test_sealed_numbers_and_lines_that_are_no_events_are_not_told(engine: Engine) -> None:
    reader = Reader(engine)
    await reader.until()
    engine.calls.record(Event(CALL, T0, Kind.CALL_STARTED, {"dialled": "12345", "caller": {"enc": "sealed"}}))
    engine.journal.append(given_numbers.to_line({CALL: "511100"}, T0))
    engine.journal.append(b'{"torn\n')
    engine.tell("queued")
    await reader.until("call_started", "queued")
    (started, _) = [one for told in reader.told for one in told.get("events", ())]
    assert started["data"] == {"dialled": "12345"}
    await reader.go()


async def test_passing_events_are_told_to_whoever_wants_them(engine: Engine) -> None:
    wants, wants_not = Reader(engine, passing=True), Reader(engine)
    await wants.until()
    engine.calls.events.pass_on(Passing(CALL, T0, PassingKind.WORDS, {"text": "停水"}))
    engine.tell("call_started")
    await wants.until("call_started")
    await wants_not.until("call_started")
    assert [told["passing"]["data"] for told in wants.told if "passing" in told] == [{"text": "停水"}]
    assert not [told for told in wants_not.told if "passing" in told]
    await wants.go()
    await wants_not.go()


async def test_a_second_process_counts_who_waits_from_the_stream_alone(engine: Engine) -> None:
    """Over the real socket, with the reader in a thread of its own."""
    await engine.control.start()
    engine.tell("call_started", "queued")
    waiting: set[str] = set()
    counted: list[int] = []
    loop, more = asyncio.get_running_loop(), asyncio.Event()

    def count() -> None:
        for told in follow(engine.control._folder):
            for call in told.get("snapshot", {}).get("calls", ()):
                waiting.update({call["call_id"]} if call["state"] == "waiting" else ())
            for one in told.get("events", ()):
                (waiting.add if one["kind"] == "queued" else waiting.discard)(one["stream"])
            counted.append(len(waiting))
            loop.call_soon_threadsafe(more.set)

    thread = threading.Thread(target=count)
    thread.start()
    async with asyncio.timeout(PATIENCE_S):
        await more.wait()
        engine.tell("call_started", "queued", call="a1-2.2")
        engine.tell("answered")
        while not counted or counted[-1] != 1 or "a1-2.2" not in waiting:
            more.clear()
            await more.wait()
    await engine.stop()
    await asyncio.to_thread(thread.join)
    assert counted[0] == 1


async def test_a_wrong_position_over_the_socket_is_a_refusal_like_any_other(engine: Engine) -> None:
    await engine.control.start()

    def ask() -> None:
        for _ in follow(engine.control._folder, position="yesterday"):
            pass

    with pytest.raises(Refused) as refused:
        await asyncio.to_thread(ask)
    assert refused.value.code == "position"


async def test_a_reader_that_goes_leaves_nothing_behind(engine: Engine) -> None:
    await engine.control.start()
    with short_path(engine.control._folder) as path:
        reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b'{"what": "subscribe"}\n')
    assert b"snapshot" in await reader.readline()
    assert engine.calls.events._subscribers
    writer.close()
    async with asyncio.timeout(PATIENCE_S):
        while engine.calls.events._subscribers:  # noqa: ASYNC110 - it says nothing when it has gone
            await asyncio.sleep(0.01)
