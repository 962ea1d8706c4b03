"""What people want of a three-way call: by keys, by command, or the caller by ``*``.  All lead here."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ivr.calls.record import CallRecord
from ivr.events.event import Kind
from ivr.transfers.commands import Commands
from ivr.transfers.errors import TransferRefused, no_code, no_such_call, not_now
from ivr.transfers.open_transfers import OpenTransfers
from ivr.transfers.prompts import EMERGENCIES, REASONS
from ivr.transfers.states import ALONE, TransferState
from ivr.transfers.targets import Target, Targets
from ivr.transfers.transfer import Taking, Transfer

log = logging.getLogger(__name__)

S, K = TransferState, Kind
_FREE = (S.IDLE, S.TOGETHER)
_INTERRUPTED = (S.INVITING, S.ASKING, S.CONSULTING, S.JOINING, S.THREE_WAY, S.RETURNING)
"""States that give way to an emergency."""
_TAKEABLE = (S.IDLE, S.TOGETHER, S.CONSULTING, S.THREE_WAY, S.HANDED_OFF)


class Requests:
    """Checks what is wanted and journals it; the coordinator does the rest.

    Args:
        transfers: the three-way calls of this moment.
        commands: gives commands.
        targets: gives who can be brought in now.
    """

    def __init__(self, transfers: OpenTransfers, commands: Commands, targets: Callable[[], Targets]) -> None:
        self._transfers = transfers
        self._commands = commands
        self._targets = targets

    def start(self, call_id: str, name: str, by: str) -> None:
        """Bring a third party in.

        Raises:
            TransferRefused: not this target, or not now.
        """
        call = self._transfers.calls.get(call_id)
        helps = name in EMERGENCIES and self._alone(call_id)
        if call is None or not (helps or self._transfers.operator(call_id)):
            raise no_such_call(call_id)
        try:
            target = self._targets().resolve(name, call)
            if target.emergency:
                self._make_room_for_help(call_id, name)
            transfer = self._transfers.of(call_id)
            if transfer.state not in _FREE and not helps:
                raise _occupied(transfer)
        except TransferRefused as error:
            self._transfers.tell(call_id, K.TRANSFER_REFUSED, target=name, reason=error.reason, by=by)
            raise
        self._want(call, target, by)

    def complete(self, call_id: str, by: str) -> None:
        """Bring the caller into the consultation."""
        if self._active(call_id, "complete").state is not S.CONSULTING:
            raise not_now("complete")
        self._transfers.tell(call_id, K.TRANSFER_COMPLETED, by=by)

    def cancel(self, call_id: str, by: str) -> None:
        """Drop the third party, or stop calling it; the caller comes back to the operator."""
        transfer = self._active(call_id, "cancel")
        if transfer.state is S.THREE_WAY:
            self._transfers.tell(call_id, K.THIRD_DROPPED, by=by)
            self._commands.drop(transfer.third)
        elif transfer.state in (S.INVITING, S.ASKING, S.CONSULTING, S.JOINING, S.CALLING_HELP):
            self._transfers.tell(call_id, K.TRANSFER_CANCELLED, by=by)
        else:
            raise not_now("cancel")

    def leave(self, call_id: str, by: str) -> None:
        """Let the operator go; the caller stays with the third party, or waits for it."""
        transfer = self._active(call_id, "leave")
        operator = self._transfers.operator(call_id)
        if not operator or transfer.state in _FREE:
            raise not_now("leave")
        self._transfers.tell(call_id, K.LEAVE_WANTED, by=by)
        self._commands.drop(operator)

    def mute(self, call_id: str, by: str) -> None:
        """Mute the third party, or let it speak again."""
        transfer = self._active(call_id, "mute")
        if transfer.state not in (S.CONSULTING, S.THREE_WAY):
            raise not_now("mute")
        on = not transfer.muted
        self._transfers.tell(call_id, K.THIRD_MUTED, on=on, by=by)
        self._commands.mute(transfer, on)

    def take_over(self, call_id: str, taking: Taking) -> None:
        """Let a shift leader take a call over: they enter the room, then the caller comes and the operator goes."""
        call = self._transfers.calls.get(call_id)
        if call is None or self._transfers.of(call_id).state not in _TAKEABLE:
            raise not_now("take over")
        self._transfers.tell(call_id, K.TAKE_OVER_WANTED, **taking._asdict())

    def in_room(self, call_id: str) -> bool:
        """Tell whether whoever wants to speak with all of a call must enter its room."""
        transfer = self._transfers.of(call_id)
        return transfer.state is S.HANDED_OFF or transfer.operator_in

    def keys(self, call_id: str, channel: str, digits: str) -> None:
        """Do what an operator keyed after ``*1``; a refusal is whispered to them."""
        if channel != self._transfers.operator(call_id):
            return
        name = self._targets().codes().get(digits)
        try:
            if name is None:
                raise no_code(digits)
            self.start(call_id, name, self._seat(call_id))
        except TransferRefused as error:
            log.info("call %s: %s", call_id, error.sentence)
            self._commands.say(channel, REASONS.get(error.reason, "S057"))

    def room_keys(self, call_id: str, channel: str, what: str) -> None:
        """Do what an operator keyed in the room: complete, cancel, mute."""
        steps = {"complete": self.complete, "cancel": self.cancel, "mute": self.mute}
        if channel != self._transfers.operator(call_id) or what not in steps:
            return
        try:
            steps[what](call_id, self._seat(call_id))
        except TransferRefused as error:
            log.info("call %s: %s", call_id, error.sentence)

    def star(self, call_id: str) -> None:
        """Call help because the caller pressed ``*`` in the talk, on hold or in the room."""
        try:
            self.start(call_id, self._targets().star_number, "caller")
        except TransferRefused as error:
            log.info("call %s: %s", call_id, error.sentence)

    def _want(self, call: CallRecord, target: Target, by: str) -> None:
        self._transfers.tell(
            call.call_id,
            K.EMERGENCY_WANTED if target.emergency else K.TRANSFER_WANTED,
            n=self._transfers.of(call.call_id).n + 1,
            target=target.id,
            name=target.name,
            by=by,
            routes=[[route.by.value, route.address, route.ring_s] for route in target.routes],
        )

    def _make_room_for_help(self, call_id: str, name: str) -> None:
        """An ordinary third party gives way to an emergency at once."""
        transfer = self._transfers.of(call_id)
        if self._alone(call_id):
            self._transfers.tell(call_id, K.TRANSFER_CANCELLED, by=f"{name} is called")
            self._transfers.tell(call_id, K.CALLER_KEPT)
            return
        if transfer.emergency or transfer.state not in _INTERRUPTED:
            return
        if transfer.state is S.THREE_WAY:
            self._transfers.tell(call_id, K.THIRD_LEFT, target=transfer.target, reason=f"{name} is called")
            return
        if transfer.state is not S.RETURNING:
            self._transfers.tell(call_id, K.TRANSFER_CANCELLED, by=f"{name} is called")
        if transfer.state is S.RETURNING:  # it may have arrived meanwhile
            self._transfers.tell(call_id, K.CALLER_BACK)

    def _alone(self, call_id: str) -> bool:
        """Tell whether the operator has gone, and whoever is with the caller or called for them gives way to help."""
        transfer = self._transfers.of(call_id)
        return transfer.state in ALONE and not transfer.emergency

    def _active(self, call_id: str, what: str) -> Transfer:
        transfer = self._transfers.get(call_id)
        if transfer is None:
            talks = bool(self._transfers.operator(call_id))
            raise not_now(what) if talks else no_such_call(call_id)
        return transfer

    def _seat(self, call_id: str) -> str:
        return f"seat {self._transfers.calls[call_id].seat}"


def _occupied(transfer: Transfer) -> TransferRefused:
    """Say that one third party at a time is brought in."""
    return TransferRefused(
        "occupied",
        f"{transfer.name or transfer.target} is being brought in already ({transfer.state}); cancel that first.",
        f"正在转接{transfer.name or transfer.target}（{transfer.state}）；请先取消。",
    )
