"""Rules about folders: can Asterisk name them, can we write there, does one harm another.

Nothing is left behind: a folder that is not there yet is tried in the nearest one that is.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ivr import shipped
from ivr.home.judging import first_configuration
from ivr.home.settings import Settings
from ivr.home.settings_faults import SettingFault, Weight

_SIGNS = {"IVR_HOME": "[]{}$*?", "IVR_RECORDINGS": "{}$"}
"""Asterisk finds its files by glob(3), and its dialplan replaces ${…} and $[…]."""
_LIMITS = {"IVR_HOME": 210, "IVR_RECORDINGS": 210}
"""Bytes; docs/decisions/settings-at-the-door.md tells what was tried."""
_SOCKET_LIMIT = 107  # bytes of sockaddr_un.sun_path, without the closing NUL
_BLOCK = 4096

_WHY = {
    errno.EACCES: ("this user may not write there; mend its owner or mode", "当前用户无权写入；请检查属主和权限"),
    errno.EPERM: ("this user may not write there; mend its owner or mode", "当前用户无权写入；请检查属主和权限"),
    errno.EROFS: ("that file system can only be read", "该文件系统是只读的"),
    errno.ENOSPC: ("the disk is full; make room", "磁盘已满；请清理空间"),
    errno.EDQUOT: ("the disk is full; make room", "磁盘已满；请清理空间"),
    errno.ENOTDIR: ("there is a file in the way", "路径中有一个文件"),
    errno.ENAMETOOLONG: ("a name in it is too long", "路径中有过长的名称"),
    errno.ELOOP: ("its links lead in a circle", "路径中的链接循环"),
}  # fmt: skip
_PASSING = frozenset({errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE})
"""What may be mended while a hotline runs that has long been running."""


class Trouble(NamedTuple):
    """Why nothing can be written into a folder."""

    number: int
    en: str
    zh: str


def trouble_with(folder: Path) -> Trouble | None:
    """Return why no file can be written into a folder that is there or is to be made; None if one can."""
    try:
        there = _nearest(folder)
        with tempfile.TemporaryFile(dir=there) as file:  # on Linux it never has a name
            os.posix_fallocate(file.fileno(), 0, _BLOCK)
    except OSError as error:
        number = error.errno or 0
        return Trouble(number, *_WHY.get(number, ("no file can be made there", "其中无法建立文件")))
    return None


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there.

    Raises:
        OSError: a file, or a link to nothing, stands where a folder should be.
    """
    for path in (folder, *folder.parents):
        if path.is_symlink() and not path.exists():
            raise FileNotFoundError(errno.ENOENT, "a link to nothing", str(path))
        if path.exists():
            if not path.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "a file", str(path))
            return path
    return Path("/")


def has_run(settings: Settings) -> bool:
    """Tell whether this hotline was set up before: then it rather starts with less than not at all."""
    return (settings.home / "secrets.json").exists()


def _writable(
    setting: str, folder: Path, settings: Settings, *, spared: frozenset[int]
) -> Iterator[SettingFault]:
    if (trouble := trouble_with(folder)) is None:
        return
    passing = trouble.number in spared and folder.is_dir() and has_run(settings)
    yield SettingFault(
        setting,
        f"names {folder}, where nothing can be written: {trouble.en}.",
        f"所指的 {folder} 无法写入：{trouble.zh}。",
        Weight.ADVICE if passing else Weight.FAULT,
    )


def paths_for_asterisk(settings: Settings) -> Iterator[SettingFault]:
    """Judge what stands in Asterisk's own files and its dialplan."""
    for setting, path in (("IVR_HOME", settings.home), ("IVR_RECORDINGS", settings.recordings)):
        if bad := sorted(set(str(path)) & set(_SIGNS[setting])):
            signs = " ".join(bad)
            yield SettingFault(
                setting,
                f"names {path}: Asterisk cannot use a path with {signs} in it; choose another.",
                f"所指的 {path} 含有 {signs}：Asterisk 无法使用；请另选目录。",
            )
        length, limit = len(os.fsencode(path)), _LIMITS[setting]
        if length > limit:
            yield SettingFault(
                setting,
                f"names a path of {length} bytes, of which Asterisk can use {limit}; choose a shorter one.",
                f"所指的路径有 {length} 字节，Asterisk 最多可用 {limit} 字节；请换短一些的路径。",
            )


def short_enough_for_a_socket(settings: Settings) -> Iterator[SettingFault]:
    """Judge the folder of sockets, which is under the folder for temporary files where the home is long."""
    socket = settings.run.with_name(settings.run.name + "-proof") / "asterisk.ctl"
    if len(os.fsencode(socket)) > _SOCKET_LIMIT:
        yield SettingFault(
            "IVR_HOME",
            f"is long, and so is the folder for temporary files, {tempfile.gettempdir()}: a socket fits into "
            "neither; shorten one of them (TMPDIR is the other).",
            f"路径过长，临时目录 {tempfile.gettempdir()} 也过长，都放不下套接字；请缩短其中之一（另一个由 TMPDIR 决定）。",
        )


def home(settings: Settings) -> Iterator[SettingFault]:
    """Judge the state folder: without it nothing starts; a full disk is lived with where it has run."""
    full = frozenset({errno.ENOSPC, errno.EDQUOT})
    yield from _writable("IVR_HOME", settings.home, settings, spared=full)


def recordings(settings: Settings) -> Iterator[SettingFault]:
    """Judge the folder of recordings: a hotline that has run answers without it if need be."""
    yield from _writable("IVR_RECORDINGS", settings.recordings, settings, spared=_PASSING)


def config(settings: Settings) -> Iterator[SettingFault]:
    """Judge the folder that administrators edit; without it the version that ran before runs."""
    folder = settings.config
    if settings.running_config.is_dir() or first_configuration.is_due(settings):
        return
    try:
        if not folder.is_dir():
            yield SettingFault(
                "IVR_CONFIG",
                f"names {folder}: there is no such folder; copy the shipped one, {shipped.folder('queues')}.",
                f"所指的 {folder}：没有这个目录；请复制自带的 {shipped.folder('queues')}。",
            )
            return
        os.scandir(folder).close()
    except OSError:
        yield SettingFault(
            "IVR_CONFIG",
            f"names {folder}, which this user may not read; mend its owner or mode.",
            f"当前用户无权读取 {folder}；请检查属主和权限。",
        )


def asterisk_root(settings: Settings) -> Iterator[SettingFault]:
    """Judge the folder into which an Asterisk is unpacked, where one has to be."""
    from ivr.asterisk.install.installation import UNPACKED, needs_unpacking, strangers_in

    root = settings.asterisk_root
    if settings.asterisk not in ("", UNPACKED) or not needs_unpacking(root, settings.asterisk):
        return
    try:
        strangers = strangers_in(root)
    except OSError:
        strangers = []  # told below
    if strangers:
        yield SettingFault(
            "IVR_ASTERISK_ROOT",
            f"names {root}, which holds other things ({', '.join(strangers[:3])}) and would be replaced; "
            "name an empty or new folder.",
            f"所指的 {root} 中有其他内容（{'、'.join(strangers[:3])}），解包时会被替换；请写空目录或新目录。",
        )
        return
    yield from _writable(
        "IVR_ASTERISK_ROOT", root if root.exists() else root.parent, settings, spared=frozenset()
    )


def apart(settings: Settings) -> Iterator[SettingFault]:
    """Judge whether one folder lies where another's files are made, kept or deleted."""
    home, config, root = (_real(path) for path in (settings.home, settings.config, settings.asterisk_root))
    recordings = _real(settings.recordings)
    ours = [home / name for name in _OURS]
    for setting, path in (
        ("IVR_CONFIG", config),
        ("IVR_RECORDINGS", recordings),
        ("IVR_ASTERISK_ROOT", root),
    ):
        if path == home or any(path.is_relative_to(folder) for folder in ours):
            yield SettingFault(
                setting,
                f"names {path}, where the hotline keeps its own state (IVR_HOME); choose a folder beside it.",
                f"所指的 {path} 是热线存放自身状态的位置（IVR_HOME）；请在其旁另选目录。",
            )
    for setting, path in (("IVR_HOME", home), ("IVR_RECORDINGS", recordings)):
        if path.is_relative_to(config):
            yield SettingFault(
                setting,
                f"lies in the configuration (IVR_CONFIG, {config}), which people copy and keep; "
                "choose a folder beside it.",
                f"位于配置目录（IVR_CONFIG，{config}）之内，而该目录会被复制和备份；请在其旁另选目录。",
            )
    for setting, path in (("IVR_HOME", home), ("IVR_RECORDINGS", recordings), ("IVR_CONFIG", config)):
        if path.is_relative_to(root):
            yield SettingFault(
                setting,
                f"lies in IVR_ASTERISK_ROOT ({root}), which is replaced whole; choose another folder.",
                f"位于 IVR_ASTERISK_ROOT（{root}）之内，而该目录会整个替换；请另选目录。",
            )


def _real(path: Path) -> Path:
    """Return the folder behind links and ``..``, whether it is there or not."""
    return Path(os.path.realpath(path))


_OURS = (
    "asterisk", "asterisk-media", "asterisk-proof", "journal", "log", "run", "run-media", "run-proof", "running", "spool",
    "utterances", "versions",
)  # fmt: skip
"""Folders in the home that are ours alone."""
