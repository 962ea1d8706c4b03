"""Who is where on all three-way calls: shared by what decides, what is wished for and what moves people."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ivr.calls.open_calls import CallBook
from ivr.events import actors
from ivr.events.clock import ClockSteps
from ivr.events.event import Event, Kind
from ivr.transfers import prompts as told
from ivr.transfers.states import TransferState
from ivr.transfers.transfer import Transfer

_BY_THIRD = frozenset({Kind.THIRD_ANSWERED, Kind.THIRD_ACCEPTED, Kind.THIRD_REFUSED, Kind.THIRD_LEFT})
"""What a third party does itself, where no other reason is told."""


class Taking(NamedTuple):
    """A shift leader who enters the room: seat, operator number, channel."""

    seat: str
    operator: str
    channel: str


class Floor:
    """The three-way calls of this moment.

    Args:
        calls: where events are recorded.
        clock: seconds since the epoch.
        steady: seconds since any moment, which nobody can set; None: the clock is never set.
    """

    def __init__(
        self, calls: CallBook, clock: Callable[[], float], steady: Callable[[], float] | None = None
    ) -> None:
        self.calls = calls
        self.clock = clock
        self._steps = ClockSteps(clock, steady)
        self.transfers: dict[str, Transfer] = {}
        self.caller_in: set[str] = set()
        """Calls whose caller is in the room."""
        self.caller_gone: set[str] = set()
        """Calls whose caller has hung up, and whose others are being sent home."""
        self.operator_in: set[str] = set()
        """Calls whose operator is in the room."""
        self.gathering: dict[str, tuple[float, int]] = {}
        """Calls whose operator was sent into the room: when (infinite: not yet sent), and how often before."""
        self.taking: dict[str, Taking] = {}
        """Calls that a shift leader is about to take over."""

    def transfer(self, call_id: str) -> Transfer:
        """Return the three-way side of a call; idle where there never was one."""
        return self.transfers.get(call_id) or Transfer(call_id)

    def by_third(self, channel_id: str) -> Transfer | None:
        """Return the call whose present third party has that channel."""
        transfer = self.transfers.get(told.call_of(channel_id))
        return transfer if transfer is not None and transfer.third == channel_id else None

    def caller(self, call_id: str) -> str:
        """Return the caller's channel, empty when they have gone."""
        return self._channel_of(call_id, "caller")

    def operator(self, call_id: str) -> str:
        """Return the operator's channel, empty when they have gone."""
        return self._channel_of(call_id, "operator")

    def _channel_of(self, call_id: str, role: str) -> str:
        call = self.calls.calls.get(call_id)
        return call.channel_of(role) if call else ""

    def operated_by(self, channel: str) -> str:
        """Return the three-way call whose operator has that channel, empty where none has."""
        return next((call_id for call_id in self.transfers if self.operator(call_id) == channel), "")

    def goes_on(self, call_id: str) -> bool:
        """Tell whether a third party is with a caller or on the way to them: their recording goes on."""
        return self.transfer(call_id).state not in (TransferState.IDLE, TransferState.LEAVING)

    def parting(self, call_id: str) -> bool:
        """Tell whether caller and operator are still together, and about to be led away."""
        return math.isinf(self.gathering.get(call_id, (0.0, 0))[0])

    def parted(self, transfer: Transfer) -> bool:
        """Tell whether the caller was seen anywhere but with the operator in the queue's bridge."""
        return transfer.moved or transfer.call_id in self.caller_in

    def keep_deadlines(self) -> None:
        """Move every deadline with the clock, where that was set."""
        if step := self._steps.moved():
            for transfer in self.transfers.values():
                transfer.move(step)
            moved = {call_id: (since + step, tries) for call_id, (since, tries) in self.gathering.items()}
            self.gathering.update(moved)

    def tell(self, call_id: str, kind: Kind, **data: Any) -> None:
        """Journal something."""
        self.calls.record(Event(call_id, self.clock(), kind, data, self._actor(call_id, kind, data)))

    def _actor(self, call_id: str, kind: Kind, data: Mapping[str, Any]) -> str:
        """Return who did it: the third party itself, or whom ``by`` names."""
        if kind in _BY_THIRD and data.get("reason", "refused") == "refused":
            return actors.THIRD
        if kind is Kind.TAKEN_OVER:
            return actors.operator(data["operator"])
        call = self.calls.calls.get(call_id)
        by = "" if kind is Kind.EMERGENCY_FAILED else str(data.get("by", ""))
        return actors.actor_of(by, call.operator if call else None)

    def empty(self, call_id: str) -> None:
        """Forget who was in a room."""
        self.caller_in.discard(call_id)
        self.caller_gone.discard(call_id)
        self.operator_in.discard(call_id)
        self.gathering.pop(call_id, None)
        self.taking.pop(call_id, None)
