"""One Asterisk process of ours: its folders, its start, its end.

The process is started apart from us, in a session of its own: callers go on talking when the
engine, or whatever started it, dies.  It is found again by the mark it was started with.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from ivr.asterisk.install.installation import Installation
from ivr.errors import HotlineError
from ivr.host import processes

_FOLDERS = (
    "etc",
    "lib",
    "db",
    "keys",
    "agi-bin",
    "cache",
    "run",
    "log/cdr-custom",
    "log/cel-custom",
    "data/sounds",
    "spool/monitor",
)


_MALLOC = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "1048576"}
"""Every SIP packet that waits takes 68 kB, a flood of them several hundred megabytes. By default glibc keeps such
blocks in its heap and gives none of it back while one stands at the end; so each gets pages of its own (mallopt(3))."""


class InstanceError(HotlineError):
    """Asterisk could not be started as asked."""

    code = "asterisk_start"


@dataclass(frozen=True)
class Instance:
    """An Asterisk laid out under ``home``; ``run`` holds its control socket, ``pids`` our notes about it."""

    installation: Installation
    home: Path
    run: Path
    pids: Path | None = None
    """None: in ``run`` too."""

    @classmethod
    def laid_out(cls, home: Path, run: Path, pids: Path | None = None) -> Instance:
        """Return what lies in ``home`` without looking for the program: enough to find and end it."""
        nothing = Path("/nonexistent")
        return cls(Installation((), nothing, nothing, ""), home, run, pids)

    @property
    def config(self) -> Path:
        """The main configuration file, by which the process is known."""
        return self.home / "etc/asterisk.conf"

    @property
    def log(self) -> Path:
        """The log of notices, warnings and errors."""
        return self.home / "log/messages.log"

    @property
    def boot_log(self) -> Path:
        """What the process printed itself."""
        return self.home / "log/console.log"

    def lay_out(self) -> None:
        """Make the folders and the links into the program's own data."""
        for name in _FOLDERS:
            (self.home / name).mkdir(parents=True, exist_ok=True)
        for folder in (self.run, self.pids or self.run):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in ("documentation",):
            link = self.home / "data" / name
            if link.is_symlink() and not link.exists():
                link.unlink()
            if not link.exists():
                link.symlink_to(self.installation.share / name)

    @property
    def _pid_file(self) -> Path:
        return (
            self.pids or self.run
        ) / "asterisk-process.pid"  # Asterisk truncates its own asterisk.pid as it boots

    @property
    def _ready_file(self) -> Path:
        return (self.pids or self.run) / "asterisk.ready"

    def mark_ready(self) -> None:
        """Note that the process has booted and owns its ports.

        Raises:
            OSError: the disk is full; it is to be noted again.
        """
        process = self.process()
        processes.note(self._ready_file, f"{process.pid} {process.started}" if process else "")

    @property
    def ready(self) -> bool:
        """Whether the process that runs now was marked ready."""
        try:
            process = self.process()
            noted = self._ready_file.read_text().split()
        except OSError:
            return False
        return process is not None and noted == [str(process.pid), str(process.started)]

    @property
    def ready_by_older(self) -> bool:
        """Whether a version of ours that noted the pid alone marked the process that runs now ready."""
        try:
            return self._ready_file.read_text() == f"{self.pid()}\n"
        except OSError:
            return False

    def process(self) -> processes.Process | None:
        """Return the running process, None when it does not run."""
        home = self.home.parent  # the hotline's: a copy of it has no Asterisk that runs
        found = processes.find(home, self.home.name, "-C", self._pid_file)
        return found or self._unmarked()

    def _unmarked(self) -> processes.Process | None:
        """Return one that a version of ours before the marks started."""
        pid = processes.noted_pid(self._pid_file)
        if pid is None or processes.is_marked(pid) or str(self.config) not in processes.arguments(pid):
            return None
        return processes.of(pid)

    def pid(self) -> int | None:
        """Return the pid of the running process, None when it does not run."""
        process = self.process()
        return process.pid if process else None

    def start(self) -> int:
        """Start the process in a session of its own and return its pid at once."""
        self.lay_out()
        for stale in ("asterisk.pid", "asterisk.ctl"):
            (self.run / stale).unlink(missing_ok=True)
        with self.boot_log.open("ab") as log:
            process = subprocess.Popen(
                [*self.installation.command, "-C", str(self.config), "-f"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home,
                env=_MALLOC | processes.marked(self.home.parent, self.home.name),
                start_new_session=True,
                umask=0o077,
            )
        try:
            processes.note(self._pid_file, str(process.pid))
        except OSError:  # nobody would find it again quickly, and Asterisk itself wants to write too
            process.kill()
            process.wait()
            raise
        return process.pid

    def command(self, line: str, timeout_s: float = 10.0) -> str:
        """Run one CLI command in the running process and return what it printed.

        Raises:
            InstanceError: it does not answer.
        """
        try:
            done = subprocess.run(
                [*self.installation.command, "-C", str(self.config), "-rx", line],
                capture_output=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise InstanceError(
                f"Asterisk did not answer {line!r} within {timeout_s:.0f} s.",
                f"Asterisk 在 {timeout_s:.0f} 秒内没有响应 {line!r}。",
                retry=True,
            ) from error
        return done.stdout.decode("utf-8", "replace")

    def wait_booted(self, timeout_s: float = 60.0) -> None:
        """Wait until the process has fully booted.

        Raises:
            InstanceError: it ended or did not boot in time; the sentence ends with its last words.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            pid = self.pid()
            if pid is None:
                raise InstanceError(f"Asterisk ended while booting: {self.last_words()}")
            with contextlib.suppress(InstanceError):  # it did not answer: it may yet
                if (self.run / "asterisk.ctl").exists() and "fully booted" in self.command(
                    "core waitfullybooted"
                ):
                    return
            time.sleep(0.05)
        raise InstanceError(
            f"Asterisk did not boot within {timeout_s:.0f} s: {self.last_words()}",
            f"Asterisk 在 {timeout_s:.0f} 秒内未能启动:{self.last_words()}",
        )

    def last_words(self) -> str:
        """Return the last error line of the logs."""
        for log in (self.log, self.boot_log):
            if log.exists():
                lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
                errors = [line for line in lines if "ERROR" in line] or lines
                if errors:
                    return errors[-1].strip()
        return "it left no message"

    def check_ports(self, udp: set[int], tcp: set[int]) -> None:
        """Check that the process really owns its ports: Asterisk boots without them.

        Raises:
            InstanceError: a port belongs to somebody else or nobody.
        """
        pid = self.pid()
        held = _held(pid) if pid else set()
        wanted = {("udp", port) for port in udp} | {("tcp", port) for port in tcp}
        for kind, port in sorted(wanted - held):
            owner = port_owner(port, kind) or "nobody"
            raise InstanceError(
                f"Asterisk runs without {kind} port {port}, which belongs to {owner}: "
                "end that program or choose another port.",
                f"Asterisk 未能占用 {kind} 端口 {port}(占用者:{owner}):请结束该程序或更换端口。",
            )

    def stop(self, timeout_s: float = 5.0, *, at_once: bool = False) -> bool:
        """End the process, with the calls in progress; tell whether it is gone.

        Args:
            timeout_s: how long it may take to end by itself.
            at_once: it has nothing to save: a throwaway one.
        """
        process = self.process()
        if process is not None and not processes.end(process, timeout_s, at_once=at_once):
            return False
        with contextlib.suppress(OSError):
            self._pid_file.unlink(missing_ok=True)
        return True

    def remove(self) -> None:
        """Delete the folders of a throwaway instance."""
        shutil.rmtree(self.home, ignore_errors=True)


def _kind(connection: Any) -> str:
    return "tcp" if connection.type == socket.SOCK_STREAM else "udp"


def _held(pid: int) -> set[tuple[str, int]]:
    connections = psutil.Process(pid).net_connections(kind="inet")
    return {(_kind(c), c.laddr.port) for c in connections if c.status in ("LISTEN", "NONE")}


def port_owner(port: int, kind: str = "tcp") -> str | None:
    """Name the program that holds a port, for example ``sipp (pid 123)``; None when it is free."""
    for holder in _holders(port, kind):
        if holder is None:
            return "another user's program"
        try:
            name = psutil.Process(holder).name()
        except psutil.Error:
            name = "a program"
        return f"{name} (pid {holder})"
    return None


def port_pid(port: int, kind: str = "tcp") -> int | None:
    """Return the pid of the program that holds a port, None where there is none or it is another user's."""
    return next(_holders(port, kind), None)


def _holders(port: int, kind: str) -> Iterator[int | None]:
    for connection in psutil.net_connections(kind="inet"):
        local = connection.laddr
        if (
            local
            and local.port == port
            and _kind(connection) == kind
            and connection.status in ("LISTEN", "NONE")
        ):
            yield connection.pid
