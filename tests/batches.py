"""Batches for tests of the store: rows by the table they are for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from ivr.store.store import Batch

Rows = Sequence[dict[str, Any]]


def batch_of(
    cursor: str,
    before: str | None,
    after: str,
    events: Sequence[Mapping[str, Any]],
    calls: Rows = (),
    tickets: Rows = (),
    seats: Rows = (),
    days: Mapping[str, date] | None = None,
) -> Batch:
    """One batch, as the projector would write it."""
    rows = {"calls": calls, "tickets": tickets, "seats": seats}
    return Batch(
        cursor, before, after, events, {table: made for table, made in rows.items() if made}, days or {}
    )
