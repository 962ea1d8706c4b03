"""An alarm is raised once, cleared once, and does not flicker."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ivr.alarms.board import Alarms, Fault
from ivr.events.event import HOTLINE
from tests.unit.kit import T0, Clock, Journal

AWAY = Fault("phone_away", "01", "the phone is away.", "话机未注册。", lasts_s=30, gone_s=10)
KINDS = {"phone_away"}


class Board:
    def __init__(self) -> None:
        self.journal, self.clock = Journal(), Clock()
        self.alarms = Alarms(self.journal.append, self.clock)

    def judge(self, at: float, *faults: Fault, judged: set[str] = KINDS) -> list[str]:
        self.clock.now = T0 + at
        self.alarms.judge(faults, judged)
        return [alarm.about for alarm in self.alarms.active]

    def told(self) -> list[str]:
        return self.journal.kinds(HOTLINE)


def test_a_fault_that_lasts_is_raised_once_and_cleared_once() -> None:
    board = Board()
    assert board.judge(0, AWAY) == []
    assert board.judge(29, AWAY) == []
    assert board.judge(30, AWAY) == ["01"]
    assert board.judge(31, AWAY) == ["01"]
    assert board.judge(32) == ["01"]
    assert board.judge(42) == []
    assert board.told() == ["alarm_raised", "alarm_cleared"]
    (raised, _) = board.journal.of(HOTLINE)
    assert raised.data == {
        "alarm": "phone_away", "about": "01", "sentence": "the phone is away.", "sentence_zh": "话机未注册。"
    }  # fmt: skip


def test_what_comes_and_goes_raises_nothing_and_clears_nothing() -> None:
    board = Board()
    for n in range(10):
        assert board.judge(n * 30, AWAY) == []
        assert board.judge(n * 30 + 25) == []
    board.judge(1000, AWAY)
    board.judge(1030, AWAY)
    for n in range(10):
        assert board.judge(1040 + n * 10) == ["01"]
        assert board.judge(1045 + n * 10, AWAY) == ["01"]
    assert board.told() == ["alarm_raised"]


def test_what_cannot_be_looked_at_stays_as_it_is() -> None:
    board = Board()
    board.judge(0, AWAY)
    board.judge(30, AWAY)
    assert board.judge(500, judged=set()) == ["01"]
    assert board.judge(501, judged={"understaffed"}) == ["01"]


def test_an_alarm_by_hand_is_up_until_it_is_cleared_by_hand() -> None:
    board = Board()
    assert board.alarms.raise_("disk", "recordings", "full.", "已满。")
    assert not board.alarms.raise_("disk", "recordings", "full.", "已满。")
    assert board.judge(100) == ["recordings"]
    assert board.alarms.clear("disk", "recordings")
    assert not board.alarms.clear("disk", "recordings")
    assert board.told() == ["alarm_raised", "alarm_cleared"]


def test_alarms_are_the_same_after_a_restart_and_are_not_raised_again() -> None:
    board, again = Board(), Board()
    board.judge(0, AWAY)
    board.judge(30, AWAY)
    again.alarms.restore(board.journal.of(HOTLINE))
    assert again.alarms.active == board.alarms.active
    again.judge(60, AWAY)
    again.judge(95, AWAY)
    assert again.told() == []
    assert again.judge(100) == ["01"]
    assert again.judge(130) == []
    assert again.told() == ["alarm_cleared"]


@given(st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=60))
def test_whatever_comes_and_goes_every_alarm_is_raised_and_cleared_in_turn(
    steps: list[tuple[int, bool]],
) -> None:
    board, at = Board(), 0
    for wait, wrong in steps:
        at += wait
        board.judge(at, *([AWAY] if wrong else []))
    told = board.told()
    assert told == ["alarm_raised", "alarm_cleared"] * (len(told) // 2) + ["alarm_raised"] * (len(told) % 2)
    assert len(told) % 2 == len(board.alarms.active)
