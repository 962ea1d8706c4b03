"""Asterisk's own logs do not fill the disk: they are rotated when large, and a few old ones are kept."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from ivr.asterisk.ami.link import Link

ROTATE_BYTES = 16 * 1024 * 1024
KEEP = 4
"""Old files kept of each log; with the present one at most 80 MB each."""

_OLD = re.compile(r"\.log\.(\d+)\Z")


async def rotate_when_large(link: Link, logs: Path) -> bool:
    """Have Asterisk begin new log files when one is large; delete the oldest.

    Args:
        link: a live link to the Asterisk that writes there.
        logs: its log folder.

    Returns:
        Whether the logs were rotated.
    """
    if not any(_size(path) > ROTATE_BYTES for path in logs.glob("*.log")):
        return False
    await link.action("LoggerRotate", {})
    for path in logs.glob("*.log.*"):
        numbered = _OLD.search(path.name)
        if numbered and int(numbered[1]) >= KEEP:
            with contextlib.suppress(OSError):
                path.unlink()
    return True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
