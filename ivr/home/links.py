"""Links that name what runs, replaced in one step that survives a power cut."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from ivr.errors import HotlineError


class PointerError(HotlineError):
    """A link could not be replaced."""

    code = "pointer"


def unwritable(error: OSError, path: Path | None = None) -> PointerError:
    """Return what to say about a file or link that could not be written.

    Args:
        error: what the system said.
        path: what was to be written; None: what the error names.
    """
    name = path or error.filename
    what, zh = (
        (f"{name} cannot be written", f"无法写入 {name}") if name else ("nothing can be written", "无法写入")
    )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return PointerError(
            f"{what}: the disk is full; make room.", f"{zh}:磁盘已满;请清理空间。", retry=True
        )
    why = error.strerror or str(error)
    return PointerError(
        f"{what} ({why}); mend its folder's owner or mode.", f"{zh}({why});请检查目录的属主和权限。"
    )


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def point(pointer: Path, target: Path) -> None:
    """Let a link name another folder.

    Raises:
        PointerError: the link cannot be written.
    """
    aim = os.path.relpath(target, pointer.parent)
    if pointer.is_symlink() and str(pointer.readlink()) == aim:
        return
    fresh = pointer.with_name(pointer.name + ".new")
    try:
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(aim)
        if pointer.is_dir() and not pointer.is_symlink():  # laid out before there were versions
            aside = pointer.with_name(pointer.name + ".before-versions")
            shutil.rmtree(aside, ignore_errors=True)
            pointer.rename(aside)
        fresh.replace(pointer)
        sync_folder(pointer.parent)
    except OSError as error:
        raise unwritable(error, pointer) from error


def named_by(pointer: Path) -> str:
    """Return the last part of what a link names; empty where there is no link."""
    return pointer.readlink().name if pointer.is_symlink() else ""
