"""The link's tables: every row walked, everything else refused, waits within their bounds."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.asterisk.ami.states import (
    TRANSITIONS,
    Backoff,
    IllegalTransition,
    LinkEvent,
    LinkState,
    StateBoard,
    next_state,
)


@pytest.mark.parametrize(
    ("state", "event", "then"),
    [(state, event, then) for state, row in TRANSITIONS.items() for event, then in row.items()],
)
def test_every_row_of_the_link_table_leads_where_it_says(
    state: LinkState, event: LinkEvent, then: LinkState
) -> None:
    assert next_state(state, event) is then


@pytest.mark.parametrize(
    ("state", "event"),
    [(state, event) for state in LinkState for event in LinkEvent if event not in TRANSITIONS[state]],
)
def test_everything_else_is_refused(state: LinkState, event: LinkEvent) -> None:
    with pytest.raises(IllegalTransition, match=state.name):
        next_state(state, event)


def test_live_is_reached_only_through_synchronisation_and_every_state_has_an_exit() -> None:
    into_live = {
        (state, event) for state, row in TRANSITIONS.items() for event in row if row[event] is LinkState.LIVE
    }
    assert into_live == {(LinkState.SYNCING, LinkEvent.SYNCHRONISED)}
    for state in LinkState:
        assert TRANSITIONS[state]
        if state is not LinkState.DOWN:
            assert TRANSITIONS[state][LinkEvent.LOST] is LinkState.DOWN


@given(st.integers(0, 10**9), st.integers(), st.floats(0, 1))
def test_no_wait_between_attempts_is_longer_than_the_cap(attempt: int, seed: int, jitter: float) -> None:
    backoff = Backoff(first_s=0.25, factor=2.0, cap_s=10.0, refused_s=30.0, jitter=jitter)
    longest = min(10.0, 0.25 * 2.0 ** min(attempt, 10))
    assert longest * (1 - jitter) <= backoff.delay(attempt, random.Random(seed)) <= longest
    assert backoff.delay(attempt, random.Random(seed), refused=True) <= 30.0


def test_waits_grow_and_two_engines_do_not_come_back_together() -> None:
    steady = Backoff(jitter=0.0)
    waits = [steady.delay(attempt, random.Random(1)) for attempt in range(8)]
    assert waits == sorted(waits) and waits[0] == 0.25 and waits[-1] == 10.0
    one, other = random.Random(1), random.Random(2)
    assert Backoff().delay(5, one) != Backoff().delay(5, other)


def test_a_listener_that_fails_does_not_stop_the_link(caplog: pytest.LogCaptureFixture) -> None:
    def listener(state: LinkState) -> None:
        raise ValueError("a fault in a listener")

    board = StateBoard(listener)
    board.step(LinkEvent.OPENED, "logging in", "正在登录")
    assert board.state is LinkState.CONNECTED and "on_state failed" in caplog.text
