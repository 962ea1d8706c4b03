"""What the engine tells of itself and of Asterisk: who did not answer, and for how long.

The engine cannot tell that it hangs; the supervisor notices, starts another, and hands it the
reason.  That one raises the alarm.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ivr.alarms.board import Fault
from ivr.host import processes
from ivr.host.home_watch import HomeGone, HomeWatch
from ivr.host.silence import Silence

log = logging.getLogger(__name__)

ASTERISK_AWAY = "asterisk_away"
ENGINE_HUNG = "engine_hung"

AWAY_AFTER_S = 27.0
"""Without a live link; with the heartbeats it takes to notice a silence that makes half a minute."""
BACK_AFTER_S = 5.0
RAN_WELL_S = 300.0
"""So long an engine must run until the hang of one before it is no longer an alarm, unless a person took it off."""
_LOOK_S = 1.0
_DELETING_S = 5.0
"""Deleting a folder takes a while, and its database may go first."""
_POLL_S = 0.1
_OPTION = "--after-hang"


_STATES = {
    "T": ("it was stopped (SIGSTOP)", "当时已被暂停（SIGSTOP）"),
    "t": ("it was stopped by a debugger", "当时被调试器暂停"),
    "D": ("it was blocked, waiting for a disk", "当时阻塞，在等待磁盘"),
    "R": ("it was running", "当时正在运行"),
    "S": ("it was asleep, waiting for something", "当时在休眠，等待某事"),
}
"""The states of proc(5) that one which does not answer may be in."""
_UNKNOWN = "its state could not be read", "当时的状态无法读取"


@dataclass(frozen=True)
class Hang:
    """The engine before this one did not answer.

    Args:
        at: seconds since the epoch when it was ended.
        silent_s: seconds for which it had not answered.
        state: the state of its process then, as proc(5) has it; empty where it wrote itself where it stood.
    """

    at: float
    silent_s: float
    state: str = ""

    def arguments(self) -> list[str]:
        """Return how the next engine is told: on a full disk a note could not be written."""
        return [_OPTION, f"{self.at:.3f}", f"{self.silent_s:.1f}", self.state]

    @classmethod
    def told_in(cls, arguments: Sequence[str]) -> Hang | None:
        """Return what the supervisor told, None when there is nothing to tell; an older one tells no state."""
        if list(arguments[:1]) != [_OPTION]:
            return None
        return cls(float(arguments[1]), float(arguments[2]), "".join(arguments[3:4]))

    def fault(self) -> Fault:
        """Return what the alarm says."""
        since, clock = (
            time.strftime("%H:%M:%S", time.localtime(at)) for at in (self.at - self.silent_s, self.at)
        )
        english = (
            f"the engine did not answer for {self.silent_s:.0f} s, was ended at {clock} and started again; "
        )
        chinese = f"引擎连续 {self.silent_s:.0f} 秒没有响应，已于 {clock} 结束并重新启动；"
        if not self.state:
            english += "log/engine.out has where it stood, log/supervisor.log when."
            chinese += "停在何处见 log/engine.out，时间见 log/supervisor.log。"
        else:
            state, state_zh = _STATES.get(self.state, _UNKNOWN)
            english += f"silent since {since}: {state} and could not write where it stood; log/supervisor.log has when."
            chinese += f"自 {since} 起没有响应：{state_zh}，未能写下停在何处；时间见 log/supervisor.log。"
        return Fault(ENGINE_HUNG, "engine", english, chinese)


class Board(Protocol):
    """The board of alarms."""

    def judge(self, faults: Iterable[Fault], judged: Collection[str]) -> None:
        """Raise and clear by what is wrong now."""

    def raise_(self, alarm: str, about: str, sentence: str, sentence_zh: str) -> bool:
        """Raise an alarm."""

    def clear(self, alarm: str, about: str) -> bool:
        """Clear an alarm; False when it is not up."""


class LinkSeen(Protocol):
    """What is seen of the link to Asterisk."""

    @property
    def live(self) -> bool:
        """Whether Asterisk answers."""

    @property
    def reason(self) -> str:
        """Why it is not live."""

    @property
    def reason_zh(self) -> str:
        """The same in Chinese."""


class Liveness:
    """Watches over what the engine needs to be of use.

    Args:
        link: the link to Asterisk.
        board: where faults are judged.
        home: the folder of the hotline.
        hang: what became of the engine before this one.
    """

    def __init__(self, link: LinkSeen, board: Board, home: Path, hang: Hang | None = None) -> None:
        self._link = link
        self._board = board
        self._home = home
        self._owner = processes.identity(home)
        self._watch = HomeWatch(home)
        self._hang = hang
        self._away = Silence(2 * _LOOK_S)
        self._ran_well = False
        self._parent = os.getppid()

    def begin(self) -> None:
        """Tell what became of the engine before, so that it is known when this one first answers."""
        if self._hang is not None:
            fault = self._hang.fault()
            self._board.raise_(fault.alarm, fault.about, fault.sentence, fault.sentence_zh)

    async def run(self) -> None:
        """Watch until cancelled.

        Raises:
            HomeGone: there is nothing left to work for.
        """
        began = time.monotonic()
        while True:
            now = time.monotonic()
            self.judge(now, ran_s=now - began)
            why, zh = self._watch.look(now)
            if why:
                raise HomeGone(f"{why}: the engine ends.", f"{zh}：引擎退出。")
            await asyncio.sleep(_LOOK_S)

    def ends(self) -> None:
        """End the Asterisk of a home that was deleted, where no supervisor does it: nobody could find it any more.

        To be called when the engine ends for a fault: that may be the first sign of it.
        """
        deadline = time.monotonic() + _DELETING_S
        while os.getppid() != self._parent and time.monotonic() < deadline:
            if self._watch.deleted:
                for process in processes.left_of(self._owner, "asterisk"):
                    log.error("%s was deleted: its Asterisk (pid %d) is ended", self._home, process.pid)
                    processes.end(process)
                return
            time.sleep(_POLL_S)

    def judge(self, now: float, ran_s: float) -> None:
        """Judge once.

        Args:
            now: seconds of a clock that only grows.
            ran_s: seconds for which this engine has run.
        """
        faults = []
        away_s = self._away.look(now, silent=not self._link.live)
        if away_s >= AWAY_AFTER_S:
            faults.append(_away(self._link.reason, self._link.reason_zh))
        self._board.judge(faults, {ASTERISK_AWAY})
        if ran_s >= RAN_WELL_S and not self._ran_well:
            self._ran_well = True
            self._board.clear(ENGINE_HUNG, "engine")


def _away(reason: str, reason_zh: str) -> Fault:
    return Fault(
        ASTERISK_AWAY,
        "asterisk",
        f"Asterisk has not answered for half a minute ({reason}): calls may not come in; see `ivr status`.",
        f"Asterisk 已有半分钟没有响应（{reason_zh}）：来电可能无法接入；请查看 ivr status。",
        gone_s=BACK_AFTER_S,
    )
