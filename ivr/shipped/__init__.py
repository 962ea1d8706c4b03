"""What the program brings with it beside its code: templates of Asterisk's files, AGI scripts, a configuration.

In a checkout these folders stand at the top, where people look for them.  In an installed wheel they
stand in this package: ``setup.py`` puts them here when it builds one.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_TOP = _HERE.parent.parent


def is_installed() -> bool:
    """Tell whether this is an installed wheel and no checkout."""
    return (_HERE / "queues").is_dir()


def folder(name: str) -> Path:
    """Return the folder ``name`` that was brought along: a real one, for Asterisk reads from some of them."""
    return (_HERE if is_installed() else _TOP) / name


def write_configuration(target: Path) -> None:
    """Write the shipped configuration into ``target``, which is not there yet: whole or not at all.

    Raises:
        OSError: it cannot be written, or somebody else has just written it.
    """
    fresh = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        shutil.copytree(folder("queues"), fresh)
        fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
