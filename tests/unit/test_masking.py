"""What of a caller's number everybody may see."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.tickets.masking import mask_number, mask_numbers

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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "security: refused a call to 13800138000 from trunk",
            "security: refused a call to 138****8000 from trunk",
        ),
        ("refused a call to 083312345678 from seat01.", "refused a call to 0833-****5678 from seat01."),
        ("0833-2345678, 2345678", "0833-****5678, ****78"),
        ("<sip:+8613800138000@10.0.0.1:5060>", "<sip:138****8000@10.0.0.1:5060>"),
        ("Diversion%3A%20sip%3A083312345678%40", "Diversion%3A%20sip%3A0833-****5678%40"),
        ("'c13800138000'", "'c138****8000'"),
        ("138-0013-8000", "138****8000"),
    ],
)
def test_a_number_in_a_line_of_a_log_cannot_be_rung(text: str, shown: str) -> None:
    assert mask_numbers(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "call i3f2-1795296848.12: the recording of 2026-11-27 17:20:38 is in 20261127-173845",
        "call 1795296848.12: PJSIP/seat01-00000012 is gone, recordings/2026/11/27/i3f2-1795296848.12.wav",
        "the engine (pid 4194303) has not answered; speech worker 1234567 died; (process 1234567, since",
        "line 12345 and port 5060, 10000-10999, 127.0.0.1:5060, operator 1001, more than 1048576 bytes",
        "",
    ],
)
def test_what_people_look_for_in_a_log_stays(text: str) -> None:
    assert mask_numbers(text) == text
