"""One supervisor a home: whoever holds the lock of ``supervisor.pid`` in it.

The kernel gives the lock up when its holder ends, and a copy of the file is another file.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import time
from pathlib import Path

from ivr.errors import HotlineError
from ivr.home.settings import Settings
from ivr.host import processes

log = logging.getLogger(__name__)

NAME = "supervisor.pid"
_TRIES = 10
_TRY_S = 0.05
_LOOK_S = 2.0
_LOOKS = 3


class AlreadyRunning(HotlineError):
    """This state folder has a running instance."""

    code = "already_running"


def is_held(settings: Settings) -> bool:
    """Tell whether a supervisor runs for this home.

    Raises:
        PermissionError: the hotline belongs to another user.
    """
    try:
        with (settings.pids / NAME).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except PermissionError:
        raise
    except OSError:
        pass
    return False


def supervisor_of(settings: Settings) -> processes.Process | None:
    """Return the supervisor of this home; None where none runs, or none that can be seen from here.

    Raises:
        PermissionError: the hotline belongs to another user.
    """
    return processes.holder(settings.pids / NAME) if is_held(settings) else None


def running_pid(settings: Settings) -> int | None:
    """Return the supervisor's pid, None when none runs; 0 where it runs and cannot be seen from here.

    Raises:
        PermissionError: the hotline belongs to another user.
    """
    if not is_held(settings):
        return None
    process = supervisor_of(settings)
    return process.pid if process else 0


class HomeLock:
    """The lock while it is held.

    Args:
        settings: where things are.

    Raises:
        AlreadyRunning: somebody else holds it.
    """

    def __init__(self, settings: Settings) -> None:
        self._path: Path = settings.pids / NAME
        self._home = settings.home
        self._descriptor = self._take()
        self._missed = 0
        self._next_at = 0.0

    def _take(self) -> int:
        for _ in range(_TRIES):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is_file(descriptor):
                    break
            except BlockingIOError:  # a command that looks holds it for a moment
                pass
            os.close(descriptor)  # or who held it before deleted it as we waited
            time.sleep(_TRY_S)
        else:
            raise AlreadyRunning(
                f"an instance is already running for {self._home}.", f"{self._home} 的实例已在运行。"
            )
        with contextlib.suppress(OSError):  # a full disk: whoever looks for the holder finds it by the lock
            processes.note(self._path, str(os.getpid()))
        return descriptor

    def look(self, now: float) -> tuple[str, str]:
        """Take the lock again where its file was deleted; say who has it otherwise, in English and Chinese.

        Args:
            now: seconds of a clock that only grows.
        """
        if now < self._next_at:
            return "", ""
        self._next_at = now + _LOOK_S
        self._missed = 0 if self._is_file(self._descriptor) else self._missed + 1
        if self._missed < _LOOKS:
            return "", ""
        try:
            fresh = self._take()
        except AlreadyRunning:
            return (
                f"{self._path} was replaced, and another supervisor holds it",
                f"{self._path} 已被替换，并由另一个看护进程持有",
            )
        except OSError as error:
            log.error("the lock %s was deleted and cannot be made again yet: %s", self._path, error)
            return "", ""
        log.error("the lock %s was deleted; it is there again", self._path)
        os.close(self._descriptor)
        self._descriptor, self._missed = fresh, 0
        return "", ""

    def _is_file(self, descriptor: int) -> bool:
        """Tell whether the file is still that one; a disk that does not answer is no proof."""
        try:
            return os.path.samestat(self._path.stat(), os.fstat(descriptor))
        except FileNotFoundError:
            return False
        except OSError:
            return True

    def release(self) -> None:
        """Give it up, with the file."""
        if self._missed == 0:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
