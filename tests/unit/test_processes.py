"""Whose a process is: a copied folder, a link to it, a pid that went to somebody else."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ivr.asterisk.install.instance import Instance
from ivr.engine.upkeep import ending, lock
from ivr.engine.upkeep.engine import find
from ivr.home.settings import Settings
from ivr.home.settings import load as load_settings
from ivr.host import processes

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start programs that wait to be ended."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*words: str, code: str = "input()", **environment: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", f"print(flush=True); {code}", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment or None,
        )
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()  # it runs
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load_settings(home=tmp_path / "home")
    settings.pids.mkdir(parents=True)
    return settings


@pytest.fixture(params=["ivr.engine.serve", "ivr.serve"], ids=["engine", "engine of the version before"])
def engine(settings: Settings, start: Start, request: pytest.FixtureRequest) -> subprocess.Popen[bytes]:
    """A process that was started as this home's engine, and its pid file."""
    process = start(request.param, **processes.marked(settings.home, "engine"))
    processes.note(settings.pids / "engine.pid", str(process.pid))
    return process


def copy_of(settings: Settings, folder: Path) -> Settings:
    shutil.copytree(settings.home, folder, symlinks=True)
    return load_settings(home=folder)


def test_the_engine_of_a_home_is_found_and_not_that_of_a_copy(
    settings: Settings, engine: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    copy = copy_of(settings, tmp_path / "copy")
    assert (copy.pids / "engine.pid").read_text().strip() == str(engine.pid)
    assert find(copy) is None
    assert ending.end_all(copy, Instance.laid_out(copy.asterisk_home, copy.run, copy.pids)) is False
    assert engine.poll() is None, "down in a copy ended the original's engine"
    found = find(settings)
    assert found is not None
    assert found.pid == engine.pid


def test_a_home_that_was_moved_or_is_reached_by_a_link_has_the_same_engine(
    settings: Settings, engine: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(settings.home)
    settings.home.rename(tmp_path / "moved")
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to(tmp_path / "moved")
    for home in ("moved", "link"):
        found = find(load_settings(home=tmp_path / home))
        assert found is not None
        assert found.pid == engine.pid


def test_an_engine_is_found_though_its_pid_file_could_not_be_written_or_names_another(
    settings: Settings, engine: subprocess.Popen[bytes], start: Start
) -> None:
    another = start("ivr.engine.serve")
    for text in ("", str(another.pid), None):
        file = settings.pids / "engine.pid"
        file.write_text(text) if text is not None else file.unlink()
        found = find(settings)
        assert found is not None
        assert found.pid == engine.pid


def test_an_engine_that_a_version_before_the_marks_left_is_ended_too_and_not_by_a_copy(
    settings: Settings, start: Start, tmp_path: Path
) -> None:
    settings.journal.mkdir()
    journal = str(settings.journal / "1.jsonl")
    old = start(
        "ivr.engine.serve",
        journal,
        code="import sys; file = open(sys.argv[2], 'w'); print(flush=True); input()",
    )
    assert old.stdout is not None
    old.stdout.readline()  # its journal is open
    processes.note(settings.pids / "engine.pid", str(old.pid))
    copy = copy_of(settings, tmp_path / "copy")
    assert ending.end_all(copy, None) is False
    assert old.poll() is None
    assert ending.end_all(settings, None) is True
    assert old.wait(10) is not None


def test_what_was_copied_of_the_carrier_s_packets_goes_with_what_ran(
    settings: Settings, engine: subprocess.Popen[bytes]
) -> None:
    left = [settings.run / f"carrier-{n}.pcap" for n in (0, 1)]
    for file in left:
        file.write_bytes(b"13800138000")
    assert ending.end_all(settings, None) is True
    assert engine.wait(10) is not None
    assert not any(file.exists() for file in left)


def test_what_the_engine_started_is_not_the_engine_and_is_ended_with_it(
    settings: Settings, engine: subprocess.Popen[bytes], start: Start
) -> None:
    worker = start("worker", **processes.marked(settings.home, "engine"))
    engine.kill()
    engine.wait()
    assert find(settings) is None
    assert ending.end_all(settings, None, patience_s=1.0) is True
    assert worker.wait(10) is not None


def test_an_asterisk_of_a_copied_home_is_not_the_original_s(
    settings: Settings, tmp_path: Path, start: Start
) -> None:
    instance = Instance.laid_out(settings.asterisk_home, settings.run, settings.pids)
    instance.lay_out()
    process = start("-C", str(instance.config), **processes.marked(settings.home, "asterisk"))
    processes.note(settings.pids / "asterisk-process.pid", str(process.pid))
    instance.mark_ready()
    copy = copy_of(settings, tmp_path / "copy")
    same = Instance.laid_out(copy.asterisk_home, copy.run, copy.pids)
    assert same.pid() is None
    assert not same.ready
    assert same.stop()
    assert process.poll() is None
    assert instance.pid() == process.pid
    settings.home.rename(tmp_path / "moved")
    moved = load_settings(home=tmp_path / "moved")
    found = Instance.laid_out(moved.asterisk_home, moved.run, moved.pids)
    assert (found.pid(), found.ready) == (process.pid, True), "its -C names a path that is gone"


def test_a_pid_that_went_to_another_process_is_left_alone(start: Start) -> None:
    process = start()
    known = processes.of(process.pid)
    assert known is not None
    before = processes.Process(known.pid, known.started - 1)
    assert known.alive
    assert not before.alive
    before.signal(signal.SIGKILL)
    assert processes.end(before, 0.1)
    assert process.poll() is None


def test_a_process_that_hears_nothing_is_killed_and_one_that_was_stopped_ends_by_itself(start: Start) -> None:
    deaf = start(code="import signal; signal.signal(15, signal.SIG_IGN); print(flush=True); input()")
    assert deaf.stdout is not None
    deaf.stdout.readline()
    known = processes.of(deaf.pid)
    assert known is not None
    assert processes.end(known, 0.5)
    ending = start(code="import signal; signal.signal(15, lambda *_: exit(7)); print(flush=True); input()")
    assert ending.stdout is not None
    ending.stdout.readline()
    os.kill(ending.pid, signal.SIGSTOP)
    known = processes.of(ending.pid)
    assert known is not None
    processes.ask_to_end(known)
    assert ending.wait(20) == 7


LOCKED = "import fcntl, os; f = open({path!r}, 'a+'); fcntl.flock(f, 2); print(flush=True); input()"


def locks(start: Start, file: Path) -> subprocess.Popen[bytes]:
    process = start(code=LOCKED.format(path=str(file)))
    assert process.stdout is not None
    process.stdout.readline()
    return process


@pytest.mark.parametrize("noted", ["its own", "another's", "nothing"])
def test_the_supervisor_is_who_holds_the_lock_whatever_the_file_says(
    settings: Settings, start: Start, noted: str
) -> None:
    file = settings.pids / "supervisor.pid"
    other, holder = start(), locks(start, file)
    file.write_text({"its own": f"{holder.pid}\n", "another's": f"{other.pid}\n", "nothing": ""}[noted])
    found = lock.supervisor_of(settings)
    assert found is not None
    assert found.pid == holder.pid
    assert ending.end_all(settings, None, patience_s=1.0) is True
    assert holder.wait(10) is not None
    assert other.poll() is None
    assert lock.supervisor_of(settings) is None


def test_the_supervisor_of_the_original_is_not_that_of_a_copy_even_of_hard_links(
    settings: Settings, start: Start, tmp_path: Path
) -> None:
    file = settings.pids / "supervisor.pid"
    holder = locks(start, file)
    file.write_text(f"{holder.pid}\n")
    assert not lock.is_held(copy_of(settings, tmp_path / "copy"))
    linked = load_settings(home=tmp_path / "linked")
    linked.pids.mkdir(parents=True)
    (linked.pids / "supervisor.pid").hardlink_to(file)
    assert lock.supervisor_of(linked) is None
    with pytest.raises(ending.NotEnded, match="cannot be seen from here"):
        ending.end_all(linked, None)
    assert holder.poll() is None


def test_what_cannot_be_ended_is_named(
    settings: Settings, engine: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes.Process, "signal", lambda *_: None)  # as one that waits for a dead disk
    with pytest.raises(ending.NotEnded, match=f"pid {engine.pid}"):
        ending.end_all(settings, None, patience_s=0.2)


def test_a_command_that_looks_keeps_no_supervisor_from_its_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (settings.pids / "supervisor.pid").open("w") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        monkeypatch.setattr(time, "sleep", lambda _: fcntl.flock(looking, fcntl.LOCK_UN))
        held = lock.HomeLock(settings)
    assert processes.noted_pid(settings.pids / "supervisor.pid") == os.getpid()
    held.release()


def looked(held: lock.HomeLock, times: int, since: float = 0.0) -> str:
    return next((why for n in range(times) if (why := held.look(since + n * 10.0)[0])), "")


def test_a_lock_that_was_deleted_is_made_again_and_one_that_another_took_is_given_up(
    settings: Settings,
) -> None:
    held = lock.HomeLock(settings)
    file = settings.pids / "supervisor.pid"
    file.unlink()
    assert looked(held, 5) == ""
    assert lock.is_held(settings)
    assert processes.noted_pid(file) == os.getpid()
    file.unlink()
    with file.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert "another supervisor" in looked(held, 5, 1000.0)
        held.release()
        assert file.exists(), "it is the other's"


def test_a_full_disk_keeps_no_pid_from_being_noted_over_another(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    for text in ("1234567890123", "12", "4711 99"):
        processes.note(file, text)
        assert file.read_text().split() == text.split()
    with contextlib.suppress(OSError):
        processes.note(tmp_path / "missing/pid", "1")
    assert processes.noted_pid(tmp_path / "missing/pid") is None
