"""The files as they were written: each with its tree, its model, and where everything stands.

A file with a fault is not given up: entries that are wrong are left out, so that the checks that
compare files can still tell of everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ivr.hotline.destinations import Own
from ivr.hotline.files.explain import explain
from ivr.hotline.files.faults import Fault, Severity
from ivr.hotline.files.schema import FILES
from ivr.hotline.files.snapshot import Snapshot, source
from ivr.hotline.files.yaml_nodes import Node, Unreadable, compose, decode, to_data

_MOST = 50
"""Faults told of one file; a file with more was written by a program."""

Model = TypeVar("Model", bound=BaseModel)
Path = tuple[str | int, ...]


@dataclass
class WrittenFile:
    """One file.

    ``kept``: of each list at the top, the places in the file of the entries that were left in.
    ``whole``: nothing was left out.
    """

    name: str
    root: Node
    model: BaseModel | None = None
    kept: dict[str, list[int]] = field(default_factory=dict)
    whole: bool = True

    def line(self, path: Path) -> int:
        """Return the line of what stands at ``path`` in the model."""
        if len(path) > 1 and isinstance(path[1], int) and path[0] in self.kept:
            path = (path[0], self.kept[str(path[0])][path[1]], *path[2:])
        return self.root.line_of(path)


@dataclass
class WrittenFolder:
    """All files of a folder and what was found wrong with them."""

    snapshot: Snapshot
    files: dict[str, WrittenFile] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    own: Own | None = None
    """Where this hotline itself takes calls, where that is known."""
    prompts: Mapping[str, str] | None = None
    """What each prompt says, by id, where that is known."""

    def model(self, name: str, model: type[Model]) -> Model | None:
        """Return a file's model; None where it could not be read."""
        found = self.files[name].model if name in self.files else None
        return found if isinstance(found, model) else None

    def whole(self, name: str, model: type[Model]) -> Model | None:
        """Return a file's model only where nothing of it was left out."""
        return self.model(name, model) if name in self.files and self.files[name].whole else None

    def ids(self, name: str, section: str, key: str) -> set[str] | None:
        """Return every id written in a list, wrong entries too; None where nobody can know."""
        entries = self.files[name].root.at((section,)) if name in self.files else None
        if entries is None or not isinstance(entries.value, list):
            return None
        nodes = (entry.at((key,)) for entry in entries.value)
        return {node.value for node in nodes if node is not None and isinstance(node.value, str)}

    def path_of(self, name: str) -> str:
        """Return the file as people are told about it."""
        return str(source(self.snapshot.folder, name))

    def add(self, name: str, path: Path, en: str, zh: str, severity: Severity = Severity.FAULT) -> None:
        """Note what is wrong at a path of a file."""
        line = self.files[name].line(path) if name in self.files else 1
        self.faults.append(Fault(self.path_of(name), line, en, zh, severity))

    def advise(self, name: str, path: Path, en: str, zh: str) -> None:
        """Note what is legal and unwise."""
        self.add(name, path, en, zh, Severity.ADVICE)


def parse(snapshot: Snapshot) -> WrittenFolder:
    """Read every file of a snapshot on its own."""
    folder = WrittenFolder(snapshot)
    for name, model in FILES.items():
        if name in snapshot.files:
            _parse_file(folder, name, snapshot.files[name], model)
    return folder


def _parse_file(folder: WrittenFolder, name: str, raw: bytes, model: type[BaseModel]) -> None:
    file = folder.path_of(name)
    try:
        text = decode(raw)
        root, twice = compose(text)
    except Unreadable as error:
        folder.faults.append(Fault(file, error.line, error.en, error.zh))
        return
    if raw.startswith(b"\xef\xbb\xbf"):
        en = "the file begins with a byte order mark; it is read all the same. Save it as UTF-8 without BOM."
        zh = "文件以 BOM 开头;可以读取,建议另存为无 BOM 的 UTF-8。"
        folder.faults.append(Fault(file, 1, en, zh, Severity.ADVICE))
    if root is None or (root.plain and root.value in ("", "~", "null")):
        en, zh = (
            "the file is empty; copy it from the shipped queues/ folder.",
            "文件为空;请从自带的 queues/ 目录复制。",
        )
        folder.faults.append(Fault(file, 1, en, zh))
        return
    for line, key, first in twice[:_MOST]:
        en = f"{key} stands a second time (first in line {first}); keep one."
        folder.faults.append(Fault(file, line, en, f"{key} 重复(首次在第 {first} 行);请只保留一个。"))
    written = WrittenFile(name, root)
    folder.files[name] = written
    _validate(folder, written, to_data(root), model)


def _validate(folder: WrittenFolder, written: WrittenFile, data: Any, model: type[BaseModel]) -> None:
    try:
        written.model = model.model_validate(data)
        return
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
    written.whole = False
    file = folder.path_of(written.name)
    folder.faults += [explain(file, written.root, fault, model) for fault in errors[:_MOST]]
    if len(errors) > _MOST:
        more = len(errors) - _MOST
        last = folder.faults[-1].line
        folder.faults.append(
            Fault(file, last, f"{more} more faults like these.", f"还有 {more} 处类似错误。")
        )
    if isinstance(data, dict):
        _prune(written, data, [fault["loc"] for fault in errors])
        written.model = _quietly(lambda: model.model_validate(data))


def _prune(written: WrittenFile, data: dict[str, Any], places: list[Path]) -> None:
    """Leave out what is wrong: an entry of a list, or a key with all below it."""
    wrong: dict[str, set[int]] = {}
    for place in places:
        if len(place) > 1 and isinstance(place[1], int):
            wrong.setdefault(str(place[0]), set()).add(place[1])
        elif place:
            data.pop(str(place[0]), None)
    for key, places_wrong in wrong.items():
        entries = data.get(key)
        if isinstance(entries, list):
            written.kept[key] = [n for n in range(len(entries)) if n not in places_wrong]
            data[key] = [entries[n] for n in written.kept[key]]


def _quietly(validate: Callable[[], Model]) -> Model | None:
    try:
        return validate()
    except ValidationError:  # told already
        return None
