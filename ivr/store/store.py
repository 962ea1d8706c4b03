"""Write batches of the journal with what follows from them; read them back.

The store knows tables and nothing of the hotline: rows come in as plain mappings.  A batch is
written in one transaction together with the journal's cursor, so that it is in the database once,
however often it is tried.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import HotlineError
from ivr.store import bulk, migrate
from ivr.store import tables as t
from ivr.store.causes import away, is_read_only
from ivr.store.database import FAILURES, file_identity, open_engine
from ivr.store.lease import Claim
from ivr.store.limits import MIGRATION_S, SLOW_S, Patience
from ivr.store.numbering import Numbering, TakeNumbers, TellNumbers

Row = dict[str, Any]
_CHUNK = 400  # names in one IN (...), below every database's limit


class CursorMoved(HotlineError):
    """The database does not stand where we left it: it was set back, or is another one."""

    code = "cursor_moved"
    retry = True


@dataclass(frozen=True)
class Batch:
    """What one transaction writes; ``day`` of a ticket row is the local day it was opened on."""

    cursor: str
    before: str | None
    after: str
    events: Sequence[Mapping[str, Any]]
    calls: Sequence[Row] = ()
    tickets: Sequence[Row] = ()
    seats: Sequence[Row] = ()
    ticket_days: Mapping[str, date] = field(default_factory=dict)


class Store:
    """One database.

    Args:
        url: SQLAlchemy async URL.
        region: six digits of the ticket numbers.
        take_numbers: the rule by which ticket numbers are made.
        read_only: for commands that only look.
        tell_numbers: notes ticket numbers that are about to be given.
        claim: whose writing it is; without one nobody is asked.
    """

    def __init__(
        self,
        url: str,
        region: str,
        take_numbers: TakeNumbers,
        *,
        read_only: bool = False,
        tell_numbers: TellNumbers = lambda _: None,
        claim: Claim | None = None,
    ) -> None:
        self._engine = open_engine(url, read_only=read_only)
        self._patience = Patience(self._engine)
        self.numbering = Numbering(region, take_numbers, tell_numbers)
        self._claim = claim
        self._ticketed: set[str] = set()
        self._file: tuple[int, int] | None = None

    @contextlib.asynccontextmanager
    async def _reading(self, limit_s: float | None = None) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._patience.connected(limit_s=limit_s) as connection:
                yield connection
        except FAILURES as error:
            raise away(error) from error

    @contextlib.asynccontextmanager
    async def _writing(self, limit_s: float | None = None) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._patience.connected(writing=True, limit_s=limit_s) as connection:
                yield connection
        except FAILURES as error:
            if is_read_only(error):  # a connection opened while nobody may write stays so for ever
                await self._patience.close()
            raise away(error) from error

    @contextlib.asynccontextmanager
    async def _writing_as_owner(self) -> AsyncIterator[AsyncConnection]:
        async with self._writing() as connection:
            if self._claim is not None:
                await self._claim.require(connection)
            yield connection

    async def open(self) -> None:
        """Bring the tables up to date.

        Raises:
            StoreAway: the database does not answer.
            LeaseHeld: its tables are old, and another engine works with them.
        """
        async with self._reading() as connection:
            current = await connection.run_sync(migrate.is_current)
            if not current and self._claim is not None:
                await self._claim.look(connection)
        if not current:
            async with self._writing(MIGRATION_S) as connection:
                await connection.run_sync(migrate.upgrade)
        self._file = file_identity(self._engine)

    async def hold(self) -> None:
        """Take the right to write, or renew it; to be done every few seconds.

        Raises:
            StoreAway: the database does not answer.
            LeaseHeld: another engine has it.
        """
        if self._claim is not None:
            async with self._writing() as connection:
                await self._claim.take(connection)

    async def let_go(self) -> None:
        """Leave the right to write to whoever comes next.

        Raises:
            StoreAway: the database does not answer; it runs out by itself.
        """
        if self._claim is not None:
            async with self._writing() as connection:
                await self._claim.give_back(connection)
            self._claim.release()

    async def see_whether_free(self) -> None:
        """See whether another engine has the database, and change nothing.

        Raises:
            StoreAway: the database does not answer.
            LeaseHeld: it does.
        """
        if self._claim is not None:
            async with self._reading() as connection:
                await self._claim.look(connection)
            self._claim.release()

    @property
    def file_lost(self) -> bool:
        """Whether the file that was opened was deleted or replaced since: what is written now is lost."""
        return self._file is not None and file_identity(self._engine) != self._file

    async def close(self) -> None:
        """Let go of every connection."""
        await self._patience.close()
        if self._claim is not None:
            self._claim.release()

    @property
    def silent_s(self) -> float:
        """For how many seconds the database has owed an answer."""
        return self._patience.silent_s

    # -- writing -------------------------------------------------------------------------------
    async def write(self, batch: Batch) -> None:
        """Write a batch once.

        Raises:
            StoreAway: nothing was written; try the same batch again.
        """
        fresh: list[Row] = []
        async with self._writing_as_owner() as connection:
            if not await self._advance(connection, batch):
                return
            await bulk.insert(connection, t.journal, batch.events)
            await bulk.insert(connection, t.calls, batch.calls, "call_id")
            await bulk.insert(connection, t.seats, batch.seats, "seat")
            fresh = await self._write_tickets(connection, batch)
        self._remember(row["call_id"] for row in fresh)
        self.numbering.settle(fresh)

    def _remember(self, call_ids: Iterable[str]) -> None:
        if len(self._ticketed) > 5_000:
            self._ticketed.clear()
        self._ticketed.update(call_ids)

    async def _advance(self, connection: AsyncConnection, batch: Batch) -> bool:
        """Move the cursor; False when an earlier try of this batch was written after all.

        Raises:
            CursorMoved: the cursor is where this batch neither begins nor ends; it must be made anew.
        """
        name = t.cursors.c.name == batch.cursor
        position = await connection.scalar(sa.select(t.cursors.c.position).where(name).with_for_update())
        if position == batch.after:
            return False
        if position != batch.before:
            self._ticketed.clear()  # tickets we remember may be gone as well
            raise CursorMoved(
                f"the database stands at {position} of the journal and not at {batch.before}; "
                "what it lacks is told to it again.",
                f"数据库记到流水的 {position}，而不是 {batch.before}；所缺内容将自动补写。",
            )
        if position is None:
            await connection.execute(sa.insert(t.cursors).values(name=batch.cursor, position=batch.after))
        else:
            await connection.execute(sa.update(t.cursors).where(name).values(position=batch.after))
        return True

    async def _write_tickets(self, connection: AsyncConnection, batch: Batch) -> list[Row]:
        known = await self._with_ticket(connection, [row["call_id"] for row in batch.tickets])
        fresh = [dict(row) for row in batch.tickets if row["call_id"] not in known]
        await self.numbering.number(connection, fresh, batch.ticket_days)
        await bulk.insert(connection, t.tickets, fresh)
        changed = [row for row in batch.tickets if row["call_id"] in known]
        await bulk.update_call_tickets(connection, t.tickets, changed)
        return fresh

    async def _with_ticket(self, connection: AsyncConnection, call_ids: Sequence[str]) -> set[str]:
        known = {call_id for call_id in call_ids if call_id in self._ticketed}
        unsure = [call_id for call_id in call_ids if call_id not in known]
        for start in range(0, len(unsure), _CHUNK):
            chunk = unsure[start : start + _CHUNK]
            found = await connection.scalars(
                sa.select(t.tickets.c.call_id).where(
                    t.tickets.c.call_id.in_(chunk), t.tickets.c.parent_no.is_(None)
                )
            )
            known.update(found)
        return known

    async def audit(self, at: float, actor: str, action: str, data: Mapping[str, Any]) -> None:
        """Note what a person did that must be told later (a secret shown, a number unmasked)."""
        async with self._writing_as_owner() as connection:
            await connection.execute(
                sa.insert(t.audit).values(at=at, actor=actor, action=action, data=dict(data))
            )

    # -- reading -------------------------------------------------------------------------------
    async def cursor(self, name: str) -> str | None:
        """Return a cursor's position."""
        async with self._reading() as connection:
            position: str | None = await connection.scalar(
                sa.select(t.cursors.c.position).where(t.cursors.c.name == name)
            )
            return position

    async def events(self, streams: Sequence[str]) -> dict[str, list[Row]]:
        """Return the events of each stream, oldest first."""
        found: dict[str, list[Row]] = {stream: [] for stream in streams}
        async with self._reading() as connection:
            for start in range(0, len(streams), _CHUNK):
                chunk = list(streams[start : start + _CHUNK])
                rows = await connection.execute(
                    sa.select(t.journal).where(t.journal.c.stream.in_(chunk)).order_by(t.journal.c.id)
                )
                for row in rows.mappings():
                    found[row["stream"]].append(dict(row))
        return found

    async def events_between(self, streams: Sequence[str], since: float, until: float) -> list[Row]:
        """Return the events of streams from one moment to another, both included."""
        found: list[Row] = []
        for start in range(0, len(streams), _CHUNK):
            named = t.journal.c.stream.in_(list(streams[start : start + _CHUNK]))
            query = sa.select(t.journal).where(named, t.journal.c.at.between(since, until))
            found += await self._rows(query)
        return found

    async def newest_event(self) -> float | None:
        """Return when what was written last had happened, seconds since the epoch."""
        rows = await self._rows(sa.select(t.journal.c.at).order_by(t.journal.c.id.desc()).limit(1))
        return rows[0]["at"] if rows else None

    async def last_events(self, stream: str, kinds: Sequence[str], limit: int) -> list[Row]:
        """Return the last events of some kinds of one stream, oldest first."""
        wanted = (t.journal.c.stream == stream) & t.journal.c.kind.in_(kinds)
        query = sa.select(t.journal).where(wanted).order_by(t.journal.c.id.desc()).limit(limit)
        return (await self._rows(query))[::-1]

    async def open_calls(self) -> list[str]:
        """Return the ids of calls that have not ended."""
        async with self._reading(SLOW_S) as connection:
            return list(
                await connection.scalars(sa.select(t.calls.c.call_id).where(t.calls.c.state != "ended"))
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
                        status.in_(("none", "pending")),
                        sa.or_(talked, begun),
                    )
                )
            )

    async def known_calls(self, call_ids: Sequence[str]) -> dict[str, str]:
        """Return the state of those calls that the store knows."""
        known: dict[str, str] = {}
        async with self._reading() as connection:
            for start in range(0, len(call_ids), _CHUNK):
                chunk = list(call_ids[start : start + _CHUNK])
                rows = await connection.execute(
                    sa.select(t.calls.c.call_id, t.calls.c.state).where(t.calls.c.call_id.in_(chunk))
                )
                known.update({row.call_id: row.state for row in rows})
        return known

    async def seats(self) -> list[Row]:
        """Return every seat's row."""
        async with self._reading() as connection:
            return [dict(row) for row in (await connection.execute(sa.select(t.seats))).mappings()]

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
            query = query.with_only_columns(*(t.tickets.c[name] for name in columns))
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
        piece = _CHUNK * 10 if columns else _CHUNK
        query = _tickets(since, state, line).limit(piece)
        if columns:
            wanted = dict.fromkeys((*columns, "opened_at", "ticket_no"))
            query = query.with_only_columns(*(t.tickets.c[name] for name in wanted))
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
    query = sa.select(t.tickets).order_by(t.tickets.c.opened_at, t.tickets.c.ticket_no)
    if since is not None:
        query = query.where(t.tickets.c.opened_at >= since)
    if state is not None:
        query = query.where(sa.or_(t.tickets.c.state == state, t.tickets.c.outcome == state))
    if line is not None:
        query = query.where(t.tickets.c.line_id == line)
    return query
