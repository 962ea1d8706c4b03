"""What the engine tells the dialplan while Asterisk fills the processors, and when it has room again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ivr.admission import part as module
from ivr.admission.part import STRAINED_FOR_S, Admission, Sources
from ivr.admission.strain import Strain
from ivr.alarms.board import Alarms
from ivr.asterisk.ami.codec import Message
from ivr.asterisk.ami.link import Link, LinkState
from ivr.calls.open_calls import CallBook
from ivr.engine.persistence import Memory
from ivr.home.settings import Settings
from tests.unit.kit import Journal, identify, small_book
from tests.unit.test_admission_away import until

AT = 1795800000.0
CALLERS = 430


class Asterisk:
    """Says how many callers there are, and writes down the dialplan's variables."""

    state = LinkState.LIVE

    def __init__(self) -> None:
        self.set: dict[str, str] = {}

    async def action(self, name: str, headers: dict[str, Any]) -> Message:
        if name == "Setvar":
            self.set[headers["Variable"]] = headers["Value"]
        return Message(f"Response: Success\r\nValue: {CALLERS}")


def admission_of(folder: Path, asterisk: Asterisk, used: list[float]) -> Admission:
    """Return the admission of an Asterisk that keeps so many of two cores busy, look by look."""
    calls = CallBook(Journal().append)
    memory = cast(Memory, SimpleNamespace(restored=asyncio.Event()))  # the database is away
    sources = Sources(calls, memory, Alarms(calls.record, lambda: AT), identify)
    made = Admission(
        Settings(home=folder), small_book, sources, cast(Link, asterisk), folder / "logs", lambda: AT
    )
    made._strain = Strain(2)
    made._cpu = cast(Any, SimpleNamespace(look=lambda: used.pop(0) if len(used) > 1 else used[0]))
    return made


async def test_a_full_machine_is_told_to_the_dialplan_for_some_seconds_and_lifted_at_once(
    tmp_path: Path,
) -> None:
    asterisk = Asterisk()
    admission = admission_of(tmp_path, asterisk, [1.4, 1.0])
    await admission.breathe()
    assert asterisk.set == {
        "IVR_STRAINED_LIMIT": str(CALLERS),
        "IVR_STRAINED_UNTIL": str(int(AT) + STRAINED_FOR_S),
    }
    told = (await admission.told())["capacity"]
    assert (told["limit"], told["limited_by"]) == (CALLERS, "machine")
    await admission.breathe()
    assert asterisk.set["IVR_STRAINED_UNTIL"] == "0"
    told = (await admission.told())["capacity"]
    assert told["limit"] > CALLERS
    assert told["limited_by"] == "ports"


async def test_processors_are_watched_while_the_database_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_S", 0.01)
    asterisk = Asterisk()
    running = asyncio.ensure_future(admission_of(tmp_path, asterisk, [1.4]).run())
    try:
        await until(lambda: asterisk.set)
    finally:
        running.cancel()
