"""One call's three-way side, as its events tell it: folding, nothing else.

All that is known of it stands here: who is in the room, who is about to come, who was sent somewhere and not
seen there.  Who was relieved is known of the call itself (``CallRecord.was_relieved``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from typing import NamedTuple

from ivr.calls.record import CallRecord
from ivr.events.event import Event, Kind
from ivr.transfers.states import DEADLINES, KEPT, TransferState, following
from ivr.transfers.targets import By, Route

_RINGING = frozenset(
    {TransferState.INVITING, TransferState.AWAITED, TransferState.CALLING_HELP, TransferState.AWAITED_HELP}
)
_ASKING = frozenset({TransferState.ASKING, TransferState.AWAITED_ASKING})

_BEGINS = frozenset({Kind.TRANSFER_WANTED, Kind.EMERGENCY_WANTED, Kind.TAKE_OVER_WANTED, Kind.TAKEN_OVER})
"""What makes a call one with a three-way side."""


class Taking(NamedTuple):
    """A shift leader who enters the room: seat, operator number, channel."""

    seat: str
    operator: str
    channel: str


class Gathering(NamedTuple):
    """Caller and operator are led out of the queue's bridge: since when (infinite: not yet), how often before."""

    since: float
    tries: int


@dataclass(slots=True)
class Transfer:
    """Where a call's parties are; times in seconds since the epoch.

    Attributes:
        n: how many third parties were wanted so far.
        third: the id of the third party's channel, empty when there is none.
        third_channel: its name, known when it answered.
        moved: whether caller and operator have left the queue's bridge.
        since: when the present state began.
        rings_since: when the present route began to ring.
        tries: how often somebody was sent again in the present state.
        caller_in: whether the caller is in the room.
        operator_in: whether the operator is.
        caller_gone: whether the caller has hung up, and the others are being sent home.
        gathering: the operator was sent into the room and was not seen there yet.
        taking: who is about to take the call over.
    """

    call_id: str
    state: TransferState = TransferState.IDLE
    n: int = 0
    target: str = ""
    name: str = ""
    emergency: bool = False
    routes: tuple[Route, ...] = ()
    route: int = 0
    third: str = ""
    third_channel: str = ""
    moved: bool = False
    muted: bool = False
    since: float = 0.0
    rings_since: float = 0.0
    answered_since: float = 0.0
    tries: int = 0
    caller_in: bool = False
    operator_in: bool = False
    caller_gone: bool = False
    gathering: Gathering | None = None
    taking: Taking | None = None

    @property
    def deadline(self) -> float | None:
        """When the present state is over, None for states that may last."""
        limit = DEADLINES.get(self.state)
        if limit is None:
            return None
        if self.state in _RINGING:
            return self.rings_since + (self.routes[self.route].ring_s if self.routes else 0.0)
        if self.state in _ASKING:
            return self.answered_since + limit
        return self.since + limit * (self.tries + 1)

    @property
    def more_routes(self) -> bool:
        """Whether there is another way to the target."""
        return self.route + 1 < len(self.routes)

    @property
    def parting(self) -> bool:
        """Whether caller and operator are still together, and about to be led away."""
        return self.gathering is not None and math.isinf(self.gathering.since)

    @property
    def parted(self) -> bool:
        """Whether the caller was seen anywhere but with the operator in the queue's bridge."""
        return self.moved or self.caller_in

    @property
    def goes_on(self) -> bool:
        """Whether a third party is with the caller or on the way to them: their recording goes on."""
        return self.state not in (TransferState.IDLE, TransferState.LEAVING)

    def apply(self, event: Event, call: CallRecord | None = None) -> bool:
        """Fold one event in; return whether it changed the state.

        Args:
            event: what happened.
            call: the call as it is after the event; None where nothing of it matters.
        """
        if event.kind is Kind.OPERATOR_LEFT and (
            event.data.get("reason") == "caller" or (call is not None and call.was_relieved(event))
        ):
            return False  # app_queue's word for: the caller hung up; or somebody who was relieved
        _FACTS.get(event.kind, _nothing)(self, event)
        then = following(self.state, event.kind)
        if then is None:
            return False
        _CHANGES.get(event.kind, _nothing)(self, event)
        if then is not self.state or event.kind is Kind.NEXT_ROUTE:
            self.since, self.tries = event.at, 0
        if event.kind is Kind.OPERATOR_LEFT and then in KEPT:
            self.gathering = None
        if then in (TransferState.IDLE, TransferState.ENDED):
            self.caller_in = self.operator_in = self.caller_gone = False
            self.gathering = self.taking = None
        self.state = then
        return True


def _nothing(_: Transfer, __: Event) -> None:
    return


def _wanted(transfer: Transfer, event: Event) -> None:
    data = event.data
    transfer.n = int(data["n"])
    transfer.target = data["target"]
    transfer.name = data.get("name", "")
    transfer.emergency = event.kind is Kind.EMERGENCY_WANTED
    transfer.routes = tuple(Route(By(by), address, ring_s) for by, address, ring_s in data["routes"])
    transfer.route = 0
    transfer.muted = False
    _rings(transfer, event)


def _next_route(transfer: Transfer, event: Event) -> None:
    transfer.route = int(event.data["route"])
    _rings(transfer, event)


def _rings(transfer: Transfer, event: Event) -> None:
    transfer.third = f"{transfer.call_id}-t{transfer.n}-{transfer.route}"
    transfer.third_channel = ""
    transfer.rings_since = event.at


def call_of(channel_id: str) -> str:
    """Return the call that a third party's channel id names: ``<call>-t<n>-<route>``."""
    call_id, found, _ = channel_id.rpartition("-t")
    return call_id if found else ""


def _answered(transfer: Transfer, event: Event) -> None:
    transfer.third_channel = event.data.get("channel", "")
    transfer.answered_since = event.at


def _gone(transfer: Transfer, _: Event) -> None:
    transfer.third = transfer.third_channel = ""


def _back_in_queue(transfer: Transfer, _: Event) -> None:
    transfer.moved = False


def _in_room(transfer: Transfer, event: Event) -> None:
    transfer.moved = not event.data.get("unmoved", False)


_CHANGES = {
    Kind.TRANSFER_WANTED: _wanted,
    Kind.EMERGENCY_WANTED: _wanted,
    Kind.NEXT_ROUTE: _next_route,
    Kind.THIRD_ANSWERED: _answered,
    Kind.THIRD_REFUSED: _gone,
    Kind.THIRD_LEFT: _gone,
    Kind.TRANSFER_CANCELLED: _gone,
    Kind.EMERGENCY_FAILED: _gone,
    Kind.QUEUED: _back_in_queue,
    Kind.THREE_WAY: _in_room,
    Kind.CALLER_BACK: _in_room,
    Kind.HANDED_OFF: _in_room,
}
"""What an event changes where the table has it."""


def _muted(transfer: Transfer, event: Event) -> None:
    transfer.muted = bool(event.data.get("on"))


def _held(transfer: Transfer, _: Event) -> None:
    transfer.moved = True
    transfer.caller_in = False


def _clock_set(transfer: Transfer, event: Event) -> None:
    """Count what has passed by a clock that was set."""
    if transfer.state is TransferState.IDLE:
        return
    step = float(event.data.get("step_s", 0.0))
    transfer.since += step
    transfer.rings_since += step
    transfer.answered_since += step
    if transfer.gathering is not None:
        transfer.gathering = Gathering(transfer.gathering.since + step, transfer.gathering.tries)


def _take_over_wanted(transfer: Transfer, event: Event) -> None:
    transfer.taking = Taking(*(str(event.data.get(what) or "") for what in Taking._fields))


def _taken_over(transfer: Transfer, _: Event) -> None:
    transfer.operator_in = True
    transfer.gathering = transfer.taking = None


def _gather_wanted(transfer: Transfer, event: Event) -> None:
    transfer.gathering = Gathering(math.inf, int(event.data.get("tries", 0)))


def _gather_sent(transfer: Transfer, event: Event) -> None:
    transfer.gathering = Gathering(event.at, int(event.data.get("tries", 0)))


def _gather_over(transfer: Transfer, _: Event) -> None:
    transfer.gathering = None


def _sent_again(transfer: Transfer, _: Event) -> None:
    transfer.tries += 1


def _room_entered(transfer: Transfer, event: Event) -> None:
    if event.data.get("party") == "caller":
        transfer.caller_in = True
    else:
        transfer.operator_in = True
        transfer.gathering = None


def _room_left(transfer: Transfer, event: Event) -> None:
    if event.data.get("party") == "caller":
        transfer.caller_in = False
    else:
        transfer.operator_in = False


def _caller_gone(transfer: Transfer, _: Event) -> None:
    transfer.caller_gone = True


_FACTS = {
    Kind.THIRD_MUTED: _muted,
    Kind.CALLER_HELD: _held,
    Kind.CLOCK_SET: _clock_set,
    Kind.TAKE_OVER_WANTED: _take_over_wanted,
    Kind.TAKEN_OVER: _taken_over,
    Kind.GATHER_WANTED: _gather_wanted,
    Kind.GATHER_SENT: _gather_sent,
    Kind.GATHER_OVER: _gather_over,
    Kind.SENT_AGAIN: _sent_again,
    Kind.ROOM_ENTERED: _room_entered,
    Kind.ROOM_LEFT: _room_left,
    Kind.CALLER_GONE: _caller_gone,
}
"""What an event changes in every state."""


class Change(NamedTuple):
    """A three-way side whose state an event changed; how it was before and after."""

    transfer: Transfer
    before: TransferState
    after: TransferState
    third_before: str
    third_after: str


def fold(open_: MutableMapping[str, Transfer], event: Event, call: CallRecord | None) -> Change | None:
    """Fold one event into the three-way calls; return what it changed.

    Args:
        open_: three-way sides by call; one that ends is taken out.
        event: what happened.
        call: its call as it is after the event.
    """
    transfer = open_.get(event.stream)
    if transfer is None:
        if event.kind not in _BEGINS:
            return None
        transfer = open_[event.stream] = Transfer(event.stream)
    before, third = transfer.state, transfer.third
    if not transfer.apply(event, call):
        return None
    if transfer.state is TransferState.ENDED:
        del open_[event.stream]
    return Change(transfer, before, transfer.state, third, transfer.third)


def fold_transfer(call_id: str, events: Iterable[Event]) -> Transfer:
    """Tell a call's three-way side from all of its events; an idle one where there is none, or none any more."""
    call, open_ = CallRecord(call_id), dict[str, Transfer]()
    for event in events:
        call.apply(event)
        fold(open_, event, call)
    return open_.get(call_id) or Transfer(call_id)
