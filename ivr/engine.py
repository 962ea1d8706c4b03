"""The composition root: builds the parts, starts and stops them in order.

Order of a start: the journal, then FastAGI (a caller may be waiting), then the link to Asterisk,
then the database, then speech.  None waits for the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ivr import deployment
from ivr.agi_routes import SeatRoute, guarded, reception_route
from ivr.asterisk import members, requirements
from ivr.asterisk.fastagi import FastAgiServer
from ivr.asterisk.manager import Link, LinkState, Message
from ivr.asterisk.queue_events import translate
from ivr.asterisk.record_files import RecordFiles
from ivr.asterisk.records import seat_user
from ivr.calls.aftercall import AfterCall
from ivr.calls.book import CallBook
from ivr.calls.events import Event, Kind
from ivr.calls.reception import Arrival, started
from ivr.calls.reconciler import Reconciler
from ivr.calls.record import CallRecord, SeatRecord, fold_call
from ivr.calls.recorder import Recorder, local_day
from ivr.calls.seating import Seating
from ivr.calls.states import CallState, SeatState
from ivr.errors import HotlineError
from ivr.hotline.book import HotlineBook
from ivr.keys import Keys
from ivr.settings import Settings
from ivr.speech.models import find_model, sha256
from ivr.speech.prompts import PromptBook
from ivr.speech.recording import checked_wav, raw_to_wav
from ivr.speech.transcriber import Transcriber
from ivr.store.journal_file import JournalFile
from ivr.store.store import Batch, Store
from ivr.tickets.masking import mask_number
from ivr.tickets.numbers import take
from ivr.tickets.ticket import call_row, call_ticket

log = logging.getLogger(__name__)

RECONCILE_S = 10.0  # reading what is new costs next to nothing, and a ticket should not be late


class Engine:
    """One hotline.

    Args:
        settings: where things are.
        book: what the city configured.
        keys: the secrets.
        asterisk_logs: the log folder of the Asterisk we are attached to.
    """

    def __init__(self, settings: Settings, book: HotlineBook, keys: Keys, asterisk_logs: Path) -> None:
        self.settings = settings
        self.book = book
        self.keys = keys
        self._zone = ZoneInfo(book.timezone)
        self.prompts = PromptBook(settings.config / "prompts")
        self.store = Store(settings.database, book.region, take)
        self.journal = JournalFile(settings.journal, self._journal_grew)
        self._cursor = f"journal:{keys.instance}"
        self.recorder = Recorder(self.journal, self.store, self._write, self._cursor)
        self.calls = CallBook(lambda event: self.journal.append(event.to_line()), self._on_event)
        self.seating = Seating(lambda: self.book, self.calls, self.align, time.time)
        self.transcriber = Transcriber(find_model(Path(settings.vosk_model) if settings.vosk_model else None))
        self.aftercall = AfterCall(
            settings.recordings, self.calls.record, _close_recording, self._transcribe, time.time
        )
        seat_route = SeatRoute(
            book=lambda: self.book,
            calls=self.calls,
            seating=self.seating,
            pins=keys.pins,
            sound=self.sound,
            clock=time.time,
        )
        reception = reception_route(
            lambda: self.book, self.calls, self.sound, self.identify, time.time, deployment.PRIORITY_110
        )
        self.fastagi = FastAgiServer(
            {"reception": guarded(reception, keys.agi), "seat": guarded(seat_route, keys.agi)},
            port=settings.agi_port,
        )
        self.link = Link(
            settings.ami_host or "127.0.0.1",
            settings.ami_port,
            settings.ami_user,
            settings.ami_secret or keys.ami,
            on_event=self._on_message,
            synchronise=self._synchronise,
            on_state=lambda state: log.info("asterisk link: %s", state),
        )
        self.reconciler = Reconciler(
            self.calls,
            RecordFiles(asterisk_logs, settings.spool, settings.home / "reconcile.json"),
            self._known,
            self._describe,
            self._name_seat,
            time.time,
        )
        self.asterisk_version = ""
        self._queues = {queue.id for queue in book.queues}
        self._tasks: set[asyncio.Task[None]] = set()
        self._recording: set[asyncio.Task[None]] = set()
        self._restored = asyncio.Event()
        self._align_lock = asyncio.Lock()
        self._reconcile_lock = asyncio.Lock()

    # -- life ----------------------------------------------------------------------------------
    async def start(self) -> None:
        """Start all parts; returns when callers can be received.

        Raises:
            OSError: the FastAGI port is taken.
        """
        self.settings.spool.mkdir(parents=True, exist_ok=True)
        self.settings.recordings.mkdir(parents=True, exist_ok=True)
        for fault in self.prompts.check():
            log.warning("prompts: %s", fault)
        await self.fastagi.start()
        await self.link.start()
        for work in (self._restore(), self._reconcile_forever(), self.aftercall.run(), self._start_speech()):
            self._spawn(work)

    async def stop(self) -> None:
        """Stop all parts; what was journalled reaches the database if that answers within a second."""
        await self.fastagi.close(grace_s=0.5)
        await self.link.close()
        # the transcripts first: what waits for the recogniser stays pending and is taken up at the next start
        await _cancel(self._tasks - self._recording)
        await self.transcriber.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self.recorder.caught_up()
        await _cancel(self._recording)
        await self.store.close()
        self.journal.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a part of the engine ended; the engine starts again", exc_info=error)
            os._exit(1)  # the supervisor starts a whole engine; half of one would lie about itself

    async def _restore(self) -> None:
        """Open the database, let the recorder catch up, and remember open calls and seats."""
        wait_s = 0.2
        while True:
            try:
                await self.store.open()
                if not self._recording:
                    self._recording.add(self._spawn(self.recorder.run()))
                await self._remember()
                break
            except HotlineError as error:
                self.recorder.reason = error.sentence
                log.warning("%s", error.sentence)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, 5.0)
        self.seating.known = True
        self._restored.set()
        with contextlib.suppress(HotlineError):
            await self.align()
        while True:
            try:
                unfinished = await self._known(await self.store.unfinished_recordings())
                break
            except HotlineError:
                await asyncio.sleep(wait_s)
        for call_id, events in unfinished.items():
            self.aftercall.ended(fold_call(call_id, events))

    async def _remember(self) -> None:
        await self.recorder.caught_up()
        seats = [
            SeatRecord(row["seat"], SeatState(row["state"]), row["operator"], row["reason"], row["since"])
            for row in await self.store.seats()
        ]
        known = await self._known(await self.store.open_calls())
        calls = [fold_call(call_id, events) for call_id, events in known.items()]
        self.calls.restore([call for call in calls if call.state is not CallState.ENDED], seats)

    async def _start_speech(self) -> None:
        status = await self.transcriber.start()
        log.info("speech: %s %s", status.state, status.reason)

    # -- the journal ---------------------------------------------------------------------------
    def _journal_grew(self) -> None:
        self.recorder.wake()

    async def _write(
        self,
        before: str | None,
        after: str,
        events: Sequence[Event],
        calls: Sequence[CallRecord],
        seats: Sequence[SeatRecord],
    ) -> None:
        """Write one batch: events, and calls, tickets and seats as they are told by them."""
        rows = [
            {"stream": event.stream, "at": event.at, "kind": event.kind.value, "data": dict(event.data)}
            for event in events
        ]
        told = [call for call in calls if call.known]
        days = {call.call_id: local_day(call.started_at or 0.0, self._zone) for call in told}
        seat_rows = [
            {
                "seat": seat.seat_id,
                "state": seat.state.value,
                "operator": seat.operator,
                "reason": seat.reason,
                "since": seat.since,
            }
            for seat in seats
        ]
        tickets = [call_ticket(call) for call in told]
        await self.store.write(
            Batch(
                self._cursor,
                before,
                after,
                rows,
                [call_row(call) for call in told],
                tickets,
                seat_rows,
                days,
            )
        )

    async def _known(self, call_ids: Sequence[str]) -> dict[str, list[Event]]:
        await self.recorder.caught_up()
        found = await self.store.events(call_ids)
        return {
            call_id: [Event(call_id, row["at"], Kind(row["kind"]), row["data"]) for row in rows]
            for call_id, rows in found.items()
        }

    def _on_event(self, event: Event, call: CallRecord | None) -> None:
        told_late = event.kind is Kind.ANSWERED and call is not None and call.state is CallState.ENDED
        if call is not None and (event.kind is Kind.HUNG_UP or told_late):
            self.aftercall.ended(call)

    # -- Asterisk ------------------------------------------------------------------------------
    def _on_message(self, message: Message) -> None:
        """Journal what Asterisk tells of callers."""
        told = translate(message)
        if told is None:
            self._on_other(message)
            return
        if "queue" in told.data and told.data["queue"] not in self._queues:
            return  # a city's own Asterisk has queues that are not ours
        if told.call_id not in self.calls.calls and told.what == "hung_up":
            return  # a channel that never was in reception, or one that is over
        data = dict(told.data)
        if "seat_user" in data:
            data |= self._seat_facts(data.pop("seat_user"))
        self.calls.record(Event(told.call_id, told.at, Kind(told.what), data))

    def _on_other(self, message: Message) -> None:
        if message.name == "UserEvent" and message.get("UserEvent") == "IvrRefused":
            log.warning(
                "security: refused a call to %s from %s (%s)",
                message.get("Dialled"),
                message.get("Endpoint"),
                message.get("Address"),
            )
        elif message.name in ("InvalidAccountID", "InvalidPassword", "FailedACL", "ChallengeResponseFailed"):
            log.warning(
                "security: %s for %s from %s",
                message.name,
                message.get("AccountID"),
                message.get("RemoteAddress"),
            )

    def _seat_facts(self, username: str) -> dict[str, Any]:
        seat = self.book.seat_by_username(username)
        return {"seat": seat.id, "operator": self.calls.operator_on(seat.id)} if seat else {"seat": None}

    def _name_seat(self, channel: str) -> dict[str, Any]:
        return self._seat_facts(seat_user(channel) or "")

    def _describe(self, arrival: Arrival) -> dict[str, Any]:
        return started(arrival, self.book, self.identify)

    def sound(self, prompt: str) -> str:
        """Return a prompt's recordings as Asterisk plays them, the city's own before the shipped ones."""
        return "&".join(str(path) for path in self.prompts.files(prompt, for_asterisk=True))

    def identify(self, number: str) -> dict[str, str]:
        """Return what may be stored of a caller's number: mask, ciphertext, fingerprint."""
        if not number:
            return {"mask": "", "enc": "", "hash": ""}
        number = number[:64]
        return {
            "mask": mask_number(number),
            "enc": self.keys.encrypt(number),
            "hash": self.keys.fingerprint(number),
        }

    async def _synchronise(self, link: Link) -> None:
        """After each log-in: members as they should be, and what happened meanwhile into the journal."""
        self.asterisk_version = await requirements.check(link)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3.0):  # without the database Asterisk's own members stay
                await self._restored.wait()
        if self._restored.is_set():
            await self._align(link)
            await self._reconcile(link)

    async def align(self) -> None:
        """Bring Asterisk's queue members in line with who sits where, if Asterisk is there."""
        if self.link.state is LinkState.LIVE and self.seating.known:
            await self._align(self.link)

    async def _align(self, link: Link) -> None:
        """Compare members with who sits where; also in every reconciliation, whoever changed them."""
        async with self._align_lock:
            wanted = [
                members.Member(seat.queue, f"PJSIP/{seat.username}", seat.name, seat.paused, seat.reason)
                for seat in self.seating.memberships()
            ]
            present = (await members.status(link)).members
            ours = {queue.id for queue in self.book.queues}
            changes = await members.align(link, wanted, [m for m in present if m.queue in ours])
        for change in changes:
            log.info("queue members: %s", change)

    async def _reconcile_forever(self) -> None:
        await self._restored.wait()
        while True:
            try:
                await self.align()
                await self.reconcile_now()
            except HotlineError as error:
                log.warning("reconciliation waits: %s", error.sentence)
            except Exception:  # one thing we did not foresee must not end the engine, again and again
                log.exception("reconciliation failed; the next round tries again")
            await asyncio.sleep(RECONCILE_S)

    async def reconcile_now(self) -> int:
        """Compare the journal with Asterisk's records; return how many events were added."""
        return await self._reconcile(self.link if self.link.state is LinkState.LIVE else None)

    async def end_calls(self) -> None:
        """Hang up every call, so that tickets tell the end of it before everything stops."""
        if self.link.state is LinkState.LIVE:
            with contextlib.suppress(HotlineError):
                await self.link.action("Hangup", {"Channel": "/.*/"})
            await asyncio.sleep(0.3)

    async def _reconcile(self, link: Link | None) -> int:
        async with self._reconcile_lock:  # ask only when it is our turn: an old answer would bury new calls
            live = await members.live_calls(link) if link is not None else None
            added = await self.reconciler.reconcile(live)
        if added:
            log.info("reconciliation added %d events", added)
        return added

    # -- speech --------------------------------------------------------------------------------
    async def _transcribe(self, path: Path, speakers: tuple[str, ...]) -> Mapping[str, Any]:
        return (await self.transcriber.transcribe(path, speakers)).as_json()


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in (tasks := list(tasks)):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _close_recording(raw: Path, wav: Path) -> tuple[float, str]:
    if not raw.exists() and wav.exists():  # closed before a kill, and not yet journalled
        seconds, _ = checked_wav(wav)
        return seconds, sha256(wav)
    closed = raw_to_wav(raw, wav, salvage=True)
    raw.unlink(missing_ok=True)
    return closed.seconds, closed.sha256
