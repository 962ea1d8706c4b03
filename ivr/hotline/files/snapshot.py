"""The bytes of a whole configuration folder at one moment.

Somebody may save files while they are read: everything is read twice, until both times were the
same.  Anything that is no ordinary file is named, never opened for long.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ivr.host import ordinary_files as ordinary
from ivr.host.ordinary_files import NotOrdinary
from ivr.hotline.files.faults import Fault
from ivr.hotline.files.yaml_nodes import MAX_BYTES

_TRIES = 20
_PAUSE_S = 0.02


@dataclass(frozen=True)
class Snapshot:
    """File names and their bytes, all of one moment."""

    folder: Path
    files: Mapping[str, bytes]

    def write(self, folder: Path) -> None:
        """Write the files into ``folder``: all of them beside the old ones first, then one after the other.

        A file that is replaced gives its mode to the new one: who may edit it decides its administrator.
        """
        folder.mkdir(parents=True, exist_ok=True)
        fresh = {name: folder / f".{name}.new" for name in self.files}
        try:
            for name, raw in self.files.items():
                with fresh[name].open("wb") as target:
                    target.write(raw)
                    target.flush()
                    os.fsync(target.fileno())
                if (folder / name).is_file():
                    shutil.copymode(folder / name, fresh[name])
            for name, path in fresh.items():
                path.replace(folder / name)
        finally:
            for path in fresh.values():
                path.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Look:
    raw: bytes
    mark: tuple[int, ...]


def source(folder: Path, name: str) -> Path:
    """Return where a file is read from; a profile takes what it does not have from the folder it lies in."""
    own = folder / name
    absolute = folder.absolute()
    if absolute.parent.name == "profiles" and not own.is_symlink() and not own.exists():
        return absolute.parent.parent / name
    return own


def take(
    folder: Path, names: Sequence[str], pause: Callable[[float], object] = time.sleep
) -> tuple[Snapshot, list[Fault]]:
    """Read the named files of a folder at one moment.

    Args:
        folder: the configuration folder.
        names: the files to read.
        pause: how to wait some seconds before trying again.
    """
    before = _look(folder, names)
    for _ in range(_TRIES):
        after = _look(folder, names)
        if after == before:
            files = {name: found.raw for name, found in after.items() if isinstance(found, _Look)}
            return Snapshot(folder, files), [f for f in after.values() if isinstance(f, Fault)]
        before = after
        pause(_PAUSE_S)
    return Snapshot(folder, {}), [
        Fault(
            str(folder / names[0]),
            1,
            "somebody changes the files of this folder all the time; try again when that is done.",
            "该目录中的文件正被不断修改;请稍后再试。",
        )
    ]


def _look(folder: Path, names: Sequence[str]) -> dict[str, _Look | Fault]:
    found: dict[str, _Look | Fault] = {}
    for name in names:
        path = source(folder, name)
        try:
            found[name] = _read(path)
        except OSError as error:
            found[name] = _unreadable(path, error)
    return found


def _read(path: Path) -> _Look | Fault:
    try:
        raw, what = ordinary.read(path, path.parent, MAX_BYTES + 1)
    except NotOrdinary as error:
        return Fault(str(path), 1, error.sentence, error.zh)
    return _Look(raw, (what.st_dev, what.st_ino, what.st_size, what.st_mtime_ns))


def _unreadable(path: Path, error: OSError) -> Fault:
    if isinstance(error, FileNotFoundError):
        en = "the file is missing; copy it from the shipped queues/ folder."
        zh = "文件不存在;请从自带的 queues/ 目录复制。"
    elif error.errno == errno.ELOOP:
        en = "the link leads back to itself; put the file itself here."
        zh = "符号链接形成循环;请直接放入文件。"
    elif isinstance(error, PermissionError):
        en = "we may not read this file; change its owner or mode."
        zh = "没有读取权限;请修改文件的属主或权限。"
    else:
        en = f"the file cannot be read: {error.strerror or error}; mend that."
        zh = f"无法读取文件:{error.strerror or error};请处理。"
    return Fault(str(path), 1, en, zh)
