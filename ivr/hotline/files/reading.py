"""Read ``queues/*.yaml`` into a :class:`~ivr.hotline.book.HotlineBook`, or say what to mend.

Every fault of every file is told at once, with its line.  The files are read as they were at one
moment, and the bytes can be kept: what was checked is what will run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ivr.hotline.book import HotlineBook
from ivr.hotline.destinations import Own
from ivr.hotline.files.advice import advise
from ivr.hotline.files.build import assemble
from ivr.hotline.files.cross_checks import check_together
from ivr.hotline.files.explain import suggestion
from ivr.hotline.files.faults import ConfigurationError, Fault, Severity
from ivr.hotline.files.parsed import parse
from ivr.hotline.files.roster_checks import check_roster
from ivr.hotline.files.schema import FILES
from ivr.hotline.files.snapshot import Snapshot, take

__all__ = ["FILES", "ConfigurationError", "Fault", "Reading", "Severity", "load", "read", "read_snapshot"]


@dataclass(frozen=True)
class Reading:
    """What one look at a folder gave; ``book`` is None where a fault stands in the way."""

    book: HotlineBook | None
    faults: tuple[Fault, ...]
    snapshot: Snapshot

    @property
    def ok(self) -> bool:
        """Whether the configuration can run; advice does not count."""
        return self.book is not None


def load(folder: Path) -> HotlineBook:
    """Read one configuration folder.

    Raises:
        ConfigurationError: one row ``file:line: what and how to mend it`` for every fault.
    """
    reading = read(folder)
    if reading.book is None:
        raise ConfigurationError(reading.faults)
    return reading.book


def read(
    folder: Path,
    today: date | None = None,
    own: Own | None = None,
    prompts: Mapping[str, str] | None = None,
) -> Reading:
    """Read one configuration folder and tell everything about it.

    Args:
        folder: the folder; a profile (``profiles/NAME``) takes what it lacks from the folder around it.
        today: the local date, for advice; None: no advice is made.
        own: where this hotline takes calls, so that no destination leads back there; None: not known.
        prompts: what each prompt says, by id; None: not known.
    """
    if not folder.is_dir():
        en, zh = (
            "there is no such folder; copy the shipped queues/ folder.",
            "没有这个目录;请复制自带的 queues/ 目录。",
        )
        return Reading(None, (Fault(str(folder), 1, en, zh),), Snapshot(folder, {}))
    snapshot, faults = take(folder, tuple(FILES))
    return read_snapshot(snapshot, today, faults, own, prompts)


def read_snapshot(
    snapshot: Snapshot,
    today: date | None = None,
    faults: list[Fault] | None = None,
    own: Own | None = None,
    prompts: Mapping[str, str] | None = None,
) -> Reading:
    """Read files that are already in memory; ``faults`` are what reading them from the disk gave."""
    written = parse(snapshot)
    written.own, written.prompts = own, prompts
    written.faults += faults or []
    told = {fault.file for fault in written.faults}
    for name in FILES:
        if name not in snapshot.files and written.path_of(name) not in told and not faults:
            en = "the file is missing; copy it from the shipped queues/ folder."
            written.faults.append(
                Fault(written.path_of(name), 1, en, "文件不存在;请从自带的 queues/ 目录复制。")
            )
    check_together(written)
    check_roster(written)
    refused = any(fault.severity is Severity.FAULT for fault in written.faults)
    if today is not None:
        advise(written, today)
        written.faults += _strangers(snapshot.folder)
    order = {written.path_of(name): n for n, name in enumerate(FILES)}
    found = sorted(
        set(written.faults), key=lambda f: (f.severity != "fault", order.get(f.file, 99), f.line, f.en)
    )
    return Reading(None if refused else assemble(written), tuple(found), snapshot)


def _strangers(folder: Path) -> list[Fault]:
    """Advise on files that nobody reads: their names are probably misspelt."""
    try:
        names = sorted(path.name for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
    except OSError:
        return []
    found = []
    for name in names:
        if name not in FILES:
            hint = suggestion(name, list(FILES))
            en, zh = f"nothing reads this file{hint[0]}", f"没有程序读取此文件{hint[1]}"
            found.append(Fault(str(folder / name), 1, en, zh, Severity.ADVICE))
    return found
