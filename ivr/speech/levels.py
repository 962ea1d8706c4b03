"""Whether a side of a recording that goes on has any sound at all."""

from __future__ import annotations

import sys
from array import array
from pathlib import Path
from typing import NamedTuple

RATE_HZ = 8000
SAMPLE_BYTES = 2
WINDOW_S = 3.0
SILENCE = 8
"""The loudest sample (of 32,767) of what A-law and µ-law make of silence."""


class Side(NamedTuple):
    """One side of a raw recording (8 kHz, 16-bit, ``channels`` interleaved): where its samples are."""

    raw: Path
    channels: int
    channel: int


def is_flat(side: Side) -> bool:
    """Tell whether the last seconds of a side are silence; False while less than :data:`WINDOW_S` is written."""
    frame = SAMPLE_BYTES * side.channels
    wanted = int(WINDOW_S * RATE_HZ) * frame
    try:
        with side.raw.open("rb") as file:
            size = file.seek(0, 2) // frame * frame
            if size < wanted:
                return False
            file.seek(size - wanted)
            samples = array("h", file.read(wanted))
    except OSError:
        return False
    if sys.byteorder == "big":
        samples.byteswap()
    one = samples[side.channel :: side.channels]
    return max(one) <= SILENCE and min(one) >= -SILENCE
