"""The desk of three-way calls: what happened becomes an event, the event a state, the state a command.

Decisions only: who is where is told by whatever carries the voice, and every command goes back
there through :class:`~ivr.transfers.ports.Room`.  What is decided is journalled first; a command
that has no effect is noticed by its deadline and given again.  No caller is ever left alone: every
path out of a state leads to company, or to music with a deadline.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from ivr.calls.record import CallRecord
from ivr.events.event import Event, Kind
from ivr.transfers.commands import Moves
from ivr.transfers.ports import Presence, Room
from ivr.transfers.presence import Floor, Taking
from ivr.transfers.states import HELPING, TransferState
from ivr.transfers.transfer import Transfer

log = logging.getLogger(__name__)

S, K = TransferState, Kind
GATHER_S = 0.7
"""Seconds after which an operator who did not arrive in the room is sent there again."""
TRIES = 3
"""How often a party is sent before it counts as where it was."""

_KEPT = frozenset({S.AWAITED, S.AWAITED_ASKING, S.AWAITED_HELP, S.DELIVERING, S.REQUEUEING})
"""States of a caller whose operator has gone."""
_UNANSWERED = frozenset({S.INVITING, S.AWAITED, S.CALLING_HELP, S.AWAITED_HELP})
_SETTLED = frozenset({S.THREE_WAY, S.HANDED_OFF, S.TOGETHER})
_WITH_THIRD = frozenset({S.CONSULTING, S.JOINING, S.THREE_WAY, S.HANDED_OFF, S.DELIVERING})

Alarm = Callable[[str, str, str, str], object]
"""Tells the shift leader: kind, what it is about, English, Chinese."""


class Desk:
    """The three-way calls of one hotline.

    Args:
        floor: who is where.
        moves: gives the commands.
        room: asked who is there, after a restart.
        alarm: tells the shift leader.
    """

    def __init__(self, floor: Floor, moves: Moves, room: Room, alarm: Alarm) -> None:
        self._floor = floor
        self._moves = moves
        self._room = room
        self._alarm = alarm
        moves.refused = self.third_gone

    # -- what happened -------------------------------------------------------------------------
    def held(self, call_id: str) -> None:
        """Hear that the caller is on hold."""
        self._floor.caller_in.discard(call_id)
        transfer = self._floor.transfers.get(call_id)
        if transfer is None or transfer.state is S.IDLE:
            return
        self._floor.tell(call_id, K.CALLER_HELD)
        if transfer.state in (S.RETURNING, S.DELIVERING, S.JOINING):
            self._moves.bring(transfer)  # what was wanted before has come last

    def joined(self, call_id: str, channel_id: str, channel: str) -> None:
        """Hear that somebody has entered the room."""
        taking = self._floor.taking.get(call_id)
        if taking is not None and taking.channel == channel:
            self._take_over(call_id, taking)
        transfer = self._floor.transfers.get(call_id)
        if transfer is None:
            return
        if channel_id == call_id:
            self._floor.caller_in.add(call_id)
        elif channel_id == transfer.third:
            self._third_in(transfer, channel)
        elif channel == self._floor.operator(call_id):
            self._floor.operator_in.add(call_id)
            self._floor.gathering.pop(call_id, None)
            self._moves.track(call_id, "operator", channel)
        self._settle_room(call_id)

    def left(self, call_id: str, channel_id: str, channel: str) -> None:
        """Hear that somebody has left the room."""
        if channel_id == call_id:
            self._floor.caller_in.discard(call_id)
        elif channel == self._floor.operator(call_id):
            self._floor.operator_in.discard(call_id)

    def third_rings(self, channel_id: str) -> None:
        """Hear that a third party rings."""
        if (transfer := self._floor.by_third(channel_id)) is not None:
            self._floor.tell(transfer.call_id, K.THIRD_RINGING, target=transfer.target)

    def third_step(self, channel_id: str, step: str, channel: str) -> None:
        """Hear how far a third party is: answered, refused, unheeded."""
        transfer = self._floor.by_third(channel_id)
        if transfer is None:
            self._moves.drop(channel_id)  # nobody waits for it any more
        elif step == "answered" and transfer.state in _UNANSWERED:  # else we have seen them in the room
            facts = {"target": transfer.target, "channel": channel}
            self._floor.tell(transfer.call_id, K.THIRD_ANSWERED, **facts)
        elif step in ("refused", "unheeded"):
            self._third_failed(transfer, step, final=step == "refused")

    def third_gone(self, channel_id: str, reason: str) -> None:
        """Hear that a third party's channel has ended, or never came to be."""
        transfer = self._floor.by_third(channel_id)
        if transfer is None:
            return
        transfer.third = ""  # nothing is left to hang up
        if transfer.state in _WITH_THIRD:
            self._floor.tell(transfer.call_id, K.THIRD_LEFT, target=transfer.target)
        elif transfer.state in (S.ASKING, S.AWAITED_ASKING):  # to hang up is to say no
            reason = reason if reason == "no_room" else "refused"
            self._third_failed(transfer, reason, final=True)
        else:
            self._third_failed(transfer, reason)

    def caller_goes(self, call_id: str) -> None:
        """Hear that the caller has hung up; the others of the room go before the caller's channel ends."""
        if call_id in self._floor.transfers:
            self._floor.caller_gone.add(call_id)

    def operator_gone(self, channel: str) -> None:
        """Hear that an operator's channel has ended; app_queue mostly has said so already."""
        call_id = self._floor.operated_by(channel) if channel else ""
        if call_id and self._floor.transfer(call_id).state is not S.IDLE:
            reason = "caller" if call_id in self._floor.caller_gone else "agent"
            self._floor.tell(call_id, K.OPERATOR_LEFT, reason=reason, channel=channel)

    def hear(self, event: Event, call: CallRecord | None) -> None:
        """Fold in what was journalled, whoever did, and do what the new state wants."""
        self._floor.keep_deadlines()
        transfer = self._floor.transfers.get(event.stream)
        if transfer is None:
            if event.kind not in (K.TRANSFER_WANTED, K.EMERGENCY_WANTED, K.TAKEN_OVER):
                return
            transfer = self._floor.transfers[event.stream] = Transfer(event.stream)
        before, third = transfer.state, transfer.third
        if not transfer.apply(event):
            return
        if transfer.third != third and transfer.state not in (S.THREE_WAY, S.HANDED_OFF):
            self._moves.drop(third)
        if transfer.state is S.ENDED:
            self._moves.drop(transfer.third)
            self._send_home(event, call)
            self._floor.transfers.pop(event.stream, None)
        if transfer.state in (S.ENDED, S.IDLE):
            self._floor.empty(event.stream)
        elif transfer.state is not before or event.kind is K.NEXT_ROUTE:
            self._entered(transfer, before, event)

    # -- time ----------------------------------------------------------------------------------
    def tick(self) -> None:
        """Look at every deadline."""
        self._floor.keep_deadlines()
        now = self._floor.clock()
        for call_id, (since, tries) in list(self._floor.gathering.items()):
            if now >= since + GATHER_S:
                self._gather_again(call_id, tries)
        for transfer in list(self._floor.transfers.values()):
            if transfer.deadline is not None and now >= transfer.deadline:
                self._overdue(transfer)

    def _overdue(self, transfer: Transfer) -> None:
        if transfer.state in (S.INVITING, S.AWAITED) or transfer.state in HELPING:
            self._third_failed(transfer, "no_answer")
        elif transfer.state in (S.ASKING, S.AWAITED_ASKING):
            self._third_failed(transfer, "unheeded")  # a machine may have answered: the next route
        elif transfer.state is S.CONSULTING:
            self._floor.tell(transfer.call_id, K.TRANSFER_COMPLETED, by="deadline")
        else:
            self._send_again(transfer)

    def _send_again(self, transfer: Transfer) -> None:
        """A party did not arrive: send it again; after some tries say where it must be."""
        transfer.tries += 1
        call_id = transfer.call_id
        log.warning("call %s: %s and nothing happened, try %d", call_id, transfer.state, transfer.tries)
        if transfer.state is S.REQUEUEING:
            self._moves.requeue(transfer)
        elif transfer.tries < TRIES:
            self._moves.bring(transfer)
        elif transfer.state is S.RETURNING:
            self._floor.tell(call_id, K.CALLER_BACK, unmoved=not transfer.moved)
        else:
            self._floor.tell(call_id, K.THIRD_LEFT, target=transfer.target, reason="no_room")

    def _gather_again(self, call_id: str, tries: int) -> None:
        transfer = self._floor.transfers.get(call_id)
        if transfer is None or tries + 1 >= TRIES:
            self._floor.gathering.pop(call_id, None)
            if transfer is not None and transfer.state in (S.INVITING, S.ASKING):
                self._third_failed(transfer, "no_room", final=True)
            return
        log.warning("call %s: the operator did not arrive in the room, try %d", call_id, tries + 1)
        self._moves.gather(transfer, tries + 1)

    # -- after a restart -----------------------------------------------------------------------
    def restore(self, transfers: Iterable[Transfer]) -> None:
        """Take up what the journal tells, unless something newer is known."""
        for transfer in transfers:
            if transfer.state not in (S.IDLE, S.ENDED):
                transfer.move(min(0.0, self._floor.clock() - transfer.since))  # the clock was set back since
                self._floor.transfers.setdefault(transfer.call_id, transfer)

    async def recover(self) -> None:
        """Compare with what is really there: after a start, and after the wire was cut."""
        for transfer in list(self._floor.transfers.values()):
            call_id = transfer.call_id
            caller, operator = self._floor.caller(call_id), self._floor.operator(call_id)
            there = await self._room.present(call_id, caller, operator, transfer.third)
            if there.caller:  # the end of a caller's channel is told by reconciliation
                self._compare(transfer, there)

    def _compare(self, transfer: Transfer, there: Presence) -> None:
        call_id, third = transfer.call_id, transfer.third
        floor = self._floor
        (floor.caller_in.add if there.caller_in_room else floor.caller_in.discard)(call_id)
        (floor.operator_in.add if there.operator_in_room else floor.operator_in.discard)(call_id)
        if not there.operator and floor.operator(call_id):
            operator = floor.operator(call_id)
            floor.tell(call_id, K.OPERATOR_LEFT, reason="agent", channel=operator, reconciled=True)
        if third and transfer.third == third:
            self._compare_third(transfer, there)
        self._settle_room(call_id)
        if transfer.state in _SETTLED:
            self._moves.settle(transfer)
        if transfer.state is S.INVITING and there.operator and not there.operator_in_room:
            self._moves.gather(transfer, 0)
        elif transfer.state is S.REQUEUEING and there.caller_in_queue:  # somebody may talk to them already
            floor.tell(call_id, K.QUEUED, reconciled=True)
        elif transfer.state is S.REQUEUEING:
            self._moves.requeue(transfer)

    def _compare_third(self, transfer: Transfer, there: Presence) -> None:
        if there.third_in_room:
            self._third_in(transfer, transfer.third_channel or transfer.third)
        elif not there.third and transfer.state in HELPING and not transfer.third_channel:
            self._moves.invite(transfer)  # calling help twice is better than never
        elif not there.third:
            self.third_gone(transfer.third, "no_room")

    def _take_over(self, call_id: str, taking: Taking) -> None:
        """The shift leader is in the room: the caller comes, the operator goes."""
        former = self._floor.operator(call_id)
        self._floor.taking.pop(call_id)
        self._floor.operator_in.add(call_id)
        facts = taking._asdict() | {"from_channel": former}
        call = self._floor.calls.calls.get(call_id)
        if former and call is not None:
            facts["from_operator"] = call.operator
        self._floor.tell(call_id, K.TAKEN_OVER, **facts)
        self._moves.drop(former)

    # -- inside --------------------------------------------------------------------------------
    def _send_home(self, event: Event, call: CallRecord | None) -> None:
        """The caller has hung up: an operator on the way to the room comes too late to be sent home by the dialplan."""
        for leg in call.legs if call else ():
            if leg.role == "operator" and leg.left_at == event.at:
                self._moves.drop(leg.channel)

    def _entered(self, transfer: Transfer, before: TransferState, event: Event) -> None:
        """Do what a new state wants."""
        call_id, state = transfer.call_id, transfer.state
        if event.kind is K.OPERATOR_LEFT and state in _KEPT:
            self._floor.gathering.pop(call_id, None)
            self._floor.tell(call_id, K.CALLER_KEPT)
        if event.kind in (K.TRANSFER_WANTED, K.EMERGENCY_WANTED):
            self._begun(transfer, before)
        elif event.kind is K.NEXT_ROUTE:
            self._moves.invite(transfer)
        elif event.kind is K.EMERGENCY_FAILED:
            self._help_failed(transfer)
        elif state is S.REQUEUEING:
            self._moves.requeue(transfer)
        elif state in (S.JOINING, S.DELIVERING, S.RETURNING):
            self._bring(transfer, event)
        elif event.kind in (K.THREE_WAY, K.HANDED_OFF):
            self._moves.welcome(transfer)
        elif state is S.TOGETHER:
            self._moves.settle(transfer)

    def _begun(self, transfer: Transfer, before: TransferState) -> None:
        self._moves.begin(transfer, before)
        if not transfer.routes:  # nothing is configured: say so at once
            self._third_failed(transfer, "wrong")

    def _bring(self, transfer: Transfer, event: Event) -> None:
        state = transfer.state
        if state is S.RETURNING:
            self._moves.explain(transfer, event)
        self._settle_room(transfer.call_id)
        if transfer.state is state:
            self._moves.bring(transfer)

    def _third_failed(self, transfer: Transfer, reason: str, *, final: bool = False) -> None:
        """A third party is not coming: the next route, else back; ``final``: a person said no."""
        call_id = transfer.call_id
        if transfer.more_routes and (transfer.emergency or not final):
            self._floor.tell(call_id, K.NEXT_ROUTE, route=transfer.route + 1, reason=reason)
            return
        kind = K.EMERGENCY_FAILED if transfer.emergency else K.THIRD_REFUSED
        self._floor.tell(call_id, kind, target=transfer.target, reason=reason)

    def _third_in(self, transfer: Transfer, channel: str) -> None:
        call_id, facts = transfer.call_id, {"target": transfer.target, "channel": channel}
        self._moves.track(call_id, "third", channel)
        if transfer.state in (S.INVITING, S.AWAITED, S.CALLING_HELP):  # its answer was not heard
            self._floor.tell(call_id, K.THIRD_ANSWERED, **facts)
        if transfer.state in (S.ASKING, S.AWAITED_ASKING, S.AWAITED_HELP):
            self._floor.tell(call_id, K.THIRD_ACCEPTED, **facts)
        elif transfer.state is S.CONNECTING_HELP:
            self._floor.tell(call_id, K.THREE_WAY, target=transfer.target)
        if transfer.emergency:
            self._moves.tell_help(call_id, channel)

    def _settle_room(self, call_id: str) -> None:
        """The caller is in the room: say what that means in the present state."""
        transfer = self._floor.transfer(call_id)
        if call_id not in self._floor.caller_in:
            return
        if transfer.state is S.JOINING:
            self._floor.tell(call_id, K.THREE_WAY, target=transfer.target)
        elif transfer.state is S.DELIVERING:
            self._floor.tell(call_id, K.HANDED_OFF, target=transfer.target)
        elif transfer.state is S.RETURNING:
            self._floor.tell(call_id, K.CALLER_BACK)

    def _help_failed(self, transfer: Transfer) -> None:
        call_id, number = transfer.call_id, transfer.target
        self._alarm(
            "emergency_failed",
            call_id,
            f"call {call_id}: {number} could not be reached; the caller was told to dial it.",
            f"来电 {call_id}:{number} 未能接通,已提示来电人直接拨打。",
        )
        for channel in (self._floor.caller(call_id), self._floor.operator(call_id)):
            self._moves.say(channel, "P011", emergency_number=number)
        if transfer.state is S.REQUEUEING:
            self._moves.requeue(transfer)
        else:
            self._moves.settle(transfer)
