"""What is read of the database: rows as plain mappings, this node's own where they belong to a node."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.events.streams import seat_stream
from ivr.store import tables as t
from ivr.store.causes import away
from ivr.store.database import FAILURES
from ivr.store.limits import SLOW_S, Patience

Row = dict[str, Any]
CHUNK = 400  # names in one IN (...), below every database's limit
_SEATS = seat_stream("")


class Queries:
    """Reads one database.

    Args:
        patience: its connections, each waited for so long and no longer.
        node: the machine of the hotline whose calls and seats are read.
    """

    def __init__(self, patience: Patience, node: str) -> None:
        self._patience = patience
        self._node = node
        self._own = t.journal.c.node == node

    @contextlib.asynccontextmanager
    async def _reading(self, limit_s: float | None = None) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._patience.connected(limit_s=limit_s) as connection:
                yield connection
        except FAILURES as error:
            raise away(error) from error

    async def cursor(self, name: str) -> str | None:
        """Return a cursor's position."""
        async with self._reading() as connection:
            position: str | None = await connection.scalar(
                sa.select(t.cursors.c.position).where(t.cursors.c.name == name)
            )
            return position

    async def events(self, streams: Sequence[str]) -> dict[str, list[Row]]:
        """Return the events of each stream, oldest first; a seat is this node's, whatever others call theirs."""
        found: dict[str, list[Row]] = {stream: [] for stream in streams}
        async with self._reading() as connection:
            for start in range(0, len(streams), CHUNK):
                chunk = list(streams[start : start + CHUNK])
                rows = await connection.execute(
                    sa.select(t.journal)
                    .where(
                        t.journal.c.stream.in_(chunk),
                        sa.or_(self._own, ~t.journal.c.stream.startswith(_SEATS)),
                    )
                    .order_by(t.journal.c.id)
                )
                for row in rows.mappings():
                    found[row["stream"]].append(dict(row))
        return found

    async def events_between(self, streams: Sequence[str], since: float, until: float) -> list[Row]:
        """Return this node's events of streams from one moment to another, both included."""
        found: list[Row] = []
        for start in range(0, len(streams), CHUNK):
            named = t.journal.c.stream.in_(list(streams[start : start + CHUNK]))
            query = sa.select(t.journal).where(named, self._own, t.journal.c.at.between(since, until))
            found += await self._rows(query)
        return found

    async def newest_event(self) -> float | None:
        """Return when what this node wrote last had happened, seconds since the epoch."""
        rows = await self._rows(
            sa.select(t.journal.c.at).where(self._own).order_by(t.journal.c.id.desc()).limit(1)
        )
        return rows[0]["at"] if rows else None

    async def last_events(
        self, stream: str, kinds: Sequence[str], limit: int, *, of_all_nodes: bool = False
    ) -> list[Row]:
        """Return the last events of some kinds of one stream, oldest first; this node's, or everybody's."""
        wanted = (t.journal.c.stream == stream) & t.journal.c.kind.in_(kinds)
        if not of_all_nodes:
            wanted &= self._own
        query = sa.select(t.journal).where(wanted).order_by(t.journal.c.id.desc()).limit(limit)
        return (await self._rows(query))[::-1]

    async def open_calls(self) -> list[str]:
        """Return the ids of this node's calls that have not ended."""
        async with self._reading(SLOW_S) as connection:
            return list(
                await connection.scalars(
                    sa.select(t.calls.c.call_id).where(
                        t.calls.c.state != "ended", t.calls.c.node == self._node
                    )
                )
            )

    async def unfinished_recordings(self) -> list[str]:
        """Return the ids of ended calls with words in them whose recording or transcript is still to be made.

        Whoever pressed the star key may have talked to help alone, or to nobody: of these the journal tells
        that a recording was begun.
        """
        begun = sa.exists().where(
            t.journal.c.stream == t.tickets.c.call_id, t.journal.c.kind == "track_begun"
        )
        talked = t.tickets.c.outcome.in_(("answered", "voicemail", "handed_off"))
        async with self._reading(SLOW_S) as connection:
            status = t.tickets.c.transcript["status"].as_string()
            return list(
                await connection.scalars(
                    sa.select(t.tickets.c.call_id).where(
                        t.tickets.c.outcome.is_not(None),
                        sa.exists().where(
                            t.calls.c.call_id == t.tickets.c.call_id, t.calls.c.node == self._node
                        ),
                        status.in_(("none", "pending")),
                        sa.or_(talked, begun),
                    )
                )
            )

    async def known_calls(self, call_ids: Sequence[str]) -> dict[str, str]:
        """Return the state of those calls that the store knows."""
        known: dict[str, str] = {}
        async with self._reading() as connection:
            for start in range(0, len(call_ids), CHUNK):
                chunk = list(call_ids[start : start + CHUNK])
                rows = await connection.execute(
                    sa.select(t.calls.c.call_id, t.calls.c.state).where(t.calls.c.call_id.in_(chunk))
                )
                known.update({row.call_id: row.state for row in rows})
        return known

    async def seats(self) -> list[Row]:
        """Return the row of every seat of this node."""
        return await self._rows(sa.select(t.seats).where(t.seats.c.node == self._node))

    async def calls(self, call_id: str | None = None, limit: int = 1000) -> list[Row]:
        """Return calls, the newest first."""
        query = sa.select(t.calls).order_by(t.calls.c.started_at.desc()).limit(limit)
        if call_id is not None:
            query = query.where(t.calls.c.call_id == call_id)
        return await self._rows(query)

    async def call_starts(self, since: float = 0.0) -> list[float]:
        """Return when calls began, seconds since the epoch, in no order."""
        async with self._reading(SLOW_S) as connection:
            started = t.calls.c.started_at
            return list(await connection.scalars(sa.select(started).where(started >= since)))

    async def tickets(
        self,
        *,
        number: str | None = None,
        call_id: str | None = None,
        since: float | None = None,
        state: str | None = None,
        line: str | None = None,
        columns: Sequence[str] = (),
    ) -> list[Row]:
        """Return tickets, the oldest first; a number may be a query code, no columns means all of them."""
        query = _tickets(since, state, line)
        if number is not None:
            query = query.where(sa.or_(t.tickets.c.ticket_no == number, t.tickets.c.query_code == number))
        if call_id is not None:
            query = query.where(t.tickets.c.call_id == call_id)
        if columns:
            query = query.with_only_columns(*(_ticket_column(name) for name in columns))
        return await self._rows(query)

    async def ticket_pieces(
        self,
        *,
        since: float | None = None,
        state: str | None = None,
        line: str | None = None,
        columns: Sequence[str] = (),
    ) -> AsyncIterator[list[Row]]:
        """Yield tickets, the oldest first, some at a time: those of a month do not fit into memory or one answer."""
        order = sa.tuple_(t.tickets.c.opened_at, t.tickets.c.ticket_no)
        piece = CHUNK * 10 if columns else CHUNK
        query = _tickets(since, state, line).limit(piece)
        if columns:
            wanted = dict.fromkeys((*columns, "opened_at", "ticket_no"))
            query = query.with_only_columns(*(_ticket_column(name) for name in wanted))
        rows = await self._rows(query)
        while rows:
            yield rows
            last = (rows[-1]["opened_at"], rows[-1]["ticket_no"])
            rows = await self._rows(query.where(order > last)) if len(rows) == piece else []

    async def _rows(self, query: sa.Select[Any]) -> list[Row]:
        async with self._reading() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]


def _tickets(since: float | None, state: str | None, line: str | None) -> sa.Select[Any]:
    """Return the query for tickets, the oldest first; a state may be an outcome."""
    columns = (_ticket_column(column.name) for column in t.tickets.c if column.name != "life_state")
    query = sa.select(*columns).order_by(t.tickets.c.opened_at, t.tickets.c.ticket_no)
    if since is not None:
        query = query.where(t.tickets.c.opened_at >= since)
    if state is not None:
        query = query.where(sa.or_(_ticket_column("state") == state, t.tickets.c.outcome == state))
    if line is not None:
        query = query.where(t.tickets.c.line_id == line)
    return query


def _ticket_column(name: str) -> sa.ColumnElement[Any]:
    """Return a column of tickets; the state is where people have brought it, else where its call left it."""
    if name == "state":
        return sa.func.coalesce(t.tickets.c.life_state, t.tickets.c.state).label("state")
    return t.tickets.c[name]
