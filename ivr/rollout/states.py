"""The life of one change of the configuration, as a table.

A row reads: in this state, when this happens, the next state is that.  Whatever is killed between
two rows, the state on the disk says what has to be done after the start; see :data:`AFTER_A_KILL`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from ivr.errors import HotlineError


class ApplyState(enum.StrEnum):
    """How far a change has come."""

    TAKEN = "taken"
    """The folder is copied; it is being examined.  Nothing that runs knows of it."""
    PREPARED = "prepared"
    """Asterisk's files are made and proved; the switch may begin at any moment."""
    SWAPPED = "swapped"
    """Both pointers name the new version; Asterisk is being told, or asked."""
    ROLLING_BACK = "rolling_back"
    """Asterisk refused or differs: the former version is being put back."""
    VERIFIED = "verified"
    ROLLED_BACK = "rolled_back"
    REFUSED = "refused"


class ApplyEvent(enum.StrEnum):
    """What happens to a change."""

    PROVED = "proved"
    SWAPPED = "swapped"
    VERIFIED = "verified"
    FAILED = "failed"
    RESTORED = "restored"
    REFUSED = "refused"


TRANSITIONS: Mapping[ApplyState, Mapping[ApplyEvent, ApplyState]] = {
    ApplyState.TAKEN: {
        ApplyEvent.PROVED: ApplyState.PREPARED,
        ApplyEvent.REFUSED: ApplyState.REFUSED,
    },
    ApplyState.PREPARED: {
        ApplyEvent.SWAPPED: ApplyState.SWAPPED,
        ApplyEvent.FAILED: ApplyState.ROLLING_BACK,
        ApplyEvent.REFUSED: ApplyState.REFUSED,
    },
    ApplyState.SWAPPED: {
        ApplyEvent.VERIFIED: ApplyState.VERIFIED,
        ApplyEvent.FAILED: ApplyState.ROLLING_BACK,
    },
    ApplyState.ROLLING_BACK: {ApplyEvent.RESTORED: ApplyState.ROLLED_BACK},
    ApplyState.VERIFIED: {},
    ApplyState.ROLLED_BACK: {},
    ApplyState.REFUSED: {},
}


class Repair(enum.StrEnum):
    """What a start does about a change that was cut short."""

    FORGET = "forget"
    """Nothing was touched: say that it was interrupted."""
    PUT_BACK = "put_back"
    """Point to the former version, tell Asterisk and ask it."""
    FINISH = "finish"
    """Point to the new version, tell Asterisk and ask it; put back if it differs."""
    NOTHING = "nothing"


AFTER_A_KILL: Mapping[ApplyState, Repair] = {
    ApplyState.TAKEN: Repair.FORGET,
    ApplyState.PREPARED: Repair.PUT_BACK,  # one of the two pointers may have moved already
    ApplyState.SWAPPED: Repair.FINISH,
    ApplyState.ROLLING_BACK: Repair.PUT_BACK,
    ApplyState.VERIFIED: Repair.NOTHING,
    ApplyState.ROLLED_BACK: Repair.NOTHING,
    ApplyState.REFUSED: Repair.NOTHING,
}


class ApplyRefused(HotlineError):
    """A changed configuration was not taken into service; what ran goes on."""

    code = "apply_refused"


def following(state: ApplyState, event: ApplyEvent) -> ApplyState:
    """Return the next state.

    Raises:
        ApplyRefused: the table does not know the event in this state.
    """
    found = TRANSITIONS[state].get(event)
    if found is None:
        raise ApplyRefused(
            f"this change is {state.value} already; look at `ivr apply --history` and apply again.",
            f"该变更的状态已是 {state.value};请查看 ivr apply --history 后重新应用。",
            retry=True,
        )
    return found
