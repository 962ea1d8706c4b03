"""What the tests of the engine's parts share: a small hotline, a journal in memory, a quick clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ivr.calls.open_calls import CallBook
from ivr.calls.record import CallRecord
from ivr.events.event import Event, Kind
from ivr.hotline.book import HotlineBook, Line, MergeMode, Operator, QueueSpec, Seat, Trunks

T0 = 1_795_296_848.0
"""A moment in November 2026, in seconds since the epoch; tests count from it."""


def small_book(**changes: Any) -> HotlineBook:
    """A hotline of two lines, two queues, three seats, three operators."""
    parts: dict[str, Any] = {
        "city": "乐山市",
        "region": "511100",
        "area_code": "0833",
        "number": "12345",
        "timezone": "Asia/Shanghai",
        "greeting": "P001",
        "lines": (
            Line("market_12315", "12315", "消费者投诉热线", "市场监管局", MergeMode.PARALLEL),
            Line("water", "0000-2101", "供水热线", "水务集团", MergeMode.WHOLE),
        ),
        "queues": (QueueSpec("q_general", "综合受理"), QueueSpec("q_market", "市场监管")),
        "seats": (Seat("01", "8001"), Seat("02", "8002"), Seat("03", "8003")),
        "operators": (
            Operator("1001", "话务员01", ("q_general",)),
            Operator("1002", "话务员02", ("q_general", "q_market")),
            Operator("1003", "话务员03", ("q_general",)),
        ),
        "trunks": Trunks(),
    }
    return HotlineBook(**(parts | changes))


class Clock:
    """Time that passes only when told."""

    def __init__(self, now: float = T0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Journal:
    """Everything that was journalled, in order."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def append(self, event: Event) -> None:
        self.events.append(Event.from_line(event.to_line()))

    def of(self, stream: str) -> list[Event]:
        return [event for event in self.events if event.stream == stream]

    def kinds(self, stream: str) -> list[str]:
        return [event.kind.value for event in self.of(stream)]

    async def known(self, streams: Sequence[str]) -> Mapping[str, Sequence[Event]]:
        """Answer as the database does."""
        return {stream: self.of(stream) for stream in streams}


def calls_of(journal: Journal) -> CallBook:
    """A call book that writes to a journal in memory."""
    return CallBook(journal.append)


def identify(number: str) -> dict[str, str]:
    """Say what may be stored of a number; the number itself never is."""
    return {"mask": "138****8000", "enc": f"sealed-{len(number)}", "hash": "h" * 8}


def event(call_id: str, after: float, kind: Kind | str, **data: Any) -> Event:
    """An event some seconds after T0."""
    return Event(call_id, T0 + after, Kind(kind), data)


def told(call_id: str, rows: Iterable[tuple[float, str, dict[str, Any]]]) -> CallRecord:
    """A call's record as a table of (seconds, kind, data) tells it."""
    record = CallRecord(call_id)
    for after, kind, data in rows:
        record.apply(event(call_id, after, kind, **data))
    return record
