"""The composition root: builds the parts, starts and stops them in order.

Order of a start: the journal, then FastAGI (a caller may be waiting), then the link to Asterisk,
then the database, then speech.  None waits for the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any

from ivr.admission.part import Admission, Sources
from ivr.admission.ports import Wires
from ivr.asterisk.agi.server import FastAgiServer, Handler
from ivr.asterisk.ami.link import AmiError, Link, LinkState, Message
from ivr.asterisk.control.carrier_packets import CarrierPackets
from ivr.asterisk.control.floor import AsteriskFloor
from ivr.asterisk.control.machine import AsteriskMachine
from ivr.asterisk.control.members import AsteriskMembers
from ivr.asterisk.control.placeholders import AsteriskPlaceholders
from ivr.asterisk.control.rooms import Rooms
from ivr.asterisk.control.sides import AsteriskSides
from ivr.asterisk.control.strangers import AskAsterisk, AsteriskKnocks
from ivr.asterisk.facts.record_files import RecordFiles
from ivr.asterisk.facts.refused_files import RefusedFiles
from ivr.asterisk.facts.translation import Translator
from ivr.asterisk.install import log_files, requirements
from ivr.asterisk.install.instance import Instance
from ivr.calls import facts
from ivr.calls.intake import Listener
from ivr.calls.open_calls import CallBook
from ivr.calls.reception import Arrival, Reception, started
from ivr.calls.states import CallState
from ivr.engine.database_watch import DatabaseWatch
from ivr.engine.liveness import Hang, Liveness
from ivr.engine.media import MediaWatch
from ivr.engine.persistence import Memory
from ivr.errors import HotlineError
from ivr.events.clock import ClockSteps
from ivr.events.event import Kind
from ivr.home.disk import DISK_FULL, disk_faults
from ivr.home.logs import lines_to
from ivr.home.secrets import Keys
from ivr.home.settings import Settings
from ivr.host import last_words
from ivr.hotline.book import HotlineBook
from ivr.hotline.names.matcher import Matcher
from ivr.phone.callback import CallbackRoute
from ivr.phone.guard import guarded
from ivr.phone.leader import LeaderRoute
from ivr.phone.reception import menu_route, reception_route
from ivr.phone.seat import SeatRoute
from ivr.phone.survey import SurveyRoute
from ivr.queueing.callback_limits import UNREACHED_REST_S
from ivr.queueing.claims import Secrets
from ivr.queueing.part import Attendants, Company, Pace, QueueWires
from ivr.reconciliation.reconciler import Reconciler
from ivr.recordings.part import Recordings, checked_remark
from ivr.recordings.tracks import last_written
from ivr.rollout import staging as deployment
from ivr.rollout.live import Attached, Service
from ivr.rollout.switch import Switch
from ivr.seats.alignment import Alignment
from ivr.seats.ports import Rang
from ivr.sides.watch import SideWatch
from ivr.speech.models import find_model
from ivr.speech.prompts import PromptBook
from ivr.speech.transcriber import Transcriber
from ivr.speech.utterance import Utterances
from ivr.store.causes import StoreAway
from ivr.store.lease import LeaseHeld
from ivr.strangers.record import Strangers
from ivr.strangers.watch import StrangersWatch
from ivr.supervision.part import People
from ivr.tickets.masking import mask_number
from ivr.transfers.part import ThirdParties

log = logging.getLogger(__name__)

RECONCILE_S = 10.0  # reading what is new costs next to nothing, and a ticket should not be late


class Engine:
    """One hotline.

    Args:
        settings: where things are.
        book: what the city configured.
        keys: the secrets.
        asterisk_logs: the log folder of the Asterisk we are attached to.
        hang: what became of the engine before, if it did not answer.
    """

    def __init__(
        self,
        settings: Settings,
        book: HotlineBook,
        keys: Keys,
        asterisk_logs: Path,
        hang: Hang | None = None,
    ) -> None:
        self.settings = settings
        self.book = book
        self.keys = keys
        self.prompts = PromptBook(settings.config / "prompts")
        self.memory = Memory(settings, book, keys.instance)
        self.store, self.recorder = self.memory.store, self.memory.recorder
        self.calls = CallBook(self.memory.append, ClockSteps(time.time, time.monotonic), settings.node)
        self.listener = Listener(lambda: self.book, self.calls)
        self.translator = Translator(lambda: self.calls.called_back)
        self.people = People(
            lambda: self.book,
            self.calls,
            self.align_seats,
            self._audit,
            time.time,
            time.monotonic,
            self.translator.rings,
        )
        self.seating = self.people.seating
        model = find_model(Path(settings.vosk_model) if settings.vosk_model else None)
        self.transcriber = Transcriber(model)
        self.utterances = Utterances(Transcriber(model, job_timeout_s=20.0), settings.home / "utterances")
        self.recordings = Recordings(
            settings.recordings,
            self.calls,
            self.transcriber,
            lambda call_id: self.third_parties.transfers.goes_on(call_id),
        )
        self.aftercall = self.recordings.aftercall
        seat_route = SeatRoute(
            book=lambda: self.book,
            calls=self.calls,
            seating=self.seating,
            pins=keys.pins,
            sound=self.sound,
            clock=time.time,
            set_mode=self.people.modes.set,
        )
        reception = Reception(
            lambda: self.book,
            self.calls.record,
            self.identify,
            time.time,
            mode=lambda: self.people.modes.current,
        )
        routes: dict[str, Handler] = {
            "reception": reception_route(reception, self.sound),
            "menu": menu_route(reception, self.sound, self.utterances, Matcher),
            "seat": seat_route,
        }
        self.link = Link(
            settings.ami_host or "127.0.0.1",
            settings.ami_port,
            settings.ami_user,
            settings.ami_secret or keys.ami,
            on_event=self._hear,
            synchronise=self._synchronise,
            on_state=lambda state: log.info("asterisk link: %s", state),
        )
        self.alignment = Alignment(self.seating, lambda: self.book, AsteriskMembers(self.link), time.time)
        self.liveness = Liveness(self.link, self.people.alarms, settings.home, hang)
        self.strangers = StrangersWatch(
            Strangers(lines_to(settings.logs, "strangers"), time.monotonic),
            AsteriskKnocks(self.link),
            None if settings.external_asterisk else AskAsterisk(self._our_asterisk),
            time.monotonic,
        )
        self._wait_on_callers()
        self.third_parties = ThirdParties(
            book=lambda: self.book,
            calls=self.calls,
            rooms=Rooms(self.link, self.sound),
            manned=self._manned,
            number=lambda call: keys.decrypt(call.number_enc) if call.number_enc else "",
            clock=time.time,
            own=deployment.own_address(settings),
            alarm=self.people.alarms.raise_,
            leader_seat=self._leader_seat,
        )
        subscribe = self.calls.events.subscribe
        subscribe(
            "alarms", lambda event, _: self.people.alarms.fold(event), (Kind.ALARM_RAISED, Kind.ALARM_CLEARED)
        )
        subscribe("people", self.people.hear)
        subscribe("those who wait on callers", self.attendants.on_event)
        subscribe("three parties", self.third_parties.coordinator.on_event)
        subscribe("recordings", self.recordings.on_event)
        subscribe("retired settings", self._retire, (Kind.HUNG_UP, Kind.OPERATOR_LEFT))
        self._hearers = self._who_hears()
        self.sides.room = lambda call_id: self.third_parties.transfers.of(call_id).state
        routes |= self._waiting_routes()
        routes["leader"] = LeaderRoute(
            book=lambda: self.book,
            calls=self.calls,
            requests=self.third_parties.requests,
            clock=time.time,
            leader=self.people.modes.leader,
            sound=self.sound,
        )
        self.fastagi = FastAgiServer(
            {name: guarded(route, keys.agi) for name, route in routes.items()}, port=settings.agi_port
        )
        self.reconciler = Reconciler(
            self.calls,
            RecordFiles(asterisk_logs, settings.spool, settings.home / "reconcile.json"),
            self.memory.known,
            self._describe,
            self.listener.name_seat,
            time.time,
        )
        self.reconciler.before_hang_up = self.attendants.claims.message_over
        self.reconciler.last_sign = last_written
        sources = Sources(self.calls, self.memory, self.people.alarms, self.identify)
        self.admission = Admission(
            lambda: self.book,
            sources,
            self._admission_wires(asterisk_logs),
            settings.home / "refused.json",
            time.time,
        )
        self.service = Service(settings, self, self.calls, keys, self.align, time.time)
        self.switch = Switch(settings, self.service, Attached(self.link))
        self.asterisk_version = ""
        self._asterisk_logs = asterisk_logs
        self._tasks: set[asyncio.Task[None]] = set()
        self._recording: set[asyncio.Task[None]] = set()
        self._reconcile_lock = asyncio.Lock()

    def _wait_on_callers(self) -> None:
        """Build what serves those who wait."""
        citizens = lambda: self.calls.called_back  # noqa: E731
        self.floor = AsteriskFloor(self.link, citizens)
        placeholders = AsteriskPlaceholders(self.link, citizens)
        self.attendants = Attendants(
            lambda: self.book,
            self.calls,
            QueueWires(self.floor, placeholders, self.floor),
            secrets=Secrets(self.identify, self.keys.decrypt),
            people=Company(self.seating, self.people.alarms, self.people.rings),
            pace=Pace(
                time.time,
                self.settings.callback_retry_s,
                self.settings.unattended_s,
                lambda: deployment.phone_check_s(self.settings, self.book),
            ),
        )
        self.sides = SideWatch(
            self.calls,
            AsteriskSides(self.link),
            time.time,
            time.monotonic,
            watching=lambda: bool(deployment.phone_check_s(self.settings, self.book)),
            judge=self.people.alarms.judge,
        )
        self.desk, self.phones = self.attendants.desk, self.attendants.phones
        self.listener.on_placeholder = self.desk.hear
        self.listener.before_hang_up = self.attendants.claims.missed

    def _admission_wires(self, logs: Path) -> Wires:
        settings = self.settings
        here = not settings.external_asterisk or settings.ami_host in ("", "127.0.0.1")
        instance = Instance.laid_out(settings.asterisk_home, settings.run, settings.pids)
        process = instance.process if not settings.external_asterisk else lambda: None
        first, last = settings.rtp_ports
        addresses = lambda: self.book.trunks.addresses  # noqa: E731
        return Wires(
            AsteriskMachine(self.link, process, settings.rtp_ports, here=here),
            lambda places: RefusedFiles(logs, places),
            CarrierPackets(
                self.link, addresses, settings.run, here=here, external=settings.external_asterisk
            ),
            lambda: deployment.room_of(settings, self.book),
            last - first + 1,
        )

    def _who_hears(self) -> dict[type, Callable[[Any], None]]:
        return {
            facts.QueueEvent: self.listener.hear,
            facts.CallbackWord: self.desk.hear_word,
            facts.MessageBegun: self.attendants.unattended.hear_word,
            facts.Intruder: self.strangers.intruder,
            Rang: self.people.rang,
            facts.PhoneMoved: self.phones.moved,
            facts.MemberMoved: lambda told: self.alignment.doubt(told.user),
            facts.Held: self.sides.held,
            facts.ChannelEnded: self.sides.ended,
            facts.KeyPressed: self.third_parties.key,
            facts.RoomEvent: self.third_parties.hear,
        }

    def _waiting_routes(self) -> dict[str, Handler]:
        survey = SurveyRoute(self.calls, self.sound, checked_remark, self.settings.recordings, time.time)
        callback = CallbackRoute(self.attendants.claims, self.desk, self.sound)
        return {"callback": callback, "survey": survey}

    # -- life ----------------------------------------------------------------------------------
    async def start(self) -> None:
        """Start all parts; returns when callers can be received.

        Raises:
            OSError: the FastAGI port is taken.
        """
        self.settings.spool.mkdir(parents=True, exist_ok=True)
        self.settings.recordings.mkdir(parents=True, exist_ok=True)
        self.look_at_prompts()
        await self.fastagi.start()
        await self.link.start()
        self.liveness.begin()
        for work in (
            self._restore(),
            self._reconcile_forever(),
            self.aftercall.run(),
            self._start_speech(),
            self.third_parties.run(),
            self.people.run(self.floor),
            self.admission.run(),
            self.memory.watch(),
            self.liveness.run(),
            DatabaseWatch(self.memory, self.people.alarms).run(),
            MediaWatch(self.settings, self.people.alarms).run(),
            self.recordings.watch(),
            *self.strangers.work(),
        ):
            self._spawn(work)

    async def stop(self) -> None:
        """Stop all parts; what was journalled reaches the database if that answers within a second."""
        await self.fastagi.close(grace_s=0.5)
        await self.admission.stop()
        await self.link.close()
        # the transcripts first: what waits for the recogniser stays pending and is taken up at the next start
        await _cancel(self._tasks - self._recording)
        await self.transcriber.close()
        await self.utterances.close()
        await self.memory.close()
        await _cancel(self._recording)
        await self.memory.let_go()
        await self.store.close()
        self.memory.journal.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            status = 1
            if isinstance(error, LeaseHeld):  # the reason alone; whose memory is old starts anew
                status = 1 if error.retry else 2
                log.error("%s", error.sentence)
                sys.stderr.write(last_words.spoken(error))
            else:
                log.error("a part of the engine ended; the engine starts again", exc_info=error)
            self.liveness.ends()
            os._exit(status)  # the supervisor starts a whole engine; half of one would lie about itself

    async def _restore(self) -> None:
        """Take up what was remembered; then who sits where, and recordings that are not settled."""
        record = lambda: self._recording.add(self._spawn(self.recorder.run()))  # noqa: E731
        await self.memory.open(record, self.calls, self.people.restore)
        self.seating.known = True
        self._spawn(self._restore_claims())
        for work in (*self.attendants.work(), self.sides.run()):
            self._spawn(work)
        with contextlib.suppress(HotlineError):
            await self.align()
        await self.third_parties.restore(self.memory.known)
        waiting = self.calls.in_state(CallState.CALLBACK)
        for call in [*waiting, *await self.memory.unfinished_recordings()]:
            self.aftercall.ended(call)

    async def _restore_claims(self) -> None:
        """Know again who was called back in vain of late: they are left in peace."""
        self.attendants.claims.restore(await self.memory.callbacks_since(time.time() - UNREACHED_REST_S))

    def look_at_prompts(self) -> list[str]:
        """Look at the recordings again; return what is wrong with them."""
        self.prompts.reload()
        deployment.write_announcements(self.settings, self.book, self.prompts)
        for fault in (faults := self.prompts.check()):
            log.warning("prompts: %s", fault)
        return faults

    async def _start_speech(self) -> None:
        if self.book.reception.speech:
            self.utterances.start()
        status = await self.transcriber.start()
        log.info("speech: %s %s", status.state, status.reason)

    async def _audit(self, at: float, actor: str, action: str, data: Mapping[str, Any]) -> None:
        with contextlib.suppress(HotlineError):  # the journal has it in any case
            await self.store.audit(at, actor, action, data)

    def _retire(self, *_: object) -> None:
        self.service.retire()

    def _hear(self, message: Message) -> None:
        for fact in self.translator.facts(message):
            self._hearers[type(fact)](fact)

    def _our_asterisk(self) -> Instance:
        found = deployment.find_asterisk(self.settings, log.info, unpack=False)
        return deployment.instance_of(self.settings, found)

    def _leader_seat(self) -> str | None:
        """Return the seat of the shift leader, None when nobody leads."""
        leader = self.people.modes.leader()
        return self.calls.seat_of(leader.operator) if leader else None

    def _manned(self, queue_id: str) -> bool:
        """Tell whether a queue has somebody logged in who is not paused."""
        return queue_id in self.seating.manned(self.phones.away, paused_too=False)

    # -- Asterisk ------------------------------------------------------------------------------
    def _describe(self, arrival: Arrival) -> dict[str, Any]:
        return started(arrival, self.book, self.identify)

    def sound(self, prompt: str, **slots: str | int) -> str:
        """Return a prompt's recordings as Asterisk plays them, the city's own before the shipped ones."""
        return "&".join(str(path) for path in self.prompts.files(prompt, for_asterisk=True, **slots))

    def identify(self, number: str) -> dict[str, str]:
        """Return what may be stored of a caller's number: mask, ciphertext, fingerprint."""
        if not number:
            return {"mask": "", "enc": "", "hash": ""}
        number = number[:64]
        person = self.book.plan.person(number)  # whatever the carrier writes: the same person
        return {
            "mask": mask_number(person),
            "enc": self.keys.encrypt(number),
            "hash": self.keys.fingerprint(person),
        }

    async def _synchronise(self, link: Link) -> None:
        """After each log-in: members as they should be, and what happened meanwhile into the journal."""
        self.asterisk_version = await requirements.check(link)
        await self.switch.settle()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3.0):  # without the database Asterisk's own members stay
                await self.memory.restored.wait()
        if self.memory.restored.is_set():
            self.alignment.forget()
            await self.alignment.compare()
            with contextlib.suppress(StoreAway):  # the next round makes up for it
                await self._reconcile(link)
            await self.third_parties.recover()

    async def align(self) -> None:
        """Bring all of Asterisk's queue members in line with who sits where, if Asterisk is there."""
        if await self._may_align():
            await self.alignment.compare()

    async def align_seats(self, seats: Collection[str]) -> None:
        """Bring the queue members of some seats in line, if Asterisk is there."""
        if await self._may_align():
            await self.alignment.settle(seats)

    async def _may_align(self) -> bool:
        if self.link.state is not LinkState.LIVE or not self.seating.known:
            return False
        await self.desk.make_ready()  # who was promised a callback keeps their place before a new seat
        return True

    async def _reconcile_forever(self) -> None:
        await self.memory.restored.wait()
        while True:
            for step in (self._look_around, self.align, self.reconcile_now, self._rotate_logs):
                try:  # what a busy Asterisk does not answer to one costs no other its turn
                    await step()
                except HotlineError as error:
                    log.warning("reconciliation waits: %s", error.sentence)
                except Exception:  # one thing we did not foresee must not end the engine, again and again
                    log.exception("reconciliation failed; the next round tries again")
            await asyncio.sleep(RECONCILE_S)

    async def _look_around(self) -> None:
        folders = (self.settings.home, self.settings.recordings)
        self.people.alarms.judge(disk_faults(folders), {DISK_FULL})
        self.service.retire()
        if self.link.state is LinkState.LIVE:
            await self.switch.settle()

    async def _rotate_logs(self) -> None:
        if self.link.state is LinkState.LIVE and not self.settings.external_asterisk:
            await log_files.rotate_when_large(self.link, self._asterisk_logs)

    async def reconcile_now(self) -> int:
        """Compare the journal with Asterisk's records; return how many events were added."""
        if self.link.state is LinkState.LIVE:
            try:
                return await self._reconcile(self.link)
            except AmiError as error:  # whom it has is not known; what it wrote down can be read
                log.warning("Asterisk does not say which calls it has: %s", error.sentence)
        return await self._reconcile(None)

    async def end_calls(self) -> None:
        """Hang up every call, so that tickets tell the end of it before everything stops."""
        if self.link.state is LinkState.LIVE:
            with contextlib.suppress(HotlineError):
                await self.floor.end_all()
            await asyncio.sleep(0.3)

    async def _reconcile(self, link: Link | None) -> int:
        async with self._reconcile_lock:  # ask only when it is our turn: an old answer would bury new calls
            live = await self.floor.live_calls() if link is not None else None
            added = await self.reconciler.reconcile(live)
        if added:
            log.info("reconciliation added %d events", added)
        return added


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in (tasks := list(tasks)):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
