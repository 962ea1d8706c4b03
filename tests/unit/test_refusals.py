"""Calls that were not let in: each is counted, each is a record, and a flood fills no disk."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from ivr.admission import refusals as module
from ivr.admission.refusals import CALLS_REFUSED, QUIET_S, Refusal, Refusals
from ivr.alarms.board import Alarms
from ivr.calls.open_calls import CallBook
from ivr.events.event import Event, Kind, is_call, refused_stream
from tests.unit.kit import T0, Clock, Journal, identify


def day(at: float) -> date:
    return datetime.fromtimestamp(at, UTC).date()


TODAY = refused_stream(day(T0))


class Desk:
    """Refused calls with a journal in memory and a clock."""

    def __init__(self) -> None:
        self.clock, self.journal = Clock(), Journal()
        self.calls = CallBook(self.journal.append)
        self.refusals = Refusals(self.calls.record, identify, day, self.clock)

    def refuse(self, name: str, after: float = 0.0, reason: str = "busy", trunk: str = "trunk") -> None:
        self.refusals.take([Refusal(name, T0 + after, "13800138000", "12345", reason, trunk)])

    def rows(self) -> list[Event]:
        return [event for event in self.journal.events if event.kind is Kind.CALL_REFUSED]

    def again(self, *, state: bool = True) -> Refusals:
        """Start anew, with or without what was kept."""
        fresh = Refusals(self.calls.record, identify, day, self.clock)
        known = [str(event.data["call_id"]) for event in self.rows()]
        fresh.restore(self.refusals.state() if state else {}, known)
        return fresh


def test_a_refused_call_is_a_record_with_its_number_sealed() -> None:
    desk = Desk()
    desk.refuse("c1")
    assert desk.refusals.by_trunk() == {"busy": {"trunk": 1}}
    (row,) = desk.journal.of(TODAY)
    assert row.data == {
        "call_id": "c1",
        "caller": identify("13800138000"),
        "dialled": "12345",
        "reason": "busy",
        "trunk": "trunk",
        "calls": 1,
    }
    assert not is_call(TODAY)
    assert desk.calls.calls == {}, "it is no call that goes on"


def test_a_flood_is_counted_to_the_last_call_and_writes_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS_A_MINUTE", 10)
    desk = Desk()
    for n in range(95):
        desk.refuse(f"c{n}", trunk="trunk" if n % 2 else "other")
    assert sum(desk.refusals.by_reason().values()) == 95
    assert len(desk.rows()) == 10
    desk.refusals.settle()
    assert len(desk.rows()) == 10, "the minute is not over"
    desk.clock.now += 120
    desk.refusals.settle()
    desk.refusals.settle()
    rows = desk.rows()
    assert len(rows) == 12, "one more row for each trunk"
    assert sum(row.data["calls"] for row in rows) == 95
    desk.refuse("next minute", 120)
    assert len(desk.rows()) == 13, "the next minute has rows of its own again"


def test_a_day_of_flood_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS_A_DAY", 20)
    desk = Desk()
    for n in range(60):
        desk.refuse(f"c{n}", n * 60.0)
        desk.clock.now = T0 + n * 60.0
        desk.refusals.settle()
    desk.clock.now += 120
    desk.refusals.settle()
    assert sum(row.data["calls"] for row in desk.rows()) == 60
    alone = [row for row in desk.rows() if row.data["call_id"]]
    assert len(alone) == 20


def test_counts_begin_anew_at_midnight_and_a_late_record_is_in_its_own_day() -> None:
    desk = Desk()
    desk.refuse("today")
    desk.clock.now += 86_400
    assert desk.refusals.by_reason() == {}
    desk.refuse("of yesterday", 10)
    assert desk.refusals.by_reason() == {}
    assert [event.data["call_id"] for event in desk.journal.of(TODAY)] == ["today", "of yesterday"]


def test_a_restart_keeps_the_counts() -> None:
    desk = Desk()
    for n in range(3):
        desk.refuse(f"c{n}")
    assert desk.again().by_reason() == {"busy": 3}
    desk.clock.now += 86_400
    assert desk.again().by_reason() == {}


def test_what_is_read_again_after_a_kill_is_counted_and_not_written_twice() -> None:
    desk = Desk()
    desk.refuse("c1")  # journalled; the engine is killed before it keeps how far it read
    fresh = desk.again(state=False)
    fresh.take([Refusal("c1", T0, "13800138000", "12345", "busy", "trunk")])
    assert fresh.by_reason() == {"busy": 1}
    assert len(desk.rows()) == 1


def test_the_alarm_tells_counts_and_goes_when_nobody_is_refused_any_more() -> None:
    desk = Desk()
    alarms = Alarms(desk.calls.record, desk.clock)

    def look() -> list[str]:
        alarms.judge(desk.refusals.faults(), {CALLS_REFUSED})
        return [alarm.sentence for alarm in alarms.active]

    assert look() == []
    desk.refuse("c1")
    desk.refuse("c2", reason="unknown_number", trunk="from-110")
    (sentence,) = look()
    assert "1 busy (trunk, 503, last dialled 12345)" in sentence
    assert "1 unknown_number (from-110, 404, last dialled 12345)" in sentence
    assert "lines.yaml" in sentence, "what to do about it"
    desk.clock.now += QUIET_S - 1
    assert look()
    desk.clock.now += 2
    look()
    assert look() == []


def test_a_seat_that_dials_a_wrong_code_is_recorded_and_alarms_nobody() -> None:
    desk = Desk()
    desk.refuse("c1", reason="unknown_number", trunk="seat01")
    assert desk.refusals.by_reason() == {"unknown_number": 1}
    assert desk.refusals.faults() == []
