"""Who installs by the lock has everything the program imports."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-build.lock")


def _imported(folder: str) -> set[str]:
    found: set[str] = set()
    for path in (PROJECT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"ivr", "agi_scripts"}


def _locked(lock: str) -> set[str]:
    text = (PROJECT / lock).read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==", text, re.MULTILINE))


def test_the_lock_has_every_package_that_the_program_imports() -> None:
    locked = _locked("requirements.lock")
    known = packages_distributions()
    assert len(locked) > 20
    for name in _imported("ivr") | _imported("agi_scripts"):
        distributions = {one.lower().replace("_", "-") for one in known[name]}
        assert distributions & locked, f"import {name}: none of {distributions} is locked"


def test_every_locked_package_has_hashes_and_no_lock_names_a_registry() -> None:
    for lock in LOCKS:
        text = (PROJECT / lock).read_text(encoding="utf-8")
        assert not re.search(r"https?://|--(extra-)?index-url|--find-links|--trusted-host", text), lock
        entries = re.split(r"^(?=[a-z0-9][a-z0-9._-]*(?:\[[a-z,]+\])?==)", text, flags=re.MULTILINE)[1:]
        assert entries, lock
        assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == [], lock
