"""The life of a three-way call, as tables.

A row reads: in this state, when this happens, the next state is that.  What is not in the table
does not change the state.  Every state in which somebody waits has a deadline in ``DEADLINES`` and
an exit to a state in which the caller has company, or music and a deadline of their own.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from ivr.events.event import Kind


class TransferState(enum.StrEnum):
    """Where the caller, the operator and the third party are."""

    IDLE = "idle"
    INVITING = "inviting"
    ASKING = "asking"
    CONSULTING = "consulting"
    JOINING = "joining"
    THREE_WAY = "three_way"
    HANDED_OFF = "handed_off"
    RETURNING = "returning"
    TOGETHER = "together"
    AWAITED = "awaited"
    AWAITED_ASKING = "awaited_asking"
    DELIVERING = "delivering"
    REQUEUEING = "requeueing"
    CALLING_HELP = "calling_help"
    CONNECTING_HELP = "connecting_help"
    AWAITED_HELP = "awaited_help"
    LEAVING = "leaving"
    ENDED = "ended"


S, K = TransferState, Kind
Table = Mapping[TransferState, Mapping[Kind, TransferState]]

TRANSITIONS: Table = {
    S.IDLE: {K.TRANSFER_WANTED: S.INVITING, K.TAKEN_OVER: S.RETURNING, K.HUNG_UP: S.ENDED},
    S.INVITING: {
        K.THIRD_RINGING: S.INVITING,
        K.NEXT_ROUTE: S.INVITING,
        K.THIRD_ANSWERED: S.ASKING,
        K.THIRD_REFUSED: S.RETURNING,
        K.TRANSFER_CANCELLED: S.RETURNING,
        K.OPERATOR_LEFT: S.AWAITED,
        K.HUNG_UP: S.ENDED,
    },
    S.ASKING: {
        K.NEXT_ROUTE: S.INVITING,
        K.THIRD_ACCEPTED: S.CONSULTING,
        K.THIRD_REFUSED: S.RETURNING,
        K.TRANSFER_CANCELLED: S.RETURNING,
        K.OPERATOR_LEFT: S.AWAITED_ASKING,
        K.HUNG_UP: S.ENDED,
    },
    S.CONSULTING: {
        K.TAKEN_OVER: S.CONSULTING,
        K.TRANSFER_COMPLETED: S.JOINING,
        K.THIRD_LEFT: S.RETURNING,
        K.TRANSFER_CANCELLED: S.RETURNING,
        K.OPERATOR_LEFT: S.DELIVERING,
        K.HUNG_UP: S.ENDED,
    },
    S.JOINING: {
        K.THREE_WAY: S.THREE_WAY,
        K.THIRD_LEFT: S.RETURNING,
        K.TRANSFER_CANCELLED: S.RETURNING,
        K.OPERATOR_LEFT: S.DELIVERING,
        K.HUNG_UP: S.ENDED,
    },
    S.THREE_WAY: {
        K.TAKEN_OVER: S.THREE_WAY,
        K.THIRD_LEFT: S.TOGETHER,
        K.OPERATOR_LEFT: S.HANDED_OFF,
        K.HUNG_UP: S.ENDED,
    },
    S.HANDED_OFF: {K.THIRD_LEFT: S.LEAVING, K.TAKEN_OVER: S.THREE_WAY, K.HUNG_UP: S.ENDED},
    S.RETURNING: {
        K.CALLER_BACK: S.TOGETHER,
        K.OPERATOR_LEFT: S.REQUEUEING,
        K.HUNG_UP: S.ENDED,
    },
    S.TOGETHER: {
        K.TAKEN_OVER: S.TOGETHER,
        K.TRANSFER_WANTED: S.INVITING,
        K.OPERATOR_LEFT: S.LEAVING,
        K.HUNG_UP: S.ENDED,
    },
    S.AWAITED: {
        K.THIRD_RINGING: S.AWAITED,
        K.NEXT_ROUTE: S.AWAITED,
        K.THIRD_ANSWERED: S.AWAITED_ASKING,
        K.THIRD_REFUSED: S.REQUEUEING,
        K.HUNG_UP: S.ENDED,
    },
    S.AWAITED_ASKING: {
        K.NEXT_ROUTE: S.AWAITED,
        K.THIRD_ACCEPTED: S.DELIVERING,
        K.THIRD_REFUSED: S.REQUEUEING,
        K.HUNG_UP: S.ENDED,
    },
    S.DELIVERING: {
        K.HANDED_OFF: S.HANDED_OFF,
        K.THIRD_LEFT: S.REQUEUEING,
        K.HUNG_UP: S.ENDED,
    },
    S.REQUEUEING: {K.QUEUED: S.IDLE, K.HUNG_UP: S.ENDED},
    S.LEAVING: {K.QUEUED: S.IDLE, K.HUNG_UP: S.ENDED},
    S.ENDED: {},
}
"""Consult, three-way, leave: an ordinary third party."""

EMERGENCY_TRANSITIONS: Table = {
    S.IDLE: {K.EMERGENCY_WANTED: S.CALLING_HELP},
    S.TOGETHER: {K.EMERGENCY_WANTED: S.CALLING_HELP},
    S.AWAITED: {K.EMERGENCY_WANTED: S.AWAITED_HELP},
    S.AWAITED_ASKING: {K.EMERGENCY_WANTED: S.AWAITED_HELP},
    S.HANDED_OFF: {K.EMERGENCY_WANTED: S.AWAITED_HELP},
    S.CALLING_HELP: {
        K.THIRD_RINGING: S.CALLING_HELP,
        K.NEXT_ROUTE: S.CALLING_HELP,
        K.THIRD_ANSWERED: S.CONNECTING_HELP,
        K.EMERGENCY_FAILED: S.TOGETHER,
        K.TRANSFER_CANCELLED: S.TOGETHER,
        K.OPERATOR_LEFT: S.AWAITED_HELP,
        K.HUNG_UP: S.ENDED,
    },
    S.CONNECTING_HELP: {
        K.THREE_WAY: S.THREE_WAY,
        K.NEXT_ROUTE: S.CALLING_HELP,
        K.EMERGENCY_FAILED: S.TOGETHER,
        K.OPERATOR_LEFT: S.AWAITED_HELP,
        K.HUNG_UP: S.ENDED,
    },
    S.AWAITED_HELP: {
        K.THIRD_RINGING: S.AWAITED_HELP,
        K.NEXT_ROUTE: S.AWAITED_HELP,
        K.THIRD_ANSWERED: S.AWAITED_HELP,
        K.THIRD_ACCEPTED: S.DELIVERING,
        K.EMERGENCY_FAILED: S.REQUEUEING,
        K.HUNG_UP: S.ENDED,
    },
}
"""110, 119, 120, 122: the caller is never put on hold, and nobody is asked whether they take the call."""

ALL_TRANSITIONS: Table = {
    state: {**TRANSITIONS.get(state, {}), **EMERGENCY_TRANSITIONS.get(state, {})} for state in TransferState
}
"""Both tables in one; a state that stands in both has the rows of both."""

DEADLINES: Mapping[TransferState, float] = {
    S.INVITING: 25.0,
    S.ASKING: 30.0,
    S.CONSULTING: 180.0,
    S.JOINING: 1.0,
    S.RETURNING: 0.5,
    S.AWAITED: 25.0,
    S.AWAITED_ASKING: 30.0,
    S.DELIVERING: 1.0,
    S.REQUEUEING: 1.0,
    S.CALLING_HELP: 10.0,
    S.CONNECTING_HELP: 2.0,
    S.AWAITED_HELP: 10.0,
}
"""Seconds a state may last; 25 s and 10 s are the hotline's rules (P034, P011), the rest our own.

When they are over: a third party that rings or is asked counts as not answering (the next route
follows where there is one), a consultation becomes a three-way call, and a party that was sent
somewhere and did not arrive is sent again.  Not here are states in which everybody who is there
talks, and ``leaving``: nobody but the caller is left, and the dialplan sees them off."""

COMPANY = frozenset(
    {S.IDLE, S.THREE_WAY, S.HANDED_OFF, S.TOGETHER, S.LEAVING, S.ENDED}
)  # IDLE: with the operator, or in the queue
"""States in which the caller waits for nobody of ours."""

HOLDING = frozenset(
    {
        S.INVITING, S.ASKING, S.CONSULTING, S.JOINING, S.RETURNING, S.AWAITED, S.AWAITED_ASKING,
        S.DELIVERING, S.REQUEUEING,
    }
)  # fmt: skip
"""States in which the caller hears music from the server."""


ALONE = frozenset({S.AWAITED, S.AWAITED_ASKING, S.HANDED_OFF})
"""States of a caller without an operator from which they can call help themselves."""

HELPING = frozenset({S.CALLING_HELP, S.CONNECTING_HELP, S.AWAITED_HELP})
"""States in which help is being called."""


def following(state: TransferState, kind: Kind) -> TransferState | None:
    """Return the next state, None where nothing changes."""
    return ALL_TRANSITIONS[state].get(kind)
