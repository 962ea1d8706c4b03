"""Where a caller goes, what they hear first, and which line they meant."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.calls.events import Event, Kind
from ivr.calls.reception import Arrival, Placement, place, receive, started
from ivr.hotline.book import diverted_numbers
from tests.unit.kit import T0, Journal, identify, small_book

PRIORITY_110 = 30


class OnTheLine:
    """A caller who takes any placement, and remembers what the journal had by then."""

    def __init__(self, journal: Journal, failure: Exception | None = None) -> None:
        self.placed: list[Placement] = []
        self.journalled: list[str] = []
        self._journal = journal
        self._failure = failure

    async def place(self, placement: Placement) -> None:
        self.journalled = [event.kind.value for event in self._journal.events]
        if self._failure is not None:
            raise self._failure
        self.placed.append(placement)


def arrival(**changes: Any) -> Arrival:
    parts: dict[str, Any] = {"call_id": "a1-1.1", "caller": "13800138000", "dialled": "12345"}
    return Arrival(**(parts | changes))


async def received(caller: OnTheLine, journal: Journal, **changes: Any) -> Placement:
    return await receive(
        arrival(**changes),
        caller,
        small_book(),
        journal.append,
        now=T0,
        identify=identify,
        priority_110=PRIORITY_110,
    )


async def test_a_caller_hears_the_greeting_and_then_waits_for_a_person() -> None:
    journal = Journal()
    caller = OnTheLine(journal)
    placement = await received(caller, journal, channel="PJSIP/trunk-1", recording="/rec/x")
    assert caller.placed == [placement] == [Placement("q_general", 0, ("P001",))]
    opened, placed = journal.events
    assert opened.kind is Kind.CALL_STARTED
    assert opened.data == {
        "source": "live",
        "dialled": "12345",
        "diverted": [],
        "line_id": None,
        "caller": {"mask": "138****8000", "enc": "sealed-11", "hash": "hhhhhhhh"},
        "channel": "PJSIP/trunk-1",
        "recording": "/rec/x",
    }
    assert placed == Event("a1-1.1", T0, Kind.PLACED, {"queue": "q_general", "priority": 0})


async def test_a_diversion_from_110_goes_before_everybody_and_hears_nothing() -> None:
    journal = Journal()
    caller = OnTheLine(journal)
    await received(caller, journal, source="110_diversion")
    ordinary = place(arrival(), small_book(), PRIORITY_110)
    assert caller.placed[0].prompts == ()
    assert caller.placed[0].priority == PRIORITY_110 > ordinary.priority
    assert journal.events[0].data["source"] == "110_diversion"


async def test_the_call_has_its_ticket_before_the_caller_is_placed() -> None:
    journal = Journal()
    caller = OnTheLine(journal, ConnectionError("hung up"))
    with pytest.raises(ConnectionError):
        await received(caller, journal)
    assert caller.journalled == ["call_started"]
    assert [event.kind for event in journal.events] == [Kind.CALL_STARTED]


async def test_the_caller_s_number_never_reaches_the_journal_in_clear() -> None:
    journal = Journal()
    await received(OnTheLine(journal), journal)
    assert all(b"13800138000" not in event.to_line() for event in journal.events)


FORMS = [
    ("12345", (), None),
    ("083312345", (), None),
    ("12315", (), "market_12315"),
    ("083312315", (), "market_12315"),
    ("8683312315", (), "market_12315"),
    ("+86 833 12315", (), "market_12315"),
    ("0833-12315", (), "market_12315"),
    ("00002101", (), "water"),
    ("083300002101", (), "water"),
    ("02812315", (), None),
    ("123150", (), None),
    ("2315", (), None),
    ("", (), None),
    ("12345", ("12315",), "market_12315"),
    ("12345", ("083312315",), "market_12315"),
    ("12345", ("99999", "12315"), "market_12315"),
    ("12345", ("12315", "00002101"), "market_12315"),
    ("12315", ("00002101",), "market_12315"),
    ("12345", ("<sip:12315@10.0.0.1>;reason=unconditional",), "market_12315"),
    ("12345", ('"消费者" <sip:+8683312315@ims.example;user=phone>;index=1',), "market_12315"),
    ("12345", ("<sips:083312315@ims.example>",), "market_12315"),
    ("12345", ("<tel:+86-833-12315>;reason=user-busy",), "market_12315"),
    ("12345", ("sip:12315@10.0.0.1",), "market_12315"),
    ("12345", ("<SIP:12315@10.0.0.1>",), "market_12315"),
    (
        "12345",
        ("<sip:12345@x>;index=1, <sip:0833-12315@x?Reason=SIP%3Bcause%3D302>;index=1.1",),
        "market_12315",
    ),
    ("12345", ("<sip:13900000000@x>", "<sip:12315@x>"), "market_12315"),
    ("12345", ("anonymous",), None),
    ("12345", ("<sip:@x>", "<>", "sip:", "\x00", '"'), None),
    ("12345", ("\uff11\uff12\uff13\uff11\uff15",), None),
]


@pytest.mark.parametrize(("dialled", "diverted", "line"), FORMS)
def test_the_line_a_citizen_dialled_is_found(
    dialled: str, diverted: tuple[str, ...], line: str | None
) -> None:
    assert started(arrival(dialled=dialled, diverted=diverted), small_book(), identify)["line_id"] == line


@given(st.text(max_size=60), st.lists(st.text(max_size=60), max_size=4))
def test_no_header_of_a_strange_network_keeps_a_caller_out(dialled: str, diverted: list[str]) -> None:
    data = started(arrival(dialled=dialled, diverted=tuple(diverted)), small_book(), identify)
    assert data["line_id"] in (None, "market_12315", "water")


@given(st.lists(st.from_regex(r"\A[0-9]{3,15}\Z"), min_size=1, max_size=4, unique=True))
def test_every_number_of_a_diversion_is_seen_once_in_order(numbers: list[str]) -> None:
    headers = [f'"x" <sip:+{number}@host;user=phone>;reason=unknown' for number in numbers]
    assert diverted_numbers(headers) == tuple(numbers)
    assert diverted_numbers([", ".join(headers + headers)]) == tuple(numbers)


def test_a_city_without_an_area_code_answers_bare_numbers_only() -> None:
    book = small_book(area_code="")
    assert book.answered == ("12345", "12315", "00002101")
    line = book.line_by_number("12315")
    assert line is not None
    assert line.id == "market_12315"
    assert book.line_by_number("083312315") is None
