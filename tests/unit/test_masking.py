"""What of a caller's number everybody may see."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.tickets.masking import mask_number, mask_numbers
from ivr.tickets.numbers import ticket_no

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
        (
            "PJSIP/23456789@trunk and Local/083312345678@ivr",
            "PJSIP/****6789@trunk and Local/0833-****5678@ivr",
        ),
        ("sip/23456789, tel/23456789", "sip/****6789, tel/****6789"),
        ("https://example.org/callers/23456789", "https://example.org/callers/****6789"),
        ("/callers/13800138000/083312345678/85223456789", "/callers/138****8000/0833-****5678/****6789"),
        ("/sip:23456789/23456789@host", "/sip:****6789/****6789@host"),
        ("51110020261127000019", "****0019"),  # a ticket's digits with a wrong check digit
        ("51110019261127000017 51110020261327000017", "****0017 ****0017"),  # no day of a ticket
        ("1380013800013900139000", "****9000"),
        ("query code 27000013", "query code ****0013"),  # eight digits may be anybody's number
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
        "ticket 51110020261127000012 is kept; {'ticket_no': '511100202611271234578'}",
        "cannot write /srv/20261127/home: [Errno 28] No space left on device: '/data/12345678/20261127'",
        "",
    ],
)
def test_what_people_look_for_in_a_log_stays(text: str) -> None:
    assert mask_numbers(text) == text


@given(
    st.sampled_from(["110000", "511100", "820000"]),
    st.dates(date(2000, 1, 1), date(2099, 12, 31)),
    st.integers(1, 10_000_000),
)
def test_no_ticket_number_in_a_log_is_taken_for_a_telephone_number(
    region: str, day: date, sequence: int
) -> None:
    number = ticket_no(region, day, sequence)
    if number is not None:
        assert mask_numbers(f"ticket {number}, made") == f"ticket {number}, made"


@given(st.from_regex(r"(\+|00)?(86)?(1[3-9][0-9]{9}|0[0-9]{9,11}|[1-9][0-9]{6,14})", fullmatch=True))
def test_no_telephone_number_of_any_length_passes_for_a_ticket(number: str) -> None:
    assert number not in mask_numbers(f"call from {number} came")
