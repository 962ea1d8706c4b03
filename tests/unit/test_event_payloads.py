"""The catalogue of events: what each kind says, and that the code, the page and old journals agree with it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from ivr.api.views import Views
from ivr.calls.open_calls import CallBook
from ivr.calls.record import fold_call
from ivr.events.event import Event
from ivr.events.kinds import Kind
from ivr.events.notes import NOTES, PHRASES
from ivr.events.payloads.callbacks import CallbackTried
from ivr.events.payloads.calls import Answered, BackToGeneralQueue, CallStarted
from ivr.events.payloads.catalogue import PAYLOADS, STREAMS
from ivr.events.payloads.payload import Number
from ivr.events.payloads.reading import faults, fields_of, payload_of, read
from ivr.events.payloads.recordings import TranscriptDone
from ivr.events.payloads.transfers import TransferWanted
from ivr.seats.record import SeatRecord
from tests.unit.kit import Journal
from tools import event_catalogue

CALL = "a1-1795296848.3"
OLD = Path(__file__).parents[1] / "data/journal_0_1/events.jsonl"
"""A journal of the version that wrote ``noted``, with each of its phrases."""


def lines() -> list[bytes]:
    return OLD.read_bytes().splitlines()


# -- the catalogue -----------------------------------------------------------------------------
def test_every_kind_has_a_payload_that_says_when_it_is_told_and_what_each_field_means() -> None:
    assert set(PAYLOADS) == set(Kind)
    assert set(STREAMS) == set(Kind) - {Kind.NOTED}
    for kind, payload in PAYLOADS.items():
        assert event_catalogue.when(payload).endswith("."), kind
        told = event_catalogue.meanings(payload)
        assert set(told) == {field.name for field in fields_of(payload)}, kind
        assert all(text.endswith((".", "…")) for text in told.values()), (kind, told)


def test_a_payload_never_changes() -> None:
    told = payload_of(Event(CALL, 1.0, Kind.ANSWERED, {"seat": "01"}))
    with pytest.raises((dataclasses.FrozenInstanceError, TypeError, AttributeError)):
        told.seat = "02"  # type: ignore[attr-defined]


def test_the_page_of_events_is_that_of_the_code() -> None:
    there = event_catalogue.PAGE.read_text(encoding="utf-8")
    assert there == event_catalogue.page(), "run: python -m tools.event_catalogue"
    assert all(f"### {kind}\n" in there for kind in Kind if kind is not Kind.NOTED)


# -- reading -----------------------------------------------------------------------------------
def test_data_become_values_of_their_types() -> None:
    row = ["sip", "sip:water@127.0.0.1", 25]
    wanted = read({"n": 1, "target": "unit:water", "routes": [row]}, TransferWanted)
    assert wanted.routes == (("sip", "sip:water@127.0.0.1", 25.0),)
    turn = {"speaker": "caller", "start": 0, "end": 1.5, "text": "停水了"}
    assert read({"turns": [turn]}, TranscriptDone).turns[0].end == 1.5
    assert read({"try": 2}, CallbackTried).try_ == 2
    assert read({"from": "q_market", "why": "closed"}, BackToGeneralQueue).from_ == "q_market"


def test_what_a_newer_version_added_is_passed_over_also_inside_a_value() -> None:
    data = {
        "source": "live",
        "hologram": [1],
        "caller": {"mask": "138", "enc": "", "hash": "", "country": "86"},
    }
    told = payload_of(Event(CALL, 1.0, Kind.CALL_STARTED, data))
    assert isinstance(told, CallStarted)
    assert told.caller == Number(mask="138")


@pytest.mark.parametrize("value", [None, [], {}, 1.5, True, "01"])
def test_no_value_of_a_broken_line_stops_the_reading(value: Any) -> None:
    for kind, payload in PAYLOADS.items():
        data = dict.fromkeys((field.key for field in fields_of(payload)), value)
        payload_of(Event(CALL, 1.0, kind, data))
    told = read({"seat": value, "waited_s": "long"}, Answered)
    assert told.seat == ("01" if value == "01" else None)
    assert told.waited_s == 0


# -- writing -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("event", "fault"),
    [
        (Event(CALL, 1.0, Kind.ANSWERED, {"seat": "01", "mood": "good"}), "answered: no field mood"),
        (Event(CALL, 1.0, Kind.ANSWERED, {}), "answered: seat is missing"),
        (Event(CALL, 1.0, Kind.ANSWERED, {"seat": "01", "waited_s": 1.5}), "answered: waited_s is 1.5"),
        (Event(CALL, 1.0, Kind.SURVEYED, {"score": True}), "surveyed: score is True"),
        (Event(CALL, 1.0, Kind.CALL_STARTED, {"source": "live", "caller": {"nr": "1"}}),
         "call_started: caller is {'nr': '1'}"),
        (Event("seat:01", 1.0, Kind.ANSWERED, {"seat": "01"}),
         "answered: it is told in seat:01, which is no stream of a call"),
        (Event(CALL, 1.0, Kind.NOTED, {"what": "x"}), "noted is written by nobody"),
    ],
)  # fmt: skip
def test_an_event_that_the_catalogue_does_not_know_is_found(event: Event, fault: str) -> None:
    assert faults(event) == [fault]


def test_an_event_as_it_should_be_has_no_fault() -> None:
    assert faults(Event(CALL, 1.0, Kind.ANSWERED, {"seat": None, "operator": None, "reconciled": True})) == []
    assert faults(Event("seat:01", 1.0, Kind.PIN_REFUSED, {"operator": "1001"})) == []


def test_only_the_reading_of_old_journals_names_the_kind_that_nobody_writes() -> None:
    house = Path(__file__).parents[2] / "ivr"
    naming = [
        path.relative_to(house).as_posix() for path in house.rglob("*.py") if "Kind.NOTED" in path.read_text()
    ]
    readers = ["events/notes.py", "events/payloads/catalogue.py", "events/payloads/reading.py"]
    assert sorted(naming) == [*readers, "events/payloads/since.py"]


# -- a journal of before -----------------------------------------------------------------------
def test_every_phrase_of_before_is_told_in_a_kind_of_its_own() -> None:
    rows = [orjson.loads(line) for line in lines()]
    phrases = {row["data"]["what"] for row in rows if row["kind"] == "noted"}
    assert phrases - PHRASES.keys() == {"something nobody knows any more"}
    assert PHRASES.keys() <= phrases
    for line, row in zip(lines(), rows, strict=True):
        event = Event.from_line(line)
        assert (event.stream, event.at) == (row["stream"], row["at"])
        if row["data"].get("what") in PHRASES:
            assert event.kind is PHRASES[row["data"]["what"]][0]
            assert "what" not in event.data
            assert event.kind is Kind.SIDE_GONE or faults(event) == []
            assert Event.from_line(event.to_line()) == event
    assert Event.from_line(lines()[-1]).kind is Kind.NOTED


def test_a_journal_of_before_is_folded_as_it_was() -> None:
    events = [Event.from_line(line) for line in lines()]
    call = fold_call(CALL, [event for event in events if event.stream == CALL])
    assert (call.state, call.outcome, call.waited_s, call.seat) == ("ended", "answered", 24.0, "01")
    assert [leg.role for leg in call.legs] == ["caller", "operator", "third"]
    seat = SeatRecord("01")
    assert all(seat.apply(event) for event in events if event.stream == "seat:01")
    assert (seat.state, seat.operator) == ("ready", "1001")
    calls = CallBook(Journal().append)
    for event in events:
        calls.record(event)
    assert not calls.ids(), "a word about a call that is over opens none"


def test_a_call_of_before_is_shown_in_the_kinds_of_today() -> None:
    rows = [row for line in lines() if (row := orjson.loads(line))["stream"] == CALL]
    shown = Views(ZoneInfo("Asia/Shanghai"), Path("/rec")).events(rows)
    assert "noted" not in {event["kind"] for event in shown}
    assert all("what" not in event for event in shown)
    gone = [event for event in shown if event["kind"] == "side_gone"]
    assert [event["side"] for event in gone] == ["operator", "third"]
    back = next(event for event in shown if event["kind"] == "back_to_general_queue")
    assert (back["from"], back["why"]) == ("q_market", "nobody is logged in")


def test_a_word_moves_neither_a_call_nor_a_seat() -> None:
    assert {Kind.PIN_REFUSED, Kind.TRANSFER_REFUSED, Kind.SIDE_SILENT} < NOTES
    assert not NOTES & {Kind.QUEUED, Kind.HUNG_UP, Kind.GREETED}
