"""Gives a test's hotline what its YAML cannot say yet: shifts, wrap-up, overflow, who leads.

Python imports this by itself when the folder stands in PYTHONPATH.  ``people.yaml`` of the
configuration folder holds fields of the book's own classes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import time
from pathlib import Path
from typing import Any

import yaml

from ivr.hotline import book as books
from ivr.hotline import files
from ivr.hotline.duty import Crew, Roster, Shift

_load = files.load


def _with_people(folder: Path) -> books.HotlineBook:
    book = _load(folder)
    path = Path(folder) / "people.yaml"
    if not path.exists():
        return book
    said: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    queues = tuple(
        books.QueueSpec(**(entry | {"kind": books.QueueKind(entry["kind"])})) for entry in said["queues"]
    )
    people = tuple(
        replace(person, leads=entry["leads"], queues=tuple(entry["queues"]))
        if (entry := said["operators"].get(person.number))
        else person
        for person in book.operators
    )
    shifts = tuple(
        Shift(
            entry["id"],
            entry["id"],
            time.fromisoformat(entry["start"]),
            time.fromisoformat(entry["end"]),
            entry["min"],
        )
        for entry in said["shifts"]
    )
    crews = {entry["id"]: Crew(entry["crew"][0], tuple(entry["crew"])) for entry in said["shifts"]}
    roster = Roster(shifts, cycle=(crews,), timezone=book.timezone)
    return replace(book, queues=queues, operators=people, shifts=shifts, roster=roster)


files.load = _with_people
