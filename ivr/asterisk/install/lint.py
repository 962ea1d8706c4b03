"""Find the faults that Asterisk does not report: it boots with most of them.

Against a booted throwaway instance: its log must be clean, every application and function used
must exist, every Goto must lead somewhere, every sound file and queue named must be there.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

from ivr.asterisk.install.instance import Instance
from ivr.errors import HotlineError

_STEP = re.compile(r"^(?:exten\s*=>\s*([^,]+),([^,(]+)(?:\(([^)]*)\))?,|same\s*=>\s*n(?:\(([^)]*)\))?,)(.*)$")
_CONTEXT = re.compile(r"^\[([^\]]+)\]")
_APPLICATION = re.compile(r"^([A-Za-z]+)\((.*)\)$")
_NESTED = re.compile(r"\?\s*([A-Z][A-Za-z]+)\(")
_FUNCTION = re.compile(r"\$\{([A-Z][A-Z0-9_]+)\(")
_SOUND = re.compile(r"(?<![A-Za-z])(?:Playback|Background)\(([^,)$]+)")
_QUEUE = re.compile(r"(?<![A-Za-z])Queue\(([^,)$]+)")
# that many phones' states are on their way at once (taskprocessor.c) is news of the boot, not of the configuration
_COMPLAINT = re.compile(r"\[[\d :.-]+\] (WARNING|ERROR)\[(?!\S+ taskprocessor\.c: )")


class LintError(HotlineError):
    """The rendered configuration has faults; the sentence names all of them."""

    code = "asterisk_lint"


class Step:
    """One priority of the dialplan with where it stands; ``first`` begins an extension."""

    def __init__(self, where: str, context: str, exten: str, application: str, *, first: bool = True) -> None:
        self.where = where
        self.context = context
        self.exten = exten
        self.application = application
        self.first = first


def free_port() -> int:
    """Return a port that nobody holds right now, neither for UDP nor for TCP."""
    while True:
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def inspect(instance: Instance) -> None:
    """Check a booted throwaway instance.

    Raises:
        LintError: with every fault, one sentence each.
    """
    faults = [*_log_faults(instance.log)]
    path = instance.home / "etc/ivr12345/extensions.conf"
    steps = list(parse(path))
    faults += _unknown(steps, _listed(instance, "core show applications", r"^\s*([A-Za-z]+):"))
    faults += _unknown_functions(steps, _listed(instance, "core show functions", r"^([A-Z][A-Z0-9_]+)\s"))
    faults += lint_targets(steps)
    faults += _missing(steps, _queues(instance))
    if faults:
        raise LintError(
            "Asterisk configuration: " + "; ".join(faults), "Asterisk 配置有误：" + "；".join(faults)
        )


def parse(path: Path) -> Iterator[Step]:
    """Yield the steps of one extensions file."""
    context = exten = ""
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = raw.strip()
        if match := _CONTEXT.match(line):
            context = match.group(1)
        elif match := _STEP.match(line):
            exten = match.group(1) or exten
            first = match.group(2) is not None and match.group(2).strip() == "1"
            yield Step(f"{path.name}:{number}", context, exten, match.group(5), first=first)


def labels(path_steps: list[Step]) -> dict[str, set[str]]:
    """Return the extensions of every context."""
    known: dict[str, set[str]] = {}
    for step in path_steps:
        known.setdefault(step.context, set()).add(step.exten)
    return known


def lint_targets(steps: list[Step]) -> list[str]:
    """Name every Goto or GotoIf whose context and extension do not exist."""
    known = labels(steps)
    faults = []
    for step in steps:
        match = _APPLICATION.match(step.application)
        if not match or match.group(1) not in ("Goto", "GotoIf"):
            continue
        text = match.group(2)
        branches = text.rpartition("?")[2].split(":") if match.group(1) == "GotoIf" else [text]
        for branch in branches:
            parts = branch.split(",")
            if len(parts) == 3 and "$" not in parts[0] and not _leads(known, parts[0], parts[1]):
                faults.append(f"{step.where}: nothing answers at {parts[0]},{parts[1]}")
    return faults


def _leads(known: dict[str, set[str]], context: str, exten: str) -> bool:
    extensions = known.get(context, set())
    return exten in extensions or (exten.startswith("$") and any(e.startswith("_") for e in extensions))


def _log_faults(log: Path) -> list[str]:
    if not log.exists():
        return ["the throwaway instance wrote no log"]
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line.strip() for line in lines if _COMPLAINT.match(line)]


def _listed(instance: Instance, command: str, pattern: str) -> set[str]:
    return set(re.findall(pattern, instance.command(command), re.MULTILINE))


def _unknown(steps: list[Step], known: set[str]) -> list[str]:
    builtin = {name.lower() for name in known}
    faults = []
    for step in steps:
        match = _APPLICATION.match(step.application)
        if not match:
            faults.append(f"{step.where}: {step.application!r} is no application with its brackets closed")
            continue
        names = [match.group(1), *(_NESTED.findall(step.application) if match.group(1) == "ExecIf" else ())]
        faults += [f"{step.where}: no application {name}" for name in names if name.lower() not in builtin]
        if step.application.count("${") != step.application.count("}"):
            faults.append(f"{step.where}: a ${{ is not closed")
    return faults


def _unknown_functions(steps: list[Step], known: set[str]) -> list[str]:
    return [
        f"{step.where}: no function {name}"
        for step in steps
        for name in _FUNCTION.findall(step.application)
        if name not in known
    ]


def _queues(instance: Instance) -> set[str]:
    return _listed(instance, "queue show", r"^(\S+) has \d+ calls")


def _missing(steps: list[Step], queues: set[str]) -> list[str]:
    faults = []
    for step in steps:
        for sound in "&".join(_SOUND.findall(step.application)).split("&"):
            if sound and not any(Path(f"{sound}.{kind}").exists() for kind in ("wav", "sln", "alaw", "ulaw")):
                faults.append(f"{step.where}: no sound file {sound}")
        faults += [
            f"{step.where}: no queue {name}"
            for name in _QUEUE.findall(step.application)
            if name not in queues
        ]
    return faults
