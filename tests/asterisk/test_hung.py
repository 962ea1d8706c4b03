"""A process that is there and answers nothing; a pid that is somebody else's; an end that is one."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import psutil
import pytest

from tests.asterisk.hotline import Hotline, free_tcp_port, rtp_range, running, wait_for
from tests.asterisk.test_faults import tiny_disk
from tools.phones import free_udp_port

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(420)]

SHORT = (
    "from ivr.home.settings import load; from ivr.home.logs import start_logging\n"
    "from ivr.engine.supervisor import Supervisor\n"
    "from ivr.engine.upkeep.engine import Limits\n"
    "settings = load(); start_logging(settings.logs, 'supervisor')\n"
    "Supervisor(settings, print, limits=Limits(silent_s={silent}), hung_s={hung}).run()\n"
)


def alarms(hotline: Hotline) -> list[str]:
    """Return the kinds of alarms that are up; none while no engine answers."""
    return [alarm["alarm"] for alarm in hotline.ask("status")["alarms"]]


def stopped(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


def gone(pid: int) -> bool:
    """Tell whether a process has ended, whoever is to wait for it."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@contextlib.contextmanager
def held(*pids: int) -> Iterator[None]:
    """Let processes hang."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda pid=pid: stopped(pid), why="it is stopped")  # type: ignore[misc]
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def supervisor(hotline: Hotline) -> int:
    return int((hotline.home / "run/supervisor.pid").read_text())


def short_limits(hotline: Hotline, silent_s: float = 10.0, hung_s: float = 60.0) -> subprocess.Popen[bytes]:
    """Start the hotline under a supervisor with other limits."""
    with (hotline.folder / "supervisor.err").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", SHORT.format(silent=silent_s, hung=hung_s)],
            env=hotline.environment,
            cwd=hotline.folder,
            stdout=errors,
            stderr=errors,
            start_new_session=True,
        )
    hotline.wait_live(60)
    return process


def test_an_engine_that_does_not_answer_is_started_again_and_says_so_and_no_call_loses_its_ticket(
    own_hotline: Hotline,
) -> None:
    hotline = own_hotline
    hotline.man("01", "1001", talk_ms=1000)
    engine = hotline.pid("engine")
    number = "15400000021"
    with held(engine):
        caller = hotline.phones.caller(number=number, stays=True)

        def told() -> dict[str, Any] | None:
            part = hotline.parts()["engine"]
            return part if "does not answer since" in part["reason"] else None

        part = wait_for(told, why=hotline.logs)
        assert (part["state"], part["pid"]) == ("down", engine)
        assert "ended and started again" in part["reason"]
        wait_for(lambda: gone(engine), 60, hotline.logs)
    hotline.wait_live(60)
    assert hotline.pid("engine") != engine
    wait_for(lambda: "engine_hung" in alarms(hotline), why=hotline.logs)
    [told_of_it] = [one for one in hotline.ask("status")["alarms"] if one["alarm"] == "engine_hung"]
    assert "stopped (SIGSTOP)" in told_of_it["sentence"]
    assert "engine.out" not in told_of_it["sentence"], "it could write nothing there"
    assert caller.wait() == 0, "nobody took the caller over: " + caller.errors()
    ticket = hotline.ticket_of(number)
    assert ticket["outcome"] == "answered"
    assert sum(t["call_id"] == ticket["call_id"] for t in hotline.tickets()) == 1
    why = (hotline.home / "log/supervisor.log").read_text(encoding="utf-8")
    assert f"the engine (pid {engine}, state T) has not answered for 10" in why


def test_a_machine_that_was_suspended_costs_no_engine(tmp_path: Path) -> None:
    """Nobody ran: neither who was asked, nor who asked."""
    hotline = Hotline(tmp_path, quick=True)
    process = short_limits(hotline, silent_s=2.0)
    try:
        engine = hotline.pid("engine")
        with held(process.pid, engine):
            time.sleep(6)  # the passing of time is the event
        # the supervisor goes on first: the engine owes an answer to a question from before
        wait_for(lambda: not stopped(process.pid), why="the supervisor runs")
        hotline.wait_live()
        assert hotline.pid("engine") == engine
        assert "engine_hung" not in alarms(hotline)
    finally:
        hotline.down()


def test_asterisk_that_does_not_answer_is_an_alarm_until_it_answers_again(own_hotline: Hotline) -> None:
    hotline = own_hotline
    asterisk = hotline.pid("asterisk")
    with held(asterisk):
        began = time.monotonic()
        part = hotline.parts()["asterisk"]
        assert (part["state"], part["pid"]) == ("down", asterisk)
        assert "does not answer since" in part["reason"]
        wait_for(lambda: "asterisk_away" in alarms(hotline), 60, hotline.logs)
        assert time.monotonic() - began > 20, "what lasts only a moment is no alarm"
    hotline.wait_live()
    assert hotline.pid("asterisk") == asterisk, "it was hung for less than a minute: calls on it go on"
    wait_for(lambda: "asterisk_away" not in alarms(hotline), 60, hotline.logs)
    assert hotline.phones.caller(number="15400000022", after_ms=800).wait() == 0
    assert hotline.ticket_of("15400000022")["outcome"] == "abandoned"


def test_asterisk_that_is_hung_for_good_is_started_again(tmp_path: Path) -> None:
    hotline = Hotline(tmp_path, quick=True)
    short_limits(hotline, hung_s=5.0)
    try:
        asterisk = hotline.pid("asterisk")
        with held(asterisk):
            wait_for(lambda: gone(asterisk), 60, hotline.logs)
        hotline.wait_live(60)
        assert hotline.pid("asterisk") != asterisk
        assert f"Asterisk (pid {asterisk}) has answered neither" in hotline.logs()
        assert hotline.phones.caller(number="15400000023", after_ms=800).wait() == 0
    finally:
        hotline.down()


def copy_of(hotline: Hotline, folder: Path) -> Hotline:
    """Return a hotline whose home is a copy, made while the original ran; its ports are its own."""
    shutil.copytree(
        hotline.home,
        folder / "home",
        symlinks=True,
        ignore=lambda place, names: [n for n in names if (Path(place) / n).is_socket()],
    )
    other = Hotline(folder, IVR_CONFIG=hotline.environment["IVR_CONFIG"])
    other.environment |= {
        "IVR_SIP_PORT": str(free_udp_port()),
        "IVR_AMI_PORT": str(free_tcp_port()),
        "IVR_AGI_PORT": str(free_tcp_port()),
        "IVR_RTP_PORTS": rtp_range(),
    }
    return other


def test_commands_in_a_copied_home_leave_the_original_alone(own_hotline: Hotline, tmp_path: Path) -> None:
    hotline = own_hotline
    pids = {part: hotline.pid(part) for part in ("engine", "asterisk")} | {"supervisor": supervisor(hotline)}
    copy = copy_of(hotline, tmp_path / "copy")
    try:
        assert {part["state"] for part in copy.parts().values()} == {"down"}
        assert "nothing was running" in copy.run("down").stdout
        copy.up()
        assert copy.pid("engine") != pids["engine"]
        assert copy.pid("asterisk") != pids["asterisk"]
        assert "stopped" in copy.run("down").stdout
    finally:
        copy.down()
    hotline.wait_live()
    assert {part: hotline.pid(part) for part in ("engine", "asterisk")} | {
        "supervisor": supervisor(hotline)
    } == pids


def test_by_another_path_it_is_the_same_hotline(own_hotline: Hotline, tmp_path: Path) -> None:
    hotline = own_hotline
    engine = hotline.pid("engine")
    (tmp_path / "link").symlink_to(hotline.home)
    hotline.environment["IVR_HOME"] = str(tmp_path / "link")
    assert hotline.pid("engine") == engine
    assert "already running" in hotline.run("up", "--detach").stdout
    assert "stopped" in hotline.run("down").stdout
    assert gone(engine)


def delete(home: Path) -> None:
    """Delete a folder that somebody still writes into."""

    def deleted() -> bool:
        shutil.rmtree(home, ignore_errors=True)
        return not home.exists()

    wait_for(deleted, why="the home is deleted")


def test_what_ran_in_a_home_that_was_deleted_ends(tmp_path: Path) -> None:
    hotline = Hotline(tmp_path, quick=True)
    process = short_limits(hotline)
    try:
        assert hotline.processes()
        delete(hotline.home)
        assert process.wait(60) == 1
        wait_for(lambda: not hotline.processes(), why=lambda: f"still there: {hotline.processes()}")
        assert f"{hotline.home} was deleted" in (tmp_path / "supervisor.err").read_text()
    finally:
        hotline.down()


def test_an_engine_alone_in_a_home_that_was_deleted_ends_with_its_asterisk(tmp_path: Path) -> None:
    hotline = Hotline(tmp_path, quick=True)
    try:
        hotline.up()
        pid = supervisor(hotline)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: gone(pid), why="the supervisor is dead")
        assert len(hotline.processes()) >= 2
        delete(hotline.home)
        wait_for(lambda: not hotline.processes(), 60, lambda: f"still there: {hotline.processes()}")
    finally:
        hotline.down()


def test_on_a_full_disk_asterisk_and_engine_come_back_and_count_as_live(tmp_path: Path) -> None:
    with (
        tiny_disk(tmp_path / "home", "40m") as disk,
        running(tmp_path, quick=True, IVR_RECORDINGS=str(disk / "recordings")) as hotline,
    ):
        pids = {part: hotline.pid(part) for part in ("engine", "asterisk")}
        full = threading.Event()
        with (disk / "others").open("wb", buffering=0) as file, ThreadPoolExecutor(1) as others:
            done = others.submit(fill, file, full)
            try:
                for part in pids:
                    hotline.kill(part)
                wait_for(lambda: back(hotline, pids), 120, hotline.logs)
            finally:
                full.set()
                done.result()
        (disk / "others").unlink()
        hotline.wait_live(60)


def fill(file: IO[bytes], enough: threading.Event) -> None:
    """Take every block that somebody gives away."""
    while not enough.wait(0.001):
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))


def back(hotline: Hotline, before: dict[str, int]) -> bool:
    parts = hotline.parts()
    return all(parts[part]["state"] == "live" and parts[part]["pid"] != pid for part, pid in before.items())


@pytest.mark.parametrize("what", ["supervisor", "engine", "asterisk", "all"])
def test_down_ends_also_what_hangs_and_says_the_truth(own_hotline: Hotline, what: str) -> None:
    hotline = own_hotline
    pids = {part: hotline.pid(part) for part in ("engine", "asterisk")} | {"supervisor": supervisor(hotline)}
    with held(*(pids.values() if what == "all" else [pids[what]])):
        done = hotline.run("down", timeout_s=150)
        assert (done.returncode, done.stdout.strip()) == (0, "stopped."), done.stderr
        assert not hotline.processes()


def test_down_ends_an_asterisk_that_was_left_alone_though_nobody_noted_its_pid(own_hotline: Hotline) -> None:
    hotline = own_hotline
    asterisk = hotline.pid("asterisk")
    for pid in (supervisor(hotline), hotline.pid("engine")):
        os.kill(pid, signal.SIGKILL)
    (hotline.home / "run/asterisk-process.pid").unlink()  # as on a disk that was full
    done = hotline.run("down")
    assert (done.returncode, done.stdout.strip()) == (0, "stopped."), done.stderr
    assert gone(asterisk)
    assert not hotline.processes()
