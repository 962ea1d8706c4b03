"""Reads a dialplan as a graph: which context may lead to which, and where a call may leave."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping

LEAVES = re.compile(
    r"(?i)\b(Dial|RetryDial|Page|FollowMe|Originate|Transfer|DAHDIRAS|SIPAddHeader)\(([^\n]*)"
)
RUNS = re.compile(r"(?i)\b(System|TrySystem|ExternalIVR|SHELL|CURL|EVAL|FILE)\(")


def contexts(text: str) -> dict[str, list[str]]:
    """The lines of each context, without comments."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if heading := re.match(r"\[([^\]]+)\]", line):
            lines = found.setdefault(heading[1], [])
        elif line.strip() and not line.startswith(";"):
            lines.append(line)
    return found


def ways(dialplan: Mapping[str, list[str]], also: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    """Where each context may lead: to every other that its lines name, and where its applications lead.

    Args:
        dialplan: the lines by context.
        also: contexts by the application (``Queue(``) from which a key may lead there.
    """
    names = re.compile("|".join(rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in dialplan))
    found = {}
    for context, lines in dialplan.items():
        text = "\n".join(lines)
        led = {name for application, into in also.items() if application in text for name in into}
        found[context] = set(names.findall(text)) | led
    return found


def reached(ways: Mapping[str, set[str]], doors: Iterable[str]) -> set[str]:
    """Every context that a call may get to which came in by one of these."""
    seen: set[str] = set()
    left = deque(doors)
    while left:
        context = left.popleft()
        if context not in seen:
            seen.add(context)
            left.extend(ways[context])
    return seen


def leaving(dialplan: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    """Every place where a call may leave: its context, and application with its first argument."""
    return [
        (context, f"{found[1]}({found[2].split(',')[0]}")
        for context, lines in dialplan.items()
        for line in lines
        for found in LEAVES.finditer(line)
    ]


def extensions(lines: Iterable[str]) -> set[str]:
    """The extensions and patterns of a context."""
    return {found[1] for line in lines if (found := re.match(r"exten *=> *([^,]+),", line))}


def matches(pattern: str, exten: str) -> bool:
    """Tell whether an extension, or a pattern of ``extensions.conf``, answers to what is dialled."""
    if not pattern.startswith("_"):
        return pattern == exten
    classes = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]", ".": ".+", "!": ".*"}
    parts = re.findall(r"\[[^]]*\]|.", pattern[1:])
    rule = "".join(part if part.startswith("[") else classes.get(part, re.escape(part)) for part in parts)
    return re.fullmatch(rule, exten) is not None
