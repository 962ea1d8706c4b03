"""What those who wait need of whatever carries the voice: Protocols that the domain owns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ivr.calls.facts import CallbackWord
from ivr.errors import HotlineError
from ivr.seats.ports import QueueStatus


class QueueCounts(NamedTuple):
    """How a queue stands: seats that could take a caller now, and callers who wait."""

    queue: str
    free: int
    callers: int


class Queues(Protocol):
    """The queues and those who wait in them.  What is asked may raise ``HotlineError``."""

    @property
    def live(self) -> bool:
        """Whether anything can be asked now."""

    async def status(self) -> QueueStatus:
        """Return everything about the queues; in a crowd that is dear."""

    async def counts(self) -> Sequence[QueueCounts]:
        """Return how the queues stand: it costs the same in a crowd."""

    async def cut_short(self, channel: str) -> None:
        """End the announcement that a caller hears; who has gone hears none."""

    async def change_language(self, channel: str, was: str, becomes: str) -> None:
        """Let the queue say something else to a caller from now on, if it still says what is thought."""

    async def take_message(self, channel: str) -> None:
        """Lead a caller to where a message is left."""


@dataclass(frozen=True)
class Standing:
    """A placeholder that is asked for.

    Attributes:
        call_id: the call of which the place is kept.
        attempt: which try it is, from 1.
        uri: the SIP address at which the citizen is called.
        caller_id: the number they are shown.
        queue: where it stands.
        priority: of its place there.
        position: its place there, from 1.
        recording: path of the talk's recording, without ending.
        spare: path of what the queue records besides.
        source: where the call came from.
        line_id: its department line, empty for none.
        dialled: what was dialled.
    """

    call_id: str
    attempt: int
    uri: str
    caller_id: str
    queue: str
    priority: int
    position: int
    recording: str = ""
    spare: str = ""
    source: str = ""
    line_id: str = ""
    dialled: str = ""


@dataclass(frozen=True)
class Seen:
    """What there is at one moment.

    Attributes:
        channels: the names of all channels.
        placeholders: the queue's end of each placeholder, by call id.
        words: what was left of each callback, by call id; None for what cannot be read.
        status: the queues.
    """

    channels: frozenset[str]
    placeholders: Mapping[str, str]
    words: Mapping[str, CallbackWord | None]
    status: QueueStatus

    @property
    def waiting(self) -> dict[str, str]:
        """The placeholders that wait for a seat, or ring one: channel by call id."""
        waits = {caller.channel for caller in self.status.callers}
        return {call_id: name for call_id, name in self.placeholders.items() if name in waits}


class NotTaken(HotlineError):
    """A placeholder cannot stand in the queue."""

    code = "placeholder"


class Placeholders(Protocol):
    """Placeholders in queues: once one stands, the callback is carried out without us, and word is left of it."""

    @property
    def live(self) -> bool:
        """Whether anything can be asked now."""

    async def look(self) -> Seen:
        """Return everything about placeholders."""

    async def status(self) -> QueueStatus:
        """Return everything about the queues."""

    async def stand(self, wanted: Standing) -> None:
        """Ask for a placeholder; it is in the queue a moment later.

        Raises:
            NotTaken: it was refused.
            HotlineError: there was no answer; it may come all the same.
        """

    async def remove(self, channel: str) -> None:
        """Take a placeholder away; one that has gone by itself is no fault."""

    async def forget(self, call_id: str) -> None:
        """Take away the word that was left of a callback, where there is one."""
