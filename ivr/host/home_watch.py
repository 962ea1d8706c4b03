"""Notices that the home of a running hotline was deleted, moved away or replaced.

What goes on without its home writes where nobody looks.  A disk that does not answer for a moment,
or is closed to us, is no proof; a folder that has no name any more is.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ivr.errors import HotlineError

_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE)
LOOK_S = 2.0
LOOKS = 5


class HomeGone(HotlineError):
    """The folder this hotline lives in is gone."""

    code = "home_gone"


class HomeWatch:
    """Looks at a home now and then.

    Args:
        home: the folder, which is there now.

    Raises:
        OSError: it is not.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._held = os.open(home, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)  # nobody gets its inode
        self._missed = 0
        self._next_at = 0.0

    @property
    def deleted(self) -> bool:
        """Whether the folder has no name any more: the one proof that needs no second look."""
        return os.fstat(self._held).st_nlink == 0

    def look(self, now: float) -> tuple[str, str]:
        """Say what happened to the home, in English and in Chinese; empty as long as it may be there.

        Args:
            now: seconds of a clock that only grows.
        """
        if now < self._next_at:
            return "", ""
        self._next_at = now + LOOK_S
        held = os.fstat(self._held)
        if self.deleted:
            return f"{self._home} was deleted", f"{self._home} 已被删除"
        try:
            self._missed = 0 if os.path.samestat(self._home.stat(), held) else self._missed + 1
        except OSError as error:
            self._missed += error.errno in _GONE
        if self._missed >= LOOKS:
            return f"{self._home} was moved away or replaced", f"{self._home} 已被移走或替换"
        return "", ""

    def close(self) -> None:
        """Look no more."""
        os.close(self._held)
