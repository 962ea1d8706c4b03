"""A copy of the shipped configuration to spoil, and what is said about it."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

from ivr.hotline.files.reading import Reading, Severity, read

SHIPPED = Path(__file__).parents[2] / "queues"
CITIES = ("leshan", "ningxiang", "ankang")
SPRING = date(2026, 3, 2)
"""A day far from the end of the last published year."""


class Desk:
    """Somebody edits a copy of the shipped files and asks what is wrong."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.edited = 0
        """The line of the last edit."""
        for path in SHIPPED.glob("*.yaml"):
            shutil.copy(path, folder)

    def edit(self, name: str, old: str, new: str) -> Desk:
        text = (self.folder / name).read_text("utf-8")
        assert old in text, f"{name} has no {old!r}"
        self.edited = text[: text.index(old)].count("\n") + 1
        (self.folder / name).write_text(text.replace(old, new, 1), "utf-8")
        return self

    def write(self, name: str, raw: bytes) -> Desk:
        (self.folder / name).write_bytes(raw)
        return self

    def read(self, today: date = SPRING) -> Reading:
        return read(self.folder, today)

    def said(self, severity: Severity = Severity.FAULT, today: date = SPRING) -> list[str]:
        """Return ``file:line: sentence`` of each fault, the folder left out."""
        found = self.read(today)
        assert found.ok == (not any(fault.severity is Severity.FAULT for fault in found.faults))
        return [
            fault.sentence().removeprefix(f"{self.folder}/")
            for fault in found.faults
            if fault.severity is severity
        ]

    def advised(self, today: date = SPRING) -> list[str]:
        """Return the advice; there must be no fault."""
        assert self.said(today=today) == []
        return self.said(Severity.ADVICE, today)
