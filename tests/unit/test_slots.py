"""Tests with a real Asterisk wait for a machine that is busy with something else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.asterisk import slots
from tests.asterisk.slots import RUN, Slot, allowed, others


@pytest.mark.parametrize(
    ("busy", "cores", "files"),
    [(0.0, 2, 3), (0.4, 2, 3), (1.0, 2, 2), (2.0, 2, 1), (9.0, 2, 1), (2.0, 8, 3), (8.0, 8, 1), (0.0, 1, 3)],
)
def test_the_more_others_want_to_run_the_fewer_files_run(busy: float, cores: int, files: int) -> None:
    assert allowed(busy, cores) == files


@pytest.mark.parametrize("mine", ["tagged", "descends", "foreign"])
def test_only_what_others_run_counts(mine: str) -> None:
    busy = [sys.executable, "-c", "import sys; sys.stdout.write('x'); sys.stdout.flush()\nwhile True: pass"]
    environment = {key: value for key, value in os.environ.items() if key != RUN} | {RUN: "this"}
    run = "this" if mine == "tagged" else "another"
    root = os.getpid() if mine == "descends" else -1
    with subprocess.Popen(busy, env=environment, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.read(1)
            seen = any(process.pid in others(run, root) for _ in range(100))
        finally:
            process.kill()
    assert seen is (mine == "foreign")


def test_of_two_workers_one_waits_when_there_is_one_slot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "SLOTS", 1)
    first, second = Slot("run", tmp_path), Slot("run", tmp_path)
    first.take()
    assert not second._try(0)
    first.give_back()
    assert second._try(0)
    second.take()
    second.give_back()
