"""Opens files of a folder that administrators fill: ordinary files, and none from outside the folder.

Root may run the hotline: a link to ``/etc/shadow`` would otherwise be read, and told in a fault.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ivr.errors import HotlineError


class NotOrdinary(HotlineError):
    """A folder, a pipe, a device, or a link that leads out of the folder."""

    code = "not_ordinary"


def around(folder: Path) -> tuple[Path, ...]:
    """Return the folders a file of ``folder`` may really lie in: itself, and for a part of it the whole."""
    absolute = folder.absolute()
    if absolute.parent.name == "profiles":
        return absolute, absolute.parent.parent
    return (absolute, absolute.parent) if absolute.name == "prompts" else (absolute,)


def real(path: Path, folder: Path) -> Path:
    """Return where a file of ``folder`` really lies.

    Args:
        path: the file, perhaps a link.
        folder: the folder it was found in.

    Raises:
        NotOrdinary: it is no ordinary file, or lies outside; it was not opened.
        OSError: it is not there, or a link leads back to itself.
    """
    found = Path(os.path.realpath(path, strict=True))
    if not stat.S_ISREG(found.stat().st_mode):
        raise _odd()
    if not any(found.is_relative_to(place.resolve()) for place in around(folder)):
        link = path if path.is_symlink() else path.parent
        raise NotOrdinary(
            f"this is a link out of this folder ({link.name} -> {os.path.realpath(link)}); put the file itself here.",
            f"这是指向本目录之外的符号链接（{link.name} -> {os.path.realpath(link)}）；请直接放入文件。",
        )
    return found


def read(path: Path, folder: Path, limit: int) -> tuple[bytes, os.stat_result]:
    """Read a file of ``folder``, ``limit`` bytes at most; also return what it was. Raises as :func:`real`."""
    handle = os.open(real(path, folder), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as file:
        what = os.fstat(handle)
        if not stat.S_ISREG(what.st_mode):
            raise _odd()
        return file.read(limit), what


def _odd() -> NotOrdinary:
    return NotOrdinary(
        "this is a folder, a pipe or a device; put an ordinary file here.",
        "这是目录、管道或设备；请换成普通文件。",
    )
