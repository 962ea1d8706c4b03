"""Commands of a three-way call: who is sent where, called, told and recorded.

A command is given beside everything else and may fail or have no effect; what matters is seen by
what happens next, and by the deadline of the state.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Coroutine
from typing import Any

from ivr.calls.record import CallRecord
from ivr.errors import HotlineError
from ivr.events.event import Event, Kind
from ivr.hotline.book import HotlineBook
from ivr.transfers import prompts as told
from ivr.transfers.ports import Invitation, Room
from ivr.transfers.presence import Floor
from ivr.transfers.states import ALONE, HELPING, HOLDING, TransferState
from ivr.transfers.transfer import Transfer

log = logging.getLogger(__name__)

_PARTING = HELPING | {TransferState.INVITING, TransferState.ASKING}
_REUNITED = frozenset({TransferState.RETURNING, TransferState.TOGETHER})

Spawn = Callable[[Coroutine[Any, Any, None]], object]


class Moves:
    """Gives the commands.

    Args:
        floor: who is where.
        book: gives the present configuration.
        room: carries them out.
        spawn: runs a command beside everything else.
        number: gives a caller's full number, for 110, 119, 120 and 122 only.
    """

    def __init__(
        self,
        floor: Floor,
        book: Callable[[], HotlineBook],
        room: Room,
        spawn: Spawn,
        number: Callable[[CallRecord], str],
    ) -> None:
        self._floor = floor
        self._book = book
        self._room = room
        self._spawn = spawn
        self._number = number
        self.refused: Callable[[str, str], None] = lambda *_: None
        """Told when a third party could not even be called: its channel id, the reason."""

    def gather(self, transfer: Transfer, tries: int) -> None:
        """Take caller and operator out of the queue's bridge, as soon as no code they keyed is at work there.

        A channel that is sent away in the middle of a code is hung up by Asterisk (bridge_channel.c,
        bridge_channel_feature_digit).
        """
        self._floor.gathering[transfer.call_id] = (math.inf, tries)
        self.do(self._gather(transfer, tries, transfer.state))

    async def _gather(self, transfer: Transfer, tries: int, wanted: TransferState) -> None:
        call_id, floor = transfer.call_id, self._floor
        await self._keys_done(floor.caller(call_id), floor.operator(call_id))
        caller, operator = floor.caller(call_id), floor.operator(call_id)
        if floor.transfers.get(call_id) is not transfer or not caller:
            return
        if call_id in floor.gathering:
            floor.gathering[call_id] = (floor.clock(), tries)
        if wanted in _PARTING and transfer.state in _REUNITED and not transfer.moved:  # they never parted
            floor.gathering.pop(call_id, None)
            if transfer.state is TransferState.RETURNING:
                floor.tell(call_id, Kind.CALLER_BACK, unmoved=True)
            return
        number = told.help_number(transfer) if transfer.state in HELPING else ""
        hold = transfer.state in HOLDING and transfer.state is not TransferState.RETURNING
        if operator:
            await self._room.gather(caller, operator, hold=hold, help_number=number)
        elif hold:
            await self._room.hold(caller)
        else:
            await self._room.bring(caller, help_number=number)

    def begin(self, transfer: Transfer, before: TransferState) -> None:
        """Make room for a third party, call it, and tell the caller."""
        caller = self._floor.caller(transfer.call_id)
        number = told.help_number(transfer)
        self.do(self._room.expect(caller))
        if before is TransferState.TOGETHER and transfer.moved:
            self.do(self._lead(caller, number))
        elif before in ALONE:  # they hear in the music that help is being called
            self.do(self._room.hold(caller, help_number=number))
        else:
            self.gather(transfer, 0)
        self.invite(transfer)
        if before in ALONE:
            return
        if number:
            self.do(self._room.say(caller, "P010", {"emergency_name": f"emergency_{number}"}))
        elif (prompt := told.announcement(self._book(), transfer)) is not None:
            self.do(self._room.say(caller, *prompt))

    async def _lead(self, caller: str, help_number: str) -> None:
        """Take a caller who is in the room on hold, or let them wait there for help."""
        await self._keys_done(caller)
        if help_number:
            await self._room.bring(caller, help_number=help_number)
        else:
            await self._room.hold(caller)

    async def _keys_done(self, *channels: str) -> None:
        try:
            await self._room.keys_done(*filter(None, channels))
        except HotlineError as error:  # the command that follows says whether the wire is broken
            log.warning("whether a code is at work is not known: %s", error.sentence)

    def invite(self, transfer: Transfer) -> None:
        """Call the third party on its present route."""
        if transfer.routes:
            self.do(self._invite(transfer))

    async def _invite(self, transfer: Transfer) -> None:
        call, book = self._floor.calls.calls[transfer.call_id], self._book()
        line = next((line for line in book.lines if line.id == call.line_id), None)
        third = transfer.third
        invitation = Invitation(
            call.call_id,
            third,
            transfer.routes[transfer.route],
            transfer.target,
            self._number(call) if transfer.emergency else book.number,
            line.id if line else "",
            call.dialled,
            line.category if line else "",
            transfer.emergency,
            call.recording,
        )
        try:
            await self._room.invite(invitation)
        except HotlineError as error:
            log.warning("call %s: %s", call.call_id, error.sentence)
            if not error.retry:  # a broken wire is mended by recovery
                self.refused(third, "congestion")

    def bring(self, transfer: Transfer) -> None:
        """Bring the caller into the room, and the operator too where both are still in the queue's bridge."""
        call_id = transfer.call_id
        floor = self._floor
        if floor.parting(call_id):
            return  # they will be led to where they belong by then
        alone = call_id in floor.operator_in or not floor.operator(call_id)
        if transfer.state is not TransferState.RETURNING or alone or floor.parted(transfer):
            self.do(self._room.bring(floor.caller(call_id)))
        elif call_id not in floor.gathering or transfer.tries:
            # the caller alone would be the end of the queue's bridge, and of the operator in it
            self.gather(transfer, 0)
        # else an operator is on the way and not sent again: leaving the room once more would empty it of its
        # last marked party, and Asterisk would see the caller off; the caller comes when they are seen on hold

    def requeue(self, transfer: Transfer) -> None:
        """Send the caller to the head of the general queue."""
        self.do(self._room.requeue(self._floor.caller(transfer.call_id)))

    def settle(self, transfer: Transfer) -> None:
        """Tell the caller's channel that nobody is waited for any more."""
        self.do(self._room.settle(self._floor.caller(transfer.call_id)))

    def drop(self, channel: str) -> None:
        """Hang somebody up."""
        if channel:
            self.do(self._room.drop(channel))

    def mute(self, transfer: Transfer, on: bool) -> None:
        """Mute the third party, or let it speak again."""
        self.do(self._room.mute(transfer.call_id, transfer.third_channel, on))

    def say(self, channel: str, prompt: str, **slots: str) -> None:
        """Whisper to one party."""
        if channel:
            self.do(self._room.say(channel, prompt, slots))

    def explain(self, transfer: Transfer, event: Event) -> None:
        """Tell operator and caller why the third party is not coming."""
        if event.kind in (Kind.TRANSFER_CANCELLED, Kind.TAKEN_OVER):
            return
        reason = str(event.data.get("reason", ""))
        self.say(self._floor.operator(transfer.call_id), told.REASONS.get(reason, "S057"))
        self.say(self._floor.caller(transfer.call_id), "P034", dept=transfer.name)

    def welcome(self, transfer: Transfer) -> None:
        """Tell caller and third party that they are together, and recorded."""
        self.settle(transfer)
        if not transfer.emergency:
            for channel in (self._floor.caller(transfer.call_id), transfer.third_channel):
                self.say(channel, "P032", dept=transfer.name)

    def tell_help(self, call_id: str, channel: str) -> None:
        """Tell whoever answers an emergency where it comes from."""
        call = self._floor.calls.calls.get(call_id)
        lines = self._book().lines
        name = next((line.name for line in lines if call and line.id == call.line_id), "")
        self.say(channel, "S058", line_name=name)

    def track(self, call_id: str, side: str, channel: str) -> None:
        """Begin a recording of one party's own; it goes on, wherever the channel goes."""
        call = self._floor.calls.calls.get(call_id)
        if call is None or not call.recording or not channel:
            return
        path = f"{call.recording}-{side}-{told.plain(channel)}"
        if all(track.path != path for track in call.tracks):
            self._floor.tell(call_id, Kind.TRACK_BEGUN, path=path, sides=[side])
            self.do(self._room.record(channel, path))

    def do(self, command: Coroutine[Any, Any, None]) -> None:
        """Give a command beside everything else."""
        self._spawn(_quietly(command))


async def _quietly(command: Coroutine[Any, Any, None]) -> None:
    """A command that fails is noticed by its deadline; here it only leaves its word."""
    try:
        await command
    except HotlineError as error:
        log.warning("a command for a three-way call failed: %s", error.sentence)
