"""Whose process is this?  The proof is in the process, never in a file.

A pid in a file proves nothing: the file may be a copy or a backup, and after a boot the pid is
somebody else's.  What we start carries in its environment the inode of the home it was started
for, and the kernel keeps that as long as the process lives.  A copied home has another inode; a
moved, linked or bind-mounted one has the same.  Pid files only save looking through all processes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MARK = "HOTLINE12345_STARTED_FOR"
_POLL_S = 0.02
_EXEC_S = 1.0


@dataclass(frozen=True)
class Process:
    """A process, known by its pid and the clock tick (after the boot) it was started in: no other has both."""

    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """Whether it still runs; one that ended and was not waited for does not."""
        fields = _stat(self.pid)
        return fields is not None and int(fields[19]) == self.started and fields[0] not in "ZX"

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens when it has ended."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def gone_within(self, patience_s: float) -> bool:
        """Wait for its end; time in which we were not run ourselves does not count.

        Args:
            patience_s: seconds.
        """
        looks = max(1, round(patience_s / _POLL_S))
        for _ in range(looks):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, os.WNOHANG)  # it may or may not be our child
            if not self.alive:
                return True
            time.sleep(_POLL_S)
        return not self.alive


def of(pid: int) -> Process | None:
    """Return the process that has this pid now, None when there is none."""
    fields = _stat(pid)
    return Process(pid, int(fields[19])) if fields is not None and fields[0] not in "ZX" else None


def end(process: Process, patience_s: float = 8.0, *, at_once: bool = False) -> bool:
    """End a process; tell whether it is gone.

    Args:
        process: one that was proved to be ours.
        patience_s: seconds it may take to end by itself, and after that to be killed.
        at_once: it has nothing to save.
    """
    if not at_once:
        ask_to_end(process)
        if process.gone_within(patience_s):
            return True
    process.signal(signal.SIGKILL)
    return process.gone_within(patience_s)


def ask_to_end(process: Process) -> None:
    """Ask a process to end by itself."""
    process.signal(signal.SIGTERM)
    process.signal(signal.SIGCONT)  # one that was stopped hears nothing else


def name(pid: int) -> str:
    """Return what a process is called."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    return "a process"


# -- the mark ----------------------------------------------------------------------------------
def state(pid: int) -> str:
    """Return the letter of a process's state as proc(5) has it, for example ``T``; empty where there is none."""
    fields = _stat(pid)
    return fields[0] if fields else ""


def identity(home: Path) -> str:
    """Return what makes a home this one and no copy of it: device and inode.

    Raises:
        OSError: there is no such folder.
    """
    found = home.stat()
    return f"{found.st_dev}:{found.st_ino}"


def marked(home: Path, role: str) -> dict[str, str]:
    """Return the environment for a process that is started for a home.

    Args:
        home: the folder; it must exist.
        role: which of its processes it is.
    """
    return os.environ | {_MARK: f"{identity(home)}/{role}"}


def find(home: Path, role: str, argument: str, hint: Path) -> Process | None:
    """Return the process that was started for a home.

    Args:
        home: the folder.
        role: as it was marked.
        argument: on its command line, and not on those of its children, which inherit the mark.
        hint: a pid file, which may be wrong or missing.
    """
    try:
        wanted = f"{_MARK}={identity(home)}/{role}".encode()
    except OSError:
        return None
    noted = noted_pid(hint)
    if noted is not None:
        _wait_for_exec(noted)
    likely = () if noted is None else (noted,)
    matching = (pid for pid in (*likely, *_pids()) if _is(pid, wanted, argument.encode()))
    return next((process for pid in matching if (process := of(pid)) is not None), None)


def arguments(pid: int) -> list[str]:
    """Return the command line of a process; empty when it has ended or is another user's."""
    _wait_for_exec(pid)
    return [os.fsdecode(word) for word in _split(pid, "cmdline")]


def is_marked(pid: int) -> bool:
    """Tell whether a process was started for some home."""
    return any(entry.startswith(f"{_MARK}=".encode()) for entry in _split(pid, "environ"))


def left_of(owner: str, *roles: str) -> list[Process]:
    """Return everything that runs for a home, children that inherited the mark included.

    Args:
        owner: its :func:`identity`.
        roles: as they were marked.
    """
    wanted = {f"{_MARK}={owner}/{role}".encode() for role in roles}
    found = (of(pid) for pid in _pids() if wanted & set(_split(pid, "environ")))
    return [process for process in found if process is not None]


def children(process: Process) -> list[Process]:
    """Return the children of a process, and theirs."""
    parents = {pid: int(fields[1]) for pid in _pids() if (fields := _stat(pid)) is not None}
    found = [process.pid] if process.alive else []
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return [child for pid in found[1:] if (child := of(pid)) is not None]


def _is(pid: int, wanted: bytes, argument: bytes) -> bool:
    return wanted in _split(pid, "environ") and argument in _split(pid, "cmdline")


def _wait_for_exec(pid: int) -> None:
    """Wait for what the kernel does not show for a moment after exec, longer on a busy machine."""
    deadline = time.monotonic() + _EXEC_S
    while of(pid) is not None and not _split(pid, "cmdline") and time.monotonic() < deadline:
        time.sleep(0.005)


# -- pid files ---------------------------------------------------------------------------------
def noted_pid(file: Path) -> int | None:
    """Return the pid in a file; None when there is none."""
    try:
        return int(file.read_text().strip() or 0) or None
    except (OSError, ValueError):
        return None


def note(file: Path, text: str) -> None:
    """Write a short line over what stands there: on a full disk a file that was emptied could not be written again.

    Raises:
        OSError: the disk is full and the file was not there.
    """
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(descriptor, f"{text:<10}\n".encode(), 0)
        os.ftruncate(descriptor, max(11, len(text) + 1))
    finally:
        os.close(descriptor)


# -- locks -------------------------------------------------------------------------------------
def holder(file: Path) -> Process | None:
    """Return the process that holds the lock of a file, None when it cannot be seen from here.

    A hard link in a copied folder is another's lock: the folder it was opened in counts.
    """
    noted = noted_pid(file)
    if noted is not None and _has_open(noted, file):
        return of(noted)
    return next((of(pid) for pid in _pids() if _has_open(pid, file, locked=True)), None)


def has_open_in(pid: int, folder: Path) -> bool:
    """Tell whether a process has a file of a folder open."""
    with contextlib.suppress(OSError):
        here = folder.stat()
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if os.path.samestat(entry.readlink().parent.stat(), here):
                    return True
    return False


def _has_open(pid: int, file: Path, *, locked: bool = False) -> bool:
    with contextlib.suppress(OSError):
        here, folder = file.stat(), file.parent.stat()
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if not os.path.samestat(entry.stat(), here):
                    continue
                with contextlib.suppress(OSError):
                    if not os.path.samestat(entry.readlink().parent.stat(), folder):
                        continue
                if not locked or "WRITE" in Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text():
                    return True
    return False


# -- /proc -------------------------------------------------------------------------------------
def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())


def _stat(pid: int) -> list[str] | None:
    """Return the fields of proc(5) ``stat`` from the state on, None when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None


def cpu_seconds(pid: int) -> float | None:
    """Return the seconds of processors that a process has used, None when there is no such process."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else None


def _split(pid: int, name: str) -> list[bytes]:
    """Return the words of ``cmdline`` or ``environ``; none when it has ended or is another user's."""
    try:
        return [word for word in Path(f"/proc/{pid}/{name}").read_bytes().split(b"\0") if word]
    except OSError:
        return []
