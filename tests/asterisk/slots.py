"""How many files of tests with a real Asterisk may run at the same time: as many as the machine has room for.

Three workers are right for two cores that nobody else uses.  While others keep the cores busy, three hotlines at a
time starve each other, and what then fails says nothing of the hotline.  So a worker takes a slot for each file, and
there are fewer slots the more programs of others want to run.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Mapping
from io import TextIOWrapper
from pathlib import Path

RUN = "PYTEST_XDIST_TESTRUNUID"
"""In the environment of every process that a run of the tests starts."""
SLOTS = 3
USUAL_CORES = 2
_LOOKS, _LOOK_S = 10, 0.1
_AGAIN_S = 1.0


def others(run: str, root: int) -> set[int]:
    """Return the processes of others that want to run this moment.

    Args:
        run: the name of a run of tests, in the environment of what its workers start.
        root: the process that has started its workers.
    """
    states = {}
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError, ValueError):  # no process, or it has ended
            fields = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()
            states[int(process.name)] = fields[0], int(fields[1])
    return {
        pid
        for pid, (state, _) in states.items()
        if state == "R" and not _descends(pid, root, states) and not _is_of(pid, run)
    }


def _descends(pid: int, root: int, states: Mapping[int, tuple[str, int]]) -> bool:
    while pid in states and pid != root:
        pid = states[pid][1]
    return pid == root


def _is_of(pid: int, run: str) -> bool:
    try:
        return f"{RUN}={run}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except PermissionError:
        return False
    except OSError:  # it has ended
        return True


def allowed(busy: float, cores: int) -> int:
    """Return how many files may run beside so many programs of others."""
    return max(1, SLOTS - round(max(0.0, busy - max(0, cores - USUAL_CORES))))


class Slot:
    """One worker's slot; given back when it ends, however it ends.

    Args:
        run: the name of the run of tests.
        folder: where its slots are.
    """

    def __init__(self, run: str, folder: Path) -> None:
        self._run = run
        self._folder = folder
        self._held: TextIOWrapper | None = None

    def take(self) -> None:
        """Wait for a slot; nothing is done where one is held."""
        while self._held is None:
            for number in range(allowed(self._busy(), os.cpu_count() or 1)):
                if self._try(number):
                    return
            time.sleep(_AGAIN_S)

    def give_back(self) -> None:
        """Let the next file have it."""
        if self._held is not None:
            self._held.close()
            self._held = None

    def _try(self, number: int) -> bool:
        self._folder.mkdir(exist_ok=True)
        slot = (self._folder / str(number)).open("w")
        try:
            fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            slot.close()
            return False
        self._held = slot
        return True

    def _busy(self) -> float:
        looks = []
        for _ in range(_LOOKS):
            looks.append(len(others(self._run, os.getppid())))
            time.sleep(_LOOK_S)
        return sum(looks) / len(looks)
