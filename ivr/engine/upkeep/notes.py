"""What the supervisor notes for ``ivr status``: who does not answer, and since when.

A note is written when a silence begins to count and deleted when it ends.  On a full disk there is
none, and the status says only that nobody answers.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from ivr.host import processes

TELL_AFTER_S = 3.0


class Notes:
    """Notes in a folder.

    Args:
        folder: where pid files are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._noted: dict[str, tuple[int, bool]] = {}

    def silent(self, part: str, pid: int, silent_s: float) -> None:
        """Note, or forget, that a process does not answer.

        Args:
            part: what it is.
            pid: its process id.
            silent_s: seconds of silence until now.
        """
        tell = (pid, silent_s >= TELL_AFTER_S)
        if self._noted.get(part) == tell:
            return
        with contextlib.suppress(OSError):
            if tell[1]:
                processes.note(self._file(part), f"{pid} {time.monotonic() - silent_s:.1f}")
            else:
                self._file(part).unlink(missing_ok=True)
            self._noted[part] = tell

    def silent_s(self, part: str, pid: int) -> float:
        """Return for how many seconds a process has not answered; 0 where nothing is noted."""
        with contextlib.suppress(OSError, ValueError):
            noted, since = self._file(part).read_text().split()
            if int(noted) == pid:
                return max(time.monotonic() - float(since), 0.0)
        return 0.0

    def _file(self, part: str) -> Path:
        return self._folder / f"{part}.silent"
