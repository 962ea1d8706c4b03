"""Reception: who calls which line, what they hear first, which queue holds them.

The decision is made in one breath and handed to Asterisk, which then plays and queues by itself:
a kill of the engine in mid-greeting changes nothing for the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ivr.calls.events import Event, Kind
from ivr.hotline.book import HotlineBook, diverted_numbers

DIVERSION_110 = "110_diversion"


@dataclass(frozen=True)
class Arrival:
    """A call as it reaches reception.

    Attributes:
        call_id: Asterisk's ``linkedid``.
        caller: the caller's number as the trunk gave it, perhaps empty.
        dialled: digits dialled.
        source: ``live`` or ``110_diversion``.
        diverted: Diversion and History-Info values, or plain numbers.
        channel: the caller's channel.
        recording: path of the recording without extension.
    """

    call_id: str
    caller: str
    dialled: str
    source: str = "live"
    diverted: tuple[str, ...] = ()
    channel: str = ""
    recording: str = ""


@dataclass(frozen=True)
class Placement:
    """Where a call goes: a queue, with what priority, after which prompts."""

    queue: str
    priority: int
    prompts: tuple[str, ...]


class Conversation(Protocol):
    """A caller who is on the line."""

    async def place(self, placement: Placement) -> None:
        """Hand the decision to whatever carries the voice."""


def started(
    arrival: Arrival, book: HotlineBook, identify: Callable[[str], Mapping[str, str]]
) -> dict[str, Any]:
    """Return the data of a call's first event.

    Args:
        arrival: the call.
        book: what the city configured.
        identify: turns a caller's number into its mask, ciphertext and fingerprint.
    """
    plain = tuple(value for value in arrival.diverted if value.isdigit())
    numbers = (*diverted_numbers(value for value in arrival.diverted if not value.isdigit()), *plain)
    line = book.find_line(arrival.dialled, numbers)
    return {
        "source": arrival.source,
        "dialled": arrival.dialled,
        "diverted": [
            number if number in book.answered else identify(number)["mask"]
            for number in dict.fromkeys(numbers)
        ],
        "line_id": line.id if line else None,
        "caller": dict(identify(arrival.caller)),
        "channel": arrival.channel,
        "recording": arrival.recording,
    }


def place(arrival: Arrival, book: HotlineBook, priority_110: int) -> Placement:
    """Decide where a call goes.

    A diversion from 110 waits for no prompt and goes before ordinary callers
    (国办发〔2022〕12号); everybody else hears the greeting with the recording notice.
    """
    queue = book.general_queue.id
    if arrival.source == DIVERSION_110:
        return Placement(queue, priority_110, ())
    return Placement(queue, 0, (book.greeting,))


async def receive(
    arrival: Arrival,
    caller: Conversation,
    book: HotlineBook,
    record: Callable[[Event], object],
    *,
    now: float,
    identify: Callable[[str], Mapping[str, str]],
    priority_110: int,
) -> Placement:
    """Open the call and its ticket, and place the caller.

    Args:
        arrival: the call.
        caller: who is on the line.
        book: what the city configured.
        record: journals an event.
        now: seconds since the epoch.
        identify: turns a caller's number into what may be stored.
        priority_110: the queue priority of a diversion from 110.
    """
    record(Event(arrival.call_id, now, Kind.CALL_STARTED, started(arrival, book, identify)))
    placement = place(arrival, book, priority_110)
    await caller.place(placement)
    record(
        Event(arrival.call_id, now, Kind.PLACED, {"queue": placement.queue, "priority": placement.priority})
    )
    return placement
