"""Ticket numbers that callers read out over the telephone."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from ivr.tickets.numbers import check_digit, is_valid, last_sequences, query_code, take, ticket_no

DAY = date(2026, 11, 21)
DAYS = st.dates(date(2025, 1, 1), date(2039, 12, 31))
REGIONS = st.sampled_from(["511100", "430182", "430100", "610900", "371400"])


def given_out(region: str, day: date, sequence: int) -> str:
    """The first number that is given out from a sequence on."""
    return take(region, day, sequence - 1, 1)[0][0]


def test_a_number_is_region_day_sequence_and_check() -> None:
    number = given_out("511100", DAY, 42)
    assert number.startswith("51110020261121")
    assert number[14:19] in ("00042", "00043")
    assert len(number) == 20
    assert is_valid(number)


def test_the_check_digit_stays_what_printed_tickets_carry() -> None:
    # worked out by hand: sum of digits times 2^i modulo 11, i counted from the right beginning with 1
    body = "5111002026112100042"
    by_hand = -sum(int(digit) * pow(2, place) for place, digit in enumerate(reversed(body), 1)) % 11
    assert check_digit(body) == by_hand
    assert check_digit("0") == 0
    assert check_digit("1") == 9


@given(REGIONS, DAYS, st.integers(1, 250_000), st.data())
def test_one_misheard_digit_never_reaches_another_ticket(
    region: str, day: date, sequence: int, data: st.DataObject
) -> None:
    number = given_out(region, day, sequence)
    place = data.draw(st.integers(0, len(number) - 1))
    wrong = data.draw(st.sampled_from([d for d in "0123456789" if d != number[place]]))
    assert not is_valid(number[:place] + wrong + number[place + 1 :])


@given(REGIONS, DAYS, st.integers(1, 250_000))
def test_two_swapped_neighbours_never_reach_another_ticket(region: str, day: date, sequence: int) -> None:
    number = given_out(region, day, sequence)
    for place in range(len(number) - 1):
        one, other = number[place], number[place + 1]
        if one != other:
            assert not is_valid(number[:place] + other + one + number[place + 2 :])


def test_numbers_whose_check_would_be_ten_are_not_given_out() -> None:
    skipped = [n for n in range(1, 2000) if ticket_no("511100", DAY, n) is None]
    assert skipped, "one in eleven has the check 10"
    first = skipped[0]
    numbers, last = take("511100", DAY, first - 1, 1)
    assert last > first
    assert int(numbers[0][14:19]) == last
    assert all(check_digit(f"51110020261121{n:05d}") == 10 for n in skipped)


@given(st.integers(0, 120_000), st.integers(0, 200))
def test_no_two_tickets_of_a_day_share_a_number(after: int, count: int) -> None:
    first, last = take("511100", DAY, after, count)
    second, _ = take("511100", DAY, last, 20)
    assert len({*first, *second}) == count + 20
    assert all(is_valid(number) for number in (*first, *second))
    assert last >= after + count


def test_the_hundred_thousandth_call_of_a_day_still_gets_a_ticket() -> None:
    numbers, last = take("511100", DAY, 99_998, 5)
    assert last > 99_999
    assert all(is_valid(number) for number in numbers)
    assert {len(number) for number in numbers} <= {20, 21}
    assert len(numbers[-1]) == 21
    assert len(set(numbers)) == 5


def test_the_query_code_is_the_end_of_the_number() -> None:
    number = given_out("511100", DAY, 7)
    assert query_code(number) == number[-8:]
    assert len(query_code(number)) == 8


def test_what_is_no_ticket_number_is_not_taken_for_one() -> None:
    number = given_out("511100", DAY, 1)
    full_width = number.translate({ord("0") + n: 0xFF10 + n for n in range(10)})
    for wrong in ("", "1", number[1:], number + " ", f"{number}x", full_width, "²" * 20):
        assert not is_valid(wrong)


@given(st.integers(0, 120_000), st.integers(1, 40))
def test_the_last_sequence_of_a_day_is_read_from_its_numbers(after: int, count: int) -> None:
    numbers, last = take("511100", DAY, after, count)
    other, _ = take("430100", DAY, last + 50, 3)
    assert last_sequences("511100", [*numbers, *other, "", "511100", "x" * 20]) == {DAY: last}
