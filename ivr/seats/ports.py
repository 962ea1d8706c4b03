"""What seats need of whatever rings them: the Protocol that the seats own."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a queue, as the switch has it.

    Attributes:
        queue: the queue.
        user: the SIP user of a seat; of what is no seat, whatever the switch calls it.
        name: the operator's number.
        paused: whether no call may come.
        reason: why not.
        penalty: above 0 it only helps out.
        last_call: when its last talk ended, from which the switch counts a wrap-up of its own; seconds since the
            epoch, 0 for never.
    """

    queue: str
    user: str
    name: str
    paused: bool
    reason: str
    penalty: int = 0
    last_call: int = 0


class Step(enum.StrEnum):
    """What can be done with a member."""

    REMOVE = "remove"
    ADD = "add"
    PAUSE = "pause"
    """Take over ``paused`` and ``reason``."""
    WEIGH = "weigh"
    """Take over ``penalty``."""


@dataclass(frozen=True, slots=True)
class Change:
    """One step, with the member as it should be afterwards (of ``REMOVE``: as it was)."""

    step: Step
    member: Member


class QueueMembers(Protocol):
    """The switch's queue members.  Everything may raise ``HotlineError``; its ``retry`` tells a refusal from a silence."""

    async def of_queue(self, queue: str) -> list[Member]:
        """Return the members of one queue; none where there is no such queue."""

    async def of_seat(self, user: str) -> list[Member]:
        """Return the queues that one seat is in."""

    async def carry_out(self, change: Change) -> None:
        """Carry one change out, after those that were asked for before; to remove what is gone is no fault."""
