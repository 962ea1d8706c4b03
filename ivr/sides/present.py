"""Who is on a call now, and what each of them is doing."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ivr.calls.record import CallRecord
from ivr.calls.states import CallState
from ivr.sides.rules import Doing, Role
from ivr.transfers.states import HOLDING, TransferState

_TALKS = frozenset({CallState.TALKING, CallState.THREE_WAY, CallState.HANDED_OFF})
_THIRD_TALKS = frozenset(
    {
        TransferState.CONSULTING, TransferState.JOINING, TransferState.DELIVERING,
        TransferState.THREE_WAY, TransferState.HANDED_OFF,
    }
)  # fmt: skip


@dataclass(frozen=True)
class Present:
    """A side of a call."""

    call_id: str
    role: Role
    channel: str
    doing: Doing

    @property
    def endpoint(self) -> str:
        """Whose telephone it is: a seat's SIP user, or a way out."""
        return self.channel.partition("/")[2].rpartition("-")[0]


def present(call: CallRecord, room: TransferState, holding: Collection[str]) -> Iterator[Present]:
    """Tell the sides of a call that can be listened to.

    Args:
        call: the call.
        room: the state of its three-way side.
        holding: channels whose own phone has put the others on hold.
    """
    for role in Role:
        channel = call.channel_of(role.value)
        if channel.startswith("PJSIP/"):
            does = Doing.HOLDS if channel in holding else _doing(role, call.state, room)
            yield Present(call.call_id, role, channel, does)


def _doing(role: Role, state: CallState, room: TransferState) -> Doing:
    if role is Role.CALLER:
        talks = state in _TALKS and room not in HOLDING
    elif role is Role.THIRD:
        # without a room the dialplan itself has called help, and whoever answered talks
        talks = room in _THIRD_TALKS or (room is TransferState.IDLE and state is CallState.HANDED_OFF)
    else:  # alone in the room while somebody is called, an operator listens to the ringing
        talks = state in _TALKS and room not in (TransferState.INVITING, TransferState.ASKING)
    return Doing.TALKS if talks else Doing.LISTENS
