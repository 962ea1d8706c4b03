"""Disks that fill: somebody must make room before recordings and events no longer fit."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from ivr.alarms.board import Fault

DISK_FULL = "disk_full"
LOW_BYTES = 256 * 1024 * 1024
"""A quarter of an hour of recordings with nine people talking (16 kB/s a side)."""


def disk_faults(folders: Iterable[Path], low: int = LOW_BYTES) -> list[Fault]:
    """Return a fault for each disk with less than ``low`` bytes left; folders on one disk are told once."""
    faults: dict[int, Fault] = {}
    for folder in folders:
        with contextlib.suppress(OSError):  # a folder that is gone is told elsewhere
            left = os.statvfs(folder)
            free = left.f_bavail * left.f_frsize
            if free < low:
                mega = free // 1_000_000
                english = f"the disk of {folder} has only {mega} MB left: make room."
                chinese = f"{folder} 所在磁盘仅剩 {mega} MB:请尽快清理空间。"
                faults.setdefault(folder.stat().st_dev, Fault(DISK_FULL, str(folder), english, chinese))
    return list(faults.values())
