"""How long a warm start takes, and how big the engine is."""

from __future__ import annotations

import time
from pathlib import Path

from tests.asterisk.hotline import running
from tools.bench.machine import resident_mb
from tools.bench.table import Part, limit, median, told

STARTS = 5


def run(folder: Path, starts: int = STARTS) -> Part:
    """Start and stop a hotline that has been started before."""
    folder.mkdir(parents=True, exist_ok=True)
    took_s, engine_mb, asterisk_mb = [], [], []
    with running(folder) as hotline:  # the first start proves the configuration
        for number in range(starts):
            hotline.run("down")
            began = time.monotonic()
            hotline.up()
            took_s.append(time.monotonic() - began)
            engine_mb.append(resident_mb(hotline.pid("engine")))
            asterisk_mb.append(resident_mb(hotline.pid("asterisk")))
            print(f"  start {number + 1}: {took_s[-1]:.2f} s, engine {engine_mb[-1]:.0f} MB", flush=True)
    rows = (
        limit(f"warm `ivr up --detach` to all parts live, median of {starts}", median(took_s), 3.0, "s"),
        told("… fastest / slowest", f"{min(took_s):.2f} / {max(took_s):.2f} s"),
        limit(
            "engine's memory without speech (its own process), after the start", median(engine_mb), 120, "MB"
        ),
        told("Asterisk's memory after the start", f"{median(asterisk_mb):.0f} MB"),
    )
    remark = (
        "Warm start: the wall-clock time of the whole command, with configuration as shipped, Asterisk "
        "included. The recogniser runs in a process of its own, which is not counted in the engine's memory."
    )
    return Part("start", rows, (remark,))
