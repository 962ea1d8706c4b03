"""Keeps Asterisk and the engine running: ``python -m ivr.supervisor``.

Either may die and is started again; neither takes the other with it.  Callers who talk go on
talking while the engine is away, because Asterisk is nobody's child.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import psutil

from ivr import control, deployment
from ivr.applying.starting import bring_in, take_up
from ivr.applying.taking import keys_for
from ivr.asterisk.instance import Instance, port_owner
from ivr.errors import HotlineError
from ivr.logs import start_logging
from ivr.pointers import unwritable
from ivr.settings import Settings
from ivr.settings import load as load_settings

log = logging.getLogger(__name__)

LOOK_S = 0.1
STEADY_S = 30.0
ASTERISK_RETRY_S = 2.0
_BACKOFF = (0.0, 0.5, 1.0, 2.0, 5.0)


class AlreadyRunning(HotlineError):
    """This state folder has a running instance."""

    code = "already_running"


class PortTaken(HotlineError):
    """A port we need belongs to somebody else."""

    code = "port_taken"


def running_pid(settings: Settings) -> int | None:
    """Return the supervisor's pid, None when none runs.

    Raises:
        PermissionError: the hotline belongs to another user.
    """
    try:
        with (settings.run / "supervisor.pid").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read().strip() or 0) or None
    except PermissionError:
        raise
    except (OSError, ValueError):
        pass
    return None


class Engine:
    """The engine's process as the supervisor sees it."""

    def __init__(self, settings: Settings) -> None:
        self._pid_file = settings.run / "engine.pid"
        self._output = settings.logs / "engine.out"
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._failures = 0
        self._not_before = 0.0
        self._proved = False
        """Whether it has ever run for a while: then it is started again for ever."""

    def stop_stranger(self) -> None:
        """End an engine that a killed supervisor left behind."""
        try:
            process = psutil.Process(int(self._pid_file.read_text()))
            if "ivr.serve" in process.cmdline():
                process.terminate()
                process.wait(5)
        except psutil.TimeoutExpired:
            process.kill()
        except (OSError, ValueError, psutil.Error):
            return

    def start(self) -> None:
        """Start a process."""
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ivr.serve"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._pid_file.write_text(f"{self._process.pid}\n")
        self._started = time.monotonic()

    def look(self) -> None:
        """Start it again if it has ended; wait longer each time it ends soon.

        Raises:
            HotlineError: it never ran, and says that starting again makes no sense.
        """
        if self._process is None:
            if time.monotonic() >= self._not_before:
                self.start()
            return
        status = self._process.poll()
        if status is None:
            self._proved = self._proved or time.monotonic() - self._started > STEADY_S / 6
            return
        self._process = None
        if status == 2 and not self._proved:
            last = self._output.read_text(errors="replace").strip().splitlines()[-1:] or ["no message"]
            raise HotlineError(last[0])
        self._failures = 0 if time.monotonic() - self._started > STEADY_S else self._failures + 1
        wait_s = _BACKOFF[min(self._failures, len(_BACKOFF)) - 1] if self._failures else 0.0
        self._not_before = time.monotonic() + wait_s
        log.error("the engine ended (status %s); it starts again in %.1f s", status, wait_s)

    def stop(self) -> None:
        """End it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(8)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._pid_file.unlink(missing_ok=True)


class Supervisor:
    """Runs one instance.

    Args:
        settings: where things are.
        progress: told of steps that take time.
    """

    def __init__(self, settings: Settings, progress: Callable[[str], None]) -> None:
        self._settings = settings
        self._progress = progress
        self._stopping = False
        self._instance: Instance | None = None
        self._admitted = False
        self._not_before = 0.0
        self._engine = Engine(settings)
        self._lock: IO[str] | None = None

    def run(self) -> None:
        """Run until SIGTERM or SIGINT.

        Raises:
            HotlineError: it could not be started; what was started is ended.
        """
        os.umask(0o077)  # state, logs and recordings are for this user alone
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a closed terminal ends no call
        self._take_lock()
        try:
            self._engine.stop_stranger()
            self._start_asterisk()
            while not self._stopping:
                self._look_calmly()
                time.sleep(LOOK_S)
            if self._instance is not None:
                with contextlib.suppress(HotlineError):
                    control.ask(self._settings.run, "end_calls", timeout_s=3)
        finally:
            self._engine.stop()
            if self._instance is not None and (self._stopping or not self._admitted):
                self._instance.stop()  # one that was found running goes on: people talk on it
            (self._settings.run / "supervisor.pid").unlink(missing_ok=True)

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _take_lock(self) -> None:
        run = self._settings.run
        run.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._settings.logs.mkdir(parents=True, exist_ok=True)
        self._lock = (run / "supervisor.pid").open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(
                f"an instance is already running for {self._settings.home}.",
                f"{self._settings.home} 的实例已在运行。",
            ) from error
        self._lock.seek(0)
        self._lock.truncate()
        self._lock.write(f"{os.getpid()}\n")
        self._lock.flush()

    def _start_asterisk(self) -> None:
        settings = self._settings
        kept = (
            not settings.external_asterisk
            and Instance.laid_out(settings.asterisk_home, settings.run).pid() is not None
        )
        self._admitted = kept
        ports = [("IVR_AGI_PORT", "tcp", settings.agi_port)]
        if settings.external_asterisk:
            book = take_up(settings, None, self._progress)
            deployment.render_pieces(settings, book, keys_for(settings, book))
            check_free(ports)
            return
        instance = deployment.instance_of(settings, deployment.find_asterisk(settings, self._progress))
        if not kept:
            ports += [("IVR_SIP_PORT", "udp", settings.sip_port), ("IVR_AMI_PORT", "tcp", settings.ami_port)]
            if settings.sip_tcp:
                ports.append(("IVR_SIP_PORT", "tcp", settings.sip_port))
        check_free(ports)
        if kept:
            bring_in(settings)
        book = deployment.running_book(settings) if kept else take_up(settings, instance, self._progress)
        self._instance = instance
        self._engine.start()  # it boots beside Asterisk and waits for it
        if kept:
            log.info("an Asterisk of ours is running and is kept")
        else:
            deployment.prepare(settings, book, keys_for(settings, book), instance, self._progress)
            self._progress(f"starting Asterisk {instance.installation.version}")
            instance.start()
        self._admit()

    def _admit(self) -> None:
        """Let Asterisk count as live once it has booted and really owns its ports."""
        assert self._instance is not None
        self._instance.wait_booted()
        settings = self._settings
        tcp = {settings.ami_port, *([settings.sip_port] if settings.sip_tcp else [])}
        self._instance.check_ports({settings.sip_port}, tcp)
        self._instance.mark_ready()
        self._admitted = True

    def _look_calmly(self) -> None:
        """Look after both; a full disk or a fork that fails is waited out, people are talking."""
        try:
            self._look()
        except OSError as error:
            log.error("%s", error)
            time.sleep(ASTERISK_RETRY_S)

    def _look(self) -> None:
        self._engine.look()
        if self._instance is None or self._instance.pid() is not None or time.monotonic() < self._not_before:
            return
        log.error("Asterisk ended (%s); it starts again", self._instance.last_words())
        try:
            self._instance.start()
            self._admit()
        except HotlineError as error:
            log.error("%s", error.sentence)
            self._instance.stop()
            self._not_before = time.monotonic() + ASTERISK_RETRY_S


def check_free(ports: Sequence[tuple[str, str, int]]) -> None:
    """Check that ports, each with its setting and kind, are free.

    Raises:
        PortTaken: with the port, its owner and the setting to change.
    """
    for setting, kind, port in ports:
        owner = port_owner(port, kind)
        if owner is not None:
            raise PortTaken(
                f"{kind} port {port} is taken by {owner}: end that program or set {setting} to another port.",
                f"{kind} 端口 {port} 已被 {owner} 占用:请结束该程序,或用 {setting} 换一个端口。",
            )


def main() -> int:
    """Run the supervisor; its log is ``supervisor.log``."""
    try:
        settings = load_settings()
        start_logging(settings.logs, "supervisor")
        Supervisor(settings, log.info).run()
    except (HotlineError, OSError) as problem:
        error = problem if isinstance(problem, HotlineError) else unwritable(problem)
        log.error("%s", error.sentence)
        sys.stderr.write(f"{error.sentence}\n{error.zh}\n")
        return 1
    return 0


def spawn(settings: Settings) -> subprocess.Popen[bytes]:
    """Start a supervisor apart from the terminal."""
    settings.logs.mkdir(parents=True, exist_ok=True)
    output: Path = settings.logs / "supervisor.out"
    with output.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "ivr.supervisor"],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


if __name__ == "__main__":
    sys.exit(main())
