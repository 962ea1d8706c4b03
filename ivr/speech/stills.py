"""Where a recording stood still because no side of the talk sent anything.

``MixMonitor`` writes what comes: while both sides suppress silence it writes nothing, and the
recording would be shorter than the talk, all later times in it wrong.  So the file is looked at
while it grows, and what is missing is put in as silence when it is closed (:func:`raw_to_wav`).
Its stream is buffered by Asterisk, so a place is right to about a second.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

BYTES_A_SECOND = 32000
"""Two sides of 16-bit at 8 kHz."""
STOOD_S = 2.5
"""Longer than Asterisk keeps a piece (32 kB, one second) before it writes it, and than a busy machine is late."""
LOOK_S = 1.0
_ROOM_BYTES = 1 << 20


class Still(NamedTuple):
    """Silence that is missing: at which byte of the raw file, how many seconds."""

    at: int
    seconds: float


@dataclass
class Growth:
    """How one raw recording grew; times in seconds of a steady clock."""

    size: int
    grew: float
    stills: list[Still] = field(default_factory=list)

    def see(self, size: int, now: float, *, last: bool = False) -> None:
        """Take in how long the file is at a moment; ``last``: the talk is over and everything written."""
        written = max(0, size - self.size) / BYTES_A_SECOND
        missing = now - self.grew - written
        if (size > self.size or last) and now - self.grew > STOOD_S and missing > STOOD_S / 2:
            self.stills.append(Still(max(size, self.size) if last else self.size, missing))
        if size > self.size:
            self.size, self.grew = size, now


def _free(folder: Path) -> int:
    try:
        left = os.statvfs(folder)
    except OSError:
        return 0
    return left.f_bavail * left.f_frsize


class Stills:
    """The growth of all recordings that go on.

    Args:
        steady: seconds since any moment, which nobody can set.
        free: tells the bytes that are free in a folder: a full disk is no silence.
    """

    def __init__(
        self, steady: Callable[[], float] = time.monotonic, free: Callable[[Path], int] = _free
    ) -> None:
        self._steady = steady
        self._free = free
        self._growing: dict[Path, Growth] = {}
        self._over: dict[Path, float] = {}

    def look(self, raws: Collection[Path]) -> None:
        """Look at the recordings of those who talk now; others rest, on hold or for good."""
        now = self._steady()
        for raw in self._growing.keys() - set(raws):
            self._over.setdefault(raw, now)
        for raw in raws:
            if self._free(raw.parent) < _ROOM_BYTES:
                self._growing.pop(raw, None)
                continue
            growth = self._growing.setdefault(raw, Growth(_size(raw), now))
            if raw in self._over:  # they talk again: what was not recorded meanwhile was not to be
                growth.see(_size(raw), self._over.pop(raw), last=True)
                growth.size, growth.grew = _size(raw), now
            growth.see(_size(raw), now)

    def ended(self, raw: Path) -> None:
        """Hear that the talk of a recording is over this moment."""
        if raw in self._growing:
            self._over.setdefault(raw, self._steady())

    def take(self, raw: Path) -> list[Still]:
        """Return what is missing in a recording that is closed now, and forget it."""
        growth, over = self._growing.pop(raw, None), self._over.pop(raw, self._steady())
        if growth is None:
            return []
        growth.see(_size(raw), over, last=True)
        return growth.stills


def _size(raw: Path) -> int:
    """Return how long a file is; one that Asterisk has had nothing to write to is not there yet."""
    try:
        return raw.stat().st_size
    except OSError:
        return 0
