"""Logging of the engine and the supervisor, for people and their tools.

A log that a stranger can write into must stay readable on a terminal and must not turn over because somebody
knocks a thousand times: control characters are shown as what they are, and of the same sentence the first few of a
minute are kept and the rest counted.
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from ivr.host.terminal import shown
from ivr.tickets.masking import mask_numbers

SAME = 100
"""Lines of the same sentence in a minute; the rest is counted."""


class FirstOfEach(logging.Filter):
    """Keeps the first of each sentence in a minute, and says how many there were.

    Args:
        clock: seconds that never go back.
        same: how many of each are kept.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, same: int = SAME) -> None:
        super().__init__()
        self._clock = clock
        self._same = same
        self._minute = -1
        self._seen: Counter[tuple[str, str]] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is kept; what comes first in a new minute tells of those that were not."""
        minute = int(self._clock() // 60)
        left_out = ""
        if minute != self._minute:
            lost = sum(count - self._same for count in self._seen.values() if count > self._same)
            left_out = f" [{lost} lines like earlier ones were left out]" if lost else ""
            self._minute = minute
            self._seen.clear()
        sentence = record.name, str(record.msg)
        self._seen[sentence] += 1
        if left_out:
            record.msg, record.args = record.getMessage() + left_out, ()
        return self._seen[sentence] <= self._same


class CleanFormatter(logging.Formatter):
    """One line a record, traceback apart: nothing that a terminal would obey, no number that could be dialled."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record."""
        message = mask_numbers(shown(record.getMessage()))  # the time before it looks like a number
        clean = logging.makeLogRecord(record.__dict__ | {"msg": message, "args": ()})
        first, *traceback = super().format(clean).split("\n")
        return "\n".join([shown(first), *(mask_numbers(shown(line)) for line in traceback)])


def start_logging(folder: Path, name: str) -> None:
    """Log to ``<folder>/<name>.log``, ten files of 10 MB, for this user alone."""
    handler = _file(folder, name)
    handler.addFilter(FirstOfEach())
    handler.setFormatter(CleanFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("alembic").setLevel(logging.WARNING)


def lines_to(folder: Path, name: str) -> Callable[[str], None]:
    """Return a writer of lines to ``<folder>/<name>.log``: the local time with its zone, and the line.

    fail2ban needs the zone: the hotline's and the machine's need not be the same.
    """
    lines = logging.Logger(name)  # of nobody else: what is written here stands nowhere twice
    handler = _file(folder, name)
    handler.setFormatter(CleanFormatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S%z"))
    lines.addHandler(handler)
    return lines.info


def _file(folder: Path, name: str) -> logging.Handler:
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(PermissionError):
        folder.chmod(0o700)  # former versions left it open
    return logging.handlers.RotatingFileHandler(
        folder / f"{name}.log", maxBytes=10_000_000, backupCount=9, encoding="utf-8", delay=True
    )
