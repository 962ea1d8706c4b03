"""The alarms about the database: it is away, it will never have something, its past is kept too briefly."""

from __future__ import annotations

import asyncio
from datetime import datetime

from ivr.alarms.board import Alarms, Fault
from ivr.engine.persistence import Memory
from ivr.engine.projector import Lost

DATABASE_AWAY, JOURNAL_SHORT, EVENTS_LOST = "database_away", "journal_short", "events_lost"
AWAY_S = 30.0
"""A server that starts again is back before."""
BACK_S = 5.0
LOOK_S = 1.0


class DatabaseWatch:
    """Looks at what the engine knows of its database; asks nothing itself.

    Args:
        memory: the journal and the database.
        alarms: the board.
    """

    def __init__(self, memory: Memory, alarms: Alarms) -> None:
        self._memory = memory
        self._alarms = alarms

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """Raise and clear what is to be raised and cleared."""
        self._alarms.judge(self._faults(), {DATABASE_AWAY, JOURNAL_SHORT})
        if (lost := self._memory.recorder.lost) is not None:
            self._memory.recorder.lost = None
            about = _moment(lost.until or lost.since).replace(" ", "T")
            self._alarms.raise_(EVENTS_LOST, about, *_lost(lost, about))

    def _faults(self) -> list[Fault]:
        faults = []
        if (away := self._memory.away) is not None:
            faults.append(Fault(DATABASE_AWAY, "", away.sentence, away.zh, AWAY_S, BACK_S))
        if (kept_s := self._memory.journal.kept.shortened_s) is not None:
            hours = kept_s / 3600
            english = (
                f"the journal keeps only the last {hours:.1f} hours instead of 24: make room, or a database that is "
                "restored from an older backup lacks what is older."
            )
            chinese = f"流水仅保留最近 {hours:.1f} 小时（应为 24 小时）：请清理磁盘，否则恢复更早的备份后将缺少之前的内容。"
            faults.append(Fault(JOURNAL_SHORT, "", english, chinese))
        return faults


def _lost(lost: Lost, about: str) -> tuple[str, str]:
    since, until = _moment(lost.since), _moment(lost.until)
    done = f"`ivr alarms --done {EVENTS_LOST} {about}`"
    english = (
        f"the database lacks what happened {f'after {since} and ' if since else ''}before {until or 'now'}: "
        f"it was set back further than the journal reaches. Restore a newer backup if there is one, then {done}."
    )
    chinese = (
        f"数据库缺少{f' {since} 之后、' if since else ''}{until or '现在'} 之前的内容：其回退超出了流水的保留范围。"
        f"如有更新的备份请恢复，然后执行 {done}。"
    )
    return english, chinese


def _moment(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at).astimezone().isoformat(" ", "seconds")
