"""Carry the journal into the database, in batches, in order, exactly once.

The recorder follows the journal file from the database's own cursor, so a start after a kill is
nothing special.  While the database is away it waits and tries again; the journal keeps growing
and nothing on the call path notices.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from ivr.calls.events import Event, Kind, is_call, is_seat
from ivr.calls.record import CallRecord
from ivr.calls.seat_record import SeatRecord
from ivr.errors import HotlineError

log = logging.getLogger(__name__)

Row = dict[str, Any]
BATCH_S = 0.4
FULL_BATCH = 1000
"""Events from which on the next batch follows at once: there is a backlog."""
RETRY_S = (0.2, 0.5, 1.0, 2.0)
_REMEMBERED = 3_000


class JournalReader(Protocol):
    """The journal file as the recorder sees it."""

    def start(self) -> str:
        """Return the oldest position."""

    def end(self) -> str:
        """Return the position behind the newest line."""

    def read(self, position: str) -> tuple[list[bytes], str]:
        """Return lines from a position on and the position behind them."""

    def forget(self, position: str) -> None:
        """Drop what lies behind."""

    def sync(self) -> None:
        """Make appended lines durable."""


class RecordStore(Protocol):
    """What the recorder asks of a database."""

    async def cursor(self, name: str) -> str | None:
        """Return a position."""

    async def events(self, streams: Sequence[str]) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Return the events of streams."""


Write = Callable[[str | None, str, Sequence[Event], Sequence[CallRecord], Sequence[SeatRecord]], Any]
"""Writes a batch: (the cursor before, the cursor after, events, calls as they are now, seats as they are now)."""


class Recorder:
    """Follows the journal.

    Args:
        journal: where events are.
        store: where to look up older events of a call.
        write: writes one batch; awaited, raises HotlineError with ``retry`` when it must wait.
        cursor: the name of this instance's cursor.
    """

    def __init__(self, journal: JournalReader, store: RecordStore, write: Write, cursor: str) -> None:
        self._journal = journal
        self._store = store
        self._write = write
        self._cursor = cursor
        self._position: str | None = None
        self._stored: str | None = None
        """The database's own cursor; it may name a place in a journal that is gone."""
        self._records: OrderedDict[str, CallRecord | SeatRecord] = OrderedDict()
        self._wake = asyncio.Event()
        self._moved = asyncio.Event()
        self.reason = "starting"
        self.healthy = False

    def wake(self) -> None:
        """Tell that the journal has grown."""
        self._wake.set()

    async def caught_up(self) -> None:
        """Wait until everything that is in the journal now is in the database."""
        end = self._journal.end()
        while self._position is None or _place(self._position) < _place(end):
            self._moved.clear()
            await self._moved.wait()

    async def run(self) -> None:
        """Follow the journal until cancelled."""
        while True:
            self._wake.clear()
            written = await self._step()
            self._moved.set()
            if not written:
                await self._wake.wait()
            if written < FULL_BATCH:
                await asyncio.sleep(BATCH_S)  # let a batch gather

    async def _step(self) -> int:
        """Write one batch; return how many events it had, 0 when there was nothing to write."""
        tries = 0
        batch: tuple[str, list[Event], list[CallRecord], list[SeatRecord]] | None = None
        while True:
            try:
                if self._position is None:
                    self._stored = await self._store.cursor(self._cursor)
                    self._position = self._stored or self._journal.start()
                if batch is None:
                    batch = await self._gather(self._position)
                after, events, calls, seats = batch
                if events:
                    await asyncio.to_thread(self._journal.sync)
                    await self._write(self._stored, after, events, calls, seats)
                    self._stored = after
                self._mark_healthy()
                if after == self._position:
                    return 0
                self._position = after
                self._journal.forget(after)
                return max(1, len(events))
            except HotlineError as error:
                if not error.retry:
                    log.error("the journal cannot be written to the database: %s", error)
                self.healthy, self.reason = False, error.sentence
                if tries == 0:
                    log.warning("%s", error.sentence)
                await asyncio.sleep(RETRY_S[min(tries, len(RETRY_S) - 1)])
                tries += 1

    def _mark_healthy(self) -> None:
        if not self.healthy:
            log.info("the database answers")
        self.healthy, self.reason = True, ""

    async def _gather(self, position: str) -> tuple[str, list[Event], list[CallRecord], list[SeatRecord]]:
        lines, after = self._journal.read(position)
        events = [event for line in lines if line.strip() and (event := _parse(line))]
        told = [event for event in events if is_call(event.stream) or is_seat(event.stream)]
        await self._load([event.stream for event in told])
        touched: OrderedDict[str, CallRecord | SeatRecord] = OrderedDict()
        for event in told:  # the hotline's own events are kept and tell no record
            record = self._records[event.stream]
            record.apply(event)
            touched[event.stream] = record
        while len(self._records) > _REMEMBERED:
            self._records.popitem(last=False)
        calls = [record for record in touched.values() if isinstance(record, CallRecord)]
        seats = [record for record in touched.values() if isinstance(record, SeatRecord)]
        return after, events, calls, seats

    async def _load(self, streams: Sequence[str]) -> None:
        """Have a record for every stream, folded from what the database already has."""
        missing = list(dict.fromkeys(stream for stream in streams if stream not in self._records))
        if not missing:
            return
        for stream, rows in (await self._store.events(missing)).items():
            record = CallRecord(stream) if is_call(stream) else SeatRecord(stream.removeprefix("seat:"))
            for row in rows:
                record.apply(Event(stream, row["at"], Kind(row["kind"]), row["data"]))
            self._records[stream] = record


def _place(position: str) -> tuple[int, int]:
    """Return a position as numbers that compare."""
    segment, offset = position.split(":")
    return int(segment), int(offset)


def _parse(line: bytes) -> Event | None:
    try:
        return Event.from_line(line)
    except ValueError as error:
        log.error("a line of the journal is skipped: %s", error)
        return None


def local_day(at: float, zone: ZoneInfo) -> date:
    """Return the local day of a moment (seconds since the epoch)."""
    return datetime.fromtimestamp(at, zone).date()
