"""Tell a running Asterisk that its files changed, and ask it whether it has what they say.

Only what changed is reloaded, and queues by their parameters alone: a `QueueReload` that names
nothing also clears the statistics (AST_FLAGS_ALL in app_queue.c), and a reload of members would
look at members that are not Asterisk's to know.  A queue that is gone from the file is dropped
with the callers in it (kill_dead_queues): whoever calls :func:`tell` makes sure there are none.

"Reloaded" answers mean little, so everything is asked again.  Asterisk does not tell a queue's
ring time or an endpoint's password; those are only proved beforehand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ivr.asterisk.ami.link import AmiRefused, Link
from ivr.asterisk.install import lint

MOVABLE: Mapping[str, tuple[tuple[str, Mapping[str, str]], ...]] = {
    "ivr12345/musiconhold.conf": (("Reload", {"Module": "res_musiconhold.so"}),),
    "ivr12345/queues.conf": (("QueueReload", {"Parameters": "yes"}),),
    "ivr12345/pjsip.conf": (
        ("Reload", {"Module": "res_pjsip.so"}),
        ("Reload", {"Module": "res_pjsip_endpoint_identifier_ip.so"}),
    ),
    "ivr12345/extensions.conf": (("Reload", {"Module": "pbx_config.so"}),),
}
"""The files a running Asterisk can be given anew, in the order to do it: the dialplan last, when
the queues it names are there; with what tells it."""

RELOAD_LIMIT_S = 10.0
_SECTION = re.compile(r"^\[([^\]]+)\](?:\(([^)]*)\))?")
_SETTING = re.compile(r"^([A-Za-z0-9_-]+)\s*=>?\s*(.*)$")
_CALL = re.compile(r"^([A-Za-z]+)\((.*)\)$")
_INCLUDE = re.compile(r"^#include\s+\"?([^\"\s]+)", re.MULTILINE)
_SHOWN = 4


class Difference(NamedTuple):
    """A sentence about what Asterisk does not have as it should, in English and in Chinese."""

    en: str
    zh: str


@dataclass(frozen=True)
class Expected:
    """What rendered files ask Asterisk to have.

    ``dialplan``: steps ``extension,priority,application(data)`` by context; ``queues``: strategy by name.
    """

    dialplan: Mapping[str, frozenset[str]] = field(default_factory=dict)
    queues: Mapping[str, str] = field(default_factory=dict)
    endpoints: frozenset[str] = frozenset()


def changed_files(old: Path, new: Path) -> list[str]:
    """Name the files that differ between two rendered folders, in the order to tell of them.

    A piece that another one includes is told of by the name of that one.
    """
    names = {str(p.relative_to(folder)) for folder in (old, new) for p in folder.rglob("*.conf")}
    part_of = {part: name for name in MOVABLE for folder in (old, new) for part in family(folder, name)}
    differing = {part_of.get(name, name) for name in names if _bytes(old / name) != _bytes(new / name)}
    return [name for name in MOVABLE if name in differing] + sorted(differing - MOVABLE.keys())


def family(folder: Path, name: str) -> list[str]:
    """Return a piece and every other piece that it, or Asterisk's own file of that name, includes."""
    found, left = [name], [name, name.rpartition("/")[2]]
    while left:
        for part in _INCLUDE.findall(_bytes(folder / left.pop()).decode()):
            piece = "/".join(Path(part).parts[-2:])
            if piece not in found and piece not in MOVABLE and (folder / piece).exists():
                found.append(piece)
                left.append(piece)
    return found


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def expected(folder: Path) -> Expected:
    """Read what a rendered folder asks for."""
    pieces = folder / "ivr12345"
    queues = {
        name: values.get("strategy", "")
        for name, values in _sections(pieces / "queues.conf")
        if name != "general"
    }
    endpoints = {
        name for name, values in _sections(pieces / "pjsip.conf") if values.get("type") == "endpoint"
    }
    return Expected(_dialplan(folder), queues, frozenset(endpoints))


def _sections(path: Path) -> list[tuple[str, dict[str, str]]]:
    """Return the sections of a file that are no templates, with the settings of their templates."""
    templates: dict[str, dict[str, str]] = {}
    found: list[tuple[str, dict[str, str]]] = []
    values: dict[str, str] = {}
    for raw in path.read_text(encoding="utf-8").splitlines():
        line = raw.split(";", 1)[0].strip()
        if match := _SECTION.match(line):
            name, marks = match[1], (match[2] or "").split(",")
            values = {key: v for mark in marks for key, v in templates.get(mark, {}).items()}
            if "!" in marks:
                templates[name] = values
            else:
                found.append((name, values))
        elif match := _SETTING.match(line):
            values[match[1]] = match[2]
    return found


def _dialplan(folder: Path) -> dict[str, frozenset[str]]:
    steps: dict[str, list[str]] = {}
    last = ("", "", 0)
    parts = [folder / part for part in family(folder, "ivr12345/extensions.conf")]
    for step in (step for part in parts for step in lint.parse(part)):
        same = (step.context, step.exten) == last[:2] and not step.first
        number = last[2] + 1 if same else 1
        last = (step.context, step.exten, number)
        match = _CALL.match(step.application)
        told = (f"{match[1]}({match[2]})" if match else step.application).replace(
            "\\;", ";"
        )  # as Asterisk reads it
        steps.setdefault(step.context, []).append(f"{step.exten},{number},{told}")
    return {context: frozenset(rows) for context, rows in steps.items()}


async def tell(link: Link, files: Sequence[str]) -> None:
    """Let Asterisk read changed files again.

    Raises:
        AmiError: it refused, did not answer or is away.
    """
    for name in MOVABLE:
        for action, headers in MOVABLE[name] if name in files else ():
            await link.action(action, headers, timeout_s=RELOAD_LIMIT_S)


async def differences(link: Link, wanted: Expected, gone: Expected) -> list[Difference]:
    """Ask Asterisk for everything it should have, and for what it should have no more.

    Args:
        link: the manager.
        wanted: what it should have.
        gone: what another version had; whatever of that is not wanted must be gone.

    Raises:
        AmiError: it cannot be asked.
    """
    found = []
    for context in sorted(wanted.dialplan.keys() | gone.dialplan.keys()):
        found += _compare_context(
            context, wanted.dialplan.get(context, frozenset()), await _steps(link, context)
        )
    queues = {
        item.get("Queue"): item.get("Strategy")
        for item in await link.list_action("QueueStatus", {"Member": "none"})
        if item.name == "QueueParams"
    }
    for name, strategy in sorted(wanted.queues.items()):
        if queues.get(name) != strategy:
            there = queues.get(name, "absent")
            found.append(
                Difference(
                    f"queue {name} is {there}, not {strategy}", f"队列 {name} 为 {there},应为 {strategy}"
                )
            )
    endpoints = await _endpoints(link)
    found += [_absent("endpoint", "SIP 用户", name) for name in sorted(wanted.endpoints - endpoints)]
    found += [
        _left("queue", "队列", name)
        for name in sorted((gone.queues.keys() - wanted.queues.keys()) & queues.keys())
    ]
    found += [
        _left("endpoint", "SIP 用户", name)
        for name in sorted((gone.endpoints - wanted.endpoints) & endpoints)
    ]
    return found


def _absent(what: str, zh: str, name: str) -> Difference:
    return Difference(f"{what} {name} is absent", f"缺少{zh} {name}")


def _left(what: str, zh: str, name: str) -> Difference:
    return Difference(f"{what} {name} is still there", f"{zh} {name} 仍然存在")


def _compare_context(context: str, wanted: frozenset[str], there: frozenset[str]) -> list[Difference]:
    missing, strange = sorted(wanted - there), sorted(there - wanted)
    rows = [
        *(Difference(f"context {context} lacks {row}", f"拨号方案 {context} 缺少 {row}") for row in missing),
        *(
            Difference(f"context {context} has a foreign {row}", f"拨号方案 {context} 多出 {row}")
            for row in strange
        ),
    ]
    rest = len(rows) - _SHOWN
    return rows[:_SHOWN] + (
        [Difference(f"and {rest} more in {context}", f"{context} 中还有 {rest} 处")] if rest > 0 else []
    )


async def _steps(link: Link, context: str) -> frozenset[str]:
    try:
        rows = await link.list_action("ShowDialPlan", {"Context": context}, timeout_s=RELOAD_LIMIT_S)
    except AmiRefused:  # Asterisk's way to say that there is no such context
        return frozenset()
    return frozenset(
        f"{row.get('Extension')},{row.get('Priority')},{row.get('Application')}({row.get('AppData')})"
        for row in rows
        if row.get("Priority")
    )


async def _endpoints(link: Link) -> set[str]:
    try:
        rows = await link.list_action("PJSIPShowEndpoints", {})
    except AmiRefused:  # there are none
        return set()
    return {row.get("ObjectName") for row in rows}
