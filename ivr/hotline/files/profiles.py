"""Ready configurations of cities in ``queues/profiles/``: each has only the files that differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ivr.errors import HotlineError
from ivr.hotline.files.explain import ended, suggestion
from ivr.hotline.files.faults import ConfigurationError
from ivr.hotline.files.reading import read_snapshot
from ivr.hotline.files.schema import FILES
from ivr.hotline.files.snapshot import Snapshot, take

_INSIDE, _OUTSIDE = b"$schema=../../schema/", b"$schema=schema/"


class NoProfile(HotlineError):
    """There is no profile of that name."""

    code = "no_profile"


@dataclass(frozen=True)
class Profile:
    """A folder of files that make the configuration that of another city."""

    name: str
    folder: Path

    def files(self) -> dict[str, bytes]:
        """Return the profile's own files as they will stand in the configuration folder.

        Raises:
            ConfigurationError: one of them is no ordinary file of the folder.
        """
        own, faults = take(self.folder, [name for name in FILES if _is_there(self.folder / name)])
        if faults:
            raise ConfigurationError(faults)
        return {name: raw.replace(_INSIDE, _OUTSIDE) for name, raw in own.files.items()}

    def is_used_by(self, config: Path) -> bool:
        """Tell whether the configuration has every file of the profile unchanged."""
        try:
            own = self.files()
        except ConfigurationError:
            return False
        return take(config, tuple(own))[0].files == own


def available(places: Iterable[Path]) -> dict[str, Profile]:
    """Return the profiles of the folders given, by name; the first folder that has a name counts."""
    found: dict[str, Profile] = {}
    for place in places:
        for folder in sorted(place.iterdir()) if place.is_dir() else ():
            if folder.is_dir() and any(_is_there(folder / name) for name in FILES):
                found.setdefault(folder.name, Profile(folder.name, folder))
    return dict(sorted(found.items()))


def find(name: str, places: Iterable[Path]) -> Profile:
    """Return the profile called ``name``.

    Raises:
        NoProfile: says which there are.
    """
    profiles = available(places)
    if name not in profiles:
        hint = suggestion(name, list(profiles))
        raise NoProfile(
            ended(f"there is no profile {name}{hint[0]}", "."),
            ended(f"没有名为 {name} 的方案{hint[1]}", "。"),
        )
    return profiles[name]


def use(profile: Profile, config: Path, stamp: str) -> Path:
    """Write the profile's files into ``config``; return the folder that keeps what was there.

    Args:
        profile: the profile.
        config: the configuration folder.
        stamp: the local time, for the name of the folder that keeps what was there.

    Raises:
        ConfigurationError: the result would not check; nothing was changed.
    """
    before, _ = take(config, tuple(FILES))
    fresh = Snapshot(config, profile.files())
    reading = read_snapshot(Snapshot(config, {**before.files, **fresh.files}))
    if reading.book is None:
        raise ConfigurationError(reading.faults)
    kept = _keep(config, stamp)
    try:
        fresh.write(config)
    except OSError as error:
        _put_back(kept, config)
        raise HotlineError(
            f"{config} cannot be written: {error.strerror or error}; what was there is back in place.",
            f"无法写入 {config}:{error.strerror or error};已恢复原有文件。",
        ) from error
    return kept


def _keep(config: Path, stamp: str) -> Path:
    kept = config / "kept" / stamp
    number = 1
    while kept.exists():
        number += 1
        kept = config / "kept" / f"{stamp}-{number}"
    kept.mkdir(parents=True)
    present = [name for name in FILES if _is_there(config / name)]
    for name, raw in take(config, present)[0].files.items():
        (kept / name).write_bytes(raw)
    return kept


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _put_back(kept: Path, config: Path) -> None:
    for path in kept.iterdir():
        try:
            Snapshot(kept, {path.name: path.read_bytes()}).write(config)
        except OSError:  # what cannot be written now was not changed before
            continue
