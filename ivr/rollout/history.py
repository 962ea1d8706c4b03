"""The history of changes: one file, lines only ever added, each durable before anything else is done.

The newest line of a change says its state.  A line that a kill cut in half counts as not written.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ivr.rollout.states import AFTER_A_KILL, ApplyEvent, ApplyRefused, ApplyState, Repair, following

FILE = "history.jsonl"


@dataclass(frozen=True)
class Change:
    """One change of the configuration, from the copy of the folder to its end.

    Attributes:
        id: 1, 2, 3 … in the order they were begun.
        version: the version that was to run.
        former: the version that ran before, 0 for none.
        at: seconds since the epoch of the newest state.
        by: who asked for it.
        folder: where the configuration was read.
        seen: the fingerprint of the administrators' folder at that moment; a start compares with it.
        how: ``apply``, ``undo``, ``start``, or ``prompts`` for a recording of the city's own.
        comment: what the administrator wrote about it.
        why: the reason of the newest state, in English and in Chinese.
        changes: what became different, see :func:`ivr.rollout.changes.compare`.
        rendered: the folder with Asterisk's files of the new version.
        former_rendered: that of the former one; empty for none.
        recording: of ``prompts``, and of its undo: the ``prompt``, and the recordings ``before`` and ``after``.
    """

    id: int
    version: int
    former: int
    state: ApplyState
    at: float
    by: str = ""
    folder: str = ""
    seen: str = ""
    how: str = "apply"
    comment: str = ""
    why: str = ""
    why_zh: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    rendered: str = ""
    former_rendered: str = ""
    recording: Mapping[str, str] = field(default_factory=dict)

    @property
    def open(self) -> bool:
        """Whether something is left to do."""
        return AFTER_A_KILL[self.state] is not Repair.NOTHING

    def as_row(self) -> dict[str, Any]:
        """Return plain JSON values."""
        row = {**self.__dict__, "state": self.state.value, "changes": dict(self.changes)}
        return row if self.recording else {name: value for name, value in row.items() if name != "recording"}


class History:
    """The changes of one hotline.

    Args:
        folder: ``IVR_HOME/versions``.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def changes(self) -> list[Change]:
        """Return every change, the oldest first, each with its newest state."""
        found: dict[int, Change] = {}
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        for line in lines:
            change = _parse(line)
            if change is not None:
                found[change.id] = change
        return [found[number] for number in sorted(found)]

    def newest(self) -> Change | None:
        """Return the change begun last."""
        return next(reversed(self.changes()), None)

    def change(self, number: int) -> Change:
        """Return one change.

        Raises:
            ApplyRefused: there is none of this number.
        """
        for change in self.changes():
            if change.id == number:
                return change
        raise ApplyRefused(f"there is no change {number}.", f"没有第 {number} 次变更。")

    def begin(self, change: Change) -> Change:
        """Write the first line of a change; its number is given here."""
        with self._alone():
            newest = self.newest()
            begun = replace(change, id=newest.id + 1 if newest else 1)
            self._append(begun)
        return begun

    def step(self, number: int, event: ApplyEvent, at: float, **values: Any) -> Change:
        """Write the next state of a change.

        Raises:
            ApplyRefused: the table does not allow it, whoever was faster.
        """
        with self._alone():  # the command and the engine must not both think they were first
            change = self.change(number)
            moved = replace(change, state=following(change.state, event), at=at, **values)
            self._append(moved)
        return moved

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_name("history.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _append(self, change: Change) -> None:
        line = json.dumps(change.as_row(), ensure_ascii=False).encode() + b"\n"
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # the end of a line that a kill cut in half
            while line:  # a full disk takes a part of it and says so only when asked again
                line = line[os.write(descriptor, line) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _parse(line: bytes) -> Change | None:
    try:
        row = json.loads(line)
        return Change(**{**row, "state": ApplyState(row["state"])})
    except (ValueError, TypeError, KeyError):
        return None
