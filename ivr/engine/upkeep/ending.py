"""Ending everything of one home, truthfully: each process with proof, and as long as it takes.

On a busy machine an orderly end may take long, so the wait begins anew whenever something has
ended; only where nothing moves any more is the next, harder step taken.
"""

from __future__ import annotations

from ivr.asterisk.facts import sip_capture
from ivr.asterisk.install.instance import Instance
from ivr.engine.upkeep import asterisk, engine
from ivr.engine.upkeep.lock import is_held, supervisor_of
from ivr.errors import HotlineError
from ivr.home.settings import Settings
from ivr.host import processes

PATIENCE_S = 30.0
"""Seconds without any progress before a harder step."""
_STEP_S = 0.5
_THROWAWAY = ("asterisk-proof", "asterisk-media")
"""Instances in which something was being proved when whoever started them was killed."""


class NotEnded(HotlineError):
    """Something still runs."""

    code = "not_ended"


def end_all(settings: Settings, instance: Instance | None, patience_s: float = PATIENCE_S) -> bool:
    """End supervisor, engine, Asterisk, and what they started; False where nothing of it ran.

    Args:
        settings: where things are.
        instance: the Asterisk of this home; None where the city runs its own.
        patience_s: seconds without progress before a harder step.

    Raises:
        NotEnded: something still runs, and what.
    """
    supervisor = supervisor_of(settings)
    if supervisor is None and is_held(settings):
        raise NotEnded(
            f"a hotline runs for {settings.home}, but its processes cannot be seen from here "
            "(another container or user): end it there.",
            f"{settings.home} 的热线正在运行，但从这里看不到其进程（其他容器或用户）：请在那里停止。",
        )
    running = _Running(settings, instance)
    if supervisor is not None:
        _end_supervisor(supervisor, running, patience_s)
    left = [one for _ in range(2) for one in running.others() if not processes.end(one, patience_s / 2)]
    stuck = [one for one in dict.fromkeys([*left, *([supervisor] if supervisor else [])]) if one.alive]
    if stuck:
        named = ", ".join(f"{processes.name(one.pid)} (pid {one.pid})" for one in stuck)
        raise NotEnded(
            f"not everything could be ended: {named} still runs, perhaps waiting for a disk; "
            "look at it, then `ivr down` again.",
            f"未能全部停止：{named} 仍在运行，可能在等待磁盘；请检查后再次运行 ivr down。",
        )
    sip_capture.forget(settings.run)  # whole numbers of citizens stand there
    return supervisor is not None or running.seen


class _Running:
    """What runs for a home besides its supervisor."""

    def __init__(self, settings: Settings, instance: Instance | None) -> None:
        self._settings = settings
        self._instance = instance
        self._started: set[processes.Process] = set()
        self.seen = False
        """Whether there ever was anything."""

    def others(self, supervisor: processes.Process | None = None) -> list[processes.Process]:
        """Return it, the engine first, which has most to save; what a supervisor started is remembered."""
        found = [engine.find(self._settings), self._instance.process() if self._instance else None]
        if self._settings.home.is_dir():
            owner = processes.identity(self._settings.home)
            found += processes.left_of(owner, engine.ROLE, asterisk.ROLE, *_THROWAWAY)
        if supervisor is not None:
            self._started.update(processes.children(supervisor))
        found += [process for process in self._started if process.alive]
        others = list(dict.fromkeys(process for process in found if process is not None))
        self.seen = self.seen or bool(others)
        return others


def _end_supervisor(supervisor: processes.Process, running: _Running, patience_s: float) -> None:
    """Let the supervisor end everything in order; kill it where nothing moves any more."""
    left, waited_s = len(running.others(supervisor)), 0.0
    processes.ask_to_end(supervisor)
    while waited_s < patience_s:
        if supervisor.gone_within(_STEP_S):
            return
        waited_s += _STEP_S
        if (now := len(running.others(supervisor))) != left:
            left, waited_s = now, 0.0
    processes.end(supervisor, patience_s / 2, at_once=True)
