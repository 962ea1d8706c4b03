"""From the journal into the database: in order and exactly once, whatever the database does."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.calls.record import fold_call
from ivr.engine import projector as recorder_module
from ivr.engine.persistence import PROJECTIONS
from ivr.engine.projector import Recorder, Rows, local_day
from ivr.errors import HotlineError
from ivr.events.event import Event, Kind
from ivr.store import given_numbers
from ivr.store.journal_file import JournalFile
from tests.unit.kit import T0

CURSOR = "journal:test"


class Away(HotlineError):
    code = "database_away"
    retry = True


class Moved(HotlineError):
    code = "cursor_moved"
    retry = True


class Database:
    """A database in memory that writes a batch once by its cursor, and fails when told.

    ``script`` holds one word for each coming request: ``before`` fails with nothing done, ``after``
    fails with everything done, anything else succeeds.
    """

    def __init__(self, script: Sequence[str] = ()) -> None:
        self.rows: list[Event] = []
        self.position: str | None = None
        self.calls: dict[str, tuple[str, str | None, int]] = {}
        self.seats: dict[str, str | None] = {}
        self.batches = 0
        self.failures = 0
        self._script = list(script)

    async def _maybe_fail(self, when: str) -> None:
        await asyncio.sleep(0)
        if self._script and self._script[0] == when:
            self._script.pop(0)
            self.failures += 1
            raise Away(f"failed {when}")

    def _done(self) -> None:
        if self._script:
            self._script.pop(0)

    async def cursor(self, name: str) -> str | None:
        assert name == CURSOR
        await self._maybe_fail("before")
        await self._maybe_fail("after")
        self._done()
        return self.position

    async def events(self, streams: Sequence[str]) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        await self._maybe_fail("before")
        await self._maybe_fail("after")
        self._done()
        return {
            stream: [
                {"stream": e.stream, "at": e.at, "kind": e.kind.value, "data": e.data}
                for e in self.rows
                if e.stream == stream
            ]
            for stream in streams
        }

    async def events_between(
        self, streams: Sequence[str], since: float, until: float
    ) -> Sequence[Mapping[str, Any]]:
        found = await self.events(streams)
        return [row for rows in found.values() for row in rows if since <= row["at"] <= until]

    async def newest_event(self) -> float | None:
        return self.rows[-1].at if self.rows else None

    def copy(self) -> Database:
        """A standby, or a backup, as it is this moment."""
        other = Database()
        other.rows, other.position = list(self.rows), self.position
        other.calls, other.seats = dict(self.calls), dict(self.seats)
        return other

    def become(self, other: Database) -> None:
        """Be replaced by a standby or a backup."""
        self.rows, self.position = list(other.rows), other.position
        self.calls, self.seats = dict(other.calls), dict(other.seats)

    async def write(
        self,
        before: str | None,
        after: str,
        events: Sequence[Event],
        rows: Rows,
    ) -> None:
        await self._maybe_fail("before")
        if self.position not in (before, after):
            raise Moved(f"{self.position} is not {before}")
        if self.position == before:
            self.position = after
            self.rows += events
            outcomes = {row["call_id"]: row["outcome"] for row in rows.get("tickets", ())}
            self.calls |= {
                row["call_id"]: (row["state"], outcomes[row["call_id"]], len(row["legs"]))
                for row in rows.get("calls", ())
            }
            self.seats |= {row["seat"]: row["operator"] for row in rows.get("seats", ())}
            self.batches += 1
        await self._maybe_fail("after")
        self._done()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "BATCH_S", 0.0)
    monkeypatch.setattr(recorder_module, "LOOK_S", 0.01)
    monkeypatch.setattr(recorder_module, "RETRY_S", (0.0, 0.001))


class Running:
    """A recorder on a journal file."""

    def __init__(self, folder: Path, database: Database, segment_bytes: int = 100_000, **keep: float) -> None:
        self.numbers: dict[str, str] = {}
        self.journal = JournalFile(folder, self._grew, segment_bytes, **keep)
        self.recorder = Recorder(
            self.journal, database, database.write, CURSOR, PROJECTIONS, self.numbers.update
        )
        self._task: asyncio.Task[None] | None = None

    def _grew(self) -> None:
        if hasattr(self, "recorder"):
            self.recorder.wake()

    async def __aenter__(self) -> Running:
        self._task = asyncio.ensure_future(self.recorder.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self.journal.close()

    def tell(self, events: Sequence[Event]) -> None:
        for event in events:
            self.journal.append(event.to_line())

    async def caught_up(self) -> None:
        async with asyncio.timeout(20):
            await self.recorder.caught_up()


def a_day(calls: int) -> list[Event]:
    """Events of some calls and a seat, mixed as they happen."""
    events = [Event("seat:01", T0, Kind.LOGGED_IN, {"operator": "1001"})]
    for number in range(calls):
        call = f"a1-{number}.1"
        events += [
            Event(call, T0 + number, Kind.CALL_STARTED, {"dialled": "12345", "caller": {}}),
            Event(call, T0 + number + 6, Kind.QUEUED, {"queue": "q_general"}),
            Event(call, T0 + number + 9, Kind.ANSWERED, {"seat": "01", "operator": "1001"}),
            Event(call, T0 + number + 60, Kind.OPERATOR_LEFT, {}),
            Event(call, T0 + number + 61, Kind.HUNG_UP, {}),
        ]
    return sorted(events, key=lambda event: event.at)


def assert_all_there(database: Database, events: Sequence[Event], calls: int) -> None:
    assert database.rows == list(events)
    assert database.calls == {f"a1-{n}.1": ("ended", "answered", 2) for n in range(calls)}
    assert database.seats == {"01": "1001"}


async def test_everything_journalled_is_in_the_database_in_order(tmp_path: Path) -> None:
    database, events = Database(), a_day(50)
    async with Running(tmp_path, database) as running:
        for start in range(0, len(events), 7):
            running.tell(events[start : start + 7])
            await asyncio.sleep(0)
        await running.caught_up()
        assert running.recorder.healthy
        assert running.recorder.reason == ""
    assert_all_there(database, events, 50)


@settings(max_examples=60)
@given(
    script=st.lists(st.sampled_from(["before", "after", "fine"]), max_size=25),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    rng=st.randoms(use_true_random=False),
)
def test_no_failure_of_the_database_loses_or_doubles_an_event(
    tmp_path_factory: pytest.TempPathFactory, script: list[str], cuts: list[int], rng: random.Random
) -> None:
    async def scenario() -> None:
        folder = tmp_path_factory.mktemp("journal")
        database, events = Database(script), a_day(8)
        rest = list(events)
        while rest:  # every round is an engine of its own; each but the last may be killed at any moment
            async with Running(folder, database, segment_bytes=700) as running:
                size = cuts[len(rest) % len(cuts)]
                running.tell(rest[:size])
                rest = rest[size:]
                if rest:
                    for _ in range(rng.randrange(12)):
                        await asyncio.sleep(0)
                else:
                    await running.caught_up()
        assert_all_there(database, events, 8)

    asyncio.run(scenario())


async def test_while_the_database_is_away_it_says_so_and_then_catches_up(tmp_path: Path) -> None:
    database, events = Database(["before"] * 30), a_day(3)
    async with Running(tmp_path, database) as running:
        running.tell(events)
        for _ in range(2000):
            await asyncio.sleep(0)
            if database.failures:
                break
        assert not running.recorder.healthy
        assert running.recorder.reason == "failed before"
        await running.caught_up()
        assert running.recorder.healthy
    assert database.failures == 30
    assert_all_there(database, events, 3)


async def test_a_call_that_was_open_at_a_kill_keeps_its_beginning(tmp_path: Path) -> None:
    database, events = Database(), a_day(1)
    async with Running(tmp_path, database) as running:
        running.tell(events[:3])
        await running.caught_up()
    assert database.calls == {"a1-0.1": ("waiting", None, 1)}
    async with Running(tmp_path, database) as running:
        running.tell(events[3:])
        await running.caught_up()
    assert_all_there(database, events, 1)
    assert fold_call("a1-0.1", [e for e in database.rows if e.stream == "a1-0.1"]).waited_s == 3.0


async def test_what_was_journalled_while_no_recorder_ran_is_written_at_the_next_start(tmp_path: Path) -> None:
    events = a_day(2)
    journal = JournalFile(tmp_path)
    for event in events:
        journal.append(event.to_line())
    journal.close()
    database = Database()
    async with Running(tmp_path, database) as running:
        await running.caught_up()
    assert_all_there(database, events, 2)


async def test_a_torn_line_is_skipped_and_the_rest_is_written(tmp_path: Path) -> None:
    database, events = Database(), a_day(2)
    async with Running(tmp_path, database) as running:
        running.tell(events[:3])
        running.journal.append(b'{"stream":"a1-0.1","at":17\n')
        running.journal.append(b"\n")
        running.tell(events[3:])
        await running.caught_up()
    assert_all_there(database, events, 2)


@pytest.mark.parametrize(
    "stream", ["a1-0.1", "board:1"], ids=["of a call", "of a stream that we do not know"]
)
async def test_what_a_newer_version_wrote_is_kept_in_its_place(tmp_path: Path, stream: str) -> None:
    database, events = Database(), a_day(2)
    newer = Event.from_line(f'{{"stream":"{stream}","at":17,"kind":"from_the_future","data":{{}}}}'.encode())
    async with Running(tmp_path, database) as running:
        running.tell(events[:3])
        running.journal.append(newer.to_line())
        running.tell(events[3:])
        await running.caught_up()
    assert_all_there(database, [*events[:3], newer, *events[3:]], 2)


async def test_segments_that_are_in_the_database_are_deleted_when_their_time_is_over(tmp_path: Path) -> None:
    database, events = Database(), a_day(40)
    async with Running(tmp_path, database, segment_bytes=500, keep_s=0) as running:
        running.tell(events)
        assert len(list(tmp_path.glob("*.jsonl"))) > 10
        await running.caught_up()
        assert len(list(tmp_path.glob("*.jsonl"))) == 1
    assert_all_there(database, events, 40)


async def test_a_database_moved_to_another_machine_does_not_stop_the_recorder(tmp_path: Path) -> None:
    database, events = Database(), a_day(2)
    database.position = "7:1000"  # a place in a journal that is not in this folder
    async with Running(tmp_path, database) as running:
        running.tell(events)
        await running.caught_up()
    assert database.rows == events


# -- a database that was set back --------------------------------------------------------------
async def test_a_standby_that_lacks_the_last_calls_is_told_them_again_without_a_restart(
    tmp_path: Path,
) -> None:
    database, events = Database(), a_day(60)
    async with Running(tmp_path, database, segment_bytes=700) as running:
        running.tell(events[:100])
        await running.caught_up()
        standby = database.copy()
        running.tell(events[100:250])
        await running.caught_up()
        database.become(standby)
        running.tell(events[250:])
        await running.caught_up()
        await _until(lambda: len(database.rows) == len(events))
        assert running.recorder.lost is None
    assert_all_there(database, events, 60)


async def test_an_idle_hotline_notices_too_that_its_database_was_set_back(tmp_path: Path) -> None:
    database, events = Database(), a_day(5)
    async with Running(tmp_path, database) as running:
        running.tell(events[:10])
        await running.caught_up()
        backup = database.copy()
        running.tell(events[10:])
        await running.caught_up()
        database.become(backup)
        await _until(lambda: len(database.rows) == len(events))
    assert_all_there(database, events, 5)


async def test_an_empty_database_is_told_all_that_the_journal_still_has(tmp_path: Path) -> None:
    database, events = Database(), a_day(6)
    async with Running(tmp_path, database, segment_bytes=400) as running:
        running.tell(events)
        await running.caught_up()
        database.become(Database())
        await _until(lambda: len(database.rows) == len(events))
        assert running.recorder.lost is None, "nothing was ever deleted"
    assert_all_there(database, events, 6)


@settings(max_examples=60)
@given(
    steps=st.lists(
        st.sampled_from(["tell", "catch up", "save", "set back", "restart", "fail"]), min_size=3, max_size=30
    ),
    rng=st.randoms(use_true_random=False),
)
def test_a_database_set_back_again_and_again_has_every_event_once_in_the_end(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], rng: random.Random
) -> None:
    async def scenario() -> None:
        folder = tmp_path_factory.mktemp("journal")
        database, events, saved = Database(), a_day(12), Database()
        rest = list(events)
        running = Running(folder, database, segment_bytes=600)
        await running.__aenter__()
        for step in steps:
            if step == "tell":
                size = rng.randrange(1, 20)
                running.tell(rest[:size])
                rest = rest[size:]
            elif step == "catch up":
                await running.caught_up()
            elif step == "save":
                saved = database.copy()
            elif step == "set back":
                database.become(saved)
            elif step == "fail":
                database._script += [rng.choice(["before", "after"])]
            elif step == "restart":
                await running.__aexit__()
                running = Running(folder, database, segment_bytes=600)
                await running.__aenter__()
            for _ in range(rng.randrange(6)):
                await asyncio.sleep(0)
        running.tell(rest)
        await _until(lambda: len(database.rows) == len(events))
        await running.__aexit__()
        assert_all_there(database, events, 12)

    asyncio.run(scenario())


async def test_what_was_deleted_before_the_database_lost_it_is_said_with_its_time(tmp_path: Path) -> None:
    database, events = Database(), a_day(40)
    async with Running(tmp_path, database, segment_bytes=500, keep_bytes=3000) as running:
        running.tell(events[:20])
        await running.caught_up()
        backup = database.copy()
        running.tell(events[20:])
        await running.caught_up()
        database.become(backup)
        await _until(lambda: database.rows[-1:] == events[-1:])
        lost = running.recorder.lost
        assert lost is not None
        assert lost.since == events[19].at
        assert lost.until == database.rows[20].at
        assert running.journal.kept.shortened_s is not None
    assert len(database.rows) == len({id(row) for row in database.rows}) < len(events)


async def test_a_journal_set_back_to_a_backup_doubles_nothing_and_goes_on(tmp_path: Path) -> None:
    database, events = Database(), a_day(8)
    async with Running(tmp_path / "now", database) as running:
        running.tell(events[:20])
        await running.caught_up()
    shutil.copytree(tmp_path / "now", tmp_path / "backup")
    async with Running(tmp_path / "now", database) as running:
        running.tell(events[20:30])
        await running.caught_up()
    journal = JournalFile(tmp_path / "backup")
    for event in events[30:]:  # told before the database is asked for its place
        journal.append(event.to_line())
    journal.close()
    async with Running(tmp_path / "backup", database) as running:
        await running.caught_up()
    assert_all_there(database, events, 8)


async def test_a_mended_database_gets_back_what_was_in_its_broken_pages(tmp_path: Path) -> None:
    """Some rows are gone and others are not; its cursor was deleted, as the guide tells."""
    database, events = Database(), a_day(9)
    async with Running(tmp_path, database, segment_bytes=900) as running:
        running.tell(events)
        await running.caught_up()
    database.rows = [event for number, event in enumerate(database.rows) if number % 3]
    database.calls.pop("a1-2.1")
    database.seats.clear()
    database.position = None
    async with Running(tmp_path, database, segment_bytes=900) as running:
        await running.caught_up()
    assert sorted(map(repr, database.rows)) == sorted(map(repr, events))
    assert set(database.calls) == {f"a1-{n}.1" for n in range(9)}
    assert database.seats == {"01": "1001"}


async def test_ticket_numbers_that_a_database_set_back_may_lack_are_remembered_before_it_is_written(
    tmp_path: Path,
) -> None:
    database, events = Database(), a_day(3)
    async with Running(tmp_path, database) as running:
        running.tell(events[:6])
        await running.caught_up()
        standby = database.copy()
        running.tell(events[6:])
        running.journal.append(given_numbers.to_line({"a1-1.1": "51110020261121000011"}, T0))
        await running.caught_up()
        database.become(standby)
        await _until(lambda: len(database.rows) == len(events))
        assert running.numbers == {"a1-1.1": "51110020261121000011"}
    assert_all_there(database, events, 3)


async def _until(there: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not there():  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.002)


async def test_a_disk_that_refuses_to_sync_does_not_stop_the_recorder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("ivr.store.journal_file.os.fdatasync", refuse)
    database, events = Database(), a_day(2)
    async with Running(tmp_path, database) as running:
        running.tell(events)
        await running.caught_up()
    assert_all_there(database, events, 2)


async def test_many_quick_events_travel_in_few_batches(tmp_path: Path) -> None:
    database, events = Database(), a_day(100)
    async with Running(tmp_path, database, segment_bytes=10_000_000) as running:
        running.tell(events)
        await running.caught_up()
    assert database.batches <= 2
    assert_all_there(database, events, 100)


@pytest.mark.parametrize("segment_bytes", [300, 100_000])
async def test_caught_up_means_that_what_was_told_before_is_in_the_database(
    tmp_path: Path, segment_bytes: int
) -> None:
    database, events = Database(), a_day(12)
    async with Running(tmp_path, database, segment_bytes) as running:
        for number, event in enumerate(events, 1):
            running.tell([event])
            await running.caught_up()
            assert database.rows == events[:number]
        await asyncio.gather(*[running.caught_up() for _ in range(5)])  # nothing new: nobody waits


async def test_caught_up_does_not_wait_for_what_is_told_later(tmp_path: Path) -> None:
    database, events = Database(), a_day(40)
    async with Running(tmp_path, database) as running:
        running.tell(events[:5])
        rest = iter(events[5:])

        async def go_on() -> None:
            for event in rest:
                running.tell([event])
                await asyncio.sleep(0.001)

        talk = asyncio.ensure_future(go_on())
        await running.caught_up()
        assert not talk.done()
        assert database.rows[:5] == events[:5]
        await talk


async def test_caught_up_waits_while_the_database_is_away(tmp_path: Path) -> None:
    database, events = Database(["before"] * 1000), a_day(1)
    async with Running(tmp_path, database) as running:
        running.tell(events)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await running.recorder.caught_up()
        database._script.clear()
        await running.caught_up()
    assert_all_there(database, events, 1)


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (1_795_276_799.0, date(2026, 11, 21)),  # 2026-11-21 23:59:59 in Shanghai
        (1_795_276_800.0, date(2026, 11, 22)),
    ],
)
def test_a_call_just_after_midnight_counts_for_the_new_day(at: float, day: date) -> None:
    assert local_day(at, ZoneInfo("Asia/Shanghai")) == day


async def test_words_that_an_older_version_wrote_are_not_doubled_when_they_are_read_again(
    tmp_path: Path,
) -> None:
    database = Database()
    old = [
        Event("a1-1.1", T0 + n, Kind.NOTED, {"what": "track not closed", "path": f"{n}.raw"}) for n in (1, 2)
    ]
    database.rows = list(old[:1])
    running = Running(tmp_path, database)
    for event in old:
        running.journal.append(event.to_line())
    async with running:
        await running.caught_up()
    assert [(row.kind, row.data["path"]) for row in database.rows] == [
        ("noted", "1.raw"),
        ("track_not_closed", "2.raw"),
    ]
