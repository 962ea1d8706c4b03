"""Golden traces: a table of events in, the call's record and its ticket out."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.calls.record import fold_call
from ivr.calls.states import CallState
from ivr.events.event import Event, Kind, is_call, seat_stream
from ivr.tickets.ticket import call_row, call_ticket
from tests.unit.kit import T0, told

Row = tuple[float, str, dict[str, Any]]
CALLER = {"mask": "138****8000", "enc": "c2VhbGVk", "hash": "beef"}
START: Row = (
    0.0,
    "call_started",
    {
        "source": "live",
        "dialled": "12315",
        "line_id": "market_12315",
        "caller": CALLER,
        "channel": "PJSIP/trunk-1",
        "recording": "/rec/2026/11/21/a1-1.1",
    },
)
PLACED: Row = (0.1, "placed", {"queue": "q_general", "priority": 0})
QUEUED: Row = (6.0, "queued", {"queue": "q_general", "position": 1})
RING_1: Row = (6.1, "seat_ringing", {"seat": "01", "operator": "1001", "channel": "PJSIP/seat01-2"})
LATE_1: Row = (21.1, "seat_no_answer", {"seat": "01", "operator": "1001", "ring_s": 15})
RING_2: Row = (21.2, "seat_ringing", {"seat": "02", "operator": "1002", "channel": "PJSIP/seat02-3"})
ANSWER_1: Row = (10.0, "answered", {"seat": "01", "operator": "1001", "channel": "PJSIP/seat01-2"})
ANSWER_2: Row = (24.0, "answered", {"seat": "02", "operator": "1002", "channel": "PJSIP/seat02-3"})
LEFT: Row = (70.0, "operator_left", {"seat": "01", "reason": "agent"})
BYE: Row = (72.0, "hung_up", {"cause": 16})
RECORDED: Row = (73.0, "recording_closed", {"path": "2026/x.wav", "sha256": "ab", "sides": ["caller"]})


@dataclass
class Trace:
    """Events and what must follow; ``ticket`` names only the columns that matter."""

    name: str
    rows: list[Row]
    state: CallState
    ticket: dict[str, Any] = field(default_factory=dict)
    legs: list[tuple[str, float, float | None]] | None = None


TRACES = [
    Trace(
        "answered",
        [START, PLACED, QUEUED, RING_1, ANSWER_1, LEFT, BYE],
        CallState.ENDED,
        {
            "outcome": "answered", "state": "accepted", "waited_s": 4.0, "talk_s": 60.0, "seat": "01",
            "operator": "1001", "queue": "q_general", "line_id": "market_12315", "dialled_number": "12315",
            "opened_at": T0, "caller_mask": "138****8000", "source": "live", "channel": "phone",
        },
        [("caller", 0.0, 72.0), ("operator", 10.0, 70.0)],
    ),
    Trace(
        "caller hangs up first",
        [START, QUEUED, ANSWER_1, BYE],
        CallState.ENDED,
        {"outcome": "answered", "talk_s": 62.0},
        [("caller", 0.0, 72.0), ("operator", 10.0, 72.0)],
    ),
    Trace(
        "still talking",
        [START, PLACED, QUEUED, RING_1, ANSWER_1],
        CallState.TALKING,
        {"outcome": None, "state": "accepted", "waited_s": 4.0, "talk_s": None},
        [("caller", 0.0, None), ("operator", 10.0, None)],
    ),
    Trace(
        "still waiting",
        [START, PLACED, QUEUED],
        CallState.WAITING,
        {"outcome": None, "state": "draft", "waited_s": None, "talk_s": None},
    ),
    Trace(
        "abandoned in the greeting",
        [START, PLACED, (3.0, "hung_up", {})],
        CallState.ENDED,
        {"outcome": "abandoned", "state": "draft", "waited_s": None, "talk_s": None, "seat": None,
         "queue": "q_general"},
        [("caller", 0.0, 3.0)],
    ),
    Trace(
        "abandoned before it was placed",
        [START, (0.05, "hung_up", {})],
        CallState.ENDED,
        {"outcome": "abandoned", "queue": None},
    ),
    Trace(
        "abandoned in the queue",
        [START, PLACED, QUEUED, RING_1, (18.5, "hung_up", {})],
        CallState.ENDED,
        {"outcome": "abandoned", "waited_s": 12.5, "talk_s": None, "seat": None, "operator": None},
    ),
    Trace(
        "the first seat does not answer, the second does",
        [START, QUEUED, RING_1, LATE_1, RING_2, ANSWER_2, LEFT, BYE],
        CallState.ENDED,
        {"outcome": "answered", "seat": "02", "operator": "1002", "waited_s": 18.0, "talk_s": 46.0},
    ),
    Trace(
        "back into the queue: the wait counts from the first time",
        [START, QUEUED, ANSWER_1, LEFT, (75.0, "queued", {"queue": "q_market"}), (80.0, "answered", ANSWER_2[2]),
         (95.0, "operator_left", {}), (96.0, "hung_up", {})],
        CallState.ENDED,
        {"queue": "q_market", "seat": "02", "waited_s": 4.0, "talk_s": 75.0},
        [("caller", 0.0, 96.0), ("operator", 10.0, 70.0), ("operator", 80.0, 95.0)],
    ),
    Trace(
        "the operator leaves first and the caller stays",
        [START, QUEUED, ANSWER_1, LEFT],
        CallState.SURVEYING,
        {"outcome": None, "talk_s": 60.0},
        [("caller", 0.0, None), ("operator", 10.0, 70.0)],
    ),
    Trace(
        "told twice that it started: the first one stands",
        [START, (2.0, "call_started", {"source": "reconciled", "dialled": "999", "caller": {}}), QUEUED, BYE],
        CallState.ENDED,
        {"source": "live", "dialled_number": "12315", "opened_at": T0, "caller_enc": "c2VhbGVk"},
        [("caller", 0.0, 72.0)],
    ),
    Trace(
        "reconciled after the engine was away",
        [
            (0.0, "call_started", {**START[2], "source": "reconciled", "reconciled": True}),
            (6.0, "queued", {"reconciled": True}),
            (10.0, "answered", {"channel": "PJSIP/seat01-2", "seat": "01", "reconciled": True}),
            (70.0, "operator_left", {"reconciled": True}),
            (72.0, "hung_up", {"reconciled": True}),
        ],
        CallState.ENDED,
        {"source": "reconciled", "outcome": "answered", "waited_s": 4.0, "talk_s": 60.0, "operator": None},
    ),
    Trace(
        "hung up twice: the first one stands",
        [START, QUEUED, (9.0, "hung_up", {}), (40.0, "hung_up", {"failed": True})],
        CallState.ENDED,
        {"outcome": "abandoned", "waited_s": 3.0},
        [("caller", 0.0, 9.0)],
    ),
    Trace(
        "Asterisk lost it before anybody answered",
        [START, QUEUED, (9.0, "hung_up", {"failed": True})],
        CallState.ENDED,
        {"outcome": "failed", "state": "draft"},
    ),
    Trace(
        "Asterisk lost it while they talked",
        [START, QUEUED, ANSWER_1, (30.0, "hung_up", {"failed": True})],
        CallState.ENDED,
        {"outcome": "answered", "talk_s": 20.0},
    ),
    Trace(
        "the beginning is told last",
        [QUEUED, ANSWER_1, START],
        CallState.TALKING,
        {"opened_at": T0, "line_id": "market_12315", "waited_s": 4.0},
        [("caller", 0.0, None), ("operator", 10.0, None)],
    ),
    Trace(
        "the answer is told after the end",
        [START, QUEUED, BYE, ANSWER_1, LEFT],
        CallState.ENDED,
        {"outcome": "answered", "state": "accepted", "waited_s": 4.0, "talk_s": 60.0, "seat": "01"},
        [("caller", 0.0, 72.0), ("operator", 10.0, 70.0)],
    ),
    Trace(
        "talked, waited again, and talks again",
        [START, QUEUED, ANSWER_1, LEFT, (75.0, "queued", {}), (80.0, "answered", ANSWER_2[2])],
        CallState.TALKING,
        {"outcome": None, "waited_s": 4.0, "talk_s": None},
    ),
    Trace(
        "talked, waited again, and gave up in the second wait",
        [START, QUEUED, ANSWER_1, LEFT, (75.0, "queued", {}), (300.0, "hung_up", {})],
        CallState.ENDED,
        {"outcome": "answered", "waited_s": 4.0, "talk_s": 60.0},
    ),
    Trace(
        "the operator leaves, the caller goes on with the third party after a while of music",
        [START, QUEUED, ANSWER_1, (30.0, "transfer_wanted", {}), LEFT, (70.0, "caller_kept", {}),
         (75.0, "third_answered", {"channel": "PJSIP/ivr-out-7", "target": "unit:water"}),
         (80.0, "third_accepted", {}), (81.0, "handed_off", {}), (101.0, "hung_up", {})],
        CallState.ENDED,
        {"outcome": "handed_off", "talk_s": 80.0},
        [("caller", 0.0, 101.0), ("operator", 10.0, 70.0), ("third", 75.0, 101.0)],
    ),
    Trace(
        "three talk, and then two: every second counts once",
        [START, QUEUED, ANSWER_1, (20.0, "third_answered", {"channel": "PJSIP/ivr-out-7"}),
         (30.0, "three_way", {}), (40.0, "operator_left", {"reason": "agent"}), (60.0, "hung_up", {})],
        CallState.ENDED,
        {"outcome": "handed_off", "talk_s": 50.0},
    ),
    Trace(
        "only help answered, called by the star key",
        [START, QUEUED, (8.0, "third_answered", {"channel": "PJSIP/ivr-out-7", "target": "110"}),
         (8.0, "handed_off", {"target": "110"}), (38.0, "hung_up", {})],
        CallState.ENDED,
        {"outcome": "handed_off", "operator": None, "talk_s": 30.0},
    ),
    Trace(
        "taken over by the shift leader",
        [START, QUEUED, ANSWER_1,
         (40.0, "taken_over", {"seat": "02", "operator": "1002", "channel": "PJSIP/seat02-9"}),
         (40.1, "operator_left", {"channel": "PJSIP/seat01-2"}),
         (70.0, "operator_left", {"channel": "PJSIP/seat02-9"}), BYE],
        CallState.ENDED,
        {"outcome": "answered", "seat": "02", "operator": "1002", "talk_s": 60.0},
        [("caller", 0.0, 72.0), ("operator", 10.0, 40.0), ("operator", 40.0, 70.0)],
    ),
    Trace(
        "diverted from 110",
        [(0.0, "call_started", {**START[2], "source": "110_diversion"}), QUEUED],
        CallState.WAITING,
        {"source": "110_diversion", "channel": "110_diversion"},
    ),
    Trace(
        "the recording failed",
        [START, QUEUED, ANSWER_1, BYE, (73.0, "recording_failed", {"reason": "disk full"}),
         (73.0, "transcript_failed", {"reason": "there is no recording"})],
        CallState.ENDED,
        {"recordings": [],
         "transcript": {"status": "failed", "text": "", "turns": [], "demonstration": None,
                        "reason": "there is no recording"}},
    ),
    Trace(
        "recorded, transcript pending",
        [START, QUEUED, ANSWER_1, BYE, RECORDED, (73.1, "transcript_pending", {})],
        CallState.ENDED,
        {"recordings": [RECORDED[2]],
         "transcript": {"status": "pending", "text": "", "turns": [], "demonstration": None}},
    ),
    Trace(
        "recorded and transcribed",
        [START, QUEUED, ANSWER_1, BYE, RECORDED, (73.1, "transcript_pending", {}),
         (75.0, "transcript_done",
          {"text": "停水了", "turns": [{"speaker": "caller"}], "model": "tiny", "demonstration": True})],
        CallState.ENDED,
        {"transcript": {"status": "done", "text": "停水了", "turns": [{"speaker": "caller"}],
                        "model": "tiny", "demonstration": True}},
    ),
]  # fmt: skip


@pytest.mark.parametrize("trace", TRACES, ids=[trace.name for trace in TRACES])
def test_a_call_and_its_ticket_say_what_happened(trace: Trace) -> None:
    record = told("a1-1.1", trace.rows)
    ticket = call_ticket(record)
    assert record.state is trace.state
    assert {name: ticket[name] for name in trace.ticket} == trace.ticket
    if trace.legs is not None:
        assert [
            (leg.role, leg.joined_at - T0, None if leg.left_at is None else leg.left_at - T0)
            for leg in record.legs
        ] == trace.legs


@pytest.mark.parametrize("trace", TRACES, ids=[trace.name for trace in TRACES])
def test_a_call_reads_the_same_from_the_journal_s_lines(trace: Trace) -> None:
    direct = told("a1-1.1", trace.rows)
    lines = [Event("a1-1.1", T0 + at, Kind(kind), data).to_line() for at, kind, data in trace.rows]
    again = fold_call("a1-1.1", map(Event.from_line, lines))
    assert call_row(again) == call_row(direct)
    assert call_ticket(again) == call_ticket(direct)


def test_an_ended_call_stays_ended_and_keeps_its_outcome_whatever_is_told_later() -> None:
    whole = [START, QUEUED, RING_1, ANSWER_1, LEFT, BYE]
    for late in itertools.chain(whole, [RING_2, ANSWER_2, LATE_1]):
        record = told("a1-1.1", [*whole, (99.0, late[1], late[2])])
        assert record.state is CallState.ENDED
        assert record.outcome == "answered"
        assert record.ended_at == T0 + 72.0
        assert record.talk_s is not None


@given(st.permutations([START, PLACED, QUEUED, RING_1, ANSWER_1, LEFT, BYE]))
def test_events_in_any_order_leave_one_answered_ended_call(rows: list[Row]) -> None:
    record = told("a1-1.1", rows)
    assert record.state is CallState.ENDED
    assert record.outcome == "answered"
    assert record.known
    assert (record.waited_s, record.talk_s) == (4.0, 60.0)
    assert [leg.role for leg in record.legs].count("caller") == 1
    assert all(leg.left_at is not None for leg in record.legs)


def test_a_wait_is_never_negative_when_two_clocks_disagree() -> None:
    early = (5.0, "answered", ANSWER_1[2])
    record = told("a1-1.1", [START, QUEUED, early, (4.0, "hung_up", {})])
    assert record.waited_s == 0.0
    assert record.talk_s == 0.0


def test_chinese_text_and_odd_characters_survive_a_line_of_the_journal() -> None:
    data = {"text": "张“三”\u0000\n\r\u2028", "n": 1.5, "none": None, "list": ["水", {"a": True}]}
    event = Event("a1-1.1", 1.25, Kind.NOTED, data)
    line = event.to_line()
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert Event.from_line(line) == event


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[]", b"1", b"null", b'{"stream":"a"}', b'{"stream":"a","at":"x","kind":"queued","data":{}}',
     b'{"stream":"a","at":1,"kind":"unheard_of","data":{}}', b'{"stream":"a","at":null,"kind":"queued","data":{}}',
     b'{"stream":"a","at":1,"kind":"queued","data":[]}', b"\xff\xfe"],
)  # fmt: skip
def test_what_is_no_event_is_refused_by_name(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Event.from_line(line)


def test_a_seat_is_never_taken_for_a_call() -> None:
    assert not is_call(seat_stream("01"))
    assert is_call("a1-1795296848.3")
