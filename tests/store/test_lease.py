"""One engine a database: a second one is refused, a killed one starts again at once, a frozen one ends."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ivr.engine.ownership import claim_of, refuse_if_taken
from ivr.errors import HotlineError
from ivr.home.settings import Settings
from ivr.store import lease
from ivr.store import tables as t
from ivr.store.lease import Claim, LeaseHeld, LeaseLost, LeaseWaits
from ivr.store.store import Store
from ivr.tickets.numbers import take
from tests.store.conftest import REGION
from tests.store.test_store import CURSOR, a_batch

ROOT = Path(__file__).parents[2]
Start = Callable[..., Awaitable[Store]]


@pytest.fixture(autouse=True)
def _no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, nobody is taken for dead because of it."""
    monkeypatch.setattr(lease, "LEASE_S", 3600.0)


def _claim(url: str, home: Path, instance: str = "i0001") -> Claim:
    home.mkdir(exist_ok=True)
    return claim_of(Settings(home=home, database_url=url), instance)


@pytest.fixture
async def start(url: str, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts the store of an engine whose state folder has this name."""
    started: list[tuple[Store, Claim]] = []

    async def engine(home: str, instance: str = "i0001") -> Store:
        claim = _claim(url, tmp_path / home, instance)
        store = Store(url, REGION, take, claim=claim)
        started.append((store, claim))
        await store.open()
        await store.hold()
        return store

    yield engine
    for store, claim in started:
        claim.release()
        await store.close()


async def _change(store: Store, **values: Any) -> None:
    async with store._writing() as connection:
        await connection.execute(sa.update(t.leases).values(**values))


async def _row(store: Store) -> dict[str, Any]:
    async with store._reading() as connection:
        return dict((await connection.execute(sa.select(t.leases))).mappings().one())


def _died(store: Store) -> None:
    """What is left when a process is gone: the row, and no lock."""
    assert store._claim is not None
    store._claim.release()


async def test_a_second_engine_is_refused_in_one_sentence_that_names_the_first(
    start: Start, tmp_path: Path
) -> None:
    first = await start("first")
    for _ in range(2):
        with pytest.raises(LeaseHeld) as refused:
            await start("second", "i0002")
        assert str(tmp_path / "first") in refused.value.sentence
        assert "IVR_DATABASE_URL" in refused.value.zh
        assert "\n" not in refused.value.sentence
        assert not refused.value.retry
    await first.hold()
    await first.write(a_batch(None, "1:1", "a1-1.1"))


async def test_a_copied_state_folder_is_another_hotline(start: Start, tmp_path: Path) -> None:
    first = await start("first")
    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    with pytest.raises(LeaseHeld):
        await start("copy")
    await first.hold()


async def test_the_same_folder_twice_is_refused_too(start: Start) -> None:
    await start("first")
    with pytest.raises(LeaseHeld):
        await start("first")


_HOLDS = """
import asyncio, sys
from pathlib import Path
from ivr.engine.ownership import claim_of
from ivr.home.settings import Settings
from ivr.store.store import Store
from ivr.tickets.numbers import take

async def main():
    url, home = sys.argv[1:]
    store = Store(url, "511100", take, claim=claim_of(Settings(home=Path(home), database_url=url), "i0001"))
    await store.open()
    await store.hold()
    print("held", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_an_engine_that_was_killed_starts_again_at_once(start: Start, url: str, tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    engine = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", _HOLDS, url, str(tmp_path / "first")], cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        assert engine.stdout is not None
        assert await asyncio.to_thread(engine.stdout.readline) == b"held\n"
        with pytest.raises(LeaseHeld, match=str(engine.pid)):
            await start("first")
    finally:
        engine.send_signal(signal.SIGKILL)
        engine.wait()
    store = await start("first")
    assert (await _row(store))["until"] > 0
    await store.write(a_batch(None, "1:1", "a1-1.1"))


async def test_an_engine_that_was_stopped_leaves_the_database_to_any_other(start: Start) -> None:
    first = await start("first")
    await first.let_go()
    second = await start("second")
    await second.write(a_batch(None, "1:1", "a1-1.1"))


async def test_a_lock_that_somebody_tidied_away_is_locked_again(start: Start, tmp_path: Path) -> None:
    first = await start("first")
    for lock in (*tmp_path.glob("*.lock"), *tmp_path.glob("*/engine.lock")):
        lock.unlink()
    await first.hold()
    for home in ("first", "second"):
        with pytest.raises(LeaseHeld):
            await start(home)


async def test_of_a_dead_machine_the_database_is_free_when_its_time_is_over(start: Start, url: str) -> None:
    first = await start("first")
    _died(first)
    if url.startswith("sqlite"):  # a file is used by one machine, and the system knows who lives there
        await start("second")
        return
    with pytest.raises(LeaseHeld, match=f"{lease.LEASE_S:.0f} s after it died"):
        await start("second")
    await _change(first, until=(await _row(first))["until"] - lease.LEASE_S - 1)
    second = await start("second")
    row = await _row(second)
    assert row["home"].endswith("second")
    assert row["until"] - row["since"] == pytest.approx(lease.LEASE_S)


async def test_an_engine_that_was_frozen_while_another_took_over_writes_nothing_more_and_ends(
    start: Start,
) -> None:
    first = await start("first")
    await first.write(a_batch(None, "1:1", "a1-1.1"))
    _died(first)  # it is frozen; what follows is how it looks from outside after a while
    await _change(first, until=0.0)
    second = await start("second")
    with pytest.raises(LeaseWaits) as waits:
        await first.write(a_batch("1:1", "1:2", "a1-2.2"))
    assert waits.value.retry
    with pytest.raises(LeaseWaits):
        await first.audit(1.0, "x", "y", {})
    with pytest.raises(LeaseLost, match="took its database over"):
        await first.hold()
    assert [row["call_id"] for row in await second.tickets()] == ["a1-1.1"]
    await second.let_go()
    with pytest.raises(LeaseLost):  # what it remembers is old, though nobody is there now
        await first.hold()


async def test_a_standby_that_remembers_an_earlier_owner_is_taken_again(start: Start) -> None:
    first = await start("first")
    before = await _row(first)
    await first.let_go()
    second = await start("second")
    await _change(second, **{name: value for name, value in before.items() if name != "name"})
    await _change(second, until=0.0)
    with pytest.raises(LeaseWaits):
        await second.write(a_batch(None, "1:1", "a1-1.1"))
    await second.hold()
    await second.write(a_batch(None, "1:1", "a1-1.1"))
    async with second._writing() as connection:
        await connection.execute(sa.delete(t.leases))
    await second.hold()
    await second.write(a_batch("1:1", "1:2", "a1-2.2"))


async def test_whoever_only_looks_is_never_refused(start: Start, url: str) -> None:
    first = await start("first")
    await first.write(a_batch(None, "1:1", "a1-1.1"))
    looking = Store(url, REGION, take, read_only=True)
    assert len(await looking.tickets()) == 1
    assert await looking.cursor(CURSOR) == "1:1"
    await looking.close()


async def test_tables_that_another_engine_works_with_are_not_changed_under_it(start: Start) -> None:
    first = await start("first")
    async with first._writing() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(LeaseHeld):
        await start("second")
    async with first._reading() as connection:
        found = (await connection.exec_driver_sql("SELECT version_num FROM alembic_version")).scalar()
    assert found == "0001"


async def test_a_start_is_refused_before_anything_is_begun_and_changes_nothing(
    start: Start, url: str, tmp_path: Path
) -> None:
    first = await start("first")
    other = Settings(home=tmp_path / "other", database_url=url)
    other.home.mkdir()
    with pytest.raises(LeaseHeld, match="first"):
        await asyncio.to_thread(refuse_if_taken, other)
    await first.hold()
    await first.let_go()
    await asyncio.to_thread(refuse_if_taken, other)
    await start("other")


async def test_a_database_that_is_away_stops_no_start(tmp_path: Path) -> None:
    for url in (f"postgresql+asyncpg://ivr@/x?host={tmp_path}", f"sqlite+aiosqlite:///{tmp_path}/none"):
        await asyncio.to_thread(refuse_if_taken, Settings(home=tmp_path, database_url=url))
    assert not (tmp_path / "none").exists()


def test_a_url_that_is_none_is_told_as_such_and_not_as_a_crash(tmp_path: Path) -> None:
    with pytest.raises(HotlineError, match="IVR_DATABASE_URL"):
        refuse_if_taken(Settings(home=tmp_path, database_url="postgresql+asyncpg//nonsense"))


async def test_a_lock_that_cannot_be_made_stops_no_start(tmp_path: Path, url: str) -> None:
    (tmp_path / "home" / "engine.lock").mkdir(parents=True)
    store = Store(url, REGION, take, claim=_claim(url, tmp_path / "home"))
    await store.open()
    with pytest.raises(LeaseWaits, match=r"engine\.lock") as waits:
        await store.hold()
    assert waits.value.retry
    await asyncio.to_thread(refuse_if_taken, Settings(home=tmp_path / "home", database_url=url))
    (tmp_path / "home" / "engine.lock").rmdir()
    await store.hold()
    await store.let_go()
    await store.close()
