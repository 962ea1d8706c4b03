"""What the engine tells the dialplan while Asterisk fills the processors, and when it has room again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest

from ivr.admission import part as module
from ivr.admission.part import STRAINED_FOR_S, Admission, Sources
from ivr.alarms.board import Alarms
from ivr.asterisk.ami.codec import Message
from ivr.asterisk.ami.link import Link, LinkState
from ivr.asterisk.control.machine import AsteriskMachine
from ivr.calls.open_calls import CallBook
from tests.unit.kit import Journal, identify, small_book
from tests.unit.test_admission_away import Machine, Remembered, Store, until, wires

AT = 1795800000.0
CALLERS = 430


def admission_of(folder: Path, machine: Machine) -> Admission:
    """Return the admission of a machine, while the database is away."""
    calls = CallBook(Journal().append)
    remembered = Remembered(asyncio.Event(), Store([]))
    sources = Sources(calls, remembered, Alarms(calls.record, lambda: AT), identify)
    return Admission(
        small_book, sources, wires(folder / "logs", machine), folder / "refused.json", lambda: AT
    )


async def test_a_full_machine_is_told_to_the_dialplan_for_some_seconds_and_lifted_at_once(
    tmp_path: Path,
) -> None:
    machine = Machine(used=[1.4, 1.0], callers=CALLERS)
    admission = admission_of(tmp_path, machine)
    await admission.breathe()
    assert machine.limits == [(CALLERS, int(AT) + STRAINED_FOR_S)]
    told = (await admission.told())["capacity"]
    assert (told["limit"], told["limited_by"]) == (CALLERS, "machine")
    await admission.breathe()
    assert machine.limits[-1][1] == 0
    told = (await admission.told())["capacity"]
    assert told["limit"] > CALLERS
    assert told["limited_by"] == "ports"


async def test_processors_are_watched_while_the_database_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_S", 0.01)
    machine = Machine(used=[1.4], callers=CALLERS)
    running = asyncio.ensure_future(admission_of(tmp_path, machine).run())
    try:
        await until(lambda: machine.limits)
    finally:
        running.cancel()


async def test_the_dialplan_is_told_of_a_limit_by_the_variables_it_reads() -> None:
    told: dict[str, str] = {}

    class Asterisk:
        state = LinkState.LIVE

        async def action(self, name: str, headers: Mapping[str, str]) -> Message:
            if name == "Setvar":
                told[headers["Variable"]] = headers["Value"]
            return Message(f"Response: Success\r\nValue: {CALLERS}")

    machine = AsteriskMachine(cast(Link, Asterisk()), lambda: None, (10000, 10100), here=True)
    assert (machine.live, await machine.admitted(), machine.cores_busy()) == (True, CALLERS, None)
    await machine.let_in(400, 7)
    assert told == {"IVR_STRAINED_LIMIT": "400", "IVR_STRAINED_UNTIL": "7"}
