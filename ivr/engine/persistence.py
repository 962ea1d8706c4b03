"""What the engine remembers: the journal file, the database behind it, and taking both up again after a start."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from zoneinfo import ZoneInfo

from ivr.calls.callback import Callback
from ivr.calls.open_calls import CallBook
from ivr.calls.record import CallRecord, fold_call
from ivr.calls.states import CallState, SeatState
from ivr.engine.ownership import claim_of
from ivr.engine.projector import Recorder, local_day
from ivr.errors import HotlineError
from ivr.events.event import HOTLINE, Event, Kind, seat_stream
from ivr.home.settings import Settings
from ivr.hotline.book import HotlineBook
from ivr.seats.record import SeatRecord
from ivr.store import given_numbers
from ivr.store.causes import StoreAway, away
from ivr.store.database import DatabaseFileLost
from ivr.store.journal_file import JournalFile
from ivr.store.lease import LeaseHeld
from ivr.store.store import Batch, Store
from ivr.tickets.numbers import last_sequences, take
from ivr.tickets.ticket import call_row, call_ticket

log = logging.getLogger(__name__)

SILENT_S = 2.0
"""From so many seconds on an answer that is still owed is a trouble, before its time is up."""
_ALARMS = 500
"""Events of alarms to read after a start; an older alarm that still holds is raised again."""


class Memory:
    """Journal file first, database second; the file is the truth until the database has it.

    Args:
        settings: where things are.
        book: what the city configured.
        instance: the id of this hotline; several may share one database.
    """

    def __init__(self, settings: Settings, book: HotlineBook, instance: str) -> None:
        self._zone = ZoneInfo(book.timezone)
        self._cursor = f"journal:{instance}"
        self._region = book.region
        self.store = Store(
            settings.database,
            book.region,
            take,
            tell_numbers=self._tell_numbers,
            claim=claim_of(settings, instance),
        )
        self._opened = False
        self._not_held: HotlineError | None = None
        self.journal = JournalFile(settings.journal, self._grew)
        self.recorder = Recorder(self.journal, self.store, self._write, self._cursor, self._remember_numbers)
        self.restored = asyncio.Event()
        """Set when it is known which calls are open and who sits where."""

    def append(self, event: Event) -> None:
        """Write one event to the journal file."""
        self.journal.append(event.to_line())

    @property
    def trouble(self) -> str:
        """Why events do not reach the file or the database; empty when they do."""
        if self.journal.trouble:
            return self.journal.trouble
        fault = self.away
        return fault.sentence.replace("the database does", "it does", 1) if fault else ""

    @property
    def trouble_zh(self) -> str:
        """The same in Chinese."""
        fault = self.away
        return self.journal.trouble_zh or (fault.zh if fault else "")

    @property
    def away(self) -> HotlineError | None:
        """Why the database does not take what is journalled; None when it does."""
        if not self.recorder.healthy:
            return StoreAway(self.recorder.reason, self.recorder.reason_zh)
        if self.store.silent_s > SILENT_S:
            return away(TimeoutError())
        return self._not_held

    def _tell_numbers(self, numbers: Mapping[str, str]) -> None:
        self.journal.append(given_numbers.to_line(numbers, time.time()))

    def _remember_numbers(self, numbers: Mapping[str, str]) -> None:
        self.store.numbering.remember(numbers, last_sequences(self._region, numbers.values()))

    def _grew(self) -> None:
        self.recorder.wake()

    async def open(
        self,
        record: Callable[[], object],
        calls: CallBook,
        hotline: Callable[[Sequence[Event]], object] = lambda _: None,
    ) -> None:
        """Open the database, however long that takes, and remember open calls and seats.

        Args:
            record: starts the recorder once the database is open.
            calls: what is remembered goes here.
            hotline: what is remembered of the whole hotline (the mode, the alarms) goes here.

        Raises:
            LeaseHeld: another engine writes into it.
        """
        wait_s = 0.2
        recording = False
        while True:
            try:
                await self.store.open()
                await self.store.hold()
                self._opened = True
                if not recording:
                    record()
                    recording = True
                await self._remember(calls)
                hotline(await self._hotline())
                break
            except LeaseHeld:
                raise
            except HotlineError as error:
                self.recorder.reason, self.recorder.reason_zh = error.sentence, error.zh
                log.warning("%s", error.sentence)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, 5.0)
        self.restored.set()

    async def watch(self, every_s: float = 2.0) -> None:
        """Keep the database ours; end where it is not, or where its file was taken away.

        A new start opens what is there and reads the journal again.

        Raises:
            DatabaseFileLost: the file was deleted or replaced.
            LeaseHeld: another engine took the database over.
        """
        failed = 0
        while True:
            await asyncio.sleep(every_s)
            if self.store.file_lost:
                raise DatabaseFileLost(
                    "the database's file was deleted or replaced; "
                    "the engine starts again with what is there and the journal.",
                    "数据库文件已被删除或替换;引擎将以现有文件和日志重新启动。",
                )
            if not self._opened:
                continue
            try:
                await self.store.hold()
                failed, self._not_held = 0, None
            except LeaseHeld:
                raise
            except HotlineError as error:
                failed += 1  # once is no more than a batch that was being written
                self._not_held = error if failed > 1 else None

    async def unfinished_recordings(self) -> list[CallRecord]:
        """Return ended calls whose recording or transcript is not settled yet."""
        while True:
            try:
                found = await self.known(await self.store.unfinished_recordings())
                return [fold_call(call_id, events) for call_id, events in found.items()]
            except HotlineError:
                await asyncio.sleep(1.0)

    async def callbacks_since(self, since: float) -> list[Callback]:
        """Return the callbacks that came to nothing, of calls since a moment (seconds since the epoch)."""
        while True:
            try:
                rows = await self.store.tickets(since=since, state="callback", columns=("call_id",))
                told = await self.known([row["call_id"] for row in rows if row["call_id"]])
            except HotlineError:
                await asyncio.sleep(1.0)
                continue
            calls = [fold_call(call_id, events) for call_id, events in told.items()]
            return [call.callback for call in calls if call.callback is not None]

    async def close(self) -> None:
        """Give the recorder one second to catch up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self.recorder.caught_up()

    async def let_go(self) -> None:
        """Leave the database to whoever comes next; it runs out by itself where that cannot be said."""
        if self._opened:
            with contextlib.suppress(TimeoutError, HotlineError):
                async with asyncio.timeout(1.0):
                    await self.store.let_go()

    async def known(self, call_ids: Sequence[str]) -> dict[str, list[Event]]:
        """Return every event of some calls, also those that were journalled a moment ago."""
        await self._caught_up()
        found = await self.store.events(call_ids)
        return {
            call_id: [Event(call_id, row["at"], Kind(row["kind"]), row["data"]) for row in rows]
            for call_id, rows in found.items()
        }

    async def _remember(self, calls: CallBook) -> None:
        await self._caught_up()
        seats = [
            SeatRecord(row["seat"], SeatState(row["state"]), row["operator"], row["reason"], row["since"])
            for row in await self.store.seats()
        ]
        for seat in seats:
            if seat.state is SeatState.WRAP_UP:
                seat.until = await self._wrap_up_until(seat.seat_id)
        known = await self.known(await self.store.open_calls())
        told = [fold_call(call_id, events) for call_id, events in known.items()]
        calls.restore([call for call in told if call.state is not CallState.ENDED], seats)

    async def _caught_up(self) -> None:
        """Wait until the database has what was journalled before; not for one that is away.

        Raises:
            StoreAway: it is.
        """
        waiting = asyncio.ensure_future(self.recorder.caught_up())
        try:
            while not waiting.done():
                await asyncio.wait({waiting}, timeout=1.0)
                if not (waiting.done() or self.recorder.healthy or self.recorder.starting):
                    raise StoreAway(self.recorder.reason, self.recorder.reason_zh)
        finally:
            waiting.cancel()

    async def _wrap_up_until(self, seat_id: str) -> float | None:
        """Return the deadline of a seat's wrap-up, as the journal has it."""
        rows = await self.store.last_events(seat_stream(seat_id), [Kind.WRAP_UP_STARTED], 1)
        return rows[0]["data"].get("until") if rows else None

    async def _hotline(self) -> list[Event]:
        """Return the last mode that was set, and the alarms of late."""
        rows = await self.store.last_events(HOTLINE, [Kind.MODE_SET], 1)
        rows += await self.store.last_events(HOTLINE, [Kind.ALARM_RAISED, Kind.ALARM_CLEARED], _ALARMS)
        return [Event(HOTLINE, row["at"], Kind(row["kind"]), row["data"]) for row in rows]

    async def _write(
        self,
        before: str | None,
        after: str,
        events: Sequence[Event],
        calls: Sequence[CallRecord],
        seats: Sequence[SeatRecord],
    ) -> None:
        """Write one batch: events, and calls, tickets and seats as they are told by them."""
        told = [call for call in calls if call.known]
        rows = [
            {"stream": event.stream, "at": event.at, "kind": event.kind.value, "data": dict(event.data)}
            for event in events
        ]
        batch = Batch(
            self._cursor,
            before,
            after,
            rows,
            [call_row(call) for call in told],
            [call_ticket(call) for call in told],
            [_seat_row(seat) for seat in seats],
            {call.call_id: local_day(call.started_at or 0.0, self._zone) for call in told},
        )
        await self.store.write(batch)


def _seat_row(seat: SeatRecord) -> dict[str, object]:
    return {
        "seat": seat.seat_id,
        "state": seat.state.value,
        "operator": seat.operator,
        "reason": seat.reason,
        "since": seat.since,
    }
