"""Refused calls are counted while the database is away, and each is journalled once when it is back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ivr.admission import part as module
from ivr.admission.part import Admission, Sources
from ivr.alarms.board import Alarms
from ivr.asterisk.ami.link import Link, LinkState
from ivr.calls.open_calls import CallBook
from ivr.engine.persistence import Memory
from ivr.events.event import Kind
from ivr.home.settings import Settings
from tests.unit.kit import Journal, identify, small_book
from tests.unit.test_refused_files import Logs
from tools.phones.patience import PATIENCE_S

AT = 1795800698.743725
"""When the calls of :class:`Logs` were refused."""


class Store:
    """A database that knows some refused calls."""

    def __init__(self, known: list[str]) -> None:
        self.known = known

    async def last_events(self, *_: object) -> list[dict[str, Any]]:
        return [{"data": {"call_id": call_id}} for call_id in self.known]


async def until(what: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not what():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_refused_calls_are_counted_before_the_database_is_back_and_journalled_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_S", 0.01)
    journal, logs = Journal(), Logs(tmp_path / "logs")
    calls = CallBook(journal.append)
    restored = asyncio.Event()
    memory = cast(Memory, SimpleNamespace(restored=restored, store=Store(["c1"])))
    admission = Admission(
        Settings(home=tmp_path),
        small_book,
        Sources(calls, memory, Alarms(calls.record, lambda: AT), identify),
        cast(Link, SimpleNamespace(state=LinkState.DOWN)),
        logs.folder,
        lambda: AT,
    )
    for number in range(9):
        logs.refuse(f"c{number}")

    def busy() -> int | None:
        return admission.refusals.by_reason().get("busy")

    running = asyncio.ensure_future(admission.run())
    try:
        await until(lambda: busy() == 9)
        assert (await admission.told())["refused"] == {"busy": 9}
        logs.refuse("c9")
        await until(lambda: busy() == 10)
        assert journal.events == [], "which of them the journal has is not known yet"
        restored.set()
        await until(lambda: len(rows(journal)) == 9)
        await until(lambda: busy() == 10)
        logs.refuse("c10")
        await until(lambda: busy() == 11)
        assert sorted(rows(journal)) == sorted(f"c{number}" for number in range(11) if number != 1)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def rows(journal: Journal) -> list[str]:
    """Return the calls whose refusal was journalled."""
    return [str(event.data["call_id"]) for event in journal.events if event.kind is Kind.CALL_REFUSED]
