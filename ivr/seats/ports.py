"""What seats, and those who wait for them, need of whatever carries the voice: Protocols that the domain owns."""

from __future__ import annotations

import enum
from collections.abc import Mapping
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
