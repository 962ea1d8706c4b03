"""What the watch over admission needs of Asterisk's machine, of what was written down, and of the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ivr.admission.capacity import Capacity

Places = Mapping[str, Mapping[str, int]]
"""How far each file was read."""


@dataclass(frozen=True)
class Refusal:
    """One call; ``caller`` is empty where it was refused before anybody could read the number."""

    call_id: str
    at: float
    caller: str
    dialled: str
    reason: str
    trunk: str


class Machine(Protocol):
    """The machine on which calls are carried."""

    @property
    def live(self) -> bool:
        """Whether anything can be asked now."""

    @property
    def cores(self) -> int:
        """Its processors."""

    def cores_busy(self) -> float | None:
        """Return the processors that carrying calls keeps busy; None where that cannot be known."""

    def rtp_ports_used(self) -> int | None:
        """Return how many of our RTP ports are taken; None where that cannot be known."""

    async def admitted(self) -> int:
        """Return how many callers are admitted now.

        Raises:
            HotlineError: it is not said.
        """

    async def let_in(self, limit: int, until: int) -> None:
        """Let so many callers in, fewer than ports would hold; ``until``: seconds since the epoch.

        Raises:
            HotlineError: it is not done.
        """


class Written(Protocol):
    """What was written down of calls that were not let in, followed from a place that is remembered."""

    @property
    def places(self) -> Places:
        """How far was read, to be kept."""

    def read(self) -> Iterator[Sequence[Refusal]]:
        """Yield what is new, a piece at a time; a piece may hold none."""


class Carrier(Protocol):
    """What passes between us and the carrier."""

    async def stop(self) -> None:
        """Leave nothing behind in an Asterisk that goes on without us."""

    async def look(self) -> Sequence[Refusal]:
        """Return the calls that were refused without being written down, since the last time; numbers as they came.

        Raises:
            HotlineError: it cannot be known now.
        """


@dataclass(frozen=True)
class Wires:
    """All of it.

    Attributes:
        machine: where calls are carried.
        written: opens what was written down, at a place.
        carrier: what passes between us and the carrier.
        room: how many callers the ports hold.
        rtp_ports: how many ports there are.
    """

    machine: Machine
    written: Callable[[Places], Written]
    carrier: Carrier
    room: Callable[[], Capacity]
    rtp_ports: int


class Journal(Protocol):
    """The journal in the database."""

    async def last_events(self, stream: str, kinds: Sequence[str], limit: int) -> list[dict[str, Any]]:
        """Return the last events of some kinds of one stream, oldest first."""


class Remembered(Protocol):
    """What the database has, and whether it was read."""

    @property
    def restored(self) -> asyncio.Event:
        """Set when what was remembered has been taken up."""

    @property
    def store(self) -> Journal:
        """Where it is asked for."""
