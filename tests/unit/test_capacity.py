"""How many callers a range of ports holds: whoever is let in can be answered, and can call help."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.admission.capacity import (
    OVERLOADED,
    WANTED_SEATS,
    WANTED_WAITING,
    capacity,
    overloaded,
    pairs_for,
    pairs_of,
    pairs_of_files,
)
from ivr.home.settings import Settings


@given(st.integers(10, 30_000), st.integers(1, 200))
def test_nobody_is_let_in_for_whom_no_seat_could_be_rung(pairs: int, seats: int) -> None:
    held = capacity(pairs, seats)
    assert held.taken <= pairs
    assert held.seats == min(seats, held.callers), "each seat that could answer one of them"
    assert held.help >= min(2, held.callers)
    assert held.third_parties >= 1
    assert held.callbacks >= 1
    assert held.told >= 1
    assert held.passing >= 1


@given(st.integers(10, 5_000), st.integers(1, 60))
def test_more_ports_never_let_fewer_callers_in(pairs: int, seats: int) -> None:
    assert capacity(pairs + 1, seats).callers >= capacity(pairs, seats).callers - 1
    assert capacity(pairs + 40, seats).callers >= capacity(pairs, seats).callers


@pytest.mark.parametrize(("pairs", "callers"), [(1, 1), (10, 2), (20, 4), (200, 101), (500, 325), (800, 547)])
def test_a_range_lets_so_many_callers_in_at_24_seats(pairs: int, callers: int) -> None:
    assert capacity(pairs, 24).callers == callers


def test_the_shipped_range_holds_24_seats_and_500_waiting() -> None:
    held = capacity(pairs_of(*Settings.model_fields["rtp_ports"].default), WANTED_SEATS)
    assert held.callers >= WANTED_SEATS + WANTED_WAITING
    assert pairs_for(WANTED_SEATS + WANTED_WAITING, WANTED_SEATS) <= held.pairs


@pytest.mark.parametrize(
    ("first", "last", "pairs"),
    [(20000, 20039, 20), (20001, 20039, 19), (20000, 20040, 20), (10001, 10010, 4)],
)
def test_a_pair_is_an_even_port_and_the_one_behind_it(first: int, last: int, pairs: int) -> None:
    assert pairs_of(first, last) == pairs


def test_a_process_with_few_file_handles_holds_few_callers() -> None:
    assert pairs_of_files(20_000) > 2_000
    assert capacity(pairs_of_files(1_024), 24).callers < 60
    assert pairs_of_files(64) == 0


def test_it_is_full_before_it_is_full() -> None:
    held = capacity(800, 24)
    assert overloaded(437, held) == []
    assert [fault.alarm for fault in overloaded(438, held)] == [OVERLOADED]


def test_callers_above_a_limit_that_a_change_lowered_are_told_as_that() -> None:
    held = capacity(40, 24)
    [fault] = overloaded(2 * held.callers, held)
    assert f"{2 * held.callers} callers, above the limit of {held.callers}" in fault.sentence
    assert f"{2 * held.callers} 通，超出上限 {held.callers}" in fault.sentence_zh
