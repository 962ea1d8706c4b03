"""Whether a hotline runs in a state folder: asked by every command, so nothing heavy is loaded here."""

from __future__ import annotations

import fcntl

from ivr.settings import Settings


def running_pid(settings: Settings) -> int | None:
    """Return the supervisor's pid, None when none runs.

    Raises:
        PermissionError: the hotline belongs to another user.
    """
    try:
        with (settings.run / "supervisor.pid").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read().strip() or 0) or None
    except PermissionError:
        raise
    except (OSError, ValueError):
        pass
    return None
