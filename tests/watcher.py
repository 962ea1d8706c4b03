"""Ends what a killed test run left: `python -m tests.watcher` waits for the test process and then clears up.

A test that fails ends what it started by itself; one whose process gets SIGKILL cannot.  What a hotline starts
lives on purpose in sessions of its own, so nothing but a look at every process finds it.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

_FOLDER, _PARENT = "WATCHED_FOLDER", "WATCHED_PROCESS"
"""Told in the environment: a command line with the folder in it would be taken for what is to be ended."""
_PROJECT = Path(__file__).resolve().parents[1]
_EMPTY_LOOKS = 3
"""Looks in a row that find nothing: what was just killed may have started something."""


def watch(folder: Path) -> subprocess.Popen[bytes]:
    """Start a watcher that ends what runs for ``folder`` should this process be killed; end it before that is over."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.watcher"],
        env=os.environ | {_FOLDER: str(folder), _PARENT: str(os.getpid())},
        cwd=_PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@contextlib.contextmanager
def watched(folder: Path) -> Iterator[None]:
    """Have what runs for ``folder`` ended should this process be killed meanwhile."""
    watcher = watch(folder)
    try:
        yield
    finally:
        watcher.kill()
        watcher.wait()


def left_in(folder: str) -> list[psutil.Process]:
    """Return the processes that have a path in a folder as their hotline's home or on their command line."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = [process.environ().get("IVR_HOME", ""), *process.cmdline()]
            named = any(f"{folder}/" in f"{word}/" for word in words)
            if named and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def main() -> None:
    """Wait for the end of the process that started this one, and end what it left."""
    folder, parent = os.environ[_FOLDER], int(os.environ[_PARENT])
    with contextlib.suppress(ProcessLookupError):
        watched = os.pidfd_open(parent)
        if os.getppid() == parent:  # else it has gone already, and its number may be another's
            select.select([watched], [], [])
    empty = 0
    while empty < _EMPTY_LOOKS:
        left = left_in(folder)
        empty = 0 if left else empty + 1
        # the supervisor is the oldest: it must not start again what was killed
        for process in sorted(left, key=lambda one: one.pid):
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(0.1)


if __name__ == "__main__":
    main()
