"""A database that is frozen, damaged, full, closed to us: told in one sentence, and used again when it is back."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from ivr.store import limits
from ivr.store.causes import StoreAway
from ivr.store.database import open_engine
from ivr.store.store import Store
from ivr.tickets.numbers import take
from tests.store.conftest import REGION, Server, disk_of, fill
from tests.store.test_store import a_batch, write_stubbornly

HARMLESS_S = 60
"""Nothing here takes so long, unless it hangs."""
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ANSWER_S", 2.0)


@pytest.fixture
async def served(postgresql: Server) -> AsyncIterator[Store]:
    """A store on PostgreSQL with something in it."""
    await postgresql.execute("DROP DATABASE IF EXISTS away WITH (FORCE)")
    await postgresql.execute("CREATE DATABASE away")
    store = Store(postgresql.url("away"), REGION, take)
    await store.open()
    await store.write(a_batch(None, "1:1", "a1-1.1"))
    yield store
    await store.close()


def _reads(store: Store) -> Awaitable[object]:
    return store.tickets()


def _writes(store: Store) -> Awaitable[object]:
    return store.write(a_batch("1:1", "1:2", "a1-2.2"))


def _looks_for_long(store: Store) -> Awaitable[object]:
    return store.unfinished_recordings()


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("asked", [_reads, _writes, _looks_for_long])
@pytest.mark.parametrize("connected", [True, False])
async def test_a_frozen_server_keeps_nobody_waiting_for_ever_and_nothing_is_lost_by_it(
    postgresql: Server, served: Store, asked: Callable[[Store], Awaitable[object]], connected: bool
) -> None:
    if not connected:
        await served.close()
    async with asyncio.timeout(HARMLESS_S):
        with postgresql.frozen():
            with pytest.raises(StoreAway, match="does not answer: nothing comes") as away:
                await asked(served)
            assert away.value.retry
            assert "没有任何应答" in away.value.zh
            await served.close()
        await write_stubbornly(served, a_batch("1:1", "1:2", "a1-2.2"))
    assert len(await served.tickets()) == 2


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("last_word", ["nothing", "a failure"])
async def test_a_server_that_freezes_within_a_transaction_is_not_waited_for_at_its_end(
    postgresql: Server, served: Store, last_word: str
) -> None:
    frozen = contextlib.ExitStack()

    async def write() -> None:
        async with served._writing() as connection:
            await connection.exec_driver_sql("DELETE FROM audit")
            frozen.enter_context(postgresql.frozen())
            if last_word == "a failure":
                raise LookupError

    async with asyncio.timeout(HARMLESS_S):
        with frozen, pytest.raises((StoreAway, LookupError)):
            await write()
    await write_stubbornly(served, a_batch("1:1", "1:2", "a1-2.2"))
    assert len(await served.tickets()) == 2


async def test_a_question_that_waits_is_told_while_it_waits(postgresql: Server, served: Store) -> None:
    assert served.silent_s == 0
    with postgresql.frozen():
        asking = asyncio.ensure_future(served.tickets())
        async with asyncio.timeout(HARMLESS_S):
            while served.silent_s < 0.3:  # noqa: ASYNC110  # time itself is what is waited for
                await asyncio.sleep(0.02)
        assert not asking.done()
    assert len(await asking) == 1
    assert served.silent_s == 0


@pytest.mark.usefixtures("_impatient")
async def test_a_file_that_does_not_answer_keeps_nobody_waiting_and_is_free_again_afterwards(
    tmp_path: Path,
) -> None:
    store = Store(f"sqlite+aiosqlite:///{tmp_path / 'x.sqlite3'}", REGION, take)
    await store.open()
    async with asyncio.timeout(HARMLESS_S):
        with pytest.raises(StoreAway, match="does not answer: nothing comes"):
            async with store._writing() as connection:
                await connection.exec_driver_sql("DELETE FROM tickets")
                await connection.exec_driver_sql(ENDLESS)
        await write_stubbornly(store, a_batch(None, "1:1", "a1-1.1"))
    assert len(await store.tickets()) == 1
    await store.close()


# -- what else may be wrong, and that it is told -----------------------------------------------
def _overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def _damage(path: Path) -> None:
    _overwrite(path, 4096, b"\xa5" * (path.stat().st_size - 4096))


def _no_database(path: Path) -> None:
    _overwrite(path, 0, b"\xa5" * 4096)


def _truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (_damage, "damaged"),
        (_no_database, "damaged"),
        (_truncate, "damaged"),
        (_empty, "tables are missing"),
    ],
)
async def test_a_broken_file_is_told_with_what_mends_it_and_a_mended_one_is_used(
    tmp_path: Path, harm: Callable[[Path], None], told: str
) -> None:
    path, backup = tmp_path / "x.sqlite3", tmp_path / "backup"
    url = f"sqlite+aiosqlite:///{path}"
    first = Store(url, REGION, take)
    await first.open()
    await first.write(a_batch(None, "1:1", *[f"a1-{n}.1" for n in range(300)]))
    await first.close()  # checkpoints: all is in the one file
    shutil.copy(path, backup)
    harm(path)
    store = Store(url, REGION, take)
    with pytest.raises(StoreAway, match=told) as away:
        await store.write(a_batch("1:1", "1:2", "a1-1.3"))
    assert away.value.zh != away.value.sentence
    with pytest.raises(StoreAway, match=told):
        await store.tickets()
    await store.close()
    for name in ("x.sqlite3-wal", "x.sqlite3-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    shutil.copy(backup, path)
    store = Store(url, REGION, take)
    await store.write(a_batch("1:1", "1:2", "a1-1.3"))
    assert len(await store.tickets()) == 301
    await store.close()


async def test_a_full_disk_under_sqlite_is_told_and_written_to_when_there_is_room(small_disk: Path) -> None:
    store = Store(f"sqlite+aiosqlite:///{small_disk / 'x.sqlite3'}", REGION, take)
    await store.open()
    await store.write(a_batch(None, "1:1", "a1-1.1"))
    others = fill(small_disk)
    batch = a_batch("1:1", "1:2", *[f"a1-{n}.5" for n in range(900)])
    with pytest.raises(StoreAway, match="its disk is full"):
        await store.write(batch)
    others.unlink()
    await store.write(batch)
    assert len(await store.tickets()) == 901
    await store.close()


@pytest.fixture
def tablespace(postgresql: Server) -> Iterator[Path]:
    yield from disk_of(48, postgresql.folder)


async def test_a_full_disk_under_postgresql_is_told_and_written_to_when_there_is_room(
    postgresql: Server, tablespace: Path
) -> None:
    postgresql.folder_for_server(tablespace)
    await postgresql.execute("DROP DATABASE IF EXISTS crowded")
    await postgresql.execute(f"CREATE TABLESPACE small LOCATION '{tablespace}'")
    await postgresql.execute("CREATE DATABASE crowded TABLESPACE small")
    store = Store(postgresql.url("crowded"), REGION, take)
    try:
        await store.open()
        await store.write(a_batch(None, "1:1", "a1-1.1"))
        others = fill(tablespace)
        batch = a_batch("1:1", "1:2", *[f"a1-{n}.5" for n in range(900)])
        with pytest.raises(StoreAway, match="its disk is full"):
            await store.write(batch)
        others.unlink()
        await write_stubbornly(store, batch)
        assert len(await store.tickets()) == 901
    finally:
        await store.close()
        await postgresql.execute("DROP DATABASE crowded WITH (FORCE)")
        await postgresql.execute("DROP TABLESPACE small")


@pytest.mark.parametrize(
    ("closed", "opened", "told"),
    [
        ("ALTER ROLE city CONNECTION LIMIT 0", "ALTER ROLE city CONNECTION LIMIT -1", "no connection left"),
        ("ALTER ROLE city NOLOGIN", "ALTER ROLE city LOGIN", "does not let us in"),
        (
            "ALTER ROLE city SET default_transaction_read_only = on",
            "ALTER ROLE city RESET default_transaction_read_only",
            "may only be read",
        ),
        (
            "ALTER DATABASE away RENAME TO elsewhere",
            "ALTER DATABASE elsewhere RENAME TO away",
            "does not exist",
        ),
    ],
)
async def test_a_server_that_refuses_us_says_why_and_is_used_when_it_does_not(
    postgresql: Server, served: Store, closed: str, opened: str, told: str
) -> None:
    await served.close()
    with contextlib.suppress(asyncpg.DuplicateObjectError):
        await postgresql.execute("CREATE ROLE city LOGIN")
    other = await asyncpg.connect(postgresql.url("away").replace("+asyncpg", ""))
    await other.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO city")
    await other.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO city")
    await other.close()
    store = Store(postgresql.url("away").replace("//ivr@", "//city@"), REGION, take)
    try:
        await postgresql.execute(closed)
        try:
            with pytest.raises(StoreAway, match=told) as away:
                await store.write(a_batch("1:1", "1:2", "a1-2.2"))
            assert "\n" not in away.value.sentence
        finally:
            await store.close()
            await postgresql.execute(opened)
        await store.write(a_batch("1:1", "1:2", "a1-2.2"))
        assert len(await store.tickets()) == 2
    finally:
        await store.close()


async def test_a_password_that_was_changed_is_told(postgresql: Server, served: Store) -> None:
    rules = postgresql.folder / "data" / "pg_hba.conf"
    before = rules.read_text()
    with contextlib.suppress(asyncpg.DuplicateObjectError):
        await postgresql.execute("CREATE ROLE guarded LOGIN")
    await postgresql.execute("ALTER ROLE guarded PASSWORD 'new'")
    try:
        rules.write_text("local all guarded scram-sha-256\n" + before)
        await postgresql.execute("SELECT pg_reload_conf()")
        store = Store(postgresql.url("away").replace("//ivr@", "//guarded:old@"), REGION, take)
        async with asyncio.timeout(HARMLESS_S):
            while True:  # until the server has read its rules
                with pytest.raises(StoreAway) as away:
                    await store.audit(0.0, "x", "y", {})
                if "does not let us in" in away.value.sentence:
                    break
        await store.close()
    finally:
        rules.write_text(before)
        await postgresql.execute("SELECT pg_reload_conf()")


@pytest.mark.usefixtures("_impatient")
async def test_an_answer_half_read_when_its_time_is_over_does_not_keep_the_lock(tmp_path: Path) -> None:
    """An engine that was frozen between two rows went on, and kept itself from writing for good."""
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path}/x.sqlite3")
    patience = limits.Patience(engine)
    async with patience.connected(writing=True) as connection:
        await connection.exec_driver_sql("CREATE TABLE numbers (number INTEGER)")
        await connection.exec_driver_sql("INSERT INTO numbers VALUES (1), (2), (3)")
    half_read = []
    with pytest.raises(TimeoutError):
        async with patience.connected(writing=True) as connection:
            await connection.exec_driver_sql("INSERT INTO numbers VALUES (4)")
            driver: Any = (await connection.get_raw_connection()).driver_connection
            half_read.append(await driver.execute("SELECT number FROM numbers"))
            await connection.exec_driver_sql(ENDLESS)
    async with patience.connected(writing=True) as connection:
        found = (await connection.exec_driver_sql("SELECT count(*) FROM numbers")).scalar()
    assert found == 3, "what was not finished is not written"
    await patience.close()
