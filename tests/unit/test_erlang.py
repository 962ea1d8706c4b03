"""What callers are told to expect follows the queueing theory, at any size and any load."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.reports.erlang import Load, Performance, erlang_b, performance, stable

calls = st.floats(0.1, 5_000)
aht = st.floats(20, 900)
patience = st.floats(5, 900)
people = st.integers(1, 120)


def test_the_textbook_case_has_its_published_figures() -> None:
    """200 calls an hour of 180 s (10 erlangs), 14 agents: SL20 88.835 %, ASA 7.8359 s."""
    meets = performance(Load(200, 180, math.inf), 14, answer_s=20)
    assert meets.answered_in_time == pytest.approx(0.88835, abs=5e-6)
    assert meets.mean_wait_answered_s == pytest.approx(7.8359, abs=5e-5)
    assert meets.occupancy == pytest.approx(10 / 14)


def _by_hand(load: Load, people: int, answer_s: float) -> Performance:
    """Erlang A by adding up a long chain of states, and the wait by following each place in the queue."""
    arrive, serve, leave = load.calls_per_hour / 3600, 1 / load.aht_s, 1 / load.patience_s
    likely = [1.0]
    for state in range(1, people + 2000):
        likely.append(likely[-1] * arrive / (min(state, people) * serve + max(0, state - people) * leave))
    total = sum(likely)
    queue = sum(max(0, state - people) * share for state, share in enumerate(likely)) / total
    connected = 1 - leave * queue / arrive
    # who finds j waiting is answered in time with the integral of the wait's density over 0..answer_s
    steps = 4000
    width = answer_s / steps
    density = [
        arrive * math.exp(arrive / leave * (1 - math.exp(-leave * u)) - people * serve * u - leave * u)
        for u in ((at + 0.5) * width for at in range(steps))
    ]
    at_once = sum(likely[:people]) / total
    in_time = at_once + likely[people - 1] / total * sum(density) * width
    return Performance(connected, in_time, queue / arrive, 0.0, arrive * connected / (people * serve))


@pytest.mark.parametrize(
    ("load", "people"),
    [
        (Load(142.7, 210, 90), 6),
        (Load(338.4, 300, 90), 24),
        (Load(60, 300, 30), 4),
        (Load(600, 200, 200), 30),
        (Load(90, 120, 600), 4),
    ],
)
def test_the_quick_sums_agree_with_a_long_chain_of_states(load: Load, people: int) -> None:
    quick, slow = performance(load, people), _by_hand(load, people, 15)
    assert quick.connection_rate == pytest.approx(slow.connection_rate, abs=1e-10)
    assert quick.answered_in_time == pytest.approx(slow.answered_in_time, abs=1e-7)
    assert quick.mean_wait_s == pytest.approx(slow.mean_wait_s, abs=1e-7)
    assert quick.occupancy == pytest.approx(slow.occupancy, abs=1e-10)


@given(calls, aht, patience, people)
def test_shares_are_shares_and_waits_are_bounded_by_patience(
    calls: float, aht: float, patience: float, people: int
) -> None:
    meets = performance(Load(calls, aht, patience), people)
    assert 0 <= meets.answered_in_time <= meets.connection_rate <= 1
    assert 0 <= meets.occupancy <= 1
    assert 0 <= meets.mean_wait_s <= patience
    # whoever loses patience does so at rate 1/patience: the two must tell the same story
    assert 1 - meets.connection_rate == pytest.approx(meets.mean_wait_s / patience, abs=1e-9)


@given(calls, aht, patience, people)
def test_one_more_person_never_makes_it_worse(calls: float, aht: float, patience: float, people: int) -> None:
    load = Load(calls, aht, patience)
    fewer, more = performance(load, people), performance(load, people + 1)
    assert more.connection_rate >= fewer.connection_rate - 1e-12
    assert more.answered_in_time >= fewer.answered_in_time - 1e-12
    assert more.mean_wait_s <= fewer.mean_wait_s + 1e-9
    assert more.occupancy <= fewer.occupancy + 1e-12


@given(aht, st.integers(2, 60), st.floats(0.05, 0.95))
@settings(max_examples=50)
def test_endless_patience_is_erlang_c(aht: float, people: int, occupancy: float) -> None:
    calls = occupancy * people / aht * 3600
    patient, endless = (performance(Load(calls, aht, wait), people) for wait in (1e9, math.inf))
    assert patient.connection_rate == pytest.approx(1, abs=1e-5)
    assert patient.answered_in_time == pytest.approx(endless.answered_in_time, abs=1e-4)
    assert patient.mean_wait_s == pytest.approx(endless.mean_wait_s, rel=1e-3, abs=1e-6)


@given(calls, aht, people)
def test_no_patience_is_erlang_b(calls: float, aht: float, people: int) -> None:
    load = Load(calls, aht, 1e-7)
    none, little = performance(Load(calls, aht, 0), people), performance(load, people)
    assert none.connection_rate == pytest.approx(1 - erlang_b(load.erlangs, people))
    assert little.connection_rate == pytest.approx(none.connection_rate, abs=1e-4)


def test_a_thousand_people_in_a_heavy_overload_answer_as_many_as_they_can() -> None:
    load = Load(200_000, 210, 90)
    meets = performance(load, 1000)
    assert meets.occupancy == 1
    assert meets.connection_rate == pytest.approx(1000 / load.erlangs)
    assert meets.mean_wait_answered_s == pytest.approx(90 * math.log(load.erlangs / 1000), rel=0.01)
    assert meets.answered_in_time < 1e-9


def test_a_thousand_people_with_nothing_to_do_let_nobody_wait() -> None:
    meets = performance(Load(1, 60, 90), 1000)
    assert (meets.connection_rate, meets.answered_in_time, meets.mean_wait_s) == (1, 1, 0)


def test_a_thousand_people_at_their_limit_are_told_the_same_as_the_neighbours() -> None:
    rates = [performance(Load(3600 * n / 210, 210, 90), n).connection_rate for n in (999, 1000, 1001)]
    assert rates == sorted(rates)
    assert 0.97 < rates[0] < rates[2] < 0.99


def test_with_nobody_on_duty_every_caller_gives_up() -> None:
    meets = performance(Load(10, 210, 90), 0)
    assert (meets.connection_rate, meets.answered_in_time, meets.mean_wait_s) == (0, 0, 90)


def test_an_hour_without_calls_is_a_good_hour() -> None:
    assert performance(Load(0, 210, 90), 3) == Performance(1, 1, 0, 0, 0)


def test_a_queue_that_only_grows_is_called_unstable() -> None:
    overload = Load(3600, 210, math.inf)
    assert not stable(overload, 210)
    assert stable(overload, 211)
    assert performance(overload, 105).connection_rate == pytest.approx(0.5)
