"""The tables of a call and of a seat: every row is walked, everything else is refused."""

from __future__ import annotations

import pytest

from ivr.calls.record import CallRecord
from ivr.calls.states import CALL_TRANSITIONS, SEAT_TRANSITIONS, CallState, SeatState
from ivr.events.event import Event, Kind
from ivr.events.notes import NOTES
from ivr.seats.record import SeatRecord

S, K = CallState, Kind

CALL_ROWS = [
    (S.GREETING, K.QUEUED, S.WAITING),
    (S.GREETING, K.SEAT_RINGING, S.RINGING),
    (S.GREETING, K.ANSWERED, S.TALKING),
    (S.GREETING, K.HANDED_OFF, S.HANDED_OFF),
    (S.GREETING, K.HUNG_UP, S.ENDED),
    (S.WAITING, K.QUEUED, S.WAITING),
    (S.WAITING, K.SEAT_RINGING, S.RINGING),
    (S.WAITING, K.ANSWERED, S.TALKING),
    (S.WAITING, K.HANDED_OFF, S.HANDED_OFF),
    (S.WAITING, K.VOICEMAIL_LEFT, S.VOICEMAIL),
    (S.WAITING, K.CALLBACK_CLAIMED, S.CALLBACK),
    (S.WAITING, K.HUNG_UP, S.ENDED),
    (S.RINGING, K.SEAT_RINGING, S.RINGING),
    (S.RINGING, K.SEAT_NO_ANSWER, S.WAITING),
    (S.RINGING, K.ANSWERED, S.TALKING),
    (S.RINGING, K.QUEUED, S.WAITING),
    (S.RINGING, K.HANDED_OFF, S.HANDED_OFF),
    (S.RINGING, K.VOICEMAIL_LEFT, S.VOICEMAIL),
    (S.RINGING, K.CALLBACK_CLAIMED, S.CALLBACK),
    (S.RINGING, K.HUNG_UP, S.ENDED),
    (S.TALKING, K.OPERATOR_LEFT, S.SURVEYING),
    (S.TALKING, K.THREE_WAY, S.THREE_WAY),
    (S.TALKING, K.TAKEN_OVER, S.TALKING),
    (S.TALKING, K.QUEUED, S.WAITING),
    (S.TALKING, K.HUNG_UP, S.ENDED),
    (S.THREE_WAY, K.OPERATOR_LEFT, S.HANDED_OFF),
    (S.THREE_WAY, K.THIRD_LEFT, S.TALKING),
    (S.THREE_WAY, K.TAKEN_OVER, S.THREE_WAY),
    (S.THREE_WAY, K.QUEUED, S.WAITING),
    (S.THREE_WAY, K.HUNG_UP, S.ENDED),
    (S.HANDED_OFF, K.THIRD_LEFT, S.SURVEYING),
    (S.HANDED_OFF, K.TAKEN_OVER, S.THREE_WAY),
    (S.HANDED_OFF, K.CALLER_KEPT, S.WAITING),
    (S.HANDED_OFF, K.QUEUED, S.WAITING),
    (S.HANDED_OFF, K.HUNG_UP, S.ENDED),
    (S.SURVEYING, K.HANDED_OFF, S.HANDED_OFF),
    (S.SURVEYING, K.CALLER_KEPT, S.WAITING),
    (S.SURVEYING, K.QUEUED, S.WAITING),
    (S.SURVEYING, K.HUNG_UP, S.ENDED),
    (S.VOICEMAIL, K.QUEUED, S.WAITING),
    (S.VOICEMAIL, K.HANDED_OFF, S.HANDED_OFF),
    (S.VOICEMAIL, K.CALLBACK_CLAIMED, S.CALLBACK),
    (S.VOICEMAIL, K.HUNG_UP, S.ENDED),
    (S.CALLBACK, K.HUNG_UP, S.CALLBACK),
    (S.CALLBACK, K.CALLBACK_TRIED, S.CALLBACK),
    (S.CALLBACK, K.CALLBACK_UNREACHED, S.CALLBACK),
    (S.CALLBACK, K.CALLBACK_ANSWERED, S.TALKING),
    (S.CALLBACK, K.CALLBACK_FAILED, S.ENDED),
]
SEAT_ROWS = [
    (SeatState.LOGGED_OUT, K.LOGGED_IN, SeatState.READY),
    (SeatState.READY, K.LOGGED_OUT, SeatState.LOGGED_OUT),
    (SeatState.READY, K.PAUSED, SeatState.PAUSED),
    (SeatState.READY, K.WRAP_UP_STARTED, SeatState.WRAP_UP),
    (SeatState.WRAP_UP, K.LOGGED_OUT, SeatState.LOGGED_OUT),
    (SeatState.WRAP_UP, K.PAUSED, SeatState.PAUSED),
    (SeatState.WRAP_UP, K.WRAP_UP_STARTED, SeatState.WRAP_UP),
    (SeatState.WRAP_UP, K.WRAP_UP_ENDED, SeatState.READY),
    (SeatState.PAUSED, K.LOGGED_OUT, SeatState.LOGGED_OUT),
    (SeatState.PAUSED, K.PAUSED, SeatState.PAUSED),
    (SeatState.PAUSED, K.RESUMED, SeatState.READY),
]
MOVING = {kind for _, kind, _ in CALL_ROWS}


def call_in(state: CallState) -> CallRecord:
    return CallRecord("a1-1.1", state=state)


def an_event(kind: Kind) -> Event:
    told = kind in (K.RECORDING_CLOSED, K.TRACK_BEGUN)
    data = {"path": "x.wav", "sha256": "0" * 64, "sides": ["caller"]} if told else {}
    return Event("a1-1.1", 1.0, kind, data)


def test_the_tables_have_just_the_rows_written_down_here() -> None:
    assert sorted(CALL_ROWS) == sorted(
        (state, kind, after) for state, row in CALL_TRANSITIONS.items() for kind, after in row.items()
    )
    assert sorted(SEAT_ROWS) == sorted(
        (state, kind, after) for state, row in SEAT_TRANSITIONS.items() for kind, after in row.items()
    )


@pytest.mark.parametrize(("state", "kind", "after"), CALL_ROWS)
def test_a_call_moves_as_its_table_says(state: CallState, kind: Kind, after: CallState) -> None:
    call = call_in(state)
    assert call.apply(an_event(kind))
    assert call.state is after


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (state, kind)
        for state in CallState
        for kind in sorted(MOVING)
        if (state, kind) not in {(s, k) for s, k, _ in CALL_ROWS}
    ],
)
def test_a_call_refuses_what_its_table_does_not_have(state: CallState, kind: Kind) -> None:
    call = call_in(state)
    assert not call.apply(an_event(kind))
    assert call.state is state


@pytest.mark.parametrize("state", CallState)
@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in MOVING])
def test_what_is_only_told_of_a_call_never_moves_it(state: CallState, kind: Kind) -> None:
    call = call_in(state)
    assert call.apply(an_event(kind))
    assert call.state is state


@pytest.mark.parametrize("state", [state for state in CallState if state not in (S.ENDED, S.CALLBACK)])
def test_a_hangup_ends_a_call_in_any_state(state: CallState) -> None:
    call = call_in(state)
    call.apply(an_event(K.HUNG_UP))
    assert call.state is S.ENDED
    assert call.outcome is not None


@pytest.mark.parametrize(("state", "kind", "after"), SEAT_ROWS)
def test_a_seat_moves_as_its_table_says(state: SeatState, kind: Kind, after: SeatState) -> None:
    seat = SeatRecord("01", state=state)
    assert seat.apply(Event("seat:01", 5.0, kind, {"operator": "1001", "reason": "meal", "until": 35.0}))
    assert seat.state is after
    assert seat.since == 5.0
    assert seat.until == (35.0 if after is SeatState.WRAP_UP else None)
    assert seat.reason == ("meal" if after is SeatState.PAUSED else "")


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (state, kind)
        for state in SeatState
        for kind in Kind
        if kind not in {*NOTES, K.CLOCK_SET} and (state, kind) not in {(s, k) for s, k, _ in SEAT_ROWS}
    ],
)
def test_a_seat_refuses_what_its_table_does_not_have(state: SeatState, kind: Kind) -> None:
    seat = SeatRecord("01", state=state, operator="1001", since=1.0)
    assert not seat.apply(Event("seat:01", 5.0, kind, {"operator": "1002"}))
    assert (seat.state, seat.operator, seat.since) == (state, "1001", 1.0)


@pytest.mark.parametrize("state", SeatState)
@pytest.mark.parametrize("kind", sorted(NOTES))
def test_what_is_only_noted_of_a_seat_never_moves_it(state: SeatState, kind: Kind) -> None:
    seat = SeatRecord("01", state=state, operator="1001", reason="meal", since=1.0)
    assert seat.apply(Event("seat:01", 5.0, kind, {"operator": "1002"}))
    assert (seat.state, seat.operator, seat.reason, seat.since) == (state, "1001", "meal", 1.0)


@pytest.mark.parametrize("state", SeatState)
def test_a_clock_that_is_set_moves_no_seat_and_changes_no_remaining_time(state: SeatState) -> None:
    seat = SeatRecord("01", state=state, operator="1001", reason="meal", since=1.0, until=31.0)
    assert seat.apply(Event("seat:01", 3605.0, K.CLOCK_SET, {"step_s": 3600.0}))
    assert (seat.state, seat.operator, seat.reason) == (state, "1001", "meal")
    moved = state is not SeatState.LOGGED_OUT
    assert (seat.since, seat.until) == ((3601.0, 3631.0) if moved else (1.0, 31.0))


def test_nobody_sits_on_a_seat_after_a_log_out() -> None:
    seat = SeatRecord("01")
    seat.apply(Event("seat:01", 1.0, K.LOGGED_IN, {"operator": "1001"}))
    assert seat.operator == "1001"
    seat.apply(Event("seat:01", 2.0, K.PAUSED, {"reason": "meal"}))
    assert seat.operator == "1001"
    seat.apply(Event("seat:01", 3.0, K.LOGGED_OUT))
    assert seat.operator is None
    assert seat.reason == ""
