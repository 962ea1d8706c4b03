"""What the engine does again and again goes on while one part of it cannot be done."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import time
from pathlib import Path
from typing import Any, NoReturn, cast

from ivr.asterisk.ami.link import AmiTimeout, Link, LinkState
from ivr.engine.engine import Engine
from ivr.events.event import Event, Kind
from ivr.home.secrets import open_keys
from ivr.home.settings import load
from tests.unit.kit import small_book

CALL = "a1-1.1"


class Breathless:
    """A link to an Asterisk that is there and answers no question in time."""

    state = LinkState.LIVE

    async def action(self, name: str, *_: object, **__: object) -> NoReturn:
        raise AmiTimeout(f"{name}: no answer")

    list_action = action


async def test_a_call_ends_in_its_ticket_while_asterisk_is_too_busy_to_answer_any_question(
    tmp_path: Path,
) -> None:
    """Its own records tell of the end, whether or not it says who sits in the queues and who is there."""
    book, logs = small_book(), tmp_path / "log"
    engine = Engine(load(home=tmp_path), book, open_keys(tmp_path, ["seat01"], ["1001"]), logs)
    engine.link = cast(Link, Breathless())
    engine.seating.known = True
    engine.memory.restored.set()
    began = time.time() - 60
    told: list[tuple[Kind, dict[str, Any]]] = [(Kind.CALL_STARTED, {}), (Kind.QUEUED, {"queue": "q_general"})]
    for kind, data in told:
        engine.calls.record(Event(CALL, began, kind, data))
    (logs / "cel-custom").mkdir(parents=True)
    with (logs / "cel-custom/ivr12345.csv").open("w", newline="") as file:
        row = ["HANGUP", str(began + 30), CALL, CALL, "PJSIP/trunk-00000001", "", "ivr-queue", "", "", ""]
        csv.writer(file, quoting=csv.QUOTE_ALL).writerow(row)
    rounds = asyncio.create_task(engine._reconcile_forever())
    try:
        async with asyncio.timeout(60):
            while CALL in engine.calls.calls:  # noqa: ASYNC110 - the book tells nobody else
                await asyncio.sleep(0.01)
    finally:
        rounds.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await rounds
        await engine.store.close()
        engine.memory.journal.close()
    assert CALL in engine.calls.over
