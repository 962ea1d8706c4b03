"""The three-way calls of this moment: shared by what decides, what is requested and what gives commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ivr.calls.open_calls import CallBook
from ivr.calls.record import CallRecord
from ivr.events import actors
from ivr.events.event import Event, Kind
from ivr.transfers.transfer import Change, Transfer, call_of, fold

_BY_THIRD = frozenset({Kind.THIRD_ANSWERED, Kind.THIRD_ACCEPTED, Kind.THIRD_REFUSED, Kind.THIRD_LEFT})
"""What a third party does itself, where no other reason is told."""


class OpenTransfers:
    """The three-way calls of this moment; nothing but events changes them.

    Args:
        calls: where events are recorded.
        clock: seconds since the epoch.
    """

    def __init__(self, calls: CallBook, clock: Callable[[], float]) -> None:
        self.calls = calls
        self.clock = clock
        self._open: dict[str, Transfer] = {}
        self._changes: dict[int, tuple[Event, Change]] = {}
        """What events have changed that nobody has reacted to yet."""
        calls.fold_along(self._fold)

    def _fold(self, event: Event, call: CallRecord | None) -> None:
        """Fold in what was journalled, whoever did."""
        if (change := fold(self._open, event, call)) is not None:
            self._changes[id(event)] = (event, change)

    def changed_by(self, event: Event) -> Change | None:
        """Return what an event has changed; once, to whoever reacts to it."""
        _, change = self._changes.pop(id(event), (event, None))
        return change

    def take_up(self, transfer: Transfer) -> bool:
        """Take over what the journal tells; return whether nothing newer was known."""
        return self._open.setdefault(transfer.call_id, transfer) is transfer

    def get(self, call_id: str) -> Transfer | None:
        """Return the three-way side of a call, None where there never was one."""
        return self._open.get(call_id)

    def of(self, call_id: str) -> Transfer:
        """Return the three-way side of a call; idle where there never was one."""
        return self._open.get(call_id) or Transfer(call_id)

    def open(self) -> tuple[Transfer, ...]:
        """Return the three-way sides of all open calls."""
        return tuple(self._open.values())

    def by_third(self, channel_id: str) -> Transfer | None:
        """Return the call whose present third party has that channel."""
        transfer = self._open.get(call_of(channel_id))
        return transfer if transfer is not None and transfer.third == channel_id else None

    def caller(self, call_id: str) -> str:
        """Return the caller's channel, empty when they have gone."""
        return self._channel_of(call_id, "caller")

    def operator(self, call_id: str) -> str:
        """Return the operator's channel, empty when they have gone."""
        return self._channel_of(call_id, "operator")

    def _channel_of(self, call_id: str, role: str) -> str:
        call = self.calls.get(call_id)
        return call.channel_of(role) if call else ""

    def operated_by(self, channel: str) -> str:
        """Return the three-way call whose operator has that channel, empty where none has."""
        return next((call_id for call_id in self._open if self.operator(call_id) == channel), "")

    def goes_on(self, call_id: str) -> bool:
        """Tell whether a third party is with a caller or on the way to them: their recording goes on."""
        return self.of(call_id).goes_on

    def tell(self, call_id: str, kind: Kind, **data: Any) -> None:
        """Journal something."""
        self.calls.record(Event(call_id, self.clock(), kind, data, self._actor(call_id, kind, data)))

    def _actor(self, call_id: str, kind: Kind, data: Mapping[str, Any]) -> str:
        """Return who did it: the third party itself, or whom ``by`` names."""
        if kind in _BY_THIRD and data.get("reason", "refused") == "refused":
            return actors.THIRD
        if kind in (Kind.TAKE_OVER_WANTED, Kind.TAKEN_OVER):
            return actors.operator(data["operator"])
        call = self.calls.get(call_id)
        by = "" if kind is Kind.EMERGENCY_FAILED else str(data.get("by", ""))
        return actors.actor_of(by, call.operator if call else None)
