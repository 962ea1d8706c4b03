"""Logging of the engine and the supervisor, for people and their tools."""

from __future__ import annotations

import logging
import logging.handlers
from pathlib import Path


def start_logging(folder: Path, name: str) -> None:
    """Log to ``<folder>/<name>.log``, ten files of 10 MB."""
    folder.mkdir(parents=True, exist_ok=True)
    handler = logging.handlers.RotatingFileHandler(
        folder / f"{name}.log", maxBytes=10_000_000, backupCount=9, encoding="utf-8"
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("alembic").setLevel(logging.WARNING)
