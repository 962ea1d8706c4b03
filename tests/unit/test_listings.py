"""``ivr tickets list`` on a hotline that has answered for months: quick, and small in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ivr.cli.common import print_table
from ivr.cli.records import tickets
from ivr.store.store import Batch, Row, Store
from ivr.tickets.numbers import take

SHIPPED = Path(__file__).parents[2] / "queues"
T0 = 1_795_296_848.0
CALLS = 1_300


def _ticket(number: int) -> Row:
    return {
        "call_id": f"a1-{number}.1", "channel": "phone", "source": "live", "opened_at": T0 + number,
        "state": "draft", "outcome": "abandoned", "caller_mask": "138****8000", "caller_enc": "x",
        "caller_hash": "x", "dialled_number": "12345", "line_id": "water", "queue": None, "seat": None,
        "operator": None, "waited_s": 1.5, "talk_s": None, "recordings": [],
        "transcript": {"status": "none", "text": "行分隔\u2028符", "turns": [], "demonstration": None},
    }  # fmt: skip


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A database with many tickets; of how many calls at a time events are read."""
    monkeypatch.setenv("IVR_HOME", str(tmp_path))
    monkeypatch.setenv("IVR_CONFIG", str(SHIPPED))
    monkeypatch.setenv("IVR_LANGUAGE", "en")

    async def fill() -> None:
        store = Store(f"sqlite+aiosqlite:///{tmp_path}/hotline.sqlite3", "511100", take)
        await store.open()
        rows = [_ticket(number) for number in range(CALLS)]
        events = [
            {"stream": row["call_id"], "at": T0, "kind": "call_started", "data": {"dialled": "12345"}}
            for row in rows
        ]
        days = {row["call_id"]: date(2026, 11, 21) for row in rows}
        await store.write(Batch("journal:a1", None, "1:1", events, [], rows, [], days))
        await store.close()

    asyncio.run(fill())
    sizes: list[int] = []
    events_of = Store.events

    async def events(self: Store, streams: Sequence[str]) -> dict[str, list[Row]]:
        sizes.append(len(streams))
        return await events_of(self, streams)

    monkeypatch.setattr(Store, "events", events)
    return sizes


def test_the_list_as_json_is_whole_and_never_whole_in_memory(asked: list[int]) -> None:
    done = CliRunner().invoke(tickets, ["list", "--json"])
    assert done.exit_code == 0, done.output
    listed: list[dict[str, Any]] = json.loads(done.stdout)
    assert [row["call_id"] for row in listed] == [f"a1-{number}.1" for number in range(CALLS)]
    assert all(len(row["events"]) == 1 for row in listed)
    assert listed[-1]["transcript"]["text"] == "行分隔\u2028符"
    assert done.stdout == json.dumps(listed, ensure_ascii=False, indent=2) + "\n"
    assert sum(asked) == CALLS
    assert max(asked) < CALLS / 3


def test_an_empty_list_is_a_json_document_too(asked: list[int]) -> None:
    done = CliRunner().invoke(tickets, ["list", "--json", "--line", "nobody"])
    assert (done.exit_code, json.loads(done.stdout)) == (0, [])


def test_the_table_of_tickets_reads_no_events(asked: list[int]) -> None:
    done = CliRunner().invoke(tickets, ["list"])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert len(lines) == CALLS + 1
    assert "138****8000" in lines[-1]
    assert not asked


def test_a_long_table_looks_like_a_short_one(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [[f"1{number:03}", "话务员" if number % 2 else None, number % 7] for number in range(1_500)]
    print_table(("number", "name", "n"), rows)
    long = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    print_table(("number", "name", "n"), rows[:500])
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == long[:501]
