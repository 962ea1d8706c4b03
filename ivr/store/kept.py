"""Segments of the journal that the database has already, kept for a while.

A standby that is promoted, or a backup that is restored, knows less than the database did a moment ago.
What it lacks is told again from here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

KEEP_S = 86_400.0
KEEP_BYTES = 1024 * 1024 * 1024
"""Room for what is kept; the busiest city's day takes a third of it."""
_GONE = ".gone"


class Place(NamedTuple):
    """Where to begin reading for a cursor.

    Attributes:
        position: the place.
        sure: whether it is just the place the cursor names; else what is read may be in the database already.
        lost: whether something between the cursor and the place was deleted.
    """

    position: str
    sure: bool
    lost: bool


class Kept:
    """Decides which segments may go, and remembers how far back was let go.

    Args:
        folder: where the segments are.
        path: the file of a segment by its number.
        keep_s: seconds for which a segment is kept after its last line.
        keep_bytes: how much may be kept; beyond it the oldest go earlier.
    """

    def __init__(
        self,
        folder: Path,
        path: Callable[[int], Path],
        keep_s: float = KEEP_S,
        keep_bytes: int = KEEP_BYTES,
    ) -> None:
        self._folder = folder
        self._path = path
        self._keep_s, self._keep_bytes = keep_s, keep_bytes
        self.shortened_s: float | None = None
        """How many seconds are kept, where the room for them was too small."""

    def drop(self, behind: Sequence[int], *, scarce: bool) -> None:
        """Delete of the segments that the database has, in order, those that need not or cannot be kept.

        Args:
            behind: their numbers.
            scarce: whether the disk is full: then no room is left to history.
        """
        now = time.time()
        stats = {number: self._path(number).stat() for number in behind}
        total = sum(stat.st_size for stat in stats.values())
        dropped, early = 0, False
        for number in behind:
            age, size = now - stats[number].st_mtime, stats[number].st_size
            too_much = scarce or total > self._keep_bytes
            if age < self._keep_s and not too_much:
                break
            early = early or age < self._keep_s
            total -= size
            dropped = number
        if not dropped:
            return
        self._mark_gone(dropped)
        for number in behind:
            if number < dropped:
                self._path(number).unlink(missing_ok=True)
        self.shortened_s = max(0.0, now - stats[dropped].st_mtime) if early else None

    def is_lost(self, segment: int | None) -> bool:
        """Tell whether lines behind a cursor in ``segment`` were deleted; None: a cursor before all lines."""
        gone = max((int(path.stem) for path in self._folder.glob(f"*{_GONE}")), default=None)
        return gone is not None and (segment is None or segment <= gone)

    def _mark_gone(self, number: int) -> None:
        """Leave of a segment its name: this works on a full disk, and what is gone is known to be."""
        marks = list(self._folder.glob(f"*{_GONE}"))
        mark = self._path(number).with_suffix(_GONE)
        self._path(number).replace(mark)
        os.truncate(mark, 0)
        for older in marks:
            older.unlink(missing_ok=True)
