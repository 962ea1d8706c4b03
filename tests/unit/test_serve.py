"""The engine's process around the engine."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ivr.api.requests import Answers
from ivr.engine import serve
from ivr.engine.engine import Engine
from ivr.errors import HotlineError
from ivr.home.settings import Settings
from ivr.host import last_words
from ivr.store.lease import LeaseHeld, LeaseLost
from tests.unit.kit import small_book


class Part:
    """An engine, or its control socket, that only remembers what it was told."""

    def __init__(self, *_: object) -> None:
        self.told: list[str] = []
        parts.append(self)

    def table(self) -> dict[str, Any]:
        return {}

    held = table

    async def start(self) -> None:
        self.told.append("start")

    async def stop(self) -> None:
        self.told.append("stop")

    async def close(self) -> None:
        self.told.append("close")


parts: list[Part] = []


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    """Leave the collector of the tests as it was."""
    before = gc.get_threshold()
    parts.clear()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


async def test_the_collector_leaves_what_was_loaded_alone_once_the_engine_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("Engine", "ControlServer", "Answers"):
        monkeypatch.setattr(serve, name, Part)
    monkeypatch.setattr("ivr.rollout.staging.running_book", lambda _: small_book())
    before = gc.get_freeze_count()
    served = asyncio.ensure_future(serve.serve(Settings(home=tmp_path)))
    async with asyncio.timeout(60):
        while gc.get_freeze_count() <= before and not served.done():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert not served.done()
    assert gc.isenabled()  # frozen, not switched off: what comes later is still looked at
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(60):
        await served
    assert [part.told for part in parts if part.told] == [["start", "stop"], ["start", "close"]]


async def test_a_list_of_seats_is_refused_not_empty_while_the_database_was_not_read() -> None:
    engine = SimpleNamespace(
        seating=SimpleNamespace(known=False),
        recorder=SimpleNamespace(reason="the database is away", reason_zh="数据库不可用"),
    )
    answers = Answers(cast(Engine, engine))
    for look in (answers.seats, answers.operators):
        with pytest.raises(HotlineError, match="the database is away") as refused:
            await look({})
        assert refused.value.retry


@pytest.mark.parametrize(
    ("error", "status"),
    [(LeaseHeld("it is another's", "已被占用"), 2), (LeaseLost("it was lost", "已失去"), 1)],
)
async def test_an_engine_on_a_database_that_is_not_its_own_ends_and_says_why(
    error: HotlineError, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended: list[int] = []
    monkeypatch.setattr("ivr.engine.engine.os._exit", ended.append)

    async def part() -> None:
        raise error

    task = asyncio.ensure_future(part())
    await asyncio.wait({task})
    Engine._ended(
        cast(Engine, SimpleNamespace(_tasks={task}, liveness=SimpleNamespace(ends=lambda: None))), task
    )
    assert ended == [status]
    assert last_words.heard(capsys.readouterr().err) == (error.sentence, error.zh)
