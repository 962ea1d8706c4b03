"""What the shift leader is told of a database in trouble, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

from ivr.alarms.board import Alarms
from ivr.engine.database_watch import AWAY_S, BACK_S, DATABASE_AWAY, EVENTS_LOST, JOURNAL_SHORT, DatabaseWatch
from ivr.engine.persistence import Memory
from ivr.engine.projector import Lost
from ivr.errors import HotlineError
from ivr.events.event import Event
from tests.unit.kit import T0


@dataclass
class Known:
    """What the engine knows of its database."""

    away: HotlineError | None = None
    shortened_s: float | None = None
    recorder: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(lost=None))

    @property
    def journal(self) -> SimpleNamespace:
        return SimpleNamespace(kept=SimpleNamespace(shortened_s=self.shortened_s))


class Board:
    def __init__(self) -> None:
        self.now = T0
        self.known = Known()
        self.journalled: list[Event] = []
        self.alarms = Alarms(self.journalled.append, lambda: self.now)
        self.watch = DatabaseWatch(cast(Memory, self.known), self.alarms)

    def after(self, seconds: float) -> set[str]:
        self.now += seconds
        self.watch.look()
        return {alarm.alarm for alarm in self.alarms.active}


AWAY = HotlineError("the database does not answer: gone.", "数据库没有响应：gone。")


def test_a_database_that_is_away_for_half_a_minute_is_an_alarm_until_it_answers() -> None:
    board = Board()
    board.known.away = AWAY
    assert board.after(0) == set()
    assert board.after(AWAY_S - 1) == set()
    assert board.after(1) == {DATABASE_AWAY}
    (alarm,) = board.alarms.active
    assert (alarm.sentence, alarm.sentence_zh) == (AWAY.sentence, AWAY.zh)
    board.known.away = None
    assert board.after(1) == {DATABASE_AWAY}
    assert board.after(BACK_S) == set()
    assert [event.kind.value for event in board.journalled] == ["alarm_raised", "alarm_cleared"]


def test_a_server_that_only_starts_again_is_no_alarm() -> None:
    board = Board()
    for _ in range(3):
        board.known.away = AWAY
        board.after(0)
        assert board.after(AWAY_S / 2) == set()
        board.known.away = None
        assert board.after(1) == set()


def test_what_the_database_will_never_have_is_said_once_with_its_times() -> None:
    board = Board()
    board.known.recorder.lost = Lost(T0 - 7200, T0 - 3600)
    assert board.after(1) == {EVENTS_LOST}
    assert board.after(3600) == {EVENTS_LOST}, "it stays until somebody has seen it"
    (alarm,) = board.alarms.active
    for text in (alarm.sentence, alarm.sentence_zh):
        assert f"ivr alarms --done {EVENTS_LOST} {alarm.about}" in text
    assert " " not in alarm.about
    board.known.recorder.lost = Lost(None, None)
    board.after(1)
    assert len(board.alarms.active) == 2


def test_a_past_that_is_kept_too_briefly_is_told() -> None:
    board = Board()
    board.known.shortened_s = 5400.0
    assert board.after(1) == {JOURNAL_SHORT}
    assert "1.5" in board.alarms.active[0].sentence
    board.known.shortened_s = None
    board.after(1)
    assert board.after(60) == set()
