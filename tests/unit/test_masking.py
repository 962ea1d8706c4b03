"""What of a caller's number everybody may see."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.tickets.masking import mask_number

DIGITS = st.text("0123456789", min_size=1, max_size=20)
SPELLINGS = st.sampled_from(["{}", "+{}", "86{}", "+86{}", " {} ", "+86 {}"])


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("13800001234", "138****1234"),
        ("8613800001234", "138****1234"),
        ("+8613800001234", "138****1234"),
        ("008613800001234", "138****1234"),
        ("+86 138-0000-1234", "138****1234"),
        ("19900001234", "199****1234"),
        ("073100001234", "0731-****1234"),
        ("0731-00001234", "0731-****1234"),
        ("01000001234", "010-****1234"),
        ("02100001234", "021-****1234"),
        ("08330001234", "0833-****1234"),
        ("00001234", "****1234"),
        ("12110", "****10"),
        ("110", "***"),
        ("8001", "****"),
        ("", ""),
        ("+", ""),
        ("anonymous", "****"),
        ("13800001234;phone-context=x", "****"),
        ("张三", "****"),
        ("12800001234", "****1234"),
        ("\u2460\u2461\u2462\u2463\u2464\u2465\u2466\u2467", "****"),
    ],
)
def test_a_number_is_shown_in_the_form_people_know(number: str, shown: str) -> None:
    assert mask_number(number) == shown


@given(DIGITS, SPELLINGS)
def test_nobody_can_ring_a_caller_by_what_a_listing_shows(digits: str, spelling: str) -> None:
    number = spelling.format(digits)
    shown = mask_number(number)
    plain = re.sub(r"\D", "", number)
    seen = re.sub(r"\D", "", shown)
    assert shown != number
    assert "*" in shown
    # at least three digits stay hidden, of short numbers all
    assert len(seen) <= max(0, len(plain) - 3)
    # no run of five digits of the number beyond an area code in front and four digits at the end
    assert all(len(run) <= 4 for run in re.findall(r"\d+", shown))
    assert not any(plain[i : i + 5] in shown for i in range(len(plain) - 4))
    assert plain.endswith(shown.rpartition("*")[2])


@given(st.text(max_size=40))
def test_no_text_in_place_of_a_number_is_shown_whole(text: str) -> None:
    shown = mask_number(text)
    assert re.fullmatch(r"(\d{3,4}-?)?\*+\d{0,4}|", shown), shown
    if shown == "":
        assert re.sub(r"[+\-\s]", "", text) == ""
