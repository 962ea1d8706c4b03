"""One number, however a carrier writes it: the same line, the same person, the same number to call back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.hotline.telephone import LONGEST_TEXT, MOST_NUMBERS, NumberPlan, digits, number_in, numbers_named
from tests.unit.kit import small_book

PLAN = NumberPlan("0833")

CALLED = [
    "12315",
    "083312315",
    "0833-12315",
    "(0833) 12315",
    "8683312315",
    "+8683312315",
    "+86-833-12315",
    "+86.833.12315",
    "+86083312315",
    "008683312315",
    "0086083312315",
    "8612315",
    "+8612315",
    "008612315",
    "%2B8683312315",
    "12315;phone-context=+86833",
    "12315;phone-context=+86",
    "12315;npdi",
    "12315;cpc=ordinary",
    "12315;tgrp=c20;trunk-context=sc.cn",
    "sip:12315;phone-context=+86833@ims.example;user=phone",
    "<sip:+8683312315;npdi;rn=+868339999@ims.example;user=phone>",
    "sip:12315%3Bcpc=ordinary@ims.example",
    "sip:12315:secret@ims.example",
    "sips:12315@ims.example",
    "SIP:12315@10.0.0.1:5080",
    "tel:12315;phone-context=+86833",
    "tel:+86-833-12315",
    "<tel:+8683312315;npdi>",
    '"热线, <sip:12366@x>" <sip:12315@x>',  # half-width kept
    r'"a\"<sip:12366@x>" <sip:12315@x>;reason=unconditional',
]


@pytest.mark.parametrize("written", CALLED)
def test_a_line_is_reached_however_its_number_is_written(written: str) -> None:
    line = small_book().line_by_number(written)
    assert line is not None
    assert line.id == "market_12315"
    assert small_book().find_line("12345", [written]) == line


@pytest.mark.parametrize(
    "written",
    [
        "",
        "12345",
        "2812315",
        "02812315",
        "+862812315",
        "+112315",
        "12315x",
        "sip:12315x@ims.example",
        "sip:x@12315",
        "sip:10.0.0.1:12315",
        "12315;phone-context=+8628",
        "tel:12315;phone-context=+8628",
        "anonymous",
        "12315@ims.example",
        "*12315",
        "１２３１５",
        '"12315" <sip:12345@ims.example>',
    ],
)
def test_what_is_no_number_of_a_line_reaches_none(written: str) -> None:
    assert small_book().line_by_number(written) is None


PEOPLE = {
    "13800138000": [
        *("13800138000", "013800138000", "+8613800138000", "8613800138000", "008613800138000"),
        *("+86013800138000", "0086-013800138000", "+86 138-0013-8000", "%2B8613800138000"),
        *("13800138000;cpc=ordinary", "13800138000;phone-context=+86", "tel:+86-138-0013-8000"),
        *('"王 五" <sip:+8613800138000@ims.example;user=phone>', "sip:013800138000;cpc=ordinary@ims.example"),
        "<sip:+8613800138000@ims.example>, <tel:+8613800138000>",
    ],
    "08332123456": [
        *("2123456", "08332123456", "0833-2123456", "8332123456", "+868332123456", "868332123456"),
        *(
            "008608332123456",
            "00868332123456",
            "+8608332123456",
            "+862123456",
            "tel:2123456;phone-context=+86833",
        ),
        *("(0833)2123456", "sip:+86-833-212-3456;npdi@ims.example;user=phone"),
    ],
    "01012345678": ["01012345678", "+861012345678", "861012345678", "+86(0)1012345678"],
    "02887654321": ["02887654321", "+862887654321", "00862887654321", "tel:7654321;phone-context=+86288"],
    "0012025550100": ["+12025550100", "0012025550100", "+1-202-555-0100"],
    "12345": ["12345", "+8612345", "008612345"],
    "anonymous": ["anonymous"],
    "": [""],
}


@pytest.mark.parametrize(
    ("person", "written"), [(one, form) for one, forms in PEOPLE.items() for form in forms]
)
def test_one_person_is_one_person_whatever_the_carrier_writes(person: str, written: str) -> None:
    assert PLAN.person(written) == person
    assert PLAN.person(person) == person


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (("<sip:+868332200000@x>;counter=1", "<sip:12333@x>;counter=1"), ("+868332200000", "12333")),
        (("<tel:+868332200000>;privacy=off", "<tel:12333>;reason=unknown"), ("+868332200000", "12333")),
        (("<sip:12345@x>;index=1.1.1", "<sip:12333@x?Reason=SIP%3Bcause%3D302>;index=1"), ("12345", "12333")),
        (('"a, b" <sip:1@x>, "<sip:9@x>" <sip:2@x>;reason="c, <sip:8@x>"', "tel:3"), ("1", "2", "3")),
        (("sip:12333@x;reason=no-answer, sip:12315@x",), ("12333", "12315")),
        (("12333", "0833-12315"), ("12333", "0833 12315".replace(" ", ""))),
        (("<sip:10.0.0.1:5060>", "<sip:a1b2@x>", "<mailto:1@x>", "<>", "sip:", "<sip:@x>"), ()),
        (('"not closed <sip:12333@x>',), ("12333",)),
    ],
)
def test_every_number_of_every_forwarding_header_is_read(
    values: tuple[str, ...], numbers: tuple[str, ...]
) -> None:
    assert numbers_named(values) == numbers


@given(st.lists(st.from_regex(r"\A[0-9]{3,15}\Z"), min_size=1, max_size=4, unique=True))
def test_every_number_of_a_diversion_is_seen_once_in_order(numbers: list[str]) -> None:
    headers = [f'"x" <sip:{number}@host;user=phone>;reason=unknown' for number in numbers]
    assert numbers_named(headers) == tuple(numbers)
    assert numbers_named([", ".join(headers + headers)]) == tuple(numbers)


@given(st.text(max_size=80))
def test_nothing_that_a_stranger_writes_is_more_than_digits(text: str) -> None:
    assert re.fullmatch(r"(\+?[0-9]{1,40})?", number_in(text))
    assert re.fullmatch("[0-9]{0,12}", PLAN.diallable(text))
    PLAN.is_elsewhere(text)


def test_a_header_of_any_length_costs_a_bounded_time_and_gives_a_bounded_number_of_numbers() -> None:
    for sign in ("<", '"', "sip:", ";", "9", "%", "+86", '"\\'):
        assert len(numbers_named([sign * 40_000])) <= 1
    many = ", ".join(f"<sip:138{n:08}@x>" for n in range(2000))
    assert len(numbers_named([many] * 50)) == MOST_NUMBERS
    late = " " * LONGEST_TEXT + "<sip:12333@x>"
    assert numbers_named([late]) == ()


def test_the_forms_of_a_number_are_each_a_string_of_digits_that_reaches_it() -> None:
    assert set(map(digits, PLAN.forms("12315"))) == set(PLAN.forms("12315"))
    assert {"12315", "083312315", "8683312315", "008683312315", "8612315", "008612315"} < set(
        PLAN.forms("12315")
    )
    assert NumberPlan().forms("12315") == ("12315", "8612315", "008612315")
