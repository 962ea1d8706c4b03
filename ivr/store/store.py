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
from ivr.store.limits import MIGRATION_S, Patience
from ivr.store.numbering import Numbering, TakeNumbers, TellNumbers
from ivr.store.queries import CHUNK, Queries, Row


class CursorMoved(HotlineError):
    """The database does not stand where we left it: it was set back, or is another one."""

    code = "cursor_moved"
    retry = True


@dataclass(frozen=True)
class Batch:
    """What one transaction writes.

    ``rows`` are by table; ``tickets`` is what calls say of their tickets, ``ticket_lives`` what people do with them.
    ``ticket_days`` are the local days on which tickets were opened, by call.
    """

    cursor: str
    before: str | None
    after: str
    events: Sequence[Mapping[str, Any]]
    rows: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    ticket_days: Mapping[str, date] = field(default_factory=dict)


class Store(Queries):
    """One database: what is read of it, and what is written.

    Args:
        url: SQLAlchemy async URL.
        region: six digits of the ticket numbers.
        take_numbers: the rule by which ticket numbers are made.
        read_only: for commands that only look.
        tell_numbers: notes ticket numbers that are about to be given.
        claim: whose writing it is; without one nobody is asked.
        node: the machine of the hotline whose calls and seats are read and written.
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
        node: str = "1",
    ) -> None:
        self._engine = open_engine(url, read_only=read_only)
        super().__init__(Patience(self._engine), node)
        self.numbering = Numbering(region, take_numbers, tell_numbers)
        self._claim = claim
        self._ticketed: set[str] = set()
        self._file: tuple[int, int] | None = None

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
            for table in (t.calls, t.seats):
                rows = [{"node": self._node, **row} for row in batch.rows.get(table.name, ())]
                await bulk.insert(connection, table, rows, tuple(column.name for column in table.primary_key))
            fresh = await self._write_tickets(connection, batch)
            await bulk.update_call_tickets(connection, t.tickets, batch.rows.get("ticket_lives", ()))
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
        tickets = batch.rows.get("tickets", ())
        known = await self._with_ticket(connection, [row["call_id"] for row in tickets])
        fresh = [dict(row) for row in tickets if row["call_id"] not in known]
        await self.numbering.number(connection, fresh, batch.ticket_days)
        await bulk.insert(connection, t.tickets, fresh)
        changed = [row for row in tickets if row["call_id"] in known]
        await bulk.update_call_tickets(connection, t.tickets, changed)
        return fresh

    async def _with_ticket(self, connection: AsyncConnection, call_ids: Sequence[str]) -> set[str]:
        known = {call_id for call_id in call_ids if call_id in self._ticketed}
        unsure = [call_id for call_id in call_ids if call_id not in known]
        for start in range(0, len(unsure), CHUNK):
            chunk = unsure[start : start + CHUNK]
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
