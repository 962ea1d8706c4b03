"""Where a caller goes, what they hear first, and which line they meant."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.calls.reception import (
    Arrival,
    Choice,
    Placement,
    Reception,
    Said,
    place,
    started,
)
from ivr.calls.record import fold_call
from ivr.events.event import Event, Kind
from ivr.hotline.book import HotlineBook, Line, MergeMode, QueueKind, QueueSpec
from ivr.hotline.modes import ModeName, ModeSpec, ReceptionSpec, ReceptionStyle
from ivr.hotline.workdays import Calendar, OpeningHours, YearOfDays
from ivr.speech.prompts import RECORDING_NOTICE_MAX_S, PromptBook
from tests.unit.kit import T0, Journal, identify, small_book

REGULAR, HOLIDAY, EMERGENCY = ModeName


class OnTheLine:
    """A caller who takes any placement, and remembers what the journal had by then."""

    def __init__(self, journal: Journal, failure: Exception | None = None) -> None:
        self.placed: list[Placement] = []
        self.asked = self.helped = False
        self.journalled: list[str] = []
        self._journal = journal
        self._failure = failure

    async def call_help(self) -> None:
        self.helped = True

    async def open_menu(self) -> None:
        self.asked = True

    async def place(self, placement: Placement) -> None:
        self.journalled = [event.kind.value for event in self._journal.events]
        if self._failure is not None:
            raise self._failure
        self.placed.append(placement)


def arrival(**changes: Any) -> Arrival:
    parts: dict[str, Any] = {"call_id": "a1-1.1", "caller": "13800138000", "dialled": "12345"}
    return Arrival(**(parts | changes))


def reception(journal: Journal, book: HotlineBook | None = None, mode: ModeName = REGULAR) -> Reception:
    return Reception(lambda: book or small_book(), journal.append, identify, lambda: T0, lambda: mode)


async def received(caller: OnTheLine, journal: Journal, **changes: Any) -> Placement | None:
    return await reception(journal).receive(arrival(**changes), caller)


async def test_a_caller_hears_the_greeting_and_then_waits_for_a_person() -> None:
    journal = Journal()
    caller = OnTheLine(journal)
    placement = await received(caller, journal, channel="PJSIP/trunk-1", recording="/rec/x")
    assert caller.placed == [placement] == [Placement("q_general", 0, (Said("P001"),))]
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
    ordinary = place(arrival(), small_book(), T0)
    assert caller.placed[0].prompts == ()
    assert caller.placed[0].priority == small_book().priorities.diversion_110 > ordinary.priority
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


def test_a_city_without_an_area_code_answers_bare_numbers_only() -> None:
    book = small_book(area_code="")
    assert book.answered[:3] == ("12345", "8612345", "008612345")
    assert len(book.answered) == 9
    line = book.line_by_number("12315")
    assert line is not None
    assert line.id == "market_12315"
    assert book.line_by_number("083312315") is None


# -- by line, hour and mode ------------------------------------------------------------------
OFFICE = OpeningHours(time(8, 30), time(18, 0))
ALWAYS_BY_DAY = OpeningHours(time(8, 30), time(18, 0), workdays_only=False)
NIGHT = OpeningHours(time(22, 0), time(6, 0), workdays_only=False)
AFTERNOON = T0 + 8 * 3600
"""Sunday, 22 November 2026, 13:34 in Shanghai."""
YEAR = Calendar({2026: YearOfDays()})
WORKED = Calendar({2026: YearOfDays(makeup_workdays=frozenset({date(2026, 11, 22)}))})
PARALLEL, WHOLE = Said("P005", {"line_name": "tax"}), Said("P006", {"line_name": "tax"})


def city(merge: MergeMode, hours: OpeningHours | None = None, **changes: Any) -> HotlineBook:
    """A hotline whose line 12366 has an expert queue with these hours."""
    line = Line("tax", "12366", "纳税缴费服务热线", "税务局", merge, queue="q_tax")
    queues = (
        QueueSpec("q_general", "综合受理"),
        QueueSpec("q_tax", "税务专家", kind=QueueKind.EXPERT, hours=hours),
    )
    return small_book(**({"lines": (line,), "queues": queues, "calendar": YEAR} | changes))


TABLE = [
    # merge mode, hours of the experts (it is Sunday, 22 November 2026, afternoon), mode -> queue, prompt
    (MergeMode.WHOLE, None, REGULAR, "q_tax", WHOLE),
    (MergeMode.WHOLE, OFFICE, REGULAR, "q_general", WHOLE),
    (MergeMode.WHOLE, None, HOLIDAY, "q_general", WHOLE),
    (MergeMode.PARALLEL, None, REGULAR, "q_tax", PARALLEL),
    (MergeMode.PARALLEL, ALWAYS_BY_DAY, REGULAR, "q_tax", PARALLEL),
    (MergeMode.PARALLEL, OFFICE, REGULAR, "q_general", PARALLEL),
    (MergeMode.PARALLEL, NIGHT, REGULAR, "q_general", PARALLEL),
    (MergeMode.PARALLEL, None, EMERGENCY, "q_tax", PARALLEL),
    (MergeMode.PARALLEL, None, HOLIDAY, "q_general", PARALLEL),
    (MergeMode.SUBCENTER, None, REGULAR, "q_general", PARALLEL),
    (MergeMode.SUBCENTER, None, HOLIDAY, "q_general", PARALLEL),
    (MergeMode.RESIDENT, None, REGULAR, "q_tax", PARALLEL),
    (MergeMode.RESIDENT, ALWAYS_BY_DAY, REGULAR, "q_tax", PARALLEL),
    (MergeMode.RESIDENT, OFFICE, REGULAR, "q_general", PARALLEL),
    (MergeMode.RESIDENT, ALWAYS_BY_DAY, EMERGENCY, "q_tax", PARALLEL),
    (MergeMode.RESIDENT, ALWAYS_BY_DAY, HOLIDAY, "q_general", PARALLEL),
]


@pytest.mark.parametrize(("merge", "hours", "mode", "queue", "words"), TABLE)
def test_a_line_s_caller_reaches_its_experts_while_they_take_calls_and_else_anybody(
    merge: MergeMode, hours: OpeningHours | None, mode: ModeName, queue: str, words: Said
) -> None:
    placement = place(arrival(dialled="12366"), city(merge, hours), AFTERNOON, mode)
    assert (placement.queue, placement.prompts, placement.priority) == (queue, (words,), 0)


def test_on_a_weekend_day_that_is_worked_the_experts_take_calls() -> None:
    book = city(MergeMode.RESIDENT, OFFICE, calendar=WORKED)
    assert place(arrival(dialled="12366"), book, AFTERNOON).queue == "q_tax"


def test_without_the_year_s_holidays_a_person_answers_and_the_journal_says_what_is_missing() -> None:
    book = city(MergeMode.RESIDENT, OFFICE, calendar=Calendar())
    placement = place(arrival(dialled="12366"), book, AFTERNOON)
    assert placement.queue == "q_general"
    assert placement.facts["alarm"] == "calendar_missing"
    assert "2026" in placement.facts["sentence"]
    assert "2026" in placement.facts["sentence_zh"]


def test_a_line_whose_queue_is_gone_is_answered_by_anybody() -> None:
    book = city(MergeMode.RESIDENT, queues=(QueueSpec("q_general", "综合受理"),))
    placement = place(arrival(dialled="12366"), book, AFTERNOON)
    assert placement.queue == "q_general"
    assert placement.facts == {"missing": "q_tax"}


def test_a_merged_line_without_experts_is_answered_by_anybody() -> None:
    placement = place(arrival(dialled="00002101"), small_book(), AFTERNOON)
    assert (placement.queue, placement.prompts) == ("q_general", (Said("P006", {"line_name": "water"}),))
    assert placement.facts == {}


def test_the_operator_sees_that_a_sub_centre_s_caller_may_be_passed_on() -> None:
    placement = place(arrival(dialled="12366"), city(MergeMode.SUBCENTER), AFTERNOON)
    assert placement.facts["passed_on"] == "subcenter:tax"


@pytest.mark.parametrize(("mode", "prompt"), [(REGULAR, ""), (HOLIDAY, "P041"), (EMERGENCY, "P040")])
def test_what_a_mode_announces_is_told_in_the_queue_and_keeps_nobody_from_it(
    mode: ModeName, prompt: str
) -> None:
    placement = place(arrival(), small_book(), AFTERNOON, mode)
    assert placement.prompts == (Said("P001"),)
    assert placement.announcement == prompt


def test_a_mode_that_the_city_did_not_describe_changes_nothing() -> None:
    assert place(arrival(), small_book(modes={}), AFTERNOON, EMERGENCY) == place(
        arrival(), small_book(), AFTERNOON
    )


def test_a_mode_brings_its_lines_forward() -> None:
    modes = {EMERGENCY: ModeSpec(EMERGENCY, priority={"tax": 7})}
    book = city(MergeMode.PARALLEL, modes=modes)
    assert place(arrival(dialled="12366"), book, AFTERNOON, EMERGENCY).priority == 7
    assert place(arrival(), book, AFTERNOON, EMERGENCY).priority == 0


@pytest.mark.parametrize("mode", list(ModeName))
def test_what_is_urgent_waits_for_no_prompt_in_any_mode(mode: ModeName) -> None:
    book = city(MergeMode.PARALLEL)
    diverted = place(arrival(dialled="12366", source="110_diversion"), book, AFTERNOON, mode)
    pressed = place(arrival(), book, AFTERNOON, mode, Choice("keys", keyed="*", emergency="*"))
    assert diverted.prompts == pressed.prompts == ()
    assert diverted.announcement == pressed.announcement == ""
    assert diverted.priority > pressed.priority > place(arrival(), book, AFTERNOON, mode).priority


@given(
    st.sampled_from(list(MergeMode)),
    st.sampled_from([None, OFFICE, ALWAYS_BY_DAY, NIGHT]),
    st.sampled_from(list(ModeName)),
    st.floats(min_value=0, max_value=4e9),
    st.sampled_from([YEAR, WORKED, Calendar()]),
    st.text(max_size=15),
)
def test_at_any_hour_every_caller_gets_a_queue_that_exists(
    merge: MergeMode,
    hours: OpeningHours | None,
    mode: ModeName,
    at: float,
    calendar: Calendar,
    number: str,
) -> None:
    book = city(merge, hours, calendar=calendar)
    placement = place(arrival(dialled="12366", caller=number), book, at, mode)
    assert book.queue(placement.queue) is not None
    assert len(placement.prompts) == 1


def test_what_plays_before_the_queue_is_over_within_six_seconds_on_every_line() -> None:
    prompts = PromptBook()
    lines = [name for name in prompts.texts.words if name.startswith("loc_") or name[-5:].isdigit()]
    assert len(lines) == 82
    for line in lines:
        for prompt in ("P005", "P006"):
            assert len(prompts.files(prompt, line_name=line)) == 3, "the name is said"
            assert prompts.seconds(prompt, line_name=line) <= RECORDING_NOTICE_MAX_S, (prompt, line)


@pytest.mark.parametrize(
    ("caller", "elsewhere"),
    [
        ("02887654321", True),
        ("01012345678", True),
        ("0917123456", True),
        ("08332123456", False),
        ("13800138000", False),
        ("2123456", False),
        ("", False),
        ("00862887654321", True),
        ("+862887654321", True),
        ("+868332123456", False),
        ("8332123456", False),
        ("013800138000", False),
        ("+8613800138000", False),
        ("+12025550100", False),
        ("０２８８７６５４３２１", False),
    ],
)
def test_a_land_line_of_another_city_is_told_how_to_reach_its_own_hotline(
    caller: str, elsewhere: bool
) -> None:
    placement = place(arrival(caller=caller), small_book(), AFTERNOON)
    assert placement.announcement == ("P007" if elsewhere else "")
    assert not place(arrival(caller=caller), small_book(area_code=""), AFTERNOON).announcement


# -- the menu comes before ---------------------------------------------------------------------
MENU = ReceptionSpec(style=ReceptionStyle.MENU, keys={"1": "tax"})


async def test_in_style_menu_a_caller_of_12345_is_asked_first_and_has_a_ticket_already() -> None:
    journal = Journal()
    caller = OnTheLine(journal)
    assert await reception(journal, small_book(reception=MENU)).receive(arrival(), caller) is None
    assert caller.asked
    assert caller.placed == []
    assert journal.kinds("a1-1.1") == ["call_started"]


@pytest.mark.parametrize("changes", [{"dialled": "12315"}, {"source": "110_diversion"}])
async def test_who_dialled_a_line_or_comes_from_110_is_never_asked(changes: dict[str, str]) -> None:
    journal = Journal()
    caller = OnTheLine(journal)
    await reception(journal, small_book(reception=MENU)).receive(arrival(**changes), caller)
    assert not caller.asked
    assert len(caller.placed) == 1


async def test_a_line_chosen_in_the_menu_is_named_and_stands_in_the_ticket() -> None:
    journal = Journal()
    caller = OnTheLine(journal)
    book = city(MergeMode.PARALLEL, reception=MENU)
    desk = reception(journal, book)
    await desk.receive(arrival(), caller)
    await desk.chosen(arrival(), caller, Choice("keys", book.lines[0], "1"))
    [placement] = caller.placed
    assert placement.queue == "q_tax"
    assert placement.prompts == (Said("S032", {"line_name": "tax"}),)
    record = fold_call("a1-1.1", journal.of("a1-1.1"))
    assert (record.line_id, record.queue) == ("tax", "q_tax")
    assert journal.events[1].data == {"line_id": "tax", "by": "keys", "keyed": "1"}


@pytest.mark.parametrize(
    ("changes", "by"), [({"dialled": "12366"}, "dialled"), ({"diverted": ("12366",)}, "diverted")]
)
async def test_the_ticket_says_how_the_line_was_found(changes: dict[str, Any], by: str) -> None:
    journal = Journal()
    await reception(journal, city(MergeMode.PARALLEL)).receive(arrival(**changes), OnTheLine(journal))
    assert [event.data for event in journal.events if event.kind is Kind.LINE_CHOSEN] == [
        {"line_id": "tax", "by": by}
    ]


def test_a_line_chosen_stays_chosen_when_asterisk_s_own_record_arrives_late() -> None:
    chosen = Event("c", T0, Kind.LINE_CHOSEN, {"line_id": "tax", "by": "speech", "heard": "我要交税"})
    reconciled = Event("c", T0, Kind.CALL_STARTED, {"line_id": None, "reconciled": True})
    nobody = replace(chosen, data={"line_id": None, "by": "nothing"})
    for events in ([chosen, reconciled], [reconciled, chosen], [reconciled, chosen, nobody]):
        assert fold_call("c", events).line_id == "tax"
