"""What a city's own Asterisk must include to carry the hotline."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

MARK = "; 12345 hotline (ivr12345)"

_GENERAL = {
    "cel.conf": "[general](+)\nenable = yes\napps = queue\nevents = USER_DEFINED,APP_START,BRIDGE_ENTER,"
    "BRIDGE_EXIT,HANGUP",
    "cdr.conf": "[general](+)\nenable = yes\nunanswered = yes",
    "cel_custom.conf": "[mappings](+)",
    "cdr_custom.conf": "[mappings](+)",
}
_FILES = (
    "extensions.conf",
    "pjsip.conf",
    "queues.conf",
    "queuerules.conf",
    "musiconhold.conf",
    "confbridge.conf",
    "features.conf",
    "manager.conf",
    "cel.conf",
    "cel_custom.conf",
    "cdr.conf",
    "cdr_custom.conf",
)


def lines_for(pieces: Path) -> dict[str, str]:
    """Return the lines to append, by file of ``/etc/asterisk``.

    Args:
        pieces: the folder with our rendered pieces; Asterisk's user must be able to read it.
    """
    lines = {}
    for name in _FILES:
        parts = [MARK]
        if name in _GENERAL and not name.endswith("_custom.conf"):
            parts.append(_GENERAL[name])
        if (pieces / name).exists():
            parts.append(f"#include {pieces / name}")
        lines[name] = "\n".join(parts) + "\n"
    return lines


def install(etc: Path, lines: dict[str, str]) -> list[str]:
    """Append what is missing to the files of ``etc``; return the names of those changed.

    A file is replaced whole, by rename, and one that has our mark already is left alone.
    """
    changed = []
    for name, text in lines.items():
        path = etc / name
        before = path.read_text(encoding="utf-8", errors="surrogateescape") if path.exists() else ""
        if MARK in before:
            continue
        if not before and name in _GENERAL:
            text = text.replace("(+)", "") if not name.endswith("_custom.conf") else f"[mappings]\n{text}"
        elif name.endswith("_custom.conf") and "[mappings]" not in before:
            text = f"[mappings]\n{text}"
        fresh = path.with_name(path.name + ".new")
        fresh.write_text(
            before.rstrip("\n") + "\n\n" * bool(before) + text, encoding="utf-8", errors="surrogateescape"
        )
        _as_before(path, fresh)
        fresh.replace(path)
        changed.append(name)
    return changed


def _as_before(path: Path, fresh: Path) -> None:
    """Let the city's Asterisk read what replaces a file of its own; a new one holds no secret."""
    if not path.exists():
        fresh.chmod(0o644)
        return
    shutil.copymode(path, fresh)
    owner = path.stat()
    os.chown(fresh, owner.st_uid, owner.st_gid)
