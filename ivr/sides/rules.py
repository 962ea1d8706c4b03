"""The sides of a call, and what is done about one that falls silent: rules only, as a table.

Silent is a side from which no packet comes.  That alone proves nothing: phones suppress silence,
whoever holds a call sends nothing.  So a side is asked first, inside its own call and at its own
address, and only one that is shown to be gone is taken away.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

SIDE_SILENT = "side_silent"
"""The alarm."""


class Role(enum.StrEnum):
    """Who a side is."""

    CALLER = "caller"
    SEAT = "operator"
    THIRD = "third"


class Doing(enum.StrEnum):
    """What a side is doing, as far as that says how long it may send nothing."""

    TALKS = "talks"
    LISTENS = "listens"
    """To music, an announcement, a question: in the queue, on hold, during a consultation, in the survey."""
    HOLDS = "holds"
    """It has put the others on hold by its own phone, and rightly sends nothing."""


class Sign(enum.StrEnum):
    """What is known of the address of a side."""

    UNKNOWN = "unknown"
    """Nobody asks there, or it has never answered: its silence proves nothing."""
    ANSWERS = "answers"
    AWAY = "away"
    """It used to answer and does not."""
    ELSEWHERE = "elsewhere"
    """It has registered from another address since: the phone was started again."""


class Step(enum.StrEnum):
    """What is to be done."""

    WAIT = "wait"
    ASK = "ask"
    END = "end"


@dataclass(frozen=True)
class Limits:
    """Seconds without a packet until something is done; None: never.

    Attributes:
        ask_s: the side is asked whether it is there.
        end_s: it is taken away, if it is shown to be gone.
        tell_s: a person is told, whatever it answers: the others may not hear it.
    """

    ask_s: float
    end_s: float | None
    tell_s: float | None


_TALKING = Limits(ask_s=4.0, end_s=6.0, tell_s=20.0)
_HOLDING = Limits(ask_s=60.0, end_s=70.0, tell_s=None)

LIMITS: Mapping[tuple[Role, Doing], Limits] = {
    (Role.SEAT, Doing.TALKS): _TALKING,
    (Role.SEAT, Doing.LISTENS): Limits(ask_s=20.0, end_s=25.0, tell_s=None),
    (Role.SEAT, Doing.HOLDS): _HOLDING,
    (Role.THIRD, Doing.TALKS): _TALKING,
    (Role.THIRD, Doing.LISTENS): Limits(ask_s=20.0, end_s=25.0, tell_s=None),
    (Role.THIRD, Doing.HOLDS): _HOLDING,
    # a caller's number cannot be asked; who does not answer inside the call is seen off by SIP itself
    (Role.CALLER, Doing.TALKS): Limits(ask_s=5.0, end_s=None, tell_s=15.0),
    (Role.CALLER, Doing.LISTENS): Limits(ask_s=30.0, end_s=None, tell_s=None),
    (Role.CALLER, Doing.HOLDS): Limits(ask_s=60.0, end_s=None, tell_s=None),
}
"""How long each may be silent.  Who talks and suppresses silence sends comfort noise or is heard again soon."""

FLAT_S = 30.0
"""Seconds of packets without a sound until a person is told: who only listens is heard breathing, a muted phone is not."""
ASK_AGAIN_S = 60.0
"""Seconds until a side that goes on being silent is asked once more."""


def step(limits: Limits, silent_s: float, asked_s: float | None, sign: Sign) -> Step:
    """Return what is to be done about a side.

    Args:
        limits: a row of :data:`LIMITS`.
        silent_s: seconds since the last packet.
        asked_s: seconds since it was asked in this silence; None: not yet.
        sign: what is known of its address.
    """
    gone = sign in (Sign.AWAY, Sign.ELSEWHERE)
    if gone and asked_s is not None and limits.end_s is not None and silent_s >= limits.end_s:
        return Step.END
    if silent_s >= limits.ask_s and (asked_s is None or asked_s >= ASK_AGAIN_S):
        return Step.ASK
    return Step.WAIT


def to_tell(limits: Limits, silent_s: float) -> bool:
    """Tell whether a person must know of the silence."""
    return limits.tell_s is not None and silent_s >= limits.tell_s
