"""Numbers, digits and dates as a Chinese telephone voice says them.

Pure text in, text out: the recordings for each word are found by ``prompts.py``. Never used for
what is written in tickets, only for what is spoken. Digits of telephone, ticket and line numbers
are said one by one with 幺 for 1, because 一 and 七 are mixed up over the telephone.
"""

from __future__ import annotations

import datetime as dt
import math
import re

DIGITS = "零一二三四五六七八九"
TELEPHONE_ONE = "幺"
LARGEST = 10**16 - 1

# The city's own number is known to everybody as 一二三四五, so it is not said 幺二三四五.
HOUSEHOLD_NUMBERS = {"12345": "一二三四五"}

_SMALL_UNITS = ((1000, "千"), (100, "百"), (10, "十"))
_VALUES = {character: value for value, character in enumerate(DIGITS)} | {"两": 2, TELEPHONE_ONE: 1}
_MULTIPLIERS = {"十": 10, "百": 100, "千": 1000}


def digits(text: str) -> str:
    """Say a telephone, line or ticket number digit by digit: ``12366`` → 幺二三六六.

    Raises:
        ValueError: ``text`` is empty or holds anything but the digits 0-9.
    """
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"not a string of digits: {text!r}")
    return "".join(TELEPHONE_ONE if digit == "1" else DIGITS[int(digit)] for digit in text)


def grouped(text: str, size: int = 4) -> list[str]:
    """Say a long digit string in groups, counted from the right: 138 0013 8000.

    Returns:
        one spoken string per group, in order; the first group may be shorter.
    """
    if size < 1:
        raise ValueError("a group holds at least one digit")
    first = len(text) % size
    cuts = ([text[:first]] if first else []) + [text[at : at + size] for at in range(first, len(text), size)]
    return [digits(cut) for cut in cuts] if cuts else [digits(text)]


def number(value: int) -> str:
    """Say a quantity: ``105`` → 一百零五, ``15`` → 十五, ``110`` → 一百一十.

    Raises:
        ValueError: ``value`` is negative or larger than ``LARGEST``.
    """
    if not 0 <= value <= LARGEST:
        raise ValueError(f"only 0 to {LARGEST} can be said, not {value}")
    if value == 0:
        return DIGITS[0]
    said = _above_zero(value)
    # 十五, not 一十五: only at the very beginning.
    return said[1:] if said.startswith("一十") else said


def count(value: int) -> str:
    """Say a quantity that stands before a measure word: 两位, 两分钟, but 十二位."""
    return "两" if value == 2 else number(value)


def decimal(text: str) -> str:
    """Say a number written with a point: ``3.05`` → 三点零五."""
    whole, point, fraction = text.partition(".")
    if not point:
        return number(int(text))
    if not (fraction.isascii() and fraction.isdigit()):
        raise ValueError(f"not a decimal number: {text!r}")
    return number(int(whole)) + "点" + "".join(DIGITS[int(digit)] for digit in fraction)


def minutes(seconds: float) -> str:
    """Say a waiting time in minutes, rounded up, never 零分钟: ``61`` s → 两分钟."""
    return count(max(1, math.ceil(seconds / 60))) + "分钟"


def duration(seconds: float) -> str:
    """Say a length of time to the minute, rounded up: ``3900`` s → 一小时五分钟."""
    hours, rest = divmod(max(1, math.ceil(seconds / 60)), 60)
    said = count(hours) + "小时" if hours else ""
    return said + (count(rest) + "分钟" if rest else "")


def date(day: dt.date) -> str:
    """Say the month and day: 十二月二十一日."""
    return f"{number(day.month)}月{number(day.day)}日"


def spell_out(text: str) -> str:
    """Replace every run of digits in a sentence by words.

    Runs of three digits and more are numbers to dial; shorter ones are quantities or keys.
    """

    def say(match: re.Match[str]) -> str:
        run = match.group()
        if run in HOUSEHOLD_NUMBERS:
            return HOUSEHOLD_NUMBERS[run]
        return digits(run) if len(run) >= 3 else number(int(run))

    return re.sub(r"[0-9]+", say, text)


def parse_number(text: str) -> int:
    """Read a spoken quantity back: 一百零五 → 105.

    Raises:
        ValueError: ``text`` is not a quantity as ``number`` or ``count`` says it.
    """
    if not text:
        raise ValueError("not a spoken number: ''")
    total = 0
    rest = text
    for size, word in ((10**8, "亿"), (10**4, "万")):
        before, found, after = rest.rpartition(word)
        if found:
            total += parse_number(before) * size
            rest = after
    return total + (_parse_below_10000(rest, text) if rest else 0)


def _above_zero(value: int) -> str:
    """Say a positive quantity with every 一 and 零 in place (一十五, not 十五)."""
    for size, word in ((10**8, "亿"), (10**4, "万")):
        if value >= size:
            head, tail = divmod(value, size)
            gap = DIGITS[0] if 0 < tail < size // 10 else ""
            return _above_zero(head) + word + gap + (_above_zero(tail) if tail else "")
    said, skipped = "", False
    for size, word in (*_SMALL_UNITS, (1, "")):
        digit, value = divmod(value, size)
        if digit:
            said += (DIGITS[0] if skipped and said else "") + DIGITS[digit] + word
        skipped = not digit
    return said


def _parse_below_10000(text: str, whole: str) -> int:
    total, digit = 0, None
    for character in text:
        if character in _MULTIPLIERS:
            total += (1 if digit is None else digit) * _MULTIPLIERS[character]
            digit = None
        elif character in _VALUES:
            # Two digits in a row are a number to dial, not a quantity; only 零 may be skipped over.
            if digit:
                raise ValueError(f"not a spoken number: {whole!r}")
            digit = _VALUES[character]
        else:
            raise ValueError(f"not a spoken number: {whole!r}")
    return total + (digit or 0)
