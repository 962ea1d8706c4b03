"""Ticket numbers: ``{region6}{yyyyMMdd}{seq5}{check1}``, told over the telephone in groups of four.

The check digit is modulo 11 with distinct weights on neighbours, so that one wrong digit and two
swapped neighbours are always noticed.  A sequence number whose check would be 10 is not given out.
The query code is the last eight digits.  Beyond 99,999 a day the sequence simply grows longer.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

_MODULUS = 11


def check_digit(body: str) -> int:
    """Return the check of a digit string, 0 to 10; the weights are powers of 2 modulo 11."""
    total = 0
    weight = 2
    for digit in reversed(body):
        total += int(digit) * weight
        weight = weight * 2 % _MODULUS
    return (-total) % _MODULUS


def ticket_no(region: str, day: date, sequence: int) -> str | None:
    """Return the number of a day's n-th ticket, None for a sequence that is not given out.

    Args:
        region: six digits of GB/T 2260.
        day: the local day on which the ticket was opened.
        sequence: from 1 on.
    """
    body = f"{region}{day:%Y%m%d}{sequence:05d}"
    check = check_digit(body)
    return None if check == _MODULUS - 1 else f"{body}{check}"


def is_valid(number: str) -> bool:
    """Tell whether a ticket number is well formed and its check digit right."""
    if not number.isascii() or not number.isdigit() or len(number) < 20:
        return False
    return check_digit(number[:-1]) == int(number[-1])


def is_of_a_day(number: str) -> bool:
    """Tell whether digits are surely a ticket number: valid, and of a day since 2000; no telephone number is so long."""
    if not is_valid(number) or number[6:8] != "20":
        return False
    try:
        datetime.strptime(number[6:14], "%Y%m%d")
    except ValueError:
        return False
    return True


def query_code(number: str) -> str:
    """Return what a caller keys in to ask for the ticket."""
    return number[-8:]


def last_sequences(region: str, numbers: Iterable[str]) -> dict[date, int]:
    """Return the last sequence of each day among ticket numbers of a region."""
    last: dict[date, int] = {}
    for number in numbers:
        if number.startswith(region) and is_valid(number):
            day = datetime.strptime(number[6:14], "%Y%m%d").date()
            last[day] = max(last.get(day, 0), int(number[14:-1]))
    return last


def take(region: str, day: date, after: int, count: int) -> tuple[list[str], int]:
    """Return the next ``count`` numbers after sequence ``after``, and the last sequence used."""
    numbers: list[str] = []
    sequence = after
    while len(numbers) < count:
        sequence += 1
        number = ticket_no(region, day, sequence)
        if number is not None:
            numbers.append(number)
    return numbers, sequence
