"""What is folded from the journal is changed by events alone: else a restart would know something else than we do."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from ivr.calls.callback import Callback
from ivr.calls.open_calls import CallBook
from ivr.calls.record import CallRecord
from ivr.seats.record import SeatRecord
from ivr.transfers.transfer import Transfer
from tests.unit.kit import Journal

SOURCES = Path(__file__).resolve().parents[2] / "ivr"
FOLDED = {
    "call": CallRecord,
    "record": CallRecord,
    "seat": SeatRecord,
    "callback": Callback,
    "transfer": Transfer,
}
"""What variables of that name are, all over the house."""
FOLDS = {"calls/record.py", "calls/callback.py", "seats/record.py", "transfers/transfer.py"}
READS_ROWS = {"engine/persistence.py"}
"""Builds seats from the rows of the database, before anybody has them."""


def changes(source: str) -> Iterator[str]:
    """Tell where a source changes folded state, as ``line: name.attribute``."""
    for node in ast.walk(ast.parse(source)):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            one = target.value if isinstance(target, ast.Subscript) else target
            if not (isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name)):
                continue
            kind = FOLDED.get(one.value.id)
            if kind is not None and one.attr in {field.name for field in fields(kind)}:
                yield f"{one.lineno}: {one.value.id}.{one.attr}"


def test_only_what_folds_events_changes_calls_seats_callbacks_and_three_way_calls() -> None:
    found = {}
    for path in sorted(SOURCES.rglob("*.py")):
        name = path.relative_to(SOURCES).as_posix()
        if name not in FOLDS | READS_ROWS and (told := list(changes(path.read_text(encoding="utf-8")))):
            found[name] = told
    assert found == {}


@pytest.mark.parametrize(
    "source", ["seat.since += step", "transfer.third = ''", "call.state = then", "transfer.tries: int = 1"]
)
def test_a_change_that_no_event_tells_is_found(source: str) -> None:
    assert list(changes(source))


def test_nobody_puts_a_seat_or_a_call_into_the_book_by_hand() -> None:
    calls = CallBook(Journal().append)
    for known in (calls.seats, calls.over, calls.called_back):
        assert not hasattr(known, "__setitem__")
    assert not hasattr(calls, "__setitem__")
