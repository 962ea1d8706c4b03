"""Whom a free seat could take now."""

from __future__ import annotations

from ivr.asterisk.members import IN_USE, NOT_IN_USE, Caller, Member, QueueStatus
from ivr.waiting.hurry import at_the_head


def status(*states: int, paused: bool = False) -> QueueStatus:
    seats = [Member("q", f"PJSIP/seat0{n}", "1001", paused, "") for n in range(len(states))]
    callers = [Caller(f"c{n}", "q", f"PJSIP/trunk-{n}", 30, n, 0) for n in (3, 1, 2)]
    return QueueStatus(seats, callers, ["q", "other"], {f"PJSIP/seat0{n}": s for n, s in enumerate(states)})


def test_as_many_callers_as_there_are_free_seats_are_hurried_from_the_head() -> None:
    assert [one.call_id for one in at_the_head(status(NOT_IN_USE, NOT_IN_USE, IN_USE))] == ["c1", "c2"]


def test_nobody_is_hurried_for_a_seat_that_is_busy_or_paused() -> None:
    assert list(at_the_head(status(IN_USE))) == []
    assert list(at_the_head(status(NOT_IN_USE, paused=True))) == []
