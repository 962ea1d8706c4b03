"""Aggregates: how the events of a stream fold into a record, and by which rows that record is kept for reading.

Memory folds a record with the same functions as the database's projector: what the engine decides by and what a
listing shows cannot differ.  Only a projection knows which tables its aggregate has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from ivr.events.event import Event
from ivr.events.streams import StreamType

Row = dict[str, Any]
Record = TypeVar("Record")


@dataclass(frozen=True)
class Projection(Generic[Record]):
    """One aggregate.

    Attributes:
        stream_type: whose life it tells.
        new: makes the record of a stream in which nothing has happened yet.
        apply: folds one event in; returns whether the state table allows it.
        rows: by table, the row that is written of a record; None while there is nothing to write.
    """

    stream_type: StreamType
    new: Callable[[str], Record]
    apply: Callable[[Record, Event], bool]
    rows: Mapping[str, Callable[[Record], Row | None]]

    def with_rows(self, table: str, row: Callable[[Record], Row | None]) -> Projection[Record]:
        """Return the same aggregate with rows in one more table."""
        return replace(self, rows={**self.rows, table: row})

    def rows_of(self, record: Record) -> dict[str, Row]:
        """Return the rows of a record, by table."""
        made = {table: row(record) for table, row in self.rows.items()}
        return {table: row for table, row in made.items() if row is not None}
