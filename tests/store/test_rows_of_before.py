"""A database that the version of ``noted`` has written is read as if it had been written today."""

from __future__ import annotations

from pathlib import Path

import orjson

from ivr.calls.record import fold_call
from ivr.events.event import Event
from ivr.events.kinds import Kind
from ivr.store.store import Batch, Store

OLD = Path(__file__).parents[1] / "data/journal_0_1/events.jsonl"
CALL = "a1-1795296848.3"


async def test_rows_with_noted_are_read_in_the_kinds_of_today(store: Store) -> None:
    rows = [orjson.loads(line) for line in OLD.read_bytes().splitlines()]
    await store.write(Batch("journal:a1", None, "1:1", rows))
    found = await store.events([CALL, "seat:01"])
    assert "noted" in {row["kind"] for row in found[CALL]}, "rows are kept as they were written"
    events = [Event.from_row(row) for row in found[CALL]]
    assert Kind.NOTED not in {event.kind for event in events}
    assert events == [Event.from_row(row) for row in rows if row["stream"] == CALL]
    call = fold_call(CALL, events)
    assert (call.state, call.outcome, call.talks) == ("ended", "answered", 1)
    seat = [Event.from_row(row).kind for row in found["seat:01"]]
    assert seat == [Kind.PIN_REFUSED, Kind.LOGGED_IN, Kind.SHIFT_OVER]
