"""The tables of a new database and of an upgraded one are just those the engine writes to."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from ivr.store import migrate
from ivr.store.migrations import HEAD
from ivr.store.tables import metadata
from tests.store.conftest import OpenStore
from tools.phones.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]


def difference(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


async def test_the_migrations_make_exactly_the_tables_the_engine_knows(
    open_store: OpenStore, url: str
) -> None:
    await open_store()
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        assert await connection.run_sync(difference) == []
        assert await connection.run_sync(migrate.is_current)
    await engine.dispose()


async def test_a_missing_column_would_be_noticed(open_store: OpenStore, url: str) -> None:
    await open_store()
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE tickets DROP COLUMN satisfaction")
        assert await connection.run_sync(difference) != []
    await engine.dispose()


def test_the_newest_revision_is_the_one_a_start_compares_with() -> None:
    scripts = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    assert scripts.get_heads() == [HEAD]
    assert [script.revision for script in scripts.walk_revisions()][-1] == "0001"


async def test_opening_again_changes_nothing(open_store: OpenStore) -> None:
    first = await open_store()
    await first.audit(1.0, "x", "y", {})
    second = await open_store()
    async with second._reading() as connection:
        count = (await connection.exec_driver_sql("SELECT count(*) FROM audit")).scalar()
    assert count == 1


async def test_a_database_of_a_newer_version_is_told_and_left_as_it_is(
    open_store: OpenStore, url: str
) -> None:
    await open_store()
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    store = await open_store(fresh=False)
    with pytest.raises(migrate.DatabaseNewer, match=r"newer version of this program.*9999"):
        await store.open()
    async with engine.connect() as connection:
        found = (await connection.exec_driver_sql("SELECT version_num FROM alembic_version")).scalar()
    await engine.dispose()
    assert found == "9999"


_OPENS = """
import asyncio, sys, time
from ivr.store.causes import StoreAway
from ivr.store.store import Store
from ivr.tickets.numbers import take

async def main():
    store = Store(sys.argv[1], "511100", take)
    for _ in range(200):
        try:
            await store.open()
            assert await store.tickets() == []
            await store.close()
            return
        except StoreAway:
            await asyncio.sleep(0.02)
    sys.exit("the tables were never made")

asyncio.run(main())
"""


async def test_programs_that_start_together_on_an_empty_database_all_get_their_tables(url: str) -> None:
    programs = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", _OPENS, url, cwd=ROOT) for _ in range(3)
    ]
    try:
        async with asyncio.timeout(PATIENCE_S):
            assert [await program.wait() for program in programs] == [0, 0, 0]
    finally:
        for program in programs:
            if program.returncode is None:
                program.kill()
                await program.wait()
