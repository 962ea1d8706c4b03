"""Versions: copies of configuration folders that never change, and the pointer to the one that runs.

A version is ``versions/<n>-<fingerprint>/`` with the files in ``config/`` and who, when and from
where in ``version.json``.  ``running`` is a link that is replaced whole, by rename.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivr.home.links import point, sync_folder
from ivr.hotline.book import HotlineBook
from ivr.hotline.destinations import Own
from ivr.hotline.files.reading import ConfigurationError
from ivr.hotline.files.reading import read as read_folder
from ivr.rollout.states import ApplyRefused
from ivr.speech.prompts import wordings

_NAME = re.compile(r"^([0-9]+)-([0-9a-f]{12})$")


@dataclass(frozen=True)
class Reading:
    """What one look at a folder gave: the book, and the bytes it was read from, by file name."""

    book: HotlineBook
    files: Mapping[str, bytes]


Reader = Callable[[Path], Reading]
"""Reads and checks a folder; raises HotlineError with every fault."""


def read(folder: Path, own: Own | None = None) -> Reading:
    """Read and check a folder as it is at one moment.

    Args:
        folder: the folder.
        own: where this hotline takes calls; no destination may lead back there.

    Raises:
        ConfigurationError: it cannot be used; names every fault.
    """
    found = read_folder(folder, own=own, prompts=wordings())
    if found.book is None:
        raise ConfigurationError(found.faults)
    return Reading(found.book, found.snapshot.files)


def fingerprint(files: Mapping[str, bytes]) -> str:
    """Return 12 hexadecimal digits by which equal configurations are known."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode() + files[name])
    return digest.hexdigest()[:12]


def seen(folder: Path) -> str:
    """Return the fingerprint of the administrators' folder, readable or not; empty where nothing is."""
    files = read_folder(folder).snapshot.files
    return fingerprint(files) if files else ""


@dataclass(frozen=True)
class Version:
    """One version on the disk."""

    number: int
    fingerprint: str
    folder: Path

    @property
    def config(self) -> Path:
        """The configuration folder."""
        return self.folder / "config"

    @property
    def facts(self) -> Mapping[str, Any]:
        """Who made it, when, from which folder, and the comment."""
        found: dict[str, Any] = json.loads((self.folder / "version.json").read_text(encoding="utf-8"))
        return found

    @property
    def made_at(self) -> float:
        """When it was made, in seconds since the epoch."""
        try:
            return float(self.facts["at"])
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
        ):  # somebody edited it; the folder's own date will do
            return self.folder.stat().st_mtime


class Versions:
    """The versions of one hotline.

    Args:
        folder: ``IVR_HOME/versions``.
        pointer: ``IVR_HOME/running``.
    """

    def __init__(self, folder: Path, pointer: Path) -> None:
        self._folder = folder
        self.pointer = pointer

    def all(self) -> list[Version]:
        """Return every version, the oldest first."""
        found = []
        for path in self._folder.glob("*-*"):
            match = _NAME.match(path.name)
            if match and (path / "version.json").is_file():
                found.append(Version(int(match[1]), match[2], path))
        return sorted(found, key=lambda version: version.number)

    def version(self, number: int) -> Version:
        """Return one version.

        Raises:
            ApplyRefused: it is not there.
        """
        for version in self.all():
            if version.number == number:
                return version
        raise ApplyRefused(
            f"version {number} is not in {self._folder}; look at `ivr apply --history`.",
            f"{self._folder} 中没有版本 {number};请查看 ivr apply --history。",
        )

    def running(self) -> Version | None:
        """Return the version the pointer names; None where nothing ran or it was made before there were versions."""
        if not self.pointer.is_symlink():
            return None
        match = _NAME.match(self.pointer.readlink().parent.name)
        return next((v for v in self.all() if match and v.number == int(match[1])), None)

    def keep(self, files: Mapping[str, bytes], facts: Mapping[str, Any]) -> Version:
        """Write a new version, whole or not at all."""
        number = max((version.number for version in self.all()), default=0) + 1
        name = f"{number}-{fingerprint(files)}"
        fresh = self._folder / f".{name}.new"
        for left in self._folder.glob(".*.new"):  # what a kill left
            shutil.rmtree(left, ignore_errors=True)
        try:
            (fresh / "config").mkdir(parents=True)
            for file, raw in files.items():
                _write(fresh / "config" / file, raw)
            told = json.dumps({"version": number, **facts}, ensure_ascii=False).encode()
            _write(fresh / "version.json", told)
            sync_folder(fresh / "config")
            sync_folder(fresh)
            fresh.rename(self._folder / name)
            sync_folder(self._folder)
        except OSError:
            shutil.rmtree(fresh, ignore_errors=True)  # on a full disk it is in the way
            raise
        return Version(number, fingerprint(files), self._folder / name)

    def forget(self, version: Version) -> None:
        """Delete a version, whole or, for those who look, not at all."""
        gone = self._folder / f".{version.folder.name}.gone"
        version.folder.rename(gone)
        for left in self._folder.glob(".*.gone"):  # also what a kill left half deleted
            shutil.rmtree(left, ignore_errors=True)

    def point_to(self, number: int) -> None:
        """Let a version be the one that runs; 0: none."""
        if number == 0:
            self.pointer.unlink(missing_ok=True)
        else:
            point(self.pointer, self.version(number).config)


def _write(path: Path, raw: bytes) -> None:
    with path.open("wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(0o400)
