"""Whether an Asterisk is ours, runs, and is ready, told from its folders alone."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ivr.asterisk.install.installation import Installation
from ivr.asterisk.install.instance import Instance


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    (tmp_path / "run").mkdir()
    return Instance.laid_out(tmp_path / "asterisk", tmp_path / "run")


@pytest.fixture
def running(instance: Instance) -> Iterator[subprocess.Popen[bytes]]:
    """A process that looks like this instance's Asterisk."""
    with subprocess.Popen([sys.executable, "-c", "input()", str(instance.config)], stdin=-1) as process:
        (instance.run / "asterisk-process.pid").write_text(f"{process.pid}\n")
        yield process
        process.kill()


def test_an_asterisk_is_found_and_ended_without_its_program(
    instance: Instance, running: subprocess.Popen[bytes]
) -> None:
    assert instance.pid() == running.pid
    instance.stop()
    assert instance.pid() is None


def test_an_asterisk_is_ready_only_once_it_was_seen_to_own_its_ports(
    instance: Instance, running: subprocess.Popen[bytes]
) -> None:
    assert not instance.ready
    instance.mark_ready()
    assert instance.ready
    assert Instance.laid_out(instance.home, instance.run).ready


def test_a_dead_asterisk_is_not_ready_and_neither_is_its_successor(
    instance: Instance, running: subprocess.Popen[bytes]
) -> None:
    instance.mark_ready()
    running.kill()
    running.wait()
    assert not instance.ready
    with subprocess.Popen([sys.executable, "-c", "input()", str(instance.config)], stdin=-1) as next_one:
        (instance.run / "asterisk-process.pid").write_text(f"{next_one.pid}\n")
        assert instance.pid() == next_one.pid
        assert not instance.ready
        next_one.kill()


def test_another_program_that_got_the_pid_is_not_our_asterisk(instance: Instance) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1) as other:
        (instance.run / "asterisk-process.pid").write_text(f"{other.pid}\n")
        assert instance.pid() is None
        other.kill()


def test_an_asterisk_that_died_just_before_it_was_marked_is_not_ready(instance: Instance) -> None:
    instance.mark_ready()
    assert not instance.ready


@pytest.fixture
def startable(instance: Instance) -> Iterator[Instance]:
    """An instance whose program only waits to be ended."""
    program = Installation((sys.executable, "-c", "import time; time.sleep(60)"), Path(), Path(), "22.0.0")
    ours = Instance(program, instance.home, instance.run)
    yield ours
    ours.stop(at_once=True)


def test_on_a_full_disk_an_asterisk_that_starts_again_is_found(
    startable: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is emptied first gives its block away, and others take it."""
    first = startable.start()
    startable.stop(at_once=True)
    (startable.run / "asterisk-process.pid").write_text(f"{first}\n")

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    pid = startable.start()
    assert startable.pid() == pid


def test_an_asterisk_that_could_not_be_found_again_is_not_left_running(
    startable: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space"):
        startable.start()
    monkeypatch.undo()
    mine = psutil.Process().children()
    assert not [child for child in mine if str(startable.config) in child.cmdline()]
