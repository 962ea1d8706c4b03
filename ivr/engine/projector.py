"""Carry the journal into the database, in batches, in order, exactly once.

The recorder follows the journal file from the database's own cursor, so a start after a kill is
nothing special.  While the database is away it waits and tries again; the journal keeps growing
and nothing on the call path notices.  A database that was set back is told again what it lacks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import orjson

from ivr.errors import HotlineError
from ivr.events.event import Event
from ivr.events.notes import told_now
from ivr.events.projection import Projection, Row
from ivr.events.streams import UnknownStream, stream_type
from ivr.store import given_numbers

log = logging.getLogger(__name__)

BATCH_S = 0.4
LOOK_S = 2.0
"""With nothing to write, how often the database is asked whether it is there and stands where we left it."""
FULL_BATCH = 1000
"""Events from which on the next batch follows at once: there is a backlog."""
RETRY_S = (0.2, 0.5, 1.0, 2.0)
_REMEMBERED = 3_000
_STARTING = "starting", "正在启动"
_CURSOR_MOVED = "cursor_moved"
"""The code of the error that says so."""


class Place(Protocol):
    """Where in the journal to begin for a cursor."""

    @property
    def position(self) -> str:
        """The place."""

    @property
    def sure(self) -> bool:
        """Whether it is just the cursor's; else what is read may be in the database already."""

    @property
    def lost(self) -> bool:
        """Whether something between the two was deleted."""


@dataclass(frozen=True)
class Lost:
    """What a database will never have: events after ``since`` and before ``until`` (seconds since the epoch)."""

    since: float | None
    until: float | None


class JournalReader(Protocol):
    """The journal file as the recorder sees it."""

    def start(self) -> str:
        """Return the oldest position."""

    def end(self) -> str:
        """Return the position behind the newest line."""

    def find(self, cursor: str | None) -> Place:
        """Return where to begin for a database's cursor."""

    def read(self, position: str) -> tuple[list[bytes], str]:
        """Return lines from a position on and the position behind them."""

    def forget(self, position: str) -> None:
        """Drop what lies behind and need not be kept."""

    def sync(self) -> None:
        """Make appended lines durable."""


class RecordStore(Protocol):
    """What the recorder asks of a database."""

    async def cursor(self, name: str) -> str | None:
        """Return a position."""

    async def events(self, streams: Sequence[str]) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Return the events of streams."""

    async def events_between(
        self, streams: Sequence[str], since: float, until: float
    ) -> Sequence[Mapping[str, Any]]:
        """Return the events of streams from one moment to another."""

    async def newest_event(self) -> float | None:
        """Return when what was written last had happened."""


Rows = dict[str, list[Row]]
"""Rows by table."""
Write = Callable[[str | None, str, Sequence[Event], Rows], Any]
"""Writes a batch: (the cursor before, the cursor after, events, the rows that they change)."""


class Recorder:
    """Follows the journal.

    Args:
        journal: where events are.
        store: where to look up older events of a call.
        write: writes one batch; awaited, raises HotlineError with ``retry`` when it must wait.
        cursor: the name of this instance's cursor.
        projections: every aggregate that has rows.
        remember: told the ticket numbers by call that the journal has and the database may lack.
    """

    def __init__(
        self,
        journal: JournalReader,
        store: RecordStore,
        write: Write,
        cursor: str,
        projections: Iterable[Projection[Any]],
        remember: Callable[[Mapping[str, str]], object] = lambda _: None,
    ) -> None:
        self._projections = {projection.stream_type: projection for projection in projections}
        self._journal = journal
        self._store = store
        self._write = write
        self._cursor = cursor
        self._remember = remember
        self._position: str | None = None
        self._stored: str | None = None
        """The database's own cursor; it may name a place in a journal that is gone."""
        self._unsure_until: str | None = None
        """Up to where events may be in the database already."""
        self._records: OrderedDict[str, tuple[Projection[Any], Any]] = OrderedDict()
        self._wake = asyncio.Event()
        self._moved = asyncio.Event()
        self.reason, self.reason_zh = _STARTING
        self.healthy = False
        self.lost: Lost | None = None
        """What the journal no longer had when the database needed it."""

    @property
    def starting(self) -> bool:
        """Whether the database was not asked yet."""
        return self.reason == _STARTING[0]

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
            while not written and not await self._woken():
                await self._step(look=True)
                written = 1 if self._position is None else 0  # it was set back: there is much to do
            if written < FULL_BATCH:
                await asyncio.sleep(BATCH_S)  # let a batch gather

    async def _woken(self) -> bool:
        """Wait until the journal grows; False when it did not for a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await self._wake.wait()
        return self._wake.is_set()

    async def _step(self, *, look: bool = False) -> int:
        """Write one batch; return how many events it had, 0 when there was nothing to write.

        Args:
            look: only ask whether the database stands where we left it.
        """
        tries = 0
        batch: tuple[str, list[Event], Rows] | None = None
        while True:
            try:
                if self._position is None:
                    batch, self._position = None, await self._find_place()
                if look:
                    await self._look()
                    self._mark_healthy()
                    return 0
                if batch is None:
                    batch = await self._gather(self._position)
                after, events, rows = batch
                if events or rows:
                    await asyncio.to_thread(self._journal.sync)
                    await self._write(self._stored, after, events, rows)
                    self._stored = after
                self._mark_healthy()
                if after == self._position:
                    return 0
                self._position = after
                self._journal.forget(after)
                return max(1, len(events))
            except HotlineError as error:
                self._mark_away(error, first=tries == 0)
                await asyncio.sleep(RETRY_S[min(tries, len(RETRY_S) - 1)])
                tries += 1

    # -- a database that was set back ----------------------------------------------------------
    async def _look(self) -> None:
        if await self._store.cursor(self._cursor) != self._stored:
            log.warning("the database does not stand where we left it; what it lacks is told again")
            self._rewind()

    def _rewind(self) -> None:
        self._position = None
        self._records.clear()  # they know more than the database

    async def _find_place(self) -> str:
        """Return where to begin reading; what cannot be told any more is noted."""
        self._stored = await self._store.cursor(self._cursor)
        place = self._journal.find(self._stored)
        self._unsure_until = None if place.sure else self._journal.end()
        if place.lost:
            lines, _ = self._journal.read(place.position)
            first = next((event for line in lines if (event := _parse(line))), None)
            self.lost = Lost(await self._store.newest_event(), first.at if first else None)
        self._remember(await self._numbers_from(place.position))
        if self._stored != place.position:
            log.info(
                "the database stands at %s; the journal is read from %s on",
                _named(self._stored),
                _named(place.position),
            )
        return place.position

    async def _numbers_from(self, position: str) -> dict[str, str]:
        """Return the ticket numbers by call that the journal has from a position on."""
        found: dict[str, str] = {}
        while True:
            lines, after = self._journal.read(position)
            for line in lines:
                found |= given_numbers.read(line)
            if after == position:
                return found
            position = after
            await asyncio.sleep(0)  # callers come first

    async def _not_yet_there(self, events: list[Event]) -> list[Event]:
        """Return those of some events that the database does not have."""
        if not events:
            return events
        times = [event.at for event in events]
        streams = list({event.stream for event in events})
        rows = await self._store.events_between(streams, min(times), max(times))
        there = Counter(
            _identity(row["stream"], row["at"], *told_now(row["kind"], row["data"])) for row in rows
        )
        fresh = []
        for event in events:
            same = _identity(event.stream, event.at, event.kind.value, event.data)
            if there[same]:
                there[same] -= 1
            else:
                fresh.append(event)
        return fresh

    # -- how it goes ---------------------------------------------------------------------------
    def _mark_away(self, error: HotlineError, *, first: bool) -> None:
        if error.code == _CURSOR_MOVED:
            log.warning("%s", error.sentence)
            self._rewind()
            return
        if not error.retry:
            log.error("the journal cannot be written to the database: %s", error)
        self.healthy, self.reason, self.reason_zh = False, error.sentence, error.zh
        if first:
            log.warning("%s", error.sentence)

    def _mark_healthy(self) -> None:
        if not self.healthy:
            log.info("the database answers")
        self.healthy, self.reason, self.reason_zh = True, "", ""

    async def _gather(self, position: str) -> tuple[str, list[Event], Rows]:
        lines, after = self._journal.read(position)
        events = [event for line in lines if (event := _parse(line))]
        # what has no rows is kept and tells no record; a ticket may be missing where its events are not
        streams = [
            s for s in dict.fromkeys(event.stream for event in events) if self._projection(s) is not None
        ]
        if self._unsure_until is not None:
            if _place(position) < _place(self._unsure_until):
                events = await self._not_yet_there(events)
            else:
                self._unsure_until = None
        await self._load(streams)
        touched = {stream: self._records[stream] for stream in streams}
        for event in events:
            if event.stream in touched and not event.newer:
                projection, record = touched[event.stream]
                projection.apply(record, event)
        while len(self._records) > _REMEMBERED:
            self._records.popitem(last=False)
        rows: Rows = {}
        for projection, record in touched.values():
            for table, row in projection.rows_of(record).items():
                rows.setdefault(table, []).append(row)
        return after, events, rows

    def _projection(self, stream: str) -> Projection[Any] | None:
        try:
            return self._projections.get(stream_type(stream))
        except UnknownStream:  # of a newer version; its events are kept
            return None

    async def _load(self, streams: Sequence[str]) -> None:
        """Have a record for every stream, folded from what the database already has."""
        missing = list(dict.fromkeys(stream for stream in streams if stream not in self._records))
        if not missing:
            return
        for stream, rows in (await self._store.events(missing)).items():
            projection = self._projection(stream)
            if projection is None:
                continue
            record = projection.new(stream)
            for event in map(Event.from_row, rows):
                if not event.newer:
                    projection.apply(record, event)
            self._records[stream] = projection, record


def _named(position: str | None) -> str:
    """Return a position for the log, where a bare segment's number would be masked as somebody's telephone."""
    return "its beginning" if position is None else "segment-{} byte {}".format(*position.split(":"))


def _place(position: str) -> tuple[int, int]:
    """Return a position as numbers that compare."""
    segment, offset = position.split(":")
    return int(segment), int(offset)


def _identity(stream: str, at: float, kind: str, data: Mapping[str, Any]) -> bytes:
    return orjson.dumps([stream, at, kind, data], option=orjson.OPT_SORT_KEYS)


def _parse(line: bytes) -> Event | None:
    if not line.strip() or given_numbers.read(line):
        return None
    try:
        return Event.from_line(line)
    except ValueError as error:
        log.error("a line of the journal is skipped: %s", error)
        return None


def local_day(at: float, zone: ZoneInfo) -> date:
    """Return the local day of a moment (seconds since the epoch)."""
    return datetime.fromtimestamp(at, zone).date()
