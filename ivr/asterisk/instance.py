"""One Asterisk process of ours: its folders, its start, its end.

The process is started apart from us, in a session of its own: callers go on talking when the
engine, or whatever started it, dies.  It is found again by its pid file and its ``-C`` path.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from ivr.asterisk.installation import Installation
from ivr.errors import HotlineError

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
    """An Asterisk laid out under ``home``; ``run`` holds its control socket."""

    installation: Installation
    home: Path
    run: Path

    @classmethod
    def laid_out(cls, home: Path, run: Path) -> Instance:
        """Return what lies in ``home`` without looking for the program: enough to find and end it."""
        nothing = Path("/nonexistent")
        return cls(Installation((), nothing, nothing, ""), home, run)

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
        self.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in ("documentation",):
            link = self.home / "data" / name
            if link.is_symlink() and not link.exists():
                link.unlink()
            if not link.exists():
                link.symlink_to(self.installation.share / name)

    @property
    def _pid_file(self) -> Path:
        return self.run / "asterisk-process.pid"  # Asterisk truncates its own asterisk.pid as it boots

    def mark_ready(self) -> None:
        """Note that the process has booted and owns its ports."""
        (self.run / "asterisk.ready").write_text(f"{self.pid()}\n")

    @property
    def ready(self) -> bool:
        """Whether the process that runs now was marked ready."""
        try:
            pid = self.pid()
            return pid is not None and (self.run / "asterisk.ready").read_text() == f"{pid}\n"
        except OSError:
            return False

    def pid(self) -> int | None:
        """Return the pid of the running process, None when it does not run."""
        try:
            pid = int(self._pid_file.read_text().strip())
            command = psutil.Process(pid).cmdline()
            for _ in range(10):  # the kernel shows no command line for a moment after exec
                if command or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                    break
                time.sleep(0.005)
                command = psutil.Process(pid).cmdline()
        except (OSError, ValueError, psutil.Error):
            return None
        return pid if str(self.config) in command else None

    def start(self) -> int:
        """Start the process in a session of its own and return its pid at once."""
        self.lay_out()
        for stale in ("asterisk.pid", "asterisk.ctl", "asterisk.ready"):
            (self.run / stale).unlink(missing_ok=True)
        with self.boot_log.open("ab") as log:
            process = subprocess.Popen(
                [*self.installation.command, "-C", str(self.config), "-f"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home,
                env=_MALLOC | os.environ,
                start_new_session=True,
                umask=0o077,
            )
        try:
            self._note_pid(process.pid)
        except OSError:  # nobody would find it again, and the next start would add another
            process.kill()
            process.wait()
            raise
        return process.pid

    def _note_pid(self, pid: int) -> None:
        """Write over what stands there: on a full disk a file that was emptied could not be written again."""
        descriptor = os.open(self._pid_file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(descriptor, f"{pid:<10}\n".encode(), 0)
        finally:
            os.close(descriptor)

    def command(self, line: str, timeout_s: float = 10.0) -> str:
        """Run one CLI command in the running process and return what it printed."""
        done = subprocess.run(
            [*self.installation.command, "-C", str(self.config), "-rx", line],
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
        return done.stdout.decode("utf-8", "replace")

    def wait_booted(self, timeout_s: float = 20.0) -> None:
        """Wait until the process has fully booted.

        Raises:
            InstanceError: it ended or did not boot in time; the sentence ends with its last words.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            pid = self.pid()
            if pid is None:
                raise InstanceError(f"Asterisk ended while booting: {self.last_words()}")
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

    def stop(self, timeout_s: float = 5.0, *, at_once: bool = False) -> None:
        """End the process; calls in progress end with it.

        Args:
            timeout_s: how long it may take to end by itself.
            at_once: it has nothing to save: a throwaway one.
        """
        pid = self.pid()
        if pid is None:
            return
        os.kill(pid, signal.SIGKILL if at_once else signal.SIGTERM)
        if not _gone(pid, timeout_s):
            os.kill(pid, signal.SIGKILL)
            _gone(pid, timeout_s)
        self._pid_file.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the folders of a throwaway instance."""
        shutil.rmtree(self.home, ignore_errors=True)


def _gone(pid: int, timeout_s: float) -> bool:
    """Wait for a process that may or may not be our child."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                return True
        except ChildProcessError:
            pass
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def _kind(connection: Any) -> str:
    return "tcp" if connection.type == socket.SOCK_STREAM else "udp"


def _held(pid: int) -> set[tuple[str, int]]:
    connections = psutil.Process(pid).net_connections(kind="inet")
    return {(_kind(c), c.laddr.port) for c in connections if c.status in ("LISTEN", "NONE")}


def port_owner(port: int, kind: str = "tcp") -> str | None:
    """Name the program that holds a port, for example ``sipp (pid 123)``; None when it is free."""
    for connection in psutil.net_connections(kind="inet"):
        local = connection.laddr
        if not local or local.port != port or _kind(connection) != kind:
            continue
        if connection.status not in ("LISTEN", "NONE"):
            continue
        if connection.pid is None:
            return "another user's program"
        try:
            name = psutil.Process(connection.pid).name()
        except psutil.Error:
            name = "a program"
        return f"{name} (pid {connection.pid})"
    return None
