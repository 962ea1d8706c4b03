"""For the unit tests: every event that the code records has the data that the catalogue tells."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr.events import bus as bus_module
from ivr.events.bus import EventBus
from ivr.events.event import Event
from ivr.events.payloads.reading import faults

TESTS = str(Path(__file__).resolve().parents[1])
_PASS_ON = {bus_module.__file__, str(Path(bus_module.__file__).parents[1] / "calls/open_calls.py"), __file__}


@pytest.fixture(autouse=True)
def catalogued(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test in which the code recorded something that ``ivr/events/payloads`` does not know.

    What a test records by itself may be as short as it likes.
    """
    emit = EventBus.emit
    found: list[str] = []

    def checked(bus: EventBus, event: Event) -> bool:
        if not _writer().startswith(TESTS):
            found.extend(faults(event))
        return emit(bus, event)

    monkeypatch.setattr(EventBus, "emit", checked)
    yield
    assert not found, "an event says what the catalogue does not know"


def _writer() -> str:
    """Return the file of whoever records."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename in _PASS_ON and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_filename
