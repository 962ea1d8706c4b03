"""Asterisk's process as the supervisor sees it: booted, asked, ended when it is hung for good.

Booting waits for Asterisk, so it is done in a thread: the engine is looked after meanwhile.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from ivr.api import questions
from ivr.asterisk.install.instance import Instance
from ivr.engine.upkeep.notes import Notes
from ivr.errors import HotlineError
from ivr.host import processes

log = logging.getLogger(__name__)

ROLE = "asterisk"
RETRY_S = 2.0
HUNG_S = 60.0
"""Seconds of silence on its console and on the manager's link; docs/decisions/an-answer-not-a-pid.md."""
_END_S = 30.0


class AsteriskProcess:
    """One Asterisk, always.

    Args:
        instance: where it lies.
        ports: UDP and TCP ports it must own.
        notes: what is noted for ``ivr status``.
        vouched: whether the engine says, at a moment of the monotonic clock, that it answers.
        hung_s: seconds of silence after which it is ended.
    """

    def __init__(
        self,
        instance: Instance,
        ports: tuple[set[int], set[int]],
        *,
        notes: Notes,
        vouched: Callable[[float], bool],
        hung_s: float = HUNG_S,
    ) -> None:
        self._instance = instance
        self._ports = ports
        self._notes = notes
        self._vouched = vouched
        self._hung_s = hung_s
        self._process: processes.Process | None = None
        self._asking = self._new_asking()
        self._worker = ThreadPoolExecutor(1, "asterisk")
        self._boot: Future[None] | None = None
        self._ending = False
        self._ready_noted = False
        self._not_before = 0.0
        self.admitted = False
        """Whether one ever ran that owned its ports."""

    def keep(self, process: processes.Process) -> None:
        """Look after one that runs already; if it was booting, wait for that in the background."""
        self._process = process
        self.admitted = True
        self._ready_noted = self._instance.ready
        if not self._ready_noted:
            self._boot = self._worker.submit(self._admit)

    def boot(self) -> None:
        """Start it and wait until it has booted and owns its ports.

        Raises:
            HotlineError: it does not, and why; OSError: a full disk.
        """
        if self._ending:
            return
        self._instance.start()
        self._process = self._instance.process()
        self._admit()

    def _admit(self) -> None:
        """Let it count as live once it has booted and really owns its ports."""
        self._instance.wait_booted()
        self._instance.check_ports(*self._ports)
        self.admitted = True
        self._ready_noted = False
        self._note_ready()

    def look(self) -> None:
        """Start it again if it has ended, end it if it is hung; never waits for it."""
        now = time.monotonic()
        if self._boot is not None:
            self._take_in_boot(self._boot, now)
        elif self._process is not None and self._process.alive:
            self._look_at_running(self._process, now)
        elif now >= self._not_before:
            log.error("Asterisk ended (%s); it starts again", self._instance.last_words())
            self._asking.close()
            self._asking = self._new_asking()
            self._boot = self._worker.submit(self.boot)

    def _take_in_boot(self, boot: Future[None], now: float) -> None:
        if not boot.done():
            return
        self._boot = None
        try:
            boot.result()
        except (HotlineError, OSError) as error:
            log.error("%s", error.sentence if isinstance(error, HotlineError) else error)
            self._instance.stop()
            self._process = None
            self._not_before = now + RETRY_S

    def _look_at_running(self, process: processes.Process, now: float) -> None:
        if not self._ready_noted and now >= self._not_before:
            self._not_before = now + RETRY_S
            self._note_ready()
        silent_s = self._asking.look(now)
        if self._vouched(now):  # its console alone says nothing: people may be talking
            self._asking.forgive()
            silent_s = 0.0
        self._notes.silent(ROLE, process.pid, silent_s)
        if silent_s < self._hung_s:
            return
        log.error(
            "Asterisk (pid %d) has answered neither on its console nor on the manager's link for %.0f s: "
            "it is ended and starts again",
            process.pid,
            silent_s,
        )
        processes.end(process, at_once=True)
        self._asking.forgive()
        self._notes.silent(ROLE, process.pid, 0.0)

    def _note_ready(self) -> None:
        """Note that it counts as live; on a full disk that is tried again."""
        try:
            self._instance.mark_ready()
            self._ready_noted = True
        except OSError as error:
            log.error("Asterisk runs, which cannot be noted yet: %s", error)

    def stop(self) -> bool:
        """End it, also in mid-boot; tell whether it is gone."""
        self._ending = True
        deadline = time.monotonic() + _END_S
        while self._boot is not None and not self._boot.done() and time.monotonic() < deadline:
            self._instance.stop()
            time.sleep(0.1)
        self._worker.shutdown(wait=False)
        if self._process is None:
            return self._instance.stop()
        return processes.end(self._process)  # also where its home is gone, and nothing could be found by it

    def _new_asking(self) -> questions.Asking:
        run = self._instance.run
        # without its socket (a cleaner of /tmp took it) it cannot be asked, and may be well
        return questions.Asking(lambda: questions.to_asterisk(run), nobody_is_silence=False)
