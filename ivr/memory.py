"""What the engine remembers: the journal file, the database behind it, and taking both up again after a start."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

from ivr.calls.book import CallBook
from ivr.calls.callbacks import Callback
from ivr.calls.events import HOTLINE, Event, Kind, seat_stream
from ivr.calls.record import CallRecord, fold_call
from ivr.calls.recorder import Recorder, local_day
from ivr.calls.seat_record import SeatRecord
from ivr.calls.states import CallState, SeatState
from ivr.errors import HotlineError
from ivr.hotline.book import HotlineBook
from ivr.settings import Settings
from ivr.store.database import DatabaseFileLost
from ivr.store.journal_file import JournalFile
from ivr.store.store import Batch, Store
from ivr.tickets.numbers import take
from ivr.tickets.ticket import call_row, call_ticket

log = logging.getLogger(__name__)

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
        self.store = Store(settings.database, book.region, take)
        self.journal = JournalFile(settings.journal, self._grew)
        self.recorder = Recorder(self.journal, self.store, self._write, self._cursor)
        self.restored = asyncio.Event()
        """Set when it is known which calls are open and who sits where."""

    def append(self, event: Event) -> None:
        """Write one event to the journal file."""
        self.journal.append(event.to_line())

    @property
    def trouble(self) -> str:
        """Why events do not reach the file or the database; empty when they do."""
        return self.journal.trouble or ("" if self.recorder.healthy else self.recorder.reason)

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
        """
        wait_s = 0.2
        recording = False
        while True:
            try:
                await self.store.open()
                if not recording:
                    record()
                    recording = True
                await self._remember(calls)
                hotline(await self._hotline())
                break
            except HotlineError as error:
                self.recorder.reason = error.sentence
                log.warning("%s", error.sentence)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, 5.0)
        self.restored.set()

    async def watch(self, every_s: float = 2.0) -> None:
        """End where the database's file was taken away: a new start opens what is there and reads the journal again.

        Raises:
            DatabaseFileLost: the file was deleted or replaced.
        """
        while True:
            await asyncio.sleep(every_s)
            if self.store.file_lost:
                raise DatabaseFileLost(
                    "the database's file was deleted or replaced; "
                    "the engine starts again with what is there and the journal.",
                    "数据库文件已被删除或替换;引擎将以现有文件和日志重新启动。",
                )

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

    async def known(self, call_ids: Sequence[str]) -> dict[str, list[Event]]:
        """Return every event of some calls, also those that were journalled a moment ago."""
        await self.recorder.caught_up()
        found = await self.store.events(call_ids)
        return {
            call_id: [Event(call_id, row["at"], Kind(row["kind"]), row["data"]) for row in rows]
            for call_id, rows in found.items()
        }

    async def _remember(self, calls: CallBook) -> None:
        await self.recorder.caught_up()
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
