"""The calls of this moment: nothing is decided that the journal does not have, nothing stays open for ever."""

from __future__ import annotations

from typing import Any

import pytest

from ivr.calls.open_calls import CallBook, Heard
from ivr.calls.record import CallRecord
from ivr.calls.states import CallState, SeatState
from ivr.events.event import Event, Kind
from ivr.seats.record import SeatRecord
from tests.unit.kit import T0, Journal, calls_of, event

CALL = "a1-1795296848.3"
WHOLE: list[tuple[float, str, dict[str, Any]]] = [
    (0.0, "call_started", {"dialled": "12345", "caller": {}}),
    (6.0, "queued", {"queue": "q_general"}),
    (9.0, "answered", {"seat": "01", "operator": "1001"}),
    (30.0, "operator_left", {}),
    (31.0, "hung_up", {}),
]


def a_whole_call(calls: CallBook) -> None:
    for after, kind, data in WHOLE:
        calls.record(event(CALL, after, kind, **data))


def test_what_cannot_be_journalled_is_not_believed() -> None:
    def refuse(_: Event) -> None:
        raise OSError("no journal")

    calls = CallBook(refuse)
    with pytest.raises(OSError, match="no journal"):
        calls.record(event(CALL, 0, "call_started"))
    assert not calls.ids()


def test_a_call_is_open_until_it_hangs_up_and_then_forgotten() -> None:
    journal = Journal()
    calls = calls_of(journal)
    calls.record(event(CALL, 0, "call_started"))
    assert calls[CALL].state is CallState.GREETING
    for after, kind, data in WHOLE[1:]:
        assert calls.record(event(CALL, after, kind, **data))
    assert not calls.ids()
    assert calls.over[CALL] == Heard(whole=True, greeted=False, queued=True, answered=True)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("recording_closed", {"path": "a.wav", "sha256": "0", "sides": ["caller"]}),
        ("recording_failed", {"reason": "x"}),
        ("transcript_pending", {}),
        ("transcript_done", {"text": "停水"}),
        ("transcript_failed", {"reason": "x"}),
        ("noted", {"what": "x"}),
        ("track_not_closed", {"path": "a.raw"}),
        ("message_not_closed", {"path": "a.wav"}),
        ("callback_left_to_person", {"why": "x"}),
    ],
)
def test_words_told_after_a_call_do_not_make_a_ghost_that_waits_for_ever(
    kind: str, data: dict[str, Any]
) -> None:
    journal = Journal()
    calls = calls_of(journal)
    a_whole_call(calls)
    assert calls.record(event(CALL, 32, kind, **data))
    assert not calls.ids()
    assert journal.kinds(CALL)[-1] == kind
    fresh_start = calls_of(Journal())  # after a restart the book knows nothing of ended calls
    fresh_start.record(event(CALL, 32, kind, **data))
    assert not fresh_start.ids()


def test_an_event_that_asterisk_tells_after_the_hangup_does_not_open_the_call_again() -> None:
    journal = Journal()
    calls = calls_of(journal)
    for after, kind, data in [*WHOLE[:3], WHOLE[4]]:
        calls.record(event(CALL, after, kind, **data))
    calls.record(event(CALL, 31.1, "operator_left"))
    assert not calls.ids()
    assert journal.kinds(CALL)[-1] == "operator_left"


def test_an_unexpected_event_is_journalled_and_changes_no_state() -> None:
    journal = Journal()
    calls = calls_of(journal)
    calls.record(event(CALL, 0, "call_started"))
    assert not calls.record(event(CALL, 1, "operator_left"))
    assert calls[CALL].state is CallState.GREETING
    assert journal.kinds(CALL) == ["call_started", "operator_left"]


def test_listeners_hear_of_a_hangup_with_the_whole_call() -> None:
    heard: list[tuple[Kind, CallRecord | None]] = []
    calls = CallBook(Journal().append)
    calls.events.subscribe("a listener", lambda event, call: heard.append((event.kind, call)))
    a_whole_call(calls)
    kind, call = heard[-1]
    assert kind is Kind.HUNG_UP
    assert call is not None
    assert call.outcome == "answered"
    calls.record(Event("seat:01", T0, Kind.LOGGED_IN, {"operator": "1001"}))
    assert heard[-1] == (Kind.LOGGED_IN, None)


def test_calls_whose_talk_we_heard_only_half_are_compared_with_asterisk_s_records() -> None:
    calls = calls_of(Journal())
    for after, kind, data in [*WHOLE[:3], WHOLE[4]]:  # the operator's leaving was not heard
        calls.record(event(CALL, after, kind, **data))
    assert not calls.over[CALL].whole
    calls.record(event("a1-2.1", 0, "queued"))
    calls.record(event("a1-2.1", 1, "hung_up"))
    assert not calls.over["a1-2.1"].whole


def test_a_month_of_calls_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivr.calls.open_calls._REMEMBERED", 10)
    calls = calls_of(Journal())
    for number in range(100):
        calls.record(event(f"a1-{number}.1", number, "call_started"))
        calls.record(event(f"a1-{number}.1", number + 1, "hung_up"))
    assert len(calls.over) <= 11
    assert "a1-99.1" in calls.over


def test_what_the_database_remembers_does_not_overwrite_what_was_just_heard() -> None:
    calls = calls_of(Journal())
    calls.record(event("a1-1.1", 5, "call_started"))
    calls.record(event("a1-1.1", 6, "queued"))
    calls.record(event("a1-2.2", 6, "queued"))  # heard after a restart, its beginning is in the database
    calls.record(Event("seat:01", T0, Kind.LOGGED_IN, {"operator": "1001"}))
    old = CallRecord("a1-1.1", started_at=T0)
    beginning = CallRecord("a1-2.2", started_at=T0, state=CallState.WAITING)
    calls.restore([old, beginning], [SeatRecord("01"), SeatRecord("02", SeatState.READY, "1002")])
    assert calls["a1-1.1"].state is CallState.WAITING
    assert calls["a1-2.2"].started_at == T0
    assert calls.operator_on("01") == "1001"
    assert calls.seat_of("1002") == "02"


def test_only_seats_that_talk_are_busy() -> None:
    calls = calls_of(Journal())
    for after, kind, data in WHOLE[:3]:
        calls.record(event(CALL, after, kind, **data))
    assert list(calls.busy_seats()) == ["01"]
    calls.record(event(CALL, 30, "operator_left"))
    assert not calls.busy_seats()


def test_a_look_at_the_seats_before_the_start_is_finished_throws_nobody_out() -> None:
    calls = calls_of(Journal())
    assert calls.seat("01").state is SeatState.LOGGED_OUT
    assert calls.operator_on("01") is None
    assert not calls.seats
    calls.restore([], [SeatRecord("01", SeatState.PAUSED, "1001", "meal", T0)])
    assert calls.seat("01").state is SeatState.PAUSED
    assert calls.operator_on("01") == "1001"
    assert calls.seat_of("1001") == "01"
