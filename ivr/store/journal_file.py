"""The journal on disk, before the database sees it.

``append`` is one ``write`` of whole lines: what was appended survives a kill of the process, and
``sync`` makes it survive the plug.  The recorder reads it from its cursor on; segments behind the
cursor are kept for a day.  Some space behind the end is always allocated: on a disk that others have filled
the journal goes on there.  When that is used up too, lines wait in memory.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ivr.store.disk_space import allocate_ahead
from ivr.store.kept import Kept, Place

log = logging.getLogger(__name__)

SEGMENT_BYTES = 32 * 1024 * 1024
RESERVE_BYTES = 4 * 1024 * 1024
"""Allocated ahead: some 1,000 calls."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


class JournalFile:
    """Numbered segments ``1795299435.jsonl`` in a folder; a position is ``segment:offset``.

    Args:
        folder: where the segments are.
        on_append: told after each append, so that the reader wakes.
        segment_bytes: size at which the next segment is begun.
        keep: which segments behind the cursor stay; for a day unless told.
    """

    def __init__(
        self,
        folder: Path,
        on_append: Callable[[], None] = lambda: None,
        segment_bytes: int = SEGMENT_BYTES,
        **keep: Any,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.kept = Kept(folder, self._path, **keep)
        self._on_append = on_append
        self._limit = segment_bytes
        self._waiting: list[bytes] = []
        self._syncing = threading.Lock()
        self._closed = False
        self._full: list[int] = []
        self._why = self._why_zh = ""
        self._reserved: float = 0
        """Up to where the present segment's space is ours."""
        self._scarce = False
        numbers = self._segments()
        # a new journal begins at a number of its own: no cursor of a lost one can point into it
        self._number = numbers[-1] if numbers else int(time.time())
        self._open()
        self._reserve()
        self._mend_tail()

    def append(self, line: bytes) -> None:
        """Append one line, newline included; never raises for a full disk."""
        self._waiting.append(line)
        self._flush()
        self._on_append()

    @property
    def trouble(self) -> str:
        """Why lines wait in memory, or soon will; empty when all is well."""
        return self._trouble()[0]

    @property
    def trouble_zh(self) -> str:
        """The same in Chinese."""
        return self._trouble()[1]

    def _trouble(self) -> tuple[str, str]:
        if waiting := len(self._waiting):
            return (
                f"{waiting} events wait in memory: {self._why}; make room and do not stop the engine before",
                f"{waiting} 条事件仍在内存中（{self._why_zh}）；请清理磁盘，在此之前不要停止引擎",
            )
        self._reserve(RESERVE_BYTES)
        if not self._scarce:
            return "", ""
        return (
            "the disk is full: events go into the space kept for them; make room",
            "磁盘已满：事件正写入预留空间；请清理磁盘",
        )

    def start(self) -> str:
        """Return the position of the oldest line that still exists."""
        numbers = self._segments()
        return f"{numbers[0] if numbers else self._number}:0"

    def end(self) -> str:
        """Return the position behind the newest line on disk."""
        return f"{self._number}:{self._size}"

    def read(self, position: str, max_bytes: int = 1_000_000) -> tuple[list[bytes], str]:
        """Return whole lines from a position on, and the position behind them."""
        self._flush()
        number, offset = self._existing(position)
        while True:
            with self._path(number).open("rb") as file:
                file.seek(offset)
                chunk = file.read(max_bytes)
                end = chunk.rfind(b"\n") + 1
                if not end and len(chunk) == max_bytes:  # one huge line: take all of it
                    chunk += file.readline()
                    end = len(chunk)
            if end or number >= self._number:
                return chunk[:end].splitlines(), f"{number}:{offset + end}"
            number, offset = next(later for later in self._segments() if later > number), 0

    def find(self, cursor: str | None) -> Place:
        """Return where to begin for a database's cursor; None is a database that has nothing of this journal.

        A database may remember a place in a journal that was lost, set back, or left on another machine.
        """
        if cursor is None:
            return Place(self.start(), self.start() == self.end(), self.kept.is_lost(None))
        number, offset = (int(part) for part in cursor.split(":"))
        if self._is_line_start(number, offset):
            return Place(cursor, sure=True, lost=False)
        here = number in self._segments()
        return Place(f"{number}:0" if here else self.start(), sure=False, lost=self.kept.is_lost(number))

    def holds(self, position: str) -> bool:
        """Tell whether a line begins, or will begin, at a position of this journal."""
        number, offset = (int(part) for part in position.split(":"))
        return self._is_line_start(number, offset)

    def forget(self, position: str) -> None:
        """Delete what lies behind a position and need not be kept."""
        current = int(position.split(":")[0])
        if behind := [number for number in self._segments() if number < current]:
            self.kept.drop(behind, scarce=self._scarce)

    def sync(self) -> None:
        """Make what was appended survive a power cut (call it off the event loop).

        A disk that refuses is told in the log: the lines go on into the database.
        """
        with self._syncing:
            if self._closed:
                return
            try:
                while self._full:
                    os.fdatasync(self._full[0])
                    os.close(self._full.pop(0))
                os.fdatasync(self._descriptor)
            except OSError as error:
                log.error("the journal is not safe against a power cut: %s", error.strerror or error)

    def close(self) -> None:
        """Close the segment."""
        self._flush()
        with self._syncing:  # a sync under way in another thread must not close what is ours to close
            self._closed = True
            for descriptor in (*self._full, self._descriptor):
                os.close(descriptor)
            self._full.clear()

    def _flush(self) -> None:
        if not self._waiting:
            return
        data = b"".join(self._waiting)
        try:
            written = os.write(self._descriptor, data)
        except OSError as error:
            self._why = error.strerror or str(error)
            self._why_zh = "磁盘已满" if error.errno in _FULL else self._why
            log.error("the journal cannot be written: %s", self._why)
            return
        self._size += written
        rest = data[written:]
        self._waiting = [rest] if rest else []
        self._reserve()
        if not rest and self._size >= self._limit and not self._scarce:
            self._begin_next()

    def _reserve(self, least: int = RESERVE_BYTES // 2) -> None:
        """Have space ahead; what an earlier process had allocated here is still there on a full disk."""
        if self._closed or self._reserved - self._size >= least:
            return
        try:
            allocate_ahead(self._descriptor, self._size, RESERVE_BYTES)
            self._reserved, self._scarce = self._size + RESERVE_BYTES, False
        except OSError as error:
            self._scarce = error.errno in _FULL
            if not self._scarce:  # a kind of disk that has no such thing
                self._reserved = float("inf")

    def _begin_next(self) -> None:
        """Begin the next segment; the full one is closed by the next sync, in whichever thread that is."""
        full, size = self._descriptor, self._size
        self._number += 1
        try:
            self._open()
        except OSError as error:
            self._number -= 1  # a segment may grow longer than we like
            log.error("the next segment of the journal cannot be begun: %s", error.strerror or error)
            return
        os.ftruncate(full, size)  # what was allocated behind it is for the next
        self._reserved = 0
        self._reserve()
        self._full.append(full)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(self._path(self._number), flags, 0o600)
        self._size = os.fstat(self._descriptor).st_size

    def _mend_tail(self) -> None:
        """Close a line that a power cut left open; it is skipped when read."""
        if self._size and not self._path(self._number).read_bytes().endswith(b"\n"):
            self.append(b"\n")

    def _is_line_start(self, number: int, offset: int) -> bool:
        """Tell whether a line of ours begins, or will begin, there."""
        try:
            with self._path(number).open("rb") as file:
                if offset == 0:
                    return True
                file.seek(offset - 1)
                return file.read(1) == b"\n"
        except OSError:
            return False

    def _existing(self, position: str) -> tuple[int, int]:
        """Return a position as segment and offset; one that is not in this folder means its beginning.

        A database may remember a place in a journal that was lost or left on another machine.
        """
        number, offset = (int(part) for part in position.split(":"))
        segments = self._segments()
        if number not in segments:
            return segments[0], 0
        if self._path(number).stat().st_size < offset:
            return number, 0
        return number, offset

    def _segments(self) -> list[int]:
        return sorted(int(path.stem) for path in self._folder.glob("*.jsonl"))

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:010d}.jsonl"
