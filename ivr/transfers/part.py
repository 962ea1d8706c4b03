"""Three parties on Asterisk: what it tells goes to the coordinator, what that decides goes to it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from ivr.calls.facts import KeyPressed, RoomEvent
from ivr.calls.file_names import HELP
from ivr.calls.open_calls import CallBook
from ivr.calls.reception import STAR
from ivr.calls.record import CallRecord
from ivr.calls.states import CallState
from ivr.errors import HotlineError
from ivr.events.event import Event, Kind
from ivr.hotline.book import HotlineBook
from ivr.hotline.destinations import Own
from ivr.transfers.commands import Commands
from ivr.transfers.coordinator import Alarm, Coordinator
from ivr.transfers.open_transfers import OpenTransfers
from ivr.transfers.ports import Rooms
from ivr.transfers.prompts import EMERGENCIES, reason_of
from ivr.transfers.requests import Requests
from ivr.transfers.targets import Targets
from ivr.transfers.transfer import fold_transfer

log = logging.getLogger(__name__)

TICK_S = 0.1
"""Seconds between two looks at deadlines."""
KNOWN_WITHIN_S = 5.0
"""Seconds a command waits after a start until it is known what was before."""
_CAUSE_FOLLOWS_S = 0.2
_DIALPLAN_ACTS_S = 0.15
_LOSES_KEYS = (CallState.WAITING, CallState.RINGING, CallState.VOICEMAIL, CallState.SURVEYING)
"""Where Asterisk may not obey *: its queue loses a key in an announcement, a recording or a question takes others."""
_REMEMBERED = 1000


class ThirdParties:
    """The three-way calls of a running engine.

    Args:
        book: gives the present configuration.
        calls: where events are recorded.
        rooms: the rooms, and the ways into them.
        manned: tells whether somebody could answer in a queue now.
        number: gives a caller's full number.
        alarm: tells the shift leader.
        clock: seconds since the epoch.
        leader_seat: gives the seat of the shift leader, None when nobody leads.
        own: where our Asterisk takes calls.
    """

    def __init__(  # noqa: PLR0913 - the composition root builds it, by keyword
        self,
        *,
        book: Callable[[], HotlineBook],
        calls: CallBook,
        rooms: Rooms,
        manned: Callable[[str], bool],
        number: Callable[[CallRecord], str],
        clock: Callable[[], float],
        alarm: Alarm | None = None,
        leader_seat: Callable[[], str | None] = lambda: None,
        own: Own | None = None,
    ) -> None:
        self._calls = calls
        self._clock = clock
        self.alarm: Alarm = alarm or self._note_alarm
        self.rooms = rooms
        self.targets: Callable[[], Targets] = lambda: Targets(book(), manned, leader_seat, own)
        self.transfers = OpenTransfers(calls, clock)
        self._commands = commands = Commands(self.transfers, book, self.rooms, self._spawn, number)
        self.coordinator = Coordinator(self.transfers, commands, self.rooms, lambda *said: self.alarm(*said))
        self.requests = Requests(self.transfers, commands, self.targets)
        self._tasks: set[asyncio.Task[None]] = set()
        self._helped: dict[str, tuple[float, str]] = {}
        """When the dialplan began to call help by itself, and which number."""
        self._restored = asyncio.Event()

    # -- life ----------------------------------------------------------------------------------
    async def run(self) -> None:
        """Look at deadlines until cancelled."""
        while True:
            self.coordinator.tick()
            await asyncio.sleep(TICK_S)

    async def restore(self, known: Callable[[Sequence[str]], Any]) -> None:
        """Take up the three-way calls of before a restart, and compare them with Asterisk."""
        open_calls = list(self._calls.ids())
        events: Mapping[str, Sequence[Event]] = await known(open_calls) if open_calls else {}
        self.coordinator.restore(fold_transfer(call_id, told) for call_id, told in events.items())
        self._restored.set()
        if self.rooms.live:
            await self.recover()

    async def known(self) -> None:
        """Wait until it is known what was before the start.

        Raises:
            HotlineError: that takes more than ``KNOWN_WITHIN_S``; the database does not answer.
        """
        try:
            async with asyncio.timeout(KNOWN_WITHIN_S):
                await self._restored.wait()
        except TimeoutError:
            raise HotlineError(
                "three-way calls of before the start are not read yet; try again in a moment.",
                "启动前的三方通话尚未读出，请稍后再试。",
                retry=True,
            ) from None

    async def recover(self) -> None:
        """Compare with Asterisk; after each log-in there, when it is known what was before."""
        if not self._restored.is_set():
            return
        try:
            await self.coordinator.recover()
        except HotlineError as error:
            log.warning("three-way calls could not be compared with Asterisk: %s", error.sentence)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- what Asterisk tells -------------------------------------------------------------------
    def hear(self, told: RoomEvent) -> None:
        """Give one fact to the coordinator."""
        try:
            getattr(self, f"_{told.what}")(told)
        except HotlineError as error:
            log.warning("call %s: %s", told.call_id, error.sentence)

    def key(self, told: KeyPressed) -> None:
        """See to it that * is heard where Asterisk loses it: while the place is announced, or a message left."""
        if told.theirs and told.key == STAR and self._may_be_lost(told.call_id):
            self._spawn(self._help_unless_called(told.call_id, told.channel))

    async def _help_unless_called(self, call_id: str, channel: str) -> None:
        """Lead a caller to help if the dialplan has not done so itself by now."""
        await asyncio.sleep(_DIALPLAN_ACTS_S)
        obeyed = self._clock() - self._helped.get(call_id, (0.0, ""))[0] < 1.0
        if obeyed or not self._may_be_lost(call_id):
            return
        log.info("call %s: Asterisk lost the star key; leading the caller to help", call_id)
        try:
            await self.rooms.call_help(channel)
        except HotlineError as error:
            log.error("call %s: the star key could not be obeyed: %s", call_id, error.sentence)

    def _may_be_lost(self, call_id: str) -> bool:
        """Tell whether a key of a caller may be lost now; where a third party is coming the room hears it."""
        call = self._calls.get(call_id)
        return call is not None and call.state in _LOSES_KEYS and not self.transfers.goes_on(call_id)

    def _held(self, told: RoomEvent) -> None:
        self.coordinator.held(told.call_id)

    def _caller_gone(self, told: RoomEvent) -> None:
        self.coordinator.caller_goes(told.call_id)

    def _star(self, told: RoomEvent) -> None:
        if told.channel_id == told.call_id:
            self.requests.star(told.call_id)

    def _keys(self, told: RoomEvent) -> None:
        self.requests.keys(told.call_id, told.channel, told.data["keys"])

    def _wish(self, told: RoomEvent) -> None:
        self.requests.room_keys(told.call_id, told.channel, told.data["wish"])

    def _rings(self, told: RoomEvent) -> None:
        self.coordinator.third_rings(told.channel_id)
        if self._calls.get(told.call_id) and told.data["outside"]:
            self._tell(told.call_id, Kind.THIRD_RINGING, target=self._star_number(told.call_id))

    def _step(self, told: RoomEvent) -> None:
        self.coordinator.third_step(told.channel_id, told.data["step"], told.channel)

    def _answers(self, told: RoomEvent) -> None:
        """Hear that somebody answered whom the dialplan alone had called for help."""
        if told.data["outside"] and told.call_id in self._calls:
            target = self._star_number(told.call_id)
            self._tell(told.call_id, Kind.THIRD_ANSWERED, target=target, channel=told.channel)
            self._tell(told.call_id, Kind.HANDED_OFF, target=target)
            self._commands.tell_help(told.call_id, told.channel)

    def _star_number(self, call_id: str) -> str:
        """Return whom the dialplan called for a caller; what is configured now where we did not hear it."""
        return self._helped.get(call_id, (0.0, self.targets().star_number))[1]

    def _failed(self, told: RoomEvent) -> None:
        """Hear that an Originate failed; the channel's own end says why, and comes a moment before or after."""
        loop = asyncio.get_running_loop()
        loop.call_later(_CAUSE_FOLLOWS_S, self.coordinator.third_gone, told.channel_id, told.data["reason"])

    def _gone(self, told: RoomEvent) -> None:
        self.coordinator.third_gone(told.channel_id, reason_of(told.data["cause"]))
        self.coordinator.operator_gone(told.channel)

    def _joined(self, told: RoomEvent) -> None:
        self.coordinator.joined(told.call_id, told.channel_id, told.channel)

    def _left(self, told: RoomEvent) -> None:
        self.coordinator.left(told.call_id, told.channel_id, told.channel)

    def _track(self, told: RoomEvent) -> None:
        """Hear that the dialplan has begun another part of the recording."""
        if told.call_id in self._calls:
            self._tell(told.call_id, Kind.TRACK_BEGUN, path=told.data["path"], sides=["caller", "operator"])

    def _help(self, told: RoomEvent) -> None:
        """Hear how far the dialplan is with calling help by itself."""
        call = self._calls.get(told.call_id)
        number, step = told.data["number"], told.data["step"]
        if call is None or number not in EMERGENCIES:
            return
        if step == "wanted":
            self._helped[call.call_id] = (self._clock(), number)
            while len(self._helped) > _REMEMBERED:
                self._helped.pop(next(iter(self._helped)))
            self._tell(call.call_id, Kind.HELP_WANTED, target=number, by="caller")
            if call.recording and call.source != "110_diversion":
                path = call.recording + HELP
                self._tell(call.call_id, Kind.TRACK_BEGUN, path=path, sides=["caller", "third"])
        elif step == "loop":
            self._tell(call.call_id, Kind.TRANSFER_REFUSED, target=number, reason="loop", by="caller")
        elif step == "route":
            self._tell(call.call_id, Kind.HELP_ROUTE_TRIED, target=number, route=told.data["route"])
        elif step == "failed":
            self._tell(call.call_id, Kind.EMERGENCY_FAILED, target=number, by="caller")
            self.alarm(
                "emergency_failed",
                call.call_id,
                f"call {call.call_id}: {number} could not be reached; the caller waits at the head of the queue.",
                f"来电 {call.call_id}：{number} 未能接通，来电人已排到队首。",
            )

    def _tell(self, call_id: str, kind: Kind, **data: Any) -> None:
        self.transfers.tell(call_id, kind, **data)

    def _note_alarm(self, alarm: str, about: str, sentence: str, sentence_zh: str) -> None:
        log.error("alarm: %s", sentence)
        if about in self._calls:
            data = {"alarm": alarm, "sentence": sentence, "sentence_zh": sentence_zh}
            self._tell(about, Kind.ALARM_NOTED, **data)
