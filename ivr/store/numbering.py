"""Ticket numbers: each given once, and the same to the same call, also when the database forgot it.

A number is told to the journal before it is committed.  A database that falls behind, because a standby
was promoted or a backup restored, then gets every call's number back; other calls get later ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.store import tables as t

Row = dict[str, Any]
TakeNumbers = Callable[[str, date, int, int], tuple[list[str], int]]
"""Gives the next ticket numbers: (region, day, last sequence, how many) -> (numbers, new last)."""
TellNumbers = Callable[[Mapping[str, str]], object]
"""Notes numbers by call where they outlive the database."""


class Numbering:
    """The numbers of one hotline.

    Args:
        region: six digits of the ticket numbers.
        take: the rule by which ticket numbers are made.
        tell: notes what is about to be given.
    """

    def __init__(self, region: str, take: TakeNumbers, tell: TellNumbers) -> None:
        self._region = region
        self._take = take
        self._tell = tell
        self._told: dict[str, str] = {}
        """Numbers by call that were told and may not be in the database."""
        self._floor: dict[date, int] = {}
        """The last sequence by day that somebody may have heard of."""

    def remember(self, numbers: Mapping[str, str], last: Mapping[date, int]) -> None:
        """Take over what was told before: numbers by call, and the last sequence of each day."""
        self._told.update(numbers)
        for day, sequence in last.items():
            self._raise_floor(day, sequence)

    async def number(
        self, connection: AsyncConnection, rows: Sequence[Row], days: Mapping[str, date]
    ) -> None:
        """Give every row its number, in the transaction that writes them.

        Args:
            connection: the transaction.
            rows: new tickets, known by ``call_id``.
            days: the local day by call.
        """
        known = await self._free(connection, {r["call_id"]: self._told.get(r["call_id"]) for r in rows})
        numbers: dict[str, str] = {}
        for day in sorted({days[row["call_id"]] for row in rows}):
            calls = [row["call_id"] for row in rows if days[row["call_id"]] == day]
            new = [call for call in calls if call not in known]
            numbers |= zip(new, await self._next(connection, day, len(new)), strict=True)
        if numbers:
            self._told |= numbers
            self._tell(numbers)
        for row in rows:
            number = known.get(row["call_id"]) or numbers[row["call_id"]]
            row |= {"ticket_no": number, "query_code": number[-8:]}

    def settle(self, rows: Sequence[Row]) -> None:
        """Forget numbers that are in the database now."""
        for row in rows:
            self._told.pop(row["call_id"], None)

    async def _free(self, connection: AsyncConnection, told: Mapping[str, str | None]) -> dict[str, str]:
        """Return the told numbers that no other call has got meanwhile."""
        known = {call: number for call, number in told.items() if number}
        if not known:
            return {}
        query = sa.select(t.tickets.c.ticket_no).where(t.tickets.c.ticket_no.in_(list(known.values())))
        taken = set(await connection.scalars(query))
        return {call: number for call, number in known.items() if number not in taken}

    async def _next(self, connection: AsyncConnection, day: date, count: int) -> list[str]:
        row = (t.ticket_sequences.c.region == self._region) & (t.ticket_sequences.c.day == day.isoformat())
        last = await connection.scalar(sa.select(t.ticket_sequences.c.last).where(row).with_for_update())
        numbers, newest = self._take(self._region, day, max(last or 0, self._floor.get(day, 0)), count)
        if last is None:
            values = {"region": self._region, "day": day.isoformat(), "last": newest}
            await connection.execute(sa.insert(t.ticket_sequences).values(values))
        else:
            await connection.execute(sa.update(t.ticket_sequences).where(row).values(last=newest))
        self._raise_floor(day, newest)
        return numbers

    def _raise_floor(self, day: date, sequence: int) -> None:
        self._floor[day] = max(sequence, self._floor.get(day, 0))
        while len(self._floor) > 60:
            del self._floor[min(self._floor)]
