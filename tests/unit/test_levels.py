"""Whether there is any sound on a side of a recording that goes on."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest

from ivr.calls.legs import Track
from ivr.calls.record import CallRecord
from ivr.sides.rules import Role
from ivr.sides.tracks import recorded
from ivr.speech.levels import RATE_HZ, WINDOW_S, Side, is_flat

LONG = int(WINDOW_S * RATE_HZ)


def write(raw: Path, *sides: list[int]) -> Path:
    samples = array("h", bytes(2 * len(sides) * len(sides[0])))
    for channel, side in enumerate(sides):
        samples[channel :: len(sides)] = array("h", side)
    raw.write_bytes(samples.tobytes())
    return raw


@pytest.mark.parametrize("silence", [0, 8, -8])
def test_each_side_is_judged_by_itself(tmp_path: Path, silence: int) -> None:
    raw = write(tmp_path / "a.raw", [silence] * LONG, [silence] * (LONG - 1) + [40])
    assert is_flat(Side(raw, 2, 0))
    assert not is_flat(Side(raw, 2, 1))


def test_only_the_last_seconds_count_and_a_frame_half_written_moves_nothing(tmp_path: Path) -> None:
    raw = write(tmp_path / "a.raw", [9000] * LONG + [0] * LONG, [9000] * 2 * LONG)
    with raw.open("ab") as file:
        file.write(b"\x28\x28\x28")
    assert is_flat(Side(raw, 2, 0))
    assert not is_flat(Side(raw, 2, 1))


def test_what_is_short_or_not_there_is_not_judged(tmp_path: Path) -> None:
    assert not is_flat(Side(write(tmp_path / "a.raw", [0] * (LONG - 1)), 1, 0))
    assert not is_flat(Side(tmp_path / "none.raw", 1, 0))


def test_a_party_is_looked_for_where_nobody_else_is_recorded() -> None:
    call = CallRecord("i1-1.1")
    assert recorded(call, Role.CALLER, room=False) is None
    call.recording = "/r/main"
    assert recorded(call, Role.CALLER, room=False) == Side(Path("/r/main.raw"), 2, 0)
    assert recorded(call, Role.SEAT, room=False) == Side(Path("/r/main.raw"), 2, 1)
    assert recorded(call, Role.THIRD, room=False) is None
    assert recorded(call, Role.SEAT, room=True) is None, "there the caller hears everybody"
    assert recorded(call, Role.CALLER, room=True) == Side(Path("/r/main.raw"), 2, 0)
    call.tracks = [Track("/r/119", ("third",), 5.0), Track("/r/seat", ("operator",), 5.0)]
    assert recorded(call, Role.THIRD, room=True) == Side(Path("/r/119.raw"), 1, 0)
    assert recorded(call, Role.SEAT, room=True) == Side(Path("/r/seat.raw"), 1, 0)
