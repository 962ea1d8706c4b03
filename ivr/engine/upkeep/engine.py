"""The engine's process as the supervisor sees it: started, asked, ended when it does not answer."""

from __future__ import annotations

import contextlib
import json
import logging
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ivr.api import questions
from ivr.engine.liveness import Hang
from ivr.engine.upkeep.notes import Notes
from ivr.errors import HotlineError
from ivr.home.settings import Settings
from ivr.host import last_words, processes

log = logging.getLogger(__name__)

ROLE = "engine"
MODULE = "ivr.engine.serve"
FORMERLY = "ivr.serve"
"""What it was called before; an engine that runs while the hotline is upgraded still is."""
STEADY_S = 30.0
REFUSED_RETRY_S = 15.0
"""An engine that says no is asked again when that may have changed: another one has its database."""
_BACKOFF = (0.0, 0.5, 1.0, 2.0, 5.0)
TRACE_TRIES = 40
_TRY_S = 0.05
_TRACE_S = 0.3
_STOPPED = ("T", "t")


@dataclass(frozen=True)
class Limits:
    """How long an engine may be silent.

    Args:
        ask_every_s: seconds between an answer and the next question.
        silent_s: seconds without an answer after which one that has answered before is ended.
        start_s: the same for one that has never answered: a slow machine, a long journal.
    """

    ask_every_s: float = 2.0
    silent_s: float = 10.0
    start_s: float = 180.0


def find(settings: Settings) -> processes.Process | None:
    """Return the engine of this home, whoever started it."""
    note = settings.pids / "engine.pid"
    found = (processes.find(settings.home, ROLE, name, note) for name in (MODULE, FORMERLY))
    return next((process for process in found if process is not None), None) or _unmarked(settings)


def _unmarked(settings: Settings) -> processes.Process | None:
    """Return one that a version of ours before the marks started; that it writes this home's journal is the proof."""
    pid = processes.noted_pid(settings.pids / "engine.pid")
    if pid is None or processes.is_marked(pid) or not {MODULE, FORMERLY} & set(processes.arguments(pid)):
        return None
    return processes.of(pid) if processes.has_open_in(pid, settings.journal) else None


class EngineProcess:
    """One engine, always.

    Args:
        settings: where things are.
        notes: what is noted for ``ivr status``.
        limits: how long it may be silent.
    """

    def __init__(self, settings: Settings, notes: Notes, limits: Limits | None = None) -> None:
        self._settings = settings
        self._notes = notes
        self._limits = limits or Limits()
        self._pid_file = settings.pids / "engine.pid"
        self._pid_noted = False
        self._output: Path = settings.logs / "engine.out"
        self._process: subprocess.Popen[bytes] | None = None
        self._asking = self._new_asking()
        self._hang: Hang | None = None
        self._killed = False
        self._started = 0.0
        self._failures = 0
        self._not_before = 0.0
        self._proved = False
        """Whether one has ever answered: then it is started again for ever."""
        self._asterisk_answered_at = float("-inf")

    def vouches_for_asterisk(self, now: float) -> bool:
        """Tell whether it said within the last two questions that Asterisk answers it."""
        return now - self._asterisk_answered_at <= 2 * self._limits.ask_every_s + 1.0

    def stop_stranger(self) -> None:
        """End an engine that a killed supervisor left behind."""
        stranger = find(self._settings)
        if stranger is not None and not processes.end(stranger):
            raise HotlineError(
                f"the engine that was left running (pid {stranger.pid}) cannot be ended: end it by hand.",
                f"遗留的引擎（进程 {stranger.pid}）无法结束：请手动结束。",
            )

    def start(self) -> None:
        """Start a process."""
        told = self._hang.arguments() if self._hang else []
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", MODULE, *told],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=processes.marked(self._settings.home, ROLE),
                start_new_session=True,
            )
        self._started = time.monotonic()
        self._pid_noted = self._killed = False
        self._asking.close()
        self._asking = self._new_asking()
        self._note_pid()

    def look(self) -> None:
        """Start it again if it has ended or does not answer; wait longer each time it ends soon.

        Raises:
            HotlineError: it never ran, and says that starting again makes no sense.
        """
        now = time.monotonic()
        if self._process is None:
            if now >= self._not_before:
                self.start()
            return
        status = self._process.poll()
        if status is None:
            self._look_at_running(self._process, now)
        else:
            self._ended(status, now)

    def _look_at_running(self, process: subprocess.Popen[bytes], now: float) -> None:
        if self._killed:  # it waits for a disk, and ends when that answers
            return
        if self._asking.answered:
            self._proved = True
            if now - self._started > STEADY_S / 6:
                self._hang = None  # this one was told, and has told it
        if not self._pid_noted:
            self._note_pid()
        silent_s = self._asking.look(now)
        limit_s = self._limits.silent_s if self._asking.answered else self._limits.start_s
        self._notes.silent(ROLE, process.pid, silent_s if self._asking.answered else 0.0)
        if silent_s >= limit_s:
            self._end_hung(process, silent_s)

    def _end_hung(self, process: subprocess.Popen[bytes], silent_s: float) -> None:
        """End one that does not answer; where it stands goes to ``engine.out`` first, if it still can say that."""
        state, before = processes.state(process.pid) or "?", self._written()
        log.error(
            "the engine (pid %d, state %s) has not answered for %.1f s: it is ended and starts again",
            process.pid,
            state,
            silent_s,
        )
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGUSR2)
            self._let_it_write(before, 0 if state in _STOPPED else TRACE_TRIES)
        process.kill()
        self._killed = True
        self._hang = Hang(time.time(), silent_s, "" if self._written() > before else state)
        self._notes.silent(ROLE, process.pid, 0.0)

    def _let_it_write(self, before: int, tries: int) -> None:
        for _ in range(tries):
            time.sleep(_TRY_S)
            if self._written() > before:
                time.sleep(_TRACE_S)  # all of it
                return

    def _written(self) -> int:
        """Return the bytes of ``engine.out``."""
        with contextlib.suppress(OSError):
            return self._output.stat().st_size
        return 0

    def _ended(self, status: int, now: float) -> None:
        self._process = None
        if status == 2 and not self._proved:
            raise HotlineError(*last_words.heard(self._output.read_text(errors="replace")))
        self._failures = 0 if now - self._started > STEADY_S else self._failures + 1
        wait_s = _BACKOFF[min(self._failures, len(_BACKOFF)) - 1] if self._failures else 0.0
        if status == 2:
            wait_s = REFUSED_RETRY_S
        self._not_before = now + wait_s
        log.error("the engine ended (status %s); it starts again in %.1f s", status, wait_s)

    def stop(self) -> bool:
        """End it; tell whether it is gone."""
        if self._process is None:
            return True
        process = processes.of(self._process.pid)
        gone = process is None or processes.end(process)
        self._process.poll()
        with contextlib.suppress(OSError):
            self._pid_file.unlink(missing_ok=True)
        return gone

    def _note_pid(self) -> None:
        assert self._process is not None
        try:
            processes.note(self._pid_file, str(self._process.pid))
            self._pid_noted = True
        except OSError:  # a full disk; it is found by its mark too, and noted at a later look
            log.debug("the engine's pid cannot be noted yet")

    def _new_asking(self) -> questions.Asking:
        run = self._settings.run
        return questions.Asking(
            lambda: questions.to_engine(run), self._accepts, every_s=self._limits.ask_every_s
        )

    def _accepts(self, line: bytes) -> bool:
        """Take an answer from our engine only: the socket may still be another's."""
        try:
            answer = json.loads(line)["answer"]
            ours = self._process is not None and answer["pid"] == self._process.pid
        except (ValueError, KeyError, TypeError):
            return False
        if ours and answer.get("asterisk"):
            self._asterisk_answered_at = time.monotonic()
        return ours
