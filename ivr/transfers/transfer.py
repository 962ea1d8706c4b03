"""One call's three-way side, as its events tell it: folding, nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ivr.events.event import Event, Kind
from ivr.transfers.states import DEADLINES, TransferState, following
from ivr.transfers.targets import By, Route

_RINGING = frozenset(
    {TransferState.INVITING, TransferState.AWAITED, TransferState.CALLING_HELP, TransferState.AWAITED_HELP}
)
_ASKING = frozenset({TransferState.ASKING, TransferState.AWAITED_ASKING})


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
        relieved: channels of operators whose call was taken over.
        tries: how often somebody was sent again in the present state; not journalled.
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
    relieved: set[str] = field(default_factory=set)

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

    def move(self, seconds: float) -> None:
        """Count what has passed by a clock that was set."""
        self.since += seconds
        self.rings_since += seconds
        self.answered_since += seconds

    def apply(self, event: Event) -> bool:
        """Fold one event in; return whether it changed the state."""
        if event.kind is Kind.OPERATOR_LEFT and (
            event.data.get("reason") == "caller" or event.data.get("channel", "-") in self.relieved
        ):
            return False  # app_queue's word for: the caller hung up; or somebody who was relieved
        if event.kind is Kind.THIRD_MUTED:
            self.muted = bool(event.data.get("on"))
        if event.kind is Kind.CALLER_HELD:
            self.moved = True
        then = following(self.state, event.kind)
        if then is None:
            return False
        _CHANGES.get(event.kind, _nothing)(self, event)
        if then is not self.state or event.kind is Kind.NEXT_ROUTE:
            self.since, self.tries = event.at, 0
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


def _answered(transfer: Transfer, event: Event) -> None:
    transfer.third_channel = event.data.get("channel", "")
    transfer.answered_since = event.at


def _gone(transfer: Transfer, _: Event) -> None:
    transfer.third = transfer.third_channel = ""


def _back_in_queue(transfer: Transfer, _: Event) -> None:
    transfer.moved = False


def _taken_over(transfer: Transfer, event: Event) -> None:
    transfer.relieved.add(event.data.get("from_channel", ""))


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
    Kind.TAKEN_OVER: _taken_over,
    Kind.THREE_WAY: _in_room,
    Kind.CALLER_BACK: _in_room,
    Kind.HANDED_OFF: _in_room,
}


def fold_transfer(call_id: str, events: Iterable[Event]) -> Transfer:
    """Tell a call's three-way side from all of its events."""
    transfer = Transfer(call_id)
    for event in events:
        if event.kind is Kind.CALLBACK_ANSWERED:  # before, they hung up to be called back
            transfer = Transfer(call_id)
        transfer.apply(event)
    return transfer
