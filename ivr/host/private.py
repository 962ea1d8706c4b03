"""Who may read what the hotline writes: its user alone, from the first file on.

Every program of ours calls :func:`keep_private` before anything else.  Only what a person asked for
by name, such as a page, is made as their own programs would make it.
"""

from __future__ import annotations

import os
from pathlib import Path

UMASK = 0o077
_usual = 0o022
"""The umask of the person or system that started us."""


def keep_private() -> int:
    """Keep every file and folder that is made from now on for this user alone; return the umask before."""
    global _usual
    before = os.umask(UMASK)
    if before != UMASK:
        _usual = before
    return before


def hand_over(path: Path) -> None:
    """Give a file that a person asked for the mode which their own programs give."""
    path.chmod(0o666 & ~_usual)
