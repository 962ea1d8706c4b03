"""Who helps whom, and that a caller whose expert queue closes loses neither the place nor the call."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.hotline.book import QueueKind, QueueSpec
from ivr.hotline.modes import ModeName
from ivr.hotline.overflow import Return, Waiting, closed_because, helped_queues, helper_of, place_in, returns
from ivr.hotline.workdays import Calendar, OpeningHours, YearOfDays
from tests.unit.kit import T0, small_book

GENERAL = QueueSpec("q_general", "综合受理")
EXPERT = QueueSpec("q_market", "市场监管", kind=QueueKind.EXPERT, hours=OpeningHours(time(9), time(17)))
BOOK = small_book(
    queues=(GENERAL, EXPERT), calendar=Calendar({2026: YearOfDays(frozenset({date(2026, 10, 1)}))})
)
OPEN = datetime(2026, 11, 20, 2, tzinfo=UTC)  # a Friday, 10:00 in Shanghai
CLOSED = datetime(2026, 11, 20, 9, tzinfo=UTC)  # 17:00
BOTH = {"q_general", "q_market"}


def waits(call: str, queue: str, since: float, priority: int = 0, free: bool = True) -> Waiting:
    return Waiting(call, queue, f"PJSIP/trunk-{call}", since, priority, free)


def test_general_operators_help_the_experts_unless_another_queue_is_named() -> None:
    assert helper_of(BOOK, EXPERT) == "q_general"
    assert helper_of(BOOK, GENERAL) == ""
    assert helper_of(BOOK, replace(EXPERT, overflow_to="q_other")) == "q_other"
    assert helped_queues(BOOK, ["q_general"]) == ["q_market"]
    assert helped_queues(BOOK, ["q_market"]) == []
    assert helped_queues(BOOK, ["q_general", "q_market"]) == []


@pytest.mark.parametrize(
    ("now", "mode", "served", "why"),
    [
        (OPEN, ModeName.REGULAR, BOTH, ""),
        (OPEN, ModeName.EMERGENCY, BOTH, ""),
        (OPEN, ModeName.HOLIDAY, BOTH, "closed in this mode"),
        (CLOSED, ModeName.REGULAR, BOTH, "closed at this hour"),
        (OPEN, ModeName.REGULAR, {"q_general"}, "nobody is logged in"),
        (OPEN.replace(year=2030), ModeName.REGULAR, BOTH, ""),
    ],
)
def test_an_expert_queue_keeps_its_callers_while_it_is_open_and_somebody_is_there(
    now: datetime, mode: ModeName, served: set[str], why: str
) -> None:
    assert closed_because(BOOK, EXPERT, now, mode, served) == why
    assert closed_because(BOOK, GENERAL, now, mode, set()) == ""


def test_a_caller_comes_back_before_those_who_came_later_and_behind_those_who_came_before() -> None:
    callers = [
        waits("police", "q_general", T0 + 90, priority=30),
        waits("early", "q_general", T0),
        waits("late", "q_general", T0 + 60),
        waits("second", "q_market", T0 + 40),
        waits("first", "q_market", T0 + 30),
    ]
    assert returns(BOOK, callers, CLOSED, ModeName.REGULAR, BOTH) == [
        Return(callers[4], 3, "closed at this hour"),
        Return(callers[3], 4, "closed at this hour"),
    ]


def test_a_caller_for_whom_a_seat_rings_just_now_is_left_alone() -> None:
    callers = [waits("ringing", "q_market", T0, free=False)]
    assert returns(BOOK, callers, CLOSED, ModeName.REGULAR, BOTH) == []


CALLERS = st.lists(
    st.tuples(st.sampled_from(["q_general", "q_market"]), st.integers(0, 50), st.sampled_from([0, 10, 30])),
    max_size=15,
)


@given(CALLERS)
def test_however_many_come_back_the_longest_waiting_stay_in_front(
    rows: list[tuple[str, int, int]],
) -> None:
    callers = [waits(str(n), queue, T0 + s, prio) for n, (queue, s, prio) in enumerate(rows)]
    order = sorted(
        (caller for caller in callers if caller.queue == "q_general"), key=lambda c: (-c.priority, c.since)
    )
    moved = returns(BOOK, callers, CLOSED, ModeName.REGULAR, BOTH)
    for back in moved:
        assert back.position == place_in(order, back.caller)
        order.insert(back.position - 1, back.caller)
    assert len(order) == len(callers)
    assert [(-c.priority, c.since) for c in order] == sorted((-c.priority, c.since) for c in callers)
