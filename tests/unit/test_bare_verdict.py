"""A run on a bare machine counts as green only where every test was run and passed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

VERDICT = Path(__file__).parents[2] / "tools/bare/verdict.py"
PASSED = '<testcase classname="t" name="a"/>'


@pytest.mark.parametrize(
    ("cases", "status"),
    [
        (PASSED, 0),
        ("", 1),
        (PASSED + '<testcase classname="t" name="b"><skipped message="no ffmpeg"/></testcase>', 1),
        (PASSED + '<testcase classname="t" name="b"><failure message="1 is not 2"/></testcase>', 1),
        (PASSED + '<testcase classname="t" name="b"><error message="no PostgreSQL"/></testcase>', 1),
    ],
)
def test_a_run_that_skipped_or_failed_is_no_proof(tmp_path: Path, cases: str, status: int) -> None:
    report = tmp_path / "report.xml"
    report.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    done = subprocess.run([sys.executable, VERDICT, report], capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout
