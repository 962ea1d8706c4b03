"""What seats, and those who wait for them, need of whatever carries the voice: Protocols that the domain owns."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Phone(enum.Enum):
    """What a seat's telephone does."""

    FREE = "free"
    TALKS = "talks"
    BUSY = "busy"
    RINGS = "rings"
    AWAY = "away"
    UNKNOWN = "unknown"

    @property
    def on_a_call(self) -> bool:
        """Whether somebody talks there, or it rings."""
        return self in (Phone.TALKS, Phone.BUSY, Phone.RINGS)


class Place(NamedTuple):
    """A seat in a queue, by the SIP user of its telephone."""

    queue: str
    username: str
    paused: bool


class Caller(NamedTuple):
    """Somebody who waits: ``wait_s`` seconds so far.

    ``placeholder``: nobody waits there, it stands for somebody to be called back.
    """

    call_id: str
    queue: str
    channel: str
    wait_s: int
    position: int = 0
    priority: int = 0
    placeholder: bool = False


class QueueStatus(NamedTuple):
    """Everything about the queues at one moment; ``phones`` by SIP user."""

    places: list[Place]
    callers: list[Caller]
    queues: list[str]
    phones: Mapping[str, Phone]

    def phone(self, username: str) -> Phone:
        """Return what a seat's telephone does."""
        return self.phones.get(username, Phone.UNKNOWN)


class Phones(Protocol):
    """The telephones of seats."""

    @property
    def live(self) -> bool:
        """Whether anything can be asked now."""

    async def answering(self) -> Mapping[str, bool]:
        """Return the SIP users that are registered, and whether their telephone answers."""

    async def ask(self, username: str) -> None:
        """Ask a telephone now whether it is there; what it says is told later."""


class Outcome(enum.StrEnum):
    """How a ring ended."""

    ANSWERED = "answered"
    REFUSED = "refused"
    RANG = "rang"


class Rang(NamedTuple):
    """How a ring at a seat ended; ``status``: what the telephone said (a SIP status, or the cause in words)."""

    seat_user: str
    outcome: Outcome
    status: str = ""


class Rings(Protocol):
    """What became of rings at seats."""

    @property
    def in_vain(self) -> frozenset[str]:
        """SIP users whose phone was the last time not answered, or refused, and does not ring now."""

    def forget(self, username: str) -> None:
        """Believe in a seat again: somebody is there."""


class NoRings:
    """Rings of which nothing is known."""

    in_vain: frozenset[str] = frozenset()

    def forget(self, username: str) -> None:
        """There is nothing to forget."""


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
