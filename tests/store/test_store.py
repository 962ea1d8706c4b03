"""The database: each batch once, each call one ticket, each ticket its own number, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ivr.errors import HotlineError
from ivr.store import queries
from ivr.store import tables as t
from ivr.store.causes import StoreAway
from ivr.store.store import Batch, CursorMoved, Store
from ivr.tickets.numbers import is_valid, take
from tests.batches import batch_of
from tests.store.conftest import REGION, OpenStore

DAY = date(2026, 11, 21)
T0 = 1_795_296_848.0
CURSOR = "journal:a1"


def an_event(call_id: str, kind: str = "call_started", **data: Any) -> dict[str, Any]:
    return {"stream": call_id, "at": T0, "kind": kind, "data": data}


def a_call(call_id: str, **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "call_id": call_id, "state": "greeting", "caller_mask": "138****8000", "dialled_number": "12345",
        "line_id": None, "queue": None, "seat": None, "operator": None, "started_at": T0, "answered_at": None,
        "ended_at": None, "legs": [], "node": "1",
    }  # fmt: skip
    return row | changes


def a_ticket(call_id: str, **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "call_id": call_id, "channel": "phone", "source": "live", "opened_at": T0, "state": "draft",
        "outcome": None, "caller_mask": "138****8000", "caller_enc": "c2VhbGVk", "caller_hash": "beef",
        "dialled_number": "12345", "line_id": None, "queue": None, "seat": None, "operator": None,
        "waited_s": None, "talk_s": None, "recordings": [], "transcript": {"status": "none"},
    }  # fmt: skip
    return row | changes


def a_batch(
    before: str | None, after: str, *call_ids: str, day: date = DAY, cursor: str = CURSOR, **ticket: Any
) -> Batch:
    return batch_of(
        cursor,
        before,
        after,
        [an_event(call_id) for call_id in call_ids],
        [a_call(call_id) for call_id in call_ids],
        [a_ticket(call_id, **ticket) for call_id in call_ids],
        [],
        {call_id: day for call_id in call_ids},
    )


async def write_stubbornly(store: Store, batch: Batch) -> None:
    """Try as the recorder does."""
    for _ in range(200):
        try:
            await store.write(batch)
            return
        except StoreAway as error:
            assert error.retry
            await asyncio.sleep(0.01)
    pytest.fail("the batch never got in")


async def test_a_batch_is_in_the_database_once_however_often_it_is_tried(store: Store) -> None:
    batch = a_batch(None, "1:100", "a1-1.1", "a1-2.2")
    for _ in range(3):
        await store.write(batch)
    assert await store.cursor(CURSOR) == "1:100"
    assert {k: len(v) for k, v in (await store.events(["a1-1.1", "a1-2.2"])).items()} == {
        "a1-1.1": 1,
        "a1-2.2": 1,
    }
    assert len(await store.tickets()) == 2
    assert len(await store.calls()) == 2


async def test_batches_follow_each_other_and_an_old_one_changes_nothing(store: Store) -> None:
    first = a_batch(None, "1:100", "a1-1.1")
    await store.write(first)
    await store.write(a_batch("1:100", "1:200", "a1-2.2"))
    with pytest.raises(CursorMoved):
        await store.write(first)
    assert await store.cursor(CURSOR) == "1:200"
    assert len((await store.events(["a1-1.1"]))["a1-1.1"]) == 1


async def test_a_call_gets_its_number_back_from_a_database_that_forgot_it_and_no_other_call_gets_it(
    url: str, open_store: OpenStore
) -> None:
    """A standby without the last batches: what was told to a caller stays that caller's."""
    told: dict[str, str] = {}
    store = await open_store(tell=told.update)
    await store.write(a_batch(None, "1:1", "a1-1.1"))
    saved = await _dump(store)
    await store.write(a_batch("1:1", "1:2", "a1-2.2", "a1-3.3"))
    await store.write(a_batch("1:2", "1:3", "a1-4.4"))
    before = {row["call_id"]: row["ticket_no"] for row in await store.tickets()}
    assert told == before
    await _set_back(store, saved)
    with pytest.raises(CursorMoved) as moved:
        await store.write(a_batch("1:3", "1:4", "a1-5.5"))
    assert moved.value.retry
    again = await open_store(tell=told.update)  # an engine that starts anew knows it from the journal
    for one in (store, again):
        await _set_back(one, saved)
        one.numbering.remember({call: before[call] for call in ("a1-2.2", "a1-4.4")}, {DAY: 5})
        await one.write(a_batch("1:1", "1:2", "a1-5.5", "a1-4.4"))  # batches may be cut in another way
        await one.write(a_batch("1:2", "1:3", "a1-2.2", "a1-3.3"))
        after = {row["call_id"]: row["ticket_no"] for row in await one.tickets()}
        for call in ("a1-1.1", "a1-2.2", "a1-4.4"):
            assert after[call] == before[call]
        assert after["a1-5.5"] not in before.values()
        assert len(set(after.values())) == 5


async def _dump(store: Store) -> list[tuple[sa.Table, list[dict[str, Any]]]]:
    async with store._reading() as connection:
        return [
            (table, [dict(row) for row in (await connection.execute(sa.select(table))).mappings()])
            for table in t.metadata.sorted_tables
        ]


async def _set_back(store: Store, saved: list[tuple[sa.Table, list[dict[str, Any]]]]) -> None:
    async with store._writing() as connection:
        for table, rows in saved:
            await connection.execute(sa.delete(table))
            if rows:
                await connection.execute(sa.insert(table), rows)


async def test_a_number_that_another_call_got_meanwhile_is_not_given_twice(open_store: OpenStore) -> None:
    store = await open_store()
    await store.write(a_batch(None, "1:1", "a1-1.1"))
    (number,) = [row["ticket_no"] for row in await store.tickets()]
    store.numbering.remember({"a1-2.2": number}, {})
    await store.write(a_batch("1:1", "1:2", "a1-2.2"))
    assert len({row["ticket_no"] for row in await store.tickets()}) == 2


async def test_events_of_some_streams_are_found_by_their_time(store: Store) -> None:
    events = [
        an_event(name) | {"at": T0 + at} for at, name in enumerate(["a1-1.1", "hotline", "a1-1.1", "x"])
    ]
    await store.write(batch_of(CURSOR, None, "1:1", events))
    found = await store.events_between(["a1-1.1", "hotline"], T0 + 1, T0 + 9)
    assert sorted(row["at"] for row in found) == [T0 + 1, T0 + 2]
    assert await store.newest_event() == T0 + 3


async def test_when_calls_began_is_told_for_the_time_that_was_asked_for(store: Store) -> None:
    await store.write(a_batch(None, "1:100", "a1-1.1", "a1-2.2"))
    began = sorted(row["started_at"] for row in await store.calls())
    assert sorted(await store.call_starts()) == began
    assert await store.call_starts(began[-1] + 1) == []


async def test_another_instance_has_a_cursor_of_its_own(store: Store) -> None:
    await store.write(a_batch(None, "1:100", "a1-1.1"))
    await store.write(a_batch(None, "1:70", "b1-1.1", cursor="journal:b1"))
    assert (await store.cursor(CURSOR), await store.cursor("journal:b1")) == ("1:100", "1:70")
    assert await store.cursor("journal:c1") is None
    assert len(await store.tickets()) == 2


async def test_an_empty_batch_only_moves_the_cursor(store: Store) -> None:
    await store.write(batch_of(CURSOR, None, "1:9", []))
    assert await store.cursor(CURSOR) == "1:9"
    assert await store.tickets() == []


async def test_a_batch_that_fails_half_way_leaves_nothing_behind(store: Store) -> None:
    batch = a_batch(None, "1:100", "a1-1.1")
    broken = batch_of(CURSOR, None, "1:100", batch.events, batch.rows["calls"], [a_ticket("a1-1.1", state=None)], [],
                   batch.ticket_days)  # fmt: skip
    with pytest.raises(StoreAway):
        await store.write(broken)
    assert await store.cursor(CURSOR) is None
    assert await store.calls() == []
    await store.write(batch)
    assert len(await store.tickets()) == 1


async def test_a_call_has_one_call_ticket_that_changes_with_it(store: Store) -> None:
    await store.write(a_batch(None, "1:1", "a1-1.1"))
    (opened,) = await store.tickets()
    await store.write(
        a_batch("1:1", "1:2", "a1-1.1", outcome="answered", state="accepted", talk_s=12.5, seat="01")
    )
    (closed,) = await store.tickets()
    assert closed["ticket_no"] == opened["ticket_no"]
    assert closed["query_code"] == closed["ticket_no"][-8:]
    assert (closed["outcome"], closed["state"], closed["talk_s"], closed["seat"]) == (
        "answered", "accepted", 12.5, "01",
    )  # fmt: skip
    assert is_valid(closed["ticket_no"])
    assert closed["ticket_no"].startswith(f"{REGION}20261121")


async def test_a_new_program_finds_the_ticket_of_a_call_that_was_open(open_store: OpenStore) -> None:
    first = await open_store()
    await first.write(a_batch(None, "1:1", "a1-1.1"))
    second = await open_store()
    await second.write(a_batch("1:1", "1:2", "a1-1.1", "a1-2.2", outcome="abandoned"))
    tickets = await second.tickets()
    assert [ticket["outcome"] for ticket in tickets] == ["abandoned", "abandoned"]
    assert {ticket["call_id"] for ticket in tickets} == {"a1-1.1", "a1-2.2"}


async def test_the_database_itself_refuses_a_second_call_ticket(store: Store, url: str) -> None:
    await store.write(a_batch(None, "1:1", "a1-1.1"))
    later = {"clocks": None, "category": None}

    def insert(connection: Connection, number: str, parent: str | None) -> None:
        row = (
            a_ticket("a1-1.1") | later | {"ticket_no": number, "query_code": number[-8:], "parent_no": parent}
        )
        connection.execute(sa.insert(t.tickets).values(row))

    (ticket,) = await store.tickets()
    async with store._writing() as connection:  # a further matter of the same call is another ticket
        await connection.run_sync(insert, "51110020261121999990", ticket["ticket_no"])
    with pytest.raises(StoreAway):
        async with store._writing() as connection:
            await connection.run_sync(insert, "51110020261121999991", None)
    await store.write(a_batch("1:1", "1:2", "a1-1.1", outcome="answered"))
    found = {row["ticket_no"]: row["outcome"] for row in await store.tickets(call_id="a1-1.1")}
    assert found == {ticket["ticket_no"]: "answered", "51110020261121999990": None}


async def test_two_programs_never_give_out_the_same_ticket_number(open_store: OpenStore) -> None:
    stores = [await open_store() for _ in range(2)]

    async def day_of(name: str, store: Store) -> None:
        for number in range(15):
            ids = [f"{name}-{number}.{n}" for n in range(4)]
            before = f"1:{number}" if number else None
            batch = a_batch(before, f"1:{number + 1}", *ids, cursor=f"journal:{name}")
            await write_stubbornly(store, batch)

    await asyncio.gather(*(day_of(f"i{n}", store) for n, store in enumerate(stores)))
    tickets = await stores[0].tickets()
    assert len(tickets) == 120
    assert len({ticket["ticket_no"] for ticket in tickets}) == 120
    assert all(is_valid(ticket["ticket_no"]) for ticket in tickets)


async def test_two_programs_that_tell_of_the_same_call_make_one_ticket(open_store: OpenStore) -> None:
    stores = [await open_store() for _ in range(3)]
    await asyncio.gather(
        *(
            write_stubbornly(store, a_batch(None, "1:1", "a1-1.1", "a1-2.2", cursor=f"journal:{n}"))
            for n, store in enumerate(stores)
        )
    )
    assert sorted(ticket["call_id"] for ticket in await stores[0].tickets()) == ["a1-1.1", "a1-2.2"]


async def test_numbers_begin_anew_each_day_and_calls_around_midnight_get_their_own_day(store: Store) -> None:
    batch = a_batch(None, "1:1", "a1-1.1", "a1-2.2")
    days = {"a1-1.1": date(2026, 11, 21), "a1-2.2": date(2026, 11, 22)}
    await store.write(
        batch_of(CURSOR, None, "1:1", batch.events, batch.rows["calls"], batch.rows["tickets"], [], days)
    )
    numbers = {ticket["call_id"]: ticket["ticket_no"] for ticket in await store.tickets()}
    assert numbers["a1-1.1"] == take(REGION, days["a1-1.1"], 0, 1)[0][0]
    assert numbers["a1-2.2"] == take(REGION, days["a1-2.2"], 0, 1)[0][0]


async def test_a_great_batch_is_written_whole(store: Store) -> None:
    ids = [f"a1-{n}.1" for n in range(1500)]
    await store.write(a_batch(None, "1:1", *ids))
    await store.write(a_batch("1:1", "1:2", *ids, outcome="abandoned"))
    assert len(await store.tickets(state="abandoned")) == 1500
    assert len(await store.known_calls(ids)) == 1500
    assert len(await store.calls(limit=5000)) == 1500
    assert sum(map(len, (await store.events(ids)).values())) == 3000


async def test_calls_and_seats_are_what_was_told_last(store: Store) -> None:
    seat = {"node": "1", "seat": "01", "state": "ready", "operator": "1001", "reason": "", "since": T0}
    await store.write(batch_of(CURSOR, None, "1:1", [], [a_call("a1-1.1")], [], [seat]))
    paused = seat | {"state": "paused", "reason": "meal", "since": T0 + 1}
    legs = [{"role": "caller", "channel": "x", "joined_at": T0, "left_at": None}]
    talking = a_call("a1-1.1", state="talking", seat="01", legs=legs)
    await store.write(batch_of(CURSOR, "1:1", "1:2", [], [talking], [], [paused, seat | {"seat": "02"}]))
    assert sorted(await store.seats(), key=lambda row: row["seat"]) == [paused, seat | {"seat": "02"}]
    (call,) = await store.calls("a1-1.1")
    assert call == talking


async def test_chinese_text_and_odd_characters_come_back_as_they_were(store: Store) -> None:
    words = '张三说:"停水了\\n" 🚰 \u2028 \t\r\n % _ \' --'  # half-width kept
    transcript = {"status": "done", "text": words, "turns": [{"speaker": "caller", "text": words}]}
    batch = batch_of(
        CURSOR, None, "1:1", [an_event("a1-1.1", "noted", text=words, nul="\0", deep={"工单": [1, None, True]})],
        [a_call("a1-1.1", dialled_number="12345")], [a_ticket("a1-1.1", transcript=transcript)], [],
        {"a1-1.1": DAY},
    )  # fmt: skip
    await store.write(batch)
    (row,) = (await store.events(["a1-1.1"]))["a1-1.1"]
    assert row["data"] == {"text": words, "nul": "\0", "deep": {"工单": [1, None, True]}}
    (ticket,) = await store.tickets()
    assert ticket["transcript"] == transcript


async def test_the_times_of_events_keep_their_microseconds_and_their_order(store: Store) -> None:
    moments = [1795296848.222834, 1795296848.222835, 1795296840.0]
    events = [an_event("a1-1.1") | {"at": at, "kind": f"k{n}"} for n, at in enumerate(moments)]
    await store.write(batch_of(CURSOR, None, "1:1", events))
    rows = (await store.events(["a1-1.1"]))["a1-1.1"]
    assert [row["at"] for row in rows] == moments
    assert [row["kind"] for row in rows] == ["k0", "k1", "k2"]
    assert await store.events(["unheard"]) == {"unheard": []}
    assert await store.events([]) == {}


async def tickets_of_a_day(store: Store) -> None:
    rows = [
        a_ticket("a1-1.1", opened_at=T0, state="accepted", outcome="answered", line_id="water"),
        a_ticket("a1-2.2", opened_at=T0 + 10, state="draft", outcome="abandoned", line_id="water"),
        a_ticket("a1-3.3", opened_at=T0 + 20, state="draft", outcome=None, line_id=None),
    ]
    await store.write(batch_of(CURSOR, None, "1:1", [], [], rows, [], {row["call_id"]: DAY for row in rows}))


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, ["a1-1.1", "a1-2.2", "a1-3.3"]),
        ({"since": T0 + 10}, ["a1-2.2", "a1-3.3"]),
        ({"since": T0 + 21}, []),
        ({"state": "draft"}, ["a1-2.2", "a1-3.3"]),
        ({"state": "answered"}, ["a1-1.1"]),
        ({"state": "abandoned"}, ["a1-2.2"]),
        ({"line": "water"}, ["a1-1.1", "a1-2.2"]),
        ({"line": "water", "state": "draft"}, ["a1-2.2"]),
        ({"line": "x' OR 1=1 --"}, []),
        ({"call_id": "a1-3.3"}, ["a1-3.3"]),
        ({"number": "1"}, []),
    ],
)
async def test_a_listing_shows_just_the_tickets_asked_for(
    store: Store, filters: dict[str, Any], found: Sequence[str]
) -> None:
    await tickets_of_a_day(store)
    assert [ticket["call_id"] for ticket in await store.tickets(**filters)] == found


async def test_a_long_listing_comes_in_pieces_and_has_every_ticket_once(store: Store) -> None:
    rows = [
        a_ticket(f"a1-{n}.1", opened_at=T0 + n // 300, line_id="water" if n % 2 else None)
        for n in range(2 * queries.CHUNK + 100)
    ]
    await store.write(batch_of(CURSOR, None, "1:1", [], [], rows, [], {row["call_id"]: DAY for row in rows}))
    for filters in ({}, {"line": "water"}, {"since": T0 + 1}):
        pieces = [piece async for piece in store.ticket_pieces(**filters)]
        assert [ticket for piece in pieces for ticket in piece] == await store.tickets(**filters)
        assert max(map(len, pieces)) <= queries.CHUNK
    brief = await store.tickets(since=T0 + 2, columns=["ticket_no", "opened_at"])
    assert brief == [
        {"ticket_no": row["ticket_no"], "opened_at": row["opened_at"]}
        for row in await store.tickets(since=T0 + 2)
    ]


async def test_a_ticket_is_found_by_its_number_and_by_its_query_code(store: Store) -> None:
    await tickets_of_a_day(store)
    ticket = (await store.tickets())[1]
    for number in (ticket["ticket_no"], ticket["query_code"]):
        assert [row["call_id"] for row in await store.tickets(number=number)] == ["a1-2.2"]


async def test_calls_are_listed_newest_first_and_open_ones_are_known_after_a_restart(store: Store) -> None:
    calls = [a_call("a1-1.1", state="ended"), a_call("a1-2.2", state="talking", started_at=T0 + 5)]
    await store.write(batch_of(CURSOR, None, "1:1", [], calls))
    assert [row["call_id"] for row in await store.calls()] == ["a1-2.2", "a1-1.1"]
    assert [row["call_id"] for row in await store.calls(limit=1)] == ["a1-2.2"]
    assert await store.open_calls() == ["a1-2.2"]
    assert await store.known_calls(["a1-1.1", "a1-2.2", "nobody"]) == {"a1-1.1": "ended", "a1-2.2": "talking"}
    assert await store.known_calls([]) == {}


async def test_recordings_still_to_be_made_are_found_after_a_restart(store: Store) -> None:
    rows = [
        a_ticket("none", outcome="answered"),
        a_ticket("pending", outcome="answered", transcript={"status": "pending", "text": ""}),
        a_ticket("done", outcome="answered", transcript={"status": "done", "text": "pending"}),
        a_ticket("failed", outcome="answered", transcript={"status": "failed"}),
        a_ticket("abandoned", outcome="abandoned"),
        a_ticket("open", outcome=None),
        a_ticket("help", outcome="handed_off"),
        a_ticket("no help", outcome="abandoned"),
        a_ticket("no help, open", outcome=None),
    ]
    stars = [
        {"stream": call_id, "at": T0, "kind": "track_begun", "data": {"path": "/r/x-help"}}
        for call_id in ("help", "no help", "no help, open")
    ]
    days = {row["call_id"]: DAY for row in rows}
    calls = [a_call(row["call_id"]) for row in rows]
    await store.write(batch_of(CURSOR, None, "1:1", stars, calls, rows, [], days))
    assert sorted(await store.unfinished_recordings()) == ["help", "no help", "none", "pending"]


async def test_what_a_person_looked_at_is_noted(store: Store) -> None:
    await store.audit(T0, "root", "secrets shown", {"seats": 24})

    def read(connection: Connection) -> list[Any]:
        return [
            tuple(row)
            for row in connection.execute(sa.select(t.audit.c.actor, t.audit.c.action, t.audit.c.data))
        ]

    async with store._reading() as connection:
        assert await connection.run_sync(read) == [("root", "secrets shown", {"seats": 24})]


# -- away --------------------------------------------------------------------------------------
async def test_a_database_locked_for_a_while_says_so_and_takes_the_batch_later(
    store: Store, url: str, tmp_path: Path
) -> None:
    batch = a_batch(None, "1:1", "a1-1.1")
    if url.startswith("sqlite"):
        other = sqlite3.connect(tmp_path / "hotline.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreAway, match="locked") as away:
            await store.write(batch)
        assert away.value.retry
        assert await store.tickets() == [], "reading goes on"
        other.execute("ROLLBACK")
        other.close()
        await store.write(batch)
    else:
        lock = await asyncpg.connect(url.replace("+asyncpg", ""))
        transaction = lock.transaction()
        await transaction.start()
        await lock.execute("LOCK TABLE tickets IN ACCESS EXCLUSIVE MODE")
        writing = asyncio.ensure_future(store.write(batch))
        done, _ = await asyncio.wait([writing], timeout=0.3)
        assert not done
        await transaction.rollback()
        await lock.close()
        await writing
    assert len(await store.tickets()) == 1


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)  # a file has no connections to cut
async def test_connections_cut_under_the_store_are_an_absence_and_then_it_goes_on(
    store: Store, url: str
) -> None:
    await store.write(a_batch(None, "1:1", "a1-1.1"))
    killer = await asyncpg.connect(url.replace("+asyncpg", ""))
    writing = asyncio.ensure_future(
        write_stubbornly(store, a_batch("1:1", "1:2", *[f"a1-{n}.3" for n in range(200)]))
    )
    for _ in range(10):
        await killer.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
        await asyncio.sleep(0.005)
    await killer.close()
    await writing
    assert len(await store.tickets()) == 201


async def test_a_database_that_is_not_there_is_an_absence_in_words(tmp_path: Path) -> None:
    for url in (
        f"sqlite+aiosqlite:///{tmp_path}/no/such/folder/x.sqlite3",
        f"postgresql+asyncpg://ivr@/x?host={tmp_path}",
        "postgresql+asyncpg://ivr@127.0.0.1:1/x",
    ):
        store = Store(url, REGION, take)
        with pytest.raises(StoreAway, match="does not answer") as away:
            await store.open()
        assert away.value.retry
        assert isinstance(away.value, HotlineError)
        await store.close()


async def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite3").write_bytes(b"not a database at all, but long enough to be looked at" * 100)
    store = Store(f"sqlite+aiosqlite:///{tmp_path}/x.sqlite3", REGION, take)
    with pytest.raises(StoreAway, match="not a database"):
        await store.open()
    await store.close()


@contextlib.contextmanager
def read_only(path: Path) -> Iterator[None]:
    """Take from everybody, root too, the right to write a file."""
    if os.geteuid() != 0:
        path.chmod(0o400)
        yield
        path.chmod(0o600)
        return
    for options in (["--bind", str(path)], ["-o", "remount,ro,bind"]):  # no chattr: not every disk has it
        if subprocess.run(["mount", *options, str(path)], capture_output=True, check=False).returncode != 0:
            pytest.skip("root may write everything here, and may not mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


async def test_a_database_that_may_be_written_again_is_written_without_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    first = Store(f"sqlite+aiosqlite:///{path}", REGION, take)
    await first.open()
    await first.close()
    store = Store(f"sqlite+aiosqlite:///{path}", REGION, take)
    batch = a_batch(None, "1:1", "a1-1.1")
    with read_only(path):
        await store.open()
        with pytest.raises(StoreAway, match="readonly"):
            await store.write(batch)
    await store.write(batch)
    assert len(await store.tickets()) == 1
    await store.close()


async def test_a_command_may_read_while_the_engine_writes(open_store: OpenStore, url: str) -> None:
    engine = await open_store()
    looking = Store(url, REGION, take, read_only=True)
    async with engine._writing() as connection:
        await connection.execute(sa.insert(t.cursors).values(name="x", position="1:0"))
        assert await looking.cursor("x") is None
    assert await looking.cursor("x") == "1:0"
    await looking.close()


async def test_the_last_words_of_a_stream_are_found_by_their_kind(store: Store) -> None:
    told = [
        an_event("hotline", "mode_set", mode="holiday"),
        an_event("a1-1.1", "mode_set", mode="of a call"),
        an_event("hotline", "mode_set", mode="emergency"),
        an_event("hotline", "alarm_raised", about="01"),
    ]
    await store.write(batch_of(CURSOR, None, "1:100", told))
    (last,) = await store.last_events("hotline", ["mode_set"], 1)
    assert last["data"] == {"mode": "emergency"}
    both = await store.last_events("hotline", ["mode_set", "alarm_raised"], 2)
    assert [row["kind"] for row in both] == ["mode_set", "alarm_raised"]
    assert await store.last_events("seat:01", ["wrap_up_started"], 1) == []


async def test_a_database_file_that_was_deleted_or_replaced_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    store = Store(f"sqlite+aiosqlite:///{path}", REGION, take)
    assert not store.file_lost, "not opened yet"
    await store.open()
    assert not store.file_lost
    path.rename(tmp_path / "elsewhere")
    assert store.file_lost
    path.write_bytes(b"")
    assert store.file_lost
    (tmp_path / "elsewhere").replace(path)
    assert not store.file_lost
    await store.close()
