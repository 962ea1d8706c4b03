"""What callers hear when a number, a date or a waiting time is spoken."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.speech import spoken


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "零"),
        (2, "二"),
        (10, "十"),
        (12, "十二"),
        (20, "二十"),
        (100, "一百"),
        (105, "一百零五"),
        (110, "一百一十"),
        (115, "一百一十五"),
        (1001, "一千零一"),
        (1010, "一千零一十"),
        (1200, "一千二百"),
        (10_000, "一万"),
        (10_500, "一万零五百"),
        (100_005, "十万零五"),
        (120_000, "十二万"),
        (1_0000_0001, "一亿零一"),
        (12_0034_5060, "十二亿零三十四万五千零六十"),
    ],
)
def test_quantities_are_said_as_people_say_them(value: int, said: str) -> None:
    assert spoken.number(value) == said


@given(st.integers(min_value=0, max_value=spoken.LARGEST))
def test_every_quantity_can_be_understood_again(value: int) -> None:
    assert spoken.parse_number(spoken.number(value)) == value


@given(st.integers(min_value=0, max_value=spoken.LARGEST))
def test_no_quantity_has_two_zeros_in_a_row_or_one_at_its_end(value: int) -> None:
    said = spoken.number(value)
    assert "零零" not in said
    assert value == 0 or not said.endswith("零")


@pytest.mark.parametrize("value", [-1, spoken.LARGEST + 1])
def test_a_quantity_nobody_can_say_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="can be said"):
        spoken.number(value)


def test_two_people_are_liang_wei_but_twelve_are_shi_er_wei() -> None:
    assert [spoken.count(value) for value in (1, 2, 12, 22)] == ["一", "两", "十二", "二十二"]


def test_one_is_yao_in_a_number_to_dial() -> None:
    assert spoken.digits("12110") == "幺二幺幺零"


@given(st.text(alphabet="0123456789", min_size=1, max_size=30))
def test_every_digit_of_a_ticket_number_is_said_once(number: str) -> None:
    said = spoken.digits(number).replace("幺", "一")
    assert "".join(str(spoken.DIGITS.index(character)) for character in said) == number
    assert "".join(spoken.grouped(number)) == spoken.digits(number)


@pytest.mark.parametrize("text", ["", "12a", "１２", "-1", "1 2", "²"])
def test_something_that_is_no_digit_string_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="digits"):
        spoken.digits(text)


def test_a_phone_number_is_said_in_groups_of_four_from_the_right() -> None:
    assert spoken.grouped("13800138000") == ["幺三八", "零零幺三", "八零零零"]
    assert [len(group) for group in spoken.grouped("43018220261121000427")] == [4] * 5


def test_waiting_times_are_rounded_up_and_never_zero_minutes() -> None:
    assert [spoken.minutes(seconds) for seconds in (0, 1, 60, 61, 720)] == [
        "一分钟",
        "一分钟",
        "一分钟",
        "两分钟",
        "十二分钟",
    ]
    assert spoken.duration(3900) == "一小时五分钟"
    assert spoken.duration(7200) == "两小时"


@given(st.dates())
def test_a_date_is_said_with_month_and_day(day: dt.date) -> None:
    month, rest = spoken.date(day).split("月")
    assert spoken.parse_number(month) == day.month
    assert spoken.parse_number(rest.removesuffix("日")) == day.day


def test_digits_in_a_sentence_become_words() -> None:
    assert spoken.spell_out("致电12345或110，30分钟内，按1") == "致电一二三四五或幺幺零，三十分钟内，按一"


def test_decimals_are_said_digit_by_digit_after_the_point() -> None:
    assert spoken.decimal("3.05") == "三点零五"
    assert spoken.decimal("12") == "十二"
    with pytest.raises(ValueError, match="not a decimal"):
        spoken.decimal("3.x")


@pytest.mark.parametrize("text", ["", "一二三", "热线", "十x"])
def test_words_that_are_no_quantity_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a spoken number"):
        spoken.parse_number(text)
