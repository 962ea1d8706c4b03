"""The coordinator of three-way calls: what happened becomes an event, the event a state, the state a command.

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
from ivr.transfers.commands import Commands
from ivr.transfers.open_transfers import OpenTransfers
from ivr.transfers.ports import Presence, Room
from ivr.transfers.states import HELPING, KEPT, TransferState
from ivr.transfers.transfer import Change, Taking, Transfer

log = logging.getLogger(__name__)

S, K = TransferState, Kind
GATHER_S = 0.7
"""Seconds after which an operator who did not arrive in the room is sent there again."""
TRIES = 3
"""How often a party is sent before it counts as where it was."""

_UNANSWERED = frozenset({S.INVITING, S.AWAITED, S.CALLING_HELP, S.AWAITED_HELP})
_SETTLED = frozenset({S.THREE_WAY, S.HANDED_OFF, S.TOGETHER})
_WITH_BOTH = frozenset({S.THREE_WAY, S.HANDED_OFF})
_WITH_THIRD = frozenset({S.CONSULTING, S.JOINING, S.THREE_WAY, S.HANDED_OFF, S.DELIVERING})

Alarm = Callable[[str, str, str, str], object]
"""Tells the shift leader: kind, what it is about, English, Chinese."""


class Coordinator:
    """The three-way calls of one hotline.

    Args:
        transfers: the three-way calls of this moment.
        commands: gives the commands.
        room: asked who is there, after a restart.
        alarm: tells the shift leader.
    """

    def __init__(self, transfers: OpenTransfers, commands: Commands, room: Room, alarm: Alarm) -> None:
        self._transfers = transfers
        self._commands = commands
        self._room = room
        self._alarm = alarm
        commands.refused = self.third_gone

    # -- what happened -------------------------------------------------------------------------
    def held(self, call_id: str) -> None:
        """Hear that the caller is on hold."""
        transfer = self._transfers.get(call_id)
        if transfer is None or transfer.state is S.IDLE:
            return
        self._transfers.tell(call_id, K.CALLER_HELD)
        if transfer.state in (S.RETURNING, S.DELIVERING, S.JOINING):
            self._commands.bring(transfer)  # what was wanted before has come last

    def joined(self, call_id: str, channel_id: str, channel: str) -> None:
        """Hear that somebody has entered the room."""
        transfer = self._transfers.get(call_id)
        if transfer is None:
            return
        if transfer.taking is not None and transfer.taking.channel == channel:
            self._take_over(call_id, transfer.taking)
        if channel_id == call_id:
            self._seen(transfer, "caller", inside=True)
        elif channel_id == transfer.third:
            self._third_in(transfer, channel)
        elif channel == self._transfers.operator(call_id):
            self._seen(transfer, "operator", inside=True)
            self._commands.track(call_id, "operator", channel)
        self._settle_room(call_id)

    def left(self, call_id: str, channel_id: str, channel: str) -> None:
        """Hear that somebody has left the room."""
        transfer = self._transfers.get(call_id)
        if transfer is None:
            return
        if channel_id == call_id:
            self._seen(transfer, "caller", inside=False)
        elif channel == self._transfers.operator(call_id):
            self._seen(transfer, "operator", inside=False)

    def _seen(self, transfer: Transfer, party: str, *, inside: bool, **how: bool) -> None:
        """Take note of who is in the room, where that is news."""
        known = transfer.caller_in if party == "caller" else transfer.operator_in
        arrived = inside and party == "operator" and transfer.gathering is not None
        if known is not inside or arrived:
            kind = K.ROOM_ENTERED if inside else K.ROOM_LEFT
            self._transfers.tell(transfer.call_id, kind, party=party, **how)

    def third_rings(self, channel_id: str) -> None:
        """Hear that a third party rings."""
        if (transfer := self._transfers.by_third(channel_id)) is not None:
            self._transfers.tell(transfer.call_id, K.THIRD_RINGING, target=transfer.target)

    def third_step(self, channel_id: str, step: str, channel: str) -> None:
        """Hear how far a third party is: answered, refused, unheeded."""
        transfer = self._transfers.by_third(channel_id)
        if transfer is None:
            self._commands.drop(channel_id)  # nobody waits for it any more
        elif step == "answered" and transfer.state in _UNANSWERED:  # else we have seen them in the room
            facts = {"target": transfer.target, "channel": channel}
            self._transfers.tell(transfer.call_id, K.THIRD_ANSWERED, **facts)
        elif step in ("refused", "unheeded"):
            self._third_failed(transfer, step, final=step == "refused")

    def third_gone(self, channel_id: str, reason: str) -> None:
        """Hear that a third party's channel has ended, or never came to be."""
        transfer = self._transfers.by_third(channel_id)
        if transfer is None:
            return
        if transfer.state in _WITH_THIRD:
            self._transfers.tell(transfer.call_id, K.THIRD_LEFT, target=transfer.target, ended=True)
        elif transfer.state in (S.ASKING, S.AWAITED_ASKING):  # to hang up is to say no
            reason = reason if reason == "no_room" else "refused"
            self._third_failed(transfer, reason, final=True, ended=True)
        else:
            self._third_failed(transfer, reason, ended=True)

    def caller_goes(self, call_id: str) -> None:
        """Hear that the caller has hung up; the others of the room go before the caller's channel ends."""
        transfer = self._transfers.of(call_id)
        if transfer.state is not S.IDLE and not transfer.caller_gone:
            self._transfers.tell(call_id, K.CALLER_GONE)

    def operator_gone(self, channel: str) -> None:
        """Hear that an operator's channel has ended; app_queue mostly has said so already."""
        call_id = self._transfers.operated_by(channel) if channel else ""
        transfer = self._transfers.of(call_id)
        if transfer.state is not S.IDLE:
            reason = "caller" if transfer.caller_gone else "agent"
            self._transfers.tell(call_id, K.OPERATOR_LEFT, reason=reason, channel=channel)

    def on_event(self, event: Event, call: CallRecord | None) -> None:
        """Do what the new state wants that somebody's event has led to."""
        change = self._transfers.changed_by(event)
        if change is None:
            return
        gone = bool(event.data.get("ended"))  # nothing is left to hang up
        if change.third_after != change.third_before and not gone and change.after not in _WITH_BOTH:
            self._commands.drop(change.third_before)
        if change.after is S.ENDED:
            self._commands.drop(change.third_after)
            if change.before is not S.IDLE:
                self._send_home(event, call)
        elif change.after is not S.IDLE and (change.after is not change.before or event.kind is K.NEXT_ROUTE):
            self._entered(change, event)

    # -- time ----------------------------------------------------------------------------------
    def tick(self) -> None:
        """Look at every deadline."""
        self._transfers.calls.keep_clock()
        now = self._transfers.clock()
        for transfer in self._transfers.open():
            if transfer.gathering is not None and now >= transfer.gathering.since + GATHER_S:
                self._gather_again(transfer, transfer.gathering.tries)
            if transfer.deadline is not None and now >= transfer.deadline:
                self._overdue(transfer)

    def _overdue(self, transfer: Transfer) -> None:
        if transfer.state in (S.INVITING, S.AWAITED) or transfer.state in HELPING:
            self._third_failed(transfer, "no_answer")
        elif transfer.state in (S.ASKING, S.AWAITED_ASKING):
            self._third_failed(transfer, "unheeded")  # a machine may have answered: the next route
        elif transfer.state is S.CONSULTING:
            self._transfers.tell(transfer.call_id, K.TRANSFER_COMPLETED, by="deadline")
        else:
            self._send_again(transfer)

    def _send_again(self, transfer: Transfer) -> None:
        """A party did not arrive: send it again; after some tries say where it must be."""
        call_id = transfer.call_id
        self._transfers.tell(call_id, K.SENT_AGAIN, tries=transfer.tries + 1)
        log.warning("call %s: %s and nothing happened, try %d", call_id, transfer.state, transfer.tries)
        if transfer.state is S.REQUEUEING:
            self._commands.requeue(transfer)
        elif transfer.tries < TRIES:
            self._commands.bring(transfer)
        elif transfer.state is S.RETURNING:
            self._transfers.tell(call_id, K.CALLER_BACK, unmoved=not transfer.moved)
        else:
            self._transfers.tell(call_id, K.THIRD_LEFT, target=transfer.target, reason="no_room")

    def _gather_again(self, transfer: Transfer, tries: int) -> None:
        if tries + 1 >= TRIES:
            self._transfers.tell(transfer.call_id, K.GATHER_OVER, reason="did not arrive")
            if transfer.state in (S.INVITING, S.ASKING):
                self._third_failed(transfer, "no_room", final=True)
            return
        log.warning("call %s: the operator did not arrive in the room, try %d", transfer.call_id, tries + 1)
        self._commands.gather(transfer, tries + 1)

    # -- after a restart -----------------------------------------------------------------------
    def restore(self, transfers: Iterable[Transfer]) -> None:
        """Take up what the journal tells, unless something newer is known."""
        for transfer in transfers:
            if transfer == Transfer(transfer.call_id) or not self._transfers.take_up(transfer):
                continue
            self._transfers.calls.clock_back(transfer.call_id, transfer.since)
            if transfer.gathering is not None:  # whoever was to lead them away has gone with the engine
                self._transfers.tell(transfer.call_id, K.GATHER_OVER, reason="restart")

    async def recover(self) -> None:
        """Compare with what is really there: after a start, and after the wire was cut."""
        for transfer in self._transfers.open():
            call_id = transfer.call_id
            caller, operator = self._transfers.caller(call_id), self._transfers.operator(call_id)
            there = await self._room.present(call_id, caller, operator, transfer.third)
            if there.caller:  # the end of a caller's channel is told by reconciliation
                self._compare(transfer, there)

    def _compare(self, transfer: Transfer, there: Presence) -> None:
        call_id, third = transfer.call_id, transfer.third
        transfers = self._transfers
        self._seen(transfer, "caller", inside=there.caller_in_room, reconciled=True)
        self._seen(transfer, "operator", inside=there.operator_in_room, reconciled=True)
        if not there.operator and transfers.operator(call_id):
            operator = transfers.operator(call_id)
            transfers.tell(call_id, K.OPERATOR_LEFT, reason="agent", channel=operator, reconciled=True)
        if third and transfer.third == third:
            self._compare_third(transfer, there)
        self._settle_room(call_id)
        if transfer.state in _SETTLED:
            self._commands.settle(transfer)
        if transfer.state is S.INVITING and there.operator and not there.operator_in_room:
            self._commands.gather(transfer, 0)
        elif transfer.state is S.REQUEUEING and there.caller_in_queue:  # somebody may talk to them already
            transfers.tell(call_id, K.QUEUED, reconciled=True)
        elif transfer.state is S.REQUEUEING:
            self._commands.requeue(transfer)

    def _compare_third(self, transfer: Transfer, there: Presence) -> None:
        if there.third_in_room:
            self._third_in(transfer, transfer.third_channel or transfer.third)
        elif not there.third and transfer.state in HELPING and not transfer.third_channel:
            self._commands.invite(transfer)  # calling help twice is better than never
        elif not there.third:
            self.third_gone(transfer.third, "no_room")

    def _take_over(self, call_id: str, taking: Taking) -> None:
        """The shift leader is in the room: the caller comes, the operator goes."""
        former = self._transfers.operator(call_id)
        facts = taking._asdict() | {"from_channel": former}
        call = self._transfers.calls.get(call_id)
        if former and call is not None:
            facts["from_operator"] = call.operator
        self._transfers.tell(call_id, K.TAKEN_OVER, **facts)
        self._commands.drop(former)

    # -- inside --------------------------------------------------------------------------------
    def _send_home(self, event: Event, call: CallRecord | None) -> None:
        """The caller has hung up: an operator on the way to the room comes too late to be sent home by the dialplan."""
        for leg in call.legs if call else ():
            if leg.role == "operator" and leg.left_at == event.at:
                self._commands.drop(leg.channel)

    def _entered(self, change: Change, event: Event) -> None:
        """Do what a new state wants."""
        transfer, state = change.transfer, change.after
        if event.kind is K.OPERATOR_LEFT and state in KEPT:
            self._transfers.tell(transfer.call_id, K.CALLER_KEPT)
        if event.kind in (K.TRANSFER_WANTED, K.EMERGENCY_WANTED):
            self._begun(transfer, change.before)
        elif event.kind is K.NEXT_ROUTE:
            self._commands.invite(transfer)
        elif event.kind is K.EMERGENCY_FAILED:
            self._help_failed(transfer)
        elif state is S.REQUEUEING:
            self._commands.requeue(transfer)
        elif state in (S.JOINING, S.DELIVERING, S.RETURNING):
            self._bring(transfer, state, event)
        elif event.kind in (K.THREE_WAY, K.HANDED_OFF):
            self._commands.welcome(transfer)
        elif state is S.TOGETHER:
            self._commands.settle(transfer)

    def _begun(self, transfer: Transfer, before: TransferState) -> None:
        self._commands.begin(transfer, before)
        if not transfer.routes:  # nothing is configured: say so at once
            self._third_failed(transfer, "wrong")

    def _bring(self, transfer: Transfer, state: TransferState, event: Event) -> None:
        if state is S.RETURNING:
            self._commands.explain(transfer, event)
        self._settle_room(transfer.call_id)
        if transfer.state is state:
            self._commands.bring(transfer)

    def _third_failed(
        self, transfer: Transfer, reason: str, *, final: bool = False, ended: bool = False
    ) -> None:
        """A third party is not coming: the next route, else back.

        Args:
            transfer: the call's three-way side.
            reason: why, in the words of ``prompts.REASONS``.
            final: a person said no.
            ended: its channel has ended already.
        """
        call_id, how = transfer.call_id, {"ended": True} if ended else {}
        if transfer.more_routes and (transfer.emergency or not final):
            self._transfers.tell(call_id, K.NEXT_ROUTE, route=transfer.route + 1, reason=reason, **how)
            return
        kind = K.EMERGENCY_FAILED if transfer.emergency else K.THIRD_REFUSED
        self._transfers.tell(call_id, kind, target=transfer.target, reason=reason, **how)

    def _third_in(self, transfer: Transfer, channel: str) -> None:
        call_id, facts = transfer.call_id, {"target": transfer.target, "channel": channel}
        self._commands.track(call_id, "third", channel)
        if transfer.state in (S.INVITING, S.AWAITED, S.CALLING_HELP):  # its answer was not heard
            self._transfers.tell(call_id, K.THIRD_ANSWERED, **facts)
        if transfer.state in (S.ASKING, S.AWAITED_ASKING, S.AWAITED_HELP):
            self._transfers.tell(call_id, K.THIRD_ACCEPTED, **facts)
        elif transfer.state is S.CONNECTING_HELP:
            self._transfers.tell(call_id, K.THREE_WAY, target=transfer.target)
        if transfer.emergency:
            self._commands.tell_help(call_id, channel)

    def _settle_room(self, call_id: str) -> None:
        """The caller is in the room: say what that means in the present state."""
        transfer = self._transfers.of(call_id)
        if not transfer.caller_in:
            return
        if transfer.state is S.JOINING:
            self._transfers.tell(call_id, K.THREE_WAY, target=transfer.target)
        elif transfer.state is S.DELIVERING:
            self._transfers.tell(call_id, K.HANDED_OFF, target=transfer.target)
        elif transfer.state is S.RETURNING:
            self._transfers.tell(call_id, K.CALLER_BACK)

    def _help_failed(self, transfer: Transfer) -> None:
        call_id, number = transfer.call_id, transfer.target
        self._alarm(
            "emergency_failed",
            call_id,
            f"call {call_id}: {number} could not be reached; the caller was told to dial it.",
            f"来电 {call_id}：{number} 未能接通，已提示来电人直接拨打。",
        )
        for channel in (self._transfers.caller(call_id), self._transfers.operator(call_id)):
            self._commands.say(channel, "P011", emergency_number=number)
        if transfer.state is S.REQUEUEING:
            self._commands.requeue(transfer)
        else:
            self._commands.settle(transfer)
