"""The stream of events: everybody hears what happened, in the journal's order, whatever the others do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.calls.open_calls import CallBook
from ivr.calls.states import CallState
from ivr.events.bus import MOST_ANSWERS, SUBSCRIBER_FAILED, EventBus, EventCircle
from ivr.events.event import Event, Kind, Passing, PassingKind
from ivr.events.streams import HOTLINE, StreamType, UnknownStream, stream_type
from tests.unit.kit import T0, Journal, calls_of, event

CALL = "a1-1795296848.3"
Story = list[tuple[str, Kind]]


def kinds_of(told: list[Event]) -> Story:
    return [(one.stream, one.kind) for one in told]


def a_call(calls: CallBook) -> None:
    for after, kind, data in (
        (0.0, "call_started", {"dialled": "12345", "caller": {}}),
        (6.0, "placed", {"queue": "q_general", "priority": 3}),
        (6.1, "queued", {"queue": "q_general"}),
        (9.0, "answered", {"seat": "01", "operator": "1001"}),
        (30.0, "operator_left", {}),
        (31.0, "hung_up", {}),
    ):
        calls.record(event(CALL, after, kind, **data))


@given(
    habits=st.lists(
        st.sampled_from(["hears", "raises", "emits", "emits and raises"]), min_size=10, max_size=10
    ),
    moment=st.sampled_from([Kind.QUEUED, Kind.ANSWERED, Kind.OPERATOR_LEFT]),
)
def test_ten_subscribers_hear_the_journal_s_order_and_the_caller_is_placed_all_the_same(
    habits: list[str], moment: Kind
) -> None:
    journal = Journal()
    calls = calls_of(journal)
    heard: list[list[Event]] = [[] for _ in habits]

    def subscriber(number: int, habit: str) -> Callable[[Event, Any], None]:
        def hear(told: Event, _: Any) -> None:
            heard[number].append(told)
            if told.kind is moment and "emits" in habit:
                calls.record(Event(CALL, told.at, Kind.NOTED, {"what": f"{number} heard"}))
            if "raises" in habit:
                raise RuntimeError("a fault that nobody foresaw")

        return hear

    for number, habit in enumerate(habits):
        calls.events.subscribe(f"subscriber {number}", subscriber(number, habit))
    seen: list[CallState] = []
    calls.events.subscribe("placement", lambda told, call: seen.append(call.state) if call else None)
    a_call(calls)
    for story in heard:
        assert kinds_of(story) == kinds_of(journal.events)
        assert [one.data for one in story] == [one.data for one in journal.events]
    assert seen[-1] is CallState.ENDED
    assert not calls.ids()
    raising = {f"subscriber {number}" for number, habit in enumerate(habits) if "raises" in habit}
    alarms = [one for one in journal.of(HOTLINE) if one.kind is Kind.ALARM_RAISED]
    assert {one.data["about"] for one in alarms} == raising
    assert len(alarms) == len(raising), "each is told once, not with every event"


def test_a_subscriber_s_own_event_is_told_after_everybody_heard_its_cause() -> None:
    journal = Journal()
    calls = calls_of(journal)
    late: list[Kind] = []

    def wrap_up(told: Event, _: Any) -> None:
        if told.kind is Kind.OPERATOR_LEFT:
            calls.record(Event("seat:01", told.at, Kind.WRAP_UP_STARTED, {"until": told.at + 30}))

    calls.events.subscribe("wrap-up", wrap_up)
    calls.events.subscribe("a later listener", lambda told, _: late.append(told.kind))
    a_call(calls)
    assert late.index(Kind.OPERATOR_LEFT) < late.index(Kind.WRAP_UP_STARTED)


def test_an_event_is_folded_in_before_whoever_emitted_it_goes_on() -> None:
    calls = calls_of(Journal())
    states: list[bool] = []

    def at_once(told: Event, _: Any) -> None:
        if told.kind is Kind.CALL_STARTED:
            calls.record(event(CALL, 1, "queued"))
            states.append(calls[CALL].state is CallState.WAITING)

    calls.events.subscribe("at once", at_once)
    calls.record(event(CALL, 0, "call_started"))
    assert states == [True]


def test_subscribers_that_answer_each_other_for_ever_are_stopped_and_told_of() -> None:
    journal = Journal()
    calls = calls_of(journal)
    other: list[Event] = []

    def echo(told: Event, _: Any) -> None:
        if told.kind is Kind.NOTED:
            calls.record(Event(CALL, told.at, Kind.NOTED, {"what": "again"}))

    calls.events.subscribe("echo", echo)
    calls.events.subscribe("somebody else", lambda told, _: other.append(told))
    calls.record(event(CALL, 0, "noted", what="first"))
    noted = [one for one in journal.of(CALL) if one.kind is Kind.NOTED]
    assert len(noted) == MOST_ANSWERS
    (alarm,) = journal.of(HOTLINE)
    assert (alarm.data["alarm"], alarm.data["about"]) == (SUBSCRIBER_FAILED, "echo")
    assert kinds_of(other) == kinds_of(journal.events)
    other.clear()
    calls.record(event("a1-2.2", 1, "call_started"))
    assert kinds_of(other) == [("a1-2.2", Kind.CALL_STARTED)], "the next event is told as ever"


def test_many_events_that_nobody_s_event_caused_are_no_circle() -> None:
    journal = Journal()
    calls = calls_of(journal)

    def storm(told: Event, _: Any) -> None:
        if told.kind is Kind.CALL_STARTED:
            for number in range(MOST_ANSWERS * 10):
                calls.record(Event(f"a1-9.{number}", told.at, Kind.QUEUED, {}))

    calls.events.subscribe("storm", storm)
    calls.record(event(CALL, 0, "call_started"))
    assert len(journal.events) == MOST_ANSWERS * 10 + 1


def test_the_alarm_about_a_subscriber_comes_again_when_somebody_has_cleared_it() -> None:
    journal = Journal()
    calls = calls_of(journal)
    calls.events.subscribe("broken", lambda *_: 1 / 0)
    calls.record(event(CALL, 0, "call_started"))
    calls.record(event(CALL, 1, "queued"))
    assert len(journal.of(HOTLINE)) == 1
    cleared = {"alarm": SUBSCRIBER_FAILED, "about": "broken", "sentence": "", "sentence_zh": ""}
    calls.record(Event(HOTLINE, T0 + 2, Kind.ALARM_CLEARED, cleared))
    calls.record(event(CALL, 3, "answered"))
    assert [one.kind for one in journal.of(HOTLINE)] == [
        Kind.ALARM_RAISED,
        Kind.ALARM_CLEARED,
        Kind.ALARM_RAISED,
    ]


def test_a_subscriber_hears_only_what_it_asked_for_and_nothing_when_it_has_gone() -> None:
    calls = calls_of(Journal())
    heard: list[Kind] = []
    end = calls.events.subscribe("chooser", lambda told, _: heard.append(told.kind), {Kind.QUEUED})
    a_call(calls)
    assert heard == [Kind.QUEUED]
    end()
    calls.record(event("a1-2.2", 0, "queued"))
    assert heard == [Kind.QUEUED]


def test_what_passes_is_told_in_order_and_never_journalled() -> None:
    journal = Journal()
    calls = calls_of(journal)
    heard: list[str] = []
    word = Passing(CALL, T0, PassingKind.WORDS, {"text": "停水"})

    def begins(told: Event, _: Any) -> None:
        if told.kind is Kind.ANSWERED:
            calls.events.pass_on(word)
            calls.record(Event(CALL, told.at, Kind.NOTED, {"what": "after the word"}))

    calls.events.subscribe("live words", begins)
    calls.events.subscribe("a desk", lambda told, _: heard.append(told.kind.value))
    calls.events.subscribe_passing("a desk", lambda passing: heard.append(passing.kind.value))
    a_call(calls)
    there = heard.index("answered")
    assert heard[there : there + 3] == ["answered", "words", "noted"]
    assert "words" not in [one.kind.value for one in journal.events]


@pytest.mark.parametrize(
    "stream", ["", "desk", "board:1", "seat:", "seat:0 1", "refused:today", "a1-1.1\n", "node:", "工单：1"]
)
def test_an_event_of_no_stream_is_refused_before_it_is_written(stream: str) -> None:
    journal = Journal()
    with pytest.raises(UnknownStream) as refused:
        calls_of(journal).record(Event(stream, T0, Kind.NOTED, {}))
    assert "seat:ID" in refused.value.sentence
    assert not journal.events


@pytest.mark.parametrize(
    ("stream", "type_"),
    [
        ("a1-1795296848.3", StreamType.CALL),
        ("1795296848.3", StreamType.CALL),
        ("seat:01", StreamType.SEAT),
        ("seat:0007", StreamType.SEAT),
        ("ticket:a1-1795296848.3", StreamType.TICKET),
        ("hotline", StreamType.HOTLINE),
        ("node:1", StreamType.NODE),
        ("refused:2026-11-28", StreamType.REFUSED),
    ],
)
def test_a_stream_s_name_says_whose_life_it_tells(stream: str, type_: StreamType) -> None:
    assert stream_type(stream) is type_


def test_only_a_call_s_stream_opens_a_call() -> None:
    calls = calls_of(Journal())
    for stream in ("seat:01", "ticket:a1-1.1", "hotline", "node:1", "refused:2026-11-28"):
        calls.record(Event(stream, T0, Kind.NOTED, {}))
    assert not calls.ids()


def test_what_cannot_be_journalled_is_told_to_nobody() -> None:
    def refuse(_: Event) -> None:
        raise OSError("no journal")

    heard: list[Event] = []
    bus = EventBus(refuse, {})
    bus.subscribe("somebody", lambda told, _: heard.append(told))
    with pytest.raises(OSError, match="no journal"):
        bus.emit(event(CALL, 0, "call_started"))
    assert not heard


@pytest.mark.parametrize(
    "changes", [{"kind": "hologram_shown"}, {"kind": "hung_up", "version": 99}], ids=["kind", "version"]
)
def test_an_event_that_a_newer_version_wrote_is_kept_and_changes_nothing(changes: dict[str, Any]) -> None:
    line = orjson.dumps({"stream": CALL, "at": T0 + 1, "data": {"new": [1]}, **changes})
    newer = Event.from_line(line)
    assert newer.newer
    assert newer.kind.value == changes["kind"]
    assert Event.from_line(newer.to_line()) == newer
    journal = Journal()
    calls = calls_of(journal)
    calls.record(event(CALL, 0, "call_started"))
    calls.record(newer)
    assert calls[CALL].state is CallState.GREETING
    assert journal.events[-1] == newer


def test_a_line_of_before_actors_and_nodes_is_read() -> None:
    old = Event.from_line(b'{"stream":"seat:01","at":5.0,"kind":"logged_in","data":{"operator":"1001"}}')
    assert (old.actor, old.node, old.version, old.newer) == ("engine", "1", 1, False)


def test_a_circle_is_refused_with_a_sentence_in_both_languages() -> None:
    calls = calls_of(Journal())
    refused: list[EventCircle] = []

    def echo(told: Event, _: Any) -> None:
        try:
            calls.record(Event(CALL, told.at, Kind.NOTED, {"what": "again"}))
        except EventCircle as error:
            refused.append(error)

    calls.events.subscribe("echo", echo)
    calls.record(event(CALL, 0, "noted"))
    (error,) = refused
    assert "in a row" in error.sentence
    assert "互相触发" in error.zh
