"""Logging of the engine and the supervisor, for people and their tools."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
from pathlib import Path

from ivr.tickets.masking import mask_numbers


class MaskingFormatter(logging.Formatter):
    """Writes records without a telephone number that could be dialled, wherever in them it stands."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and a traceback under it, with every such number masked."""
        when = self.formatTime(record, self.datefmt)
        text = super().format(record)  # it begins with the time, which looks like a number
        return when + mask_numbers(text.removeprefix(when))


def start_logging(folder: Path, name: str) -> None:
    """Log to ``<folder>/<name>.log``, ten files of 10 MB, for this user alone."""
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(PermissionError):
        folder.chmod(0o700)  # former versions left it open
    handler = logging.handlers.RotatingFileHandler(
        folder / f"{name}.log", maxBytes=10_000_000, backupCount=9, encoding="utf-8"
    )
    handler.setFormatter(MaskingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("alembic").setLevel(logging.WARNING)
