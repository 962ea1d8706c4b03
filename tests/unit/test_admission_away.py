"""Refused calls are counted while the database is away, and each is journalled once when it is back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ivr.admission import part as module
from ivr.admission.part import Admission, Sources
from ivr.admission.ports import Refusal, Wires
from ivr.admission.room import room
from ivr.alarms.board import Alarms
from ivr.asterisk.facts.refused_files import RefusedFiles
from ivr.calls.open_calls import CallBook
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


@dataclass
class Remembered:
    """A database, and whether it was read."""

    restored: asyncio.Event
    store: Store


@dataclass
class Machine:
    """A machine that keeps so many of two cores busy, look by look, and has so many callers."""

    live: bool = True
    used: list[float] = field(default_factory=lambda: [0.0])
    callers: int = 0
    limits: list[tuple[int, int]] = field(default_factory=list)
    cores: int = 2

    def cores_busy(self) -> float | None:
        return self.used.pop(0) if len(self.used) > 1 else self.used[0]

    def rtp_ports_used(self) -> int | None:
        return 0

    async def admitted(self) -> int:
        return self.callers

    async def let_in(self, limit: int, until: int) -> None:
        self.limits.append((limit, until))


class Silent:
    """A carrier with whom everything goes well."""

    async def stop(self) -> None:
        """Nothing was begun."""

    async def look(self) -> list[Refusal]:
        return []


def wires(logs: Path, machine: Machine) -> Wires:
    settings = Settings(home=logs)
    return Wires(
        machine,
        lambda places: RefusedFiles(logs, places),
        Silent(),
        lambda: room(settings.rtp_ports, small_book(), None),
        2,
    )


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
    admission = Admission(
        small_book,
        Sources(calls, Remembered(restored, Store(["c1"])), Alarms(calls.record, lambda: AT), identify),
        wires(logs.folder, Machine(live=False)),
        tmp_path / "refused.json",
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
