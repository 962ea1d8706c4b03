"""What is different between two configurations, for people and for the history."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from ivr.hotline.book import HotlineBook

LISTS: Mapping[str, tuple[str, Callable[[Any], str]]] = {
    "lines": ("部门线", lambda line: str(line.id)),
    "queues": ("队列", lambda queue: str(queue.id)),
    "seats": ("座席", lambda seat: str(seat.id)),
    "operators": ("话务员", lambda person: str(person.number)),
    "units": ("承办单位", lambda unit: str(unit.id)),
}
"""What is told by name, and how it is known."""

AT_A_START = ("region", "timezone")
"""What is built in where tickets are numbered and stored; it changes only when everything starts anew."""


def compare(old: HotlineBook | None, new: HotlineBook) -> dict[str, Any]:
    """Name what was added, removed and changed.

    Returns:
        ``{"lines": {"added": [ids], "removed": [ids], "changed": [ids]}, …, "others": [names]}``,
        without what stayed the same; empty when the books are equal.
    """
    found: dict[str, Any] = {}
    for name, (_, known_by) in LISTS.items():
        before = {known_by(item): item for item in getattr(old, name, ())}
        after = {known_by(item): item for item in getattr(new, name)}
        row = {
            "added": sorted(after.keys() - before.keys()),
            "removed": sorted(before.keys() - after.keys()),
            "changed": sorted(key for key in after.keys() & before.keys() if after[key] != before[key]),
        }
        if any(row.values()):
            found[name] = row
    others = [
        item.name
        for item in fields(HotlineBook)
        if item.name not in LISTS and old is not None and getattr(old, item.name) != getattr(new, item.name)
    ]
    return found | ({"others": others} if others else {})


def rows(changes: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return a table: what, added, removed, changed."""
    table = []
    for name, row in changes.items():
        if name == "others":
            table.append((name, "", "", _few(row)))
        else:
            table.append((name, _few(row["added"]), _few(row["removed"]), _few(row["changed"])))
    return table


def summary(changes: Mapping[str, Any]) -> str:
    """Return one short phrase, for example ``lines +1, operators +1 -2 ~1``."""
    signs = (("added", "+"), ("removed", "-"), ("changed", "~"))
    parts = []
    for name, row in changes.items():
        if name == "others":
            parts.append(", ".join(row))
        else:
            parts.append(" ".join([name, *(f"{sign}{len(row[key])}" for key, sign in signs if row[key])]))
    return ", ".join(parts)


def _few(names: Sequence[str], shown: int = 6) -> str:
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" (+{rest})" if rest > 0 else "")
