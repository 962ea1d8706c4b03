"""``subscribe``: what is so now, then everything that happens, in the journal's order, on one held connection.

A reader names the position it has read up to and goes on from there, also after the engine was killed: a position is a
place in the journal, which outlives it.  What a reader is told comes from the journal's file, so that one who reads
slowly costs no memory; one who stopped reading is hung up on, and one whose position is gone is told to start over.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from ivr.errors import HotlineError
from ivr.events.bus import EventBus
from ivr.events.event import Event, Passing
from ivr.store import given_numbers

log = logging.getLogger(__name__)

READS_NO_MORE_S = 60.0
"""A reader who takes nothing for so long is hung up on; it comes again with its position."""
MOST_PASSING = 1_000
"""Passing events that wait for one reader; the oldest are left out."""
_INSIDE = ("caller",)
"""Values of events that are stored and never shown: sealed numbers."""

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Sends one object as a line, and waits until the reader has taken what came before."""


class Journal(Protocol):
    """The journal's file."""

    def end(self) -> str:
        """Return the position behind the newest line."""

    def read(self, position: str) -> tuple[list[bytes], str]:
        """Return lines from a position on, and the position behind them."""

    def holds(self, position: str) -> bool:
        """Tell whether a line begins at a position, and everything since is there."""


class WrongPosition(HotlineError):
    """What a reader calls a position is none."""

    code = "position"


class Stream:
    """Tells readers what happens.

    Args:
        journal: where events are.
        events: says that there are new ones.
        snapshot: returns what is so this moment, as plain values; must not wait.
        reads_no_more_s: seconds after which a reader who takes nothing is hung up on.
    """

    def __init__(
        self,
        journal: Journal,
        events: EventBus,
        snapshot: Callable[[], Mapping[str, Any]],
        reads_no_more_s: float = READS_NO_MORE_S,
    ) -> None:
        self._journal = journal
        self._events = events
        self._snapshot = snapshot
        self._reads_no_more_s = reads_no_more_s

    async def __call__(self, request: Mapping[str, Any], send: Send) -> None:
        """Tell one reader everything, until it goes.

        Args:
            request: ``position`` (without one: a snapshot first), ``passing`` (whether passing events are told too).
            send: takes ``{"snapshot", "position"}``, ``{"events", "position"}``, ``{"passing"}``, ``{"start_over"}``.

        Raises:
            WrongPosition: the position has another form.
        """
        position = request.get("position")
        if position is not None and not _is_position(position):
            raise WrongPosition(
                "position is what an earlier answer gave, for example 1795299435:2048; leave it out to start over.",
                "position 应为先前应答给出的位置，如 1795299435:2048；不写则从头开始。",
            )
        new, passing = asyncio.Event(), deque[Passing](maxlen=MOST_PASSING)
        ends = [self._events.subscribe("a reader of the stream", lambda *_: new.set())]
        if request.get("passing"):
            ends.append(
                self._events.subscribe_passing("a reader of the stream", _both(passing.append, new.set))
            )
        try:
            await self._follow(position, send, new, passing)
        except TimeoutError:
            log.info(
                "a reader of the stream takes nothing for %.0f s; it is hung up on", self._reads_no_more_s
            )
        finally:
            for end in ends:
                end()

    async def _follow(
        self, position: str | None, send: Send, new: asyncio.Event, passing: deque[Passing]
    ) -> None:
        if position is None:
            position = self._journal.end()  # and what is so at just this position
            await self._send(send, {"snapshot": self._snapshot(), "position": position})
        while True:
            if not self._journal.holds(position):
                await self._send(
                    send, {"start_over": "what happened since that position is not there any more"}
                )
                return
            new.clear()
            lines, after = self._journal.read(position)
            events = [told for line in lines if (told := _told(line)) is not None]
            if events:
                await self._send(send, {"events": events, "position": after})
            while passing:
                one = passing.popleft()
                told = {"stream": one.stream, "at": one.at, "kind": one.kind.value, "data": dict(one.data)}
                await self._send(send, {"passing": told})
            if after == position:
                await new.wait()
            position = after
            await asyncio.sleep(0)  # callers come first

    async def _send(self, send: Send, told: Mapping[str, Any]) -> None:
        async with asyncio.timeout(self._reads_no_more_s):
            await send(told)


def _both(first: Callable[[Passing], object], second: Callable[[], object]) -> Callable[[Passing], None]:
    def hear(passing: Passing) -> None:
        first(passing)
        second()

    return hear


def _is_position(text: object) -> bool:
    segment, colon, offset = str(text).partition(":")
    return bool(colon) and segment.isdecimal() and offset.isdecimal() and len(str(text)) <= 40


def _told(line: bytes) -> dict[str, Any] | None:
    if not line.strip() or given_numbers.read(line):
        return None
    try:
        row = Event.from_line(line).to_row()
    except ValueError:  # torn by a power cut; the projector says so
        return None
    row["data"] = {name: value for name, value in row["data"].items() if name not in _INSIDE}
    return row
