"""The tables of a three-way call: every row, nothing else, and nobody waits for ever."""

from __future__ import annotations

import itertools

import pytest

from ivr.events.event import Event, Kind
from ivr.transfers.states import (
    ALL_TRANSITIONS,
    COMPANY,
    DEADLINES,
    EMERGENCY_TRANSITIONS,
    HELPING,
    HOLDING,
    TRANSITIONS,
    TransferState,
    following,
)
from ivr.transfers.transfer import Transfer

ROWS = [(state, kind, then) for state, row in ALL_TRANSITIONS.items() for kind, then in row.items()]
DATA = {"n": 1, "target": "119", "routes": [["sip", "sip:119@127.0.0.1", 10.0]], "route": 0}


@pytest.mark.parametrize(("state", "kind", "then"), ROWS, ids=lambda value: str(value))
def test_each_row_leads_where_it_says(state: TransferState, kind: Kind, then: TransferState) -> None:
    transfer = Transfer("c1", state=state)
    assert transfer.apply(Event("c1", 1.0, kind, DATA))
    assert transfer.state is then


def test_what_stands_in_no_row_changes_nothing() -> None:
    known = {(state, kind) for state, kind, _ in ROWS}
    for state, kind in itertools.product(TransferState, Kind):
        if (state, kind) in known:
            continue
        transfer = Transfer("c1", state=state)
        assert not transfer.apply(Event("c1", 1.0, kind, DATA))
        assert transfer.state is state


def test_the_two_tables_never_contradict_each_other() -> None:
    for state in TRANSITIONS.keys() & EMERGENCY_TRANSITIONS.keys():
        both = TRANSITIONS[state].keys() & EMERGENCY_TRANSITIONS[state].keys()
        assert all(TRANSITIONS[state][kind] is EMERGENCY_TRANSITIONS[state][kind] for kind in both)


def test_whoever_waits_has_a_deadline() -> None:
    assert set(DEADLINES) == set(TransferState) - COMPANY
    assert set(DEADLINES) == HOLDING | HELPING


def test_every_state_is_left_when_the_caller_hangs_up() -> None:
    for state in set(TransferState) - {TransferState.ENDED}:
        assert following(state, Kind.HUNG_UP) is TransferState.ENDED


def test_an_operator_who_goes_never_leaves_the_caller_in_a_state_that_counts_on_them() -> None:
    for state in TransferState:
        then = following(state, Kind.OPERATOR_LEFT)
        if then is not None:
            assert following(then, Kind.OPERATOR_LEFT) is None


def test_every_state_is_reached_and_every_state_leads_to_company() -> None:
    reached = {TransferState.IDLE}
    while True:
        more = {then for state, _, then in ROWS if state in reached} - reached
        if not more:
            break
        reached |= more
    assert reached == set(TransferState)


def test_a_call_that_the_caller_ended_is_not_one_that_the_operator_left() -> None:
    transfer = Transfer("c1", state=TransferState.THREE_WAY)
    assert not transfer.apply(Event("c1", 1.0, Kind.OPERATOR_LEFT, {"reason": "caller"}))
    assert transfer.state is TransferState.THREE_WAY
