"""Asterisk's records of calls that were not let in, followed from a remembered place.

The same files as :mod:`ivr.asterisk.facts.record_files` reads, and its log; a file that was rotated away
is read to its end first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ivr.asterisk.facts.records import RefusedRow, read_refused, read_unheard, read_whole_lines

CHUNK_BYTES = 256 * 1024


class Tail:
    """A growing file: ``old`` is what it is called after it was rotated away."""

    def __init__(self, path: Path, old: Path, place: Mapping[str, Any]) -> None:
        self._path = path
        self._old = old
        self._inode = int(place.get("inode", 0))
        self._offset = int(place.get("offset", 0))

    @property
    def place(self) -> dict[str, int]:
        """How far was read."""
        return {"inode": self._inode, "offset": self._offset}

    def read(self) -> bytes:
        """Return whole lines that are new; nothing when all is read."""
        inode = _inode(self._path)
        if self._inode and inode != self._inode:
            if _inode(self._old) == self._inode:
                data, self._offset = read_whole_lines(self._old, self._offset, CHUNK_BYTES)
                if data:
                    return data
            self._inode, self._offset = inode, 0
        self._inode = self._inode or inode
        data, self._offset = read_whole_lines(self._path, self._offset, CHUNK_BYTES)
        return data


class RefusedFiles:
    """Follows ``cel-custom/ivr12345.csv`` and ``messages.log`` under Asterisk's log folder.

    Args:
        logs: Asterisk's log folder.
        places: what :attr:`places` was before a restart.
    """

    def __init__(self, logs: Path, places: Mapping[str, Mapping[str, Any]]) -> None:
        cel, log = logs / "cel-custom/ivr12345.csv", logs / "messages.log"
        self._tails = {
            "cel": Tail(cel, cel.with_suffix(".old.csv"), places.get("cel", {})),
            "log": Tail(log, log.with_name("messages.log.0"), places.get("log", {})),
        }

    @property
    def places(self) -> dict[str, dict[str, int]]:
        """How far was read, to be kept."""
        return {name: tail.place for name, tail in self._tails.items()}

    def read(self) -> Iterator[list[RefusedRow]]:
        """Yield what is new, a piece of a file at a time; the piece may hold none."""
        for name, reader in (("cel", read_refused), ("log", read_unheard)):
            while data := self._tails[name].read():
                yield list(reader(data))


def _inode(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_ino
    return 0
