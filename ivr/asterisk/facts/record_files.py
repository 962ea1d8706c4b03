"""Asterisk's CEL and CDR files and the AGI scripts' spool, followed from a remembered place."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ivr.asterisk.facts.records import RecordRow, read_cdr, read_cel, read_whole_lines

log = logging.getLogger(__name__)

CHUNK_BYTES = 64 * 1024
ROTATE_BYTES = 64 * 1024 * 1024
_READERS = {"cel": read_cel, "cdr": read_cdr}


class RecordFiles:
    """Follows ``cel-custom/ivr12345.csv`` and ``cdr-custom/ivr12345.csv`` under Asterisk's log folder.

    Args:
        logs: Asterisk's log folder.
        spool: where AGI scripts leave notes.
        place: a small file that remembers how far was read.
    """

    def __init__(self, logs: Path, spool: Path, place: Path) -> None:
        self._paths = {
            "cel": logs / "cel-custom/ivr12345.csv",
            "cdr": logs / "cdr-custom/ivr12345.csv",
        }
        self._spool = spool
        self._place = place
        self._offsets = self._remembered()
        self._began: dict[str, dict[str, int]] = {}
        self._left_over: list[RecordRow] = []

    def read(self) -> Iterator[RecordRow]:
        """Yield some of what was written since the last call; nothing when all is read."""
        yield from self._left_over
        self._left_over = []
        for name, path in self._paths.items():
            offset = self._offsets.get(name, 0)
            data, self._offsets[name] = read_whole_lines(path, offset, CHUNK_BYTES)
            for row in _READERS[name](data):
                self._began.setdefault(row.call_id, {}).setdefault(name, offset)
                yield row

    def keep_from(self, open_calls: set[str]) -> None:
        """Remember the place before the first row of any open call; rotate files read to the end."""
        for call_id in list(self._began):
            if call_id not in open_calls:
                del self._began[call_id]
        place = {
            name: min([offset, *(began[name] for began in self._began.values() if name in began)])
            for name, offset in self._offsets.items()
        }
        fresh = self._place.with_suffix(".new")
        try:
            fresh.write_text(json.dumps(place))
            fresh.replace(self._place)
        except OSError as error:  # a full disk: a restart reads more than it need
            log.error("the place in Asterisk's records cannot be kept: %s", error.strerror or error)
        if not open_calls:
            self._rotate()

    def _rotate(self) -> None:
        """Asterisk opens these files for each line, so a rename is safe."""
        for name, path in self._paths.items():
            with contextlib.suppress(OSError):
                if self._offsets.get(name, 0) >= ROTATE_BYTES and path.stat().st_size == self._offsets[name]:
                    old = path.replace(path.with_suffix(".old.csv"))
                    late, _ = read_whole_lines(old, self._offsets[name])  # written as we looked
                    self._left_over += _READERS[name](late)
                    self._offsets[name] = 0

    def notes(self) -> Iterator[tuple[str, RecordRow]]:
        """Yield the notes that AGI scripts left; a broken one is set aside."""
        for path in sorted(self._spool.glob("*.json")):
            try:
                note: dict[str, Any] = json.loads(path.read_text(encoding="utf-8", errors="replace"))
                row = RecordRow(str(note["call_id"]), _moment(note["at"]), "reception", note)
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.error("the note %s cannot be read and is set aside: %s", path.name, error)
                with contextlib.suppress(OSError):
                    path.rename(path.with_suffix(".broken"))
                continue
            yield path.name, row

    def done(self, name: str) -> None:
        """Delete a note."""
        with contextlib.suppress(OSError):  # it is read again, and adds nothing
            (self._spool / name).unlink(missing_ok=True)

    def _remembered(self) -> dict[str, int]:
        try:
            raw = json.loads(self._place.read_text())
            return {name: max(0, int(offset)) for name, offset in raw.items() if name in self._paths}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}


def _moment(value: Any) -> float:
    """Return seconds since the epoch; the years a note can be from have ten digits of them."""
    at = float(value)
    if not 1e9 <= at < 1e10:
        raise ValueError(f"{at} is no moment a call was made at")
    return at
