"""Starting, stopping and looking: what an administrator does first."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ivr.host import processes
from tests.asterisk.hotline import IVR, PROJECT, Hotline, rtp_range, running, wait_for
from tests.watcher import left_in
from tools.phones.patience import PATIENCE_S

pytestmark = pytest.mark.asterisk


def test_status_is_right_before_while_and_after(tmp_path: Path) -> None:
    hotline = Hotline(tmp_path)
    try:
        assert hotline.run("status").returncode == 1
        assert {part["state"] for part in hotline.parts().values()} == {"down"}
        hotline.up()
        done = hotline.run("status", "--json")
        assert done.returncode == 0
        parts = json.loads(done.stdout)["parts"]
        assert set(parts) == {"engine", "asterisk", "ami", "fastagi", "database", "speech"}
        for part in parts.values():
            assert part["state"] == "live"
            assert {"state", "reason", "pid"} <= set(part)
        again = hotline.run("up", "--detach")
        assert again.returncode == 0
        assert "already running" in again.stdout
        assert hotline.parts()["engine"]["pid"] == parts["engine"]["pid"], "nothing was changed"
        assert hotline.run("down").returncode == 0
        assert hotline.run("status").returncode == 1
        assert not hotline.processes()
        assert hotline.run("down").returncode == 0
        hotline.up()
    finally:
        hotline.down()


def test_no_packet_with_a_caller_s_number_stays_when_everything_has_ended(own_hotline: Hotline) -> None:
    copied: Callable[[], list[Path]] = lambda: list((own_hotline.home / "run").glob("carrier-*.pcap"))  # noqa: E731
    wait_for(copied, why="the carrier's packets are copied")
    os.kill(int((own_hotline.home / "run/supervisor.pid").read_text()), signal.SIGTERM)
    wait_for(lambda: not own_hotline.processes(), why="everything has ended, as under systemd")
    assert copied() == []
    own_hotline.up()
    wait_for(copied, why="the carrier's packets are copied")
    assert own_hotline.run("down").returncode == 0
    assert copied() == []


def test_whoever_starts_anew_is_told_that_asterisk_goes_on_with_other_settings(tmp_path: Path) -> None:
    with running(tmp_path, quick=True) as hotline:

        def up_after_a_kill() -> str:
            pid = int((hotline.home / "run/supervisor.pid").read_text())
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: processes.of(pid) is None, why="the supervisor is dead")
            done = hotline.run("up", "--detach")
            assert done.returncode == 0, done.stderr
            return done.stdout

        asterisk = hotline.pid("asterisk")
        assert "other settings" not in up_after_a_kill()
        hotline.environment["IVR_RTP_PORTS"] = rtp_range(600)
        assert "other settings" in up_after_a_kill()
        assert hotline.pid("asterisk") == asterisk, "people talk on it"


def test_a_start_that_waits_for_the_database_says_so_while_it_waits(tmp_path: Path) -> None:
    hotline = Hotline(tmp_path, quick=True)
    try:
        hotline.up()
        hotline.run("down")
        with contextlib.closing(
            sqlite3.connect(hotline.home / "hotline.sqlite3", isolation_level=None)
        ) as other:
            other.execute("PRAGMA locking_mode=EXCLUSIVE")
            other.execute("BEGIN EXCLUSIVE")
            hotline.watch()
            started = subprocess.Popen(
                [str(IVR), "up", "--detach"],
                env=hotline.environment,
                stderr=subprocess.PIPE,
                text=True,
                cwd=tmp_path,
            )
            assert started.stderr is not None
            line = started.stderr.readline()
        assert line.startswith("the database: it does not answer: database is locked"), line
        assert "still waiting" in line
        assert started.wait(180) == 0, "it was told before the wait was over"
    finally:
        hotline.down()


_RUN_THAT_IS_KILLED = """
import sys, time
from pathlib import Path
from tests.asterisk.hotline import Hotline
hotline = Hotline(Path(sys.argv[1]), quick=True)
hotline.up()
print("runs", flush=True)
time.sleep(3600)
"""


def test_a_test_run_that_is_killed_leaves_no_hotline_running(tmp_path: Path) -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", _RUN_THAT_IS_KILLED, str(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=PROJECT,
        text=True,
    )
    home = str(tmp_path / "home")
    try:
        assert run.stdout is not None
        assert run.stdout.readline() == "runs\n"
        started = [" ".join(process.cmdline()) for process in left_in(home)]
        assert any("asterisk.conf" in words for words in started), started
    finally:
        run.kill()
        run.wait()
    try:
        wait_for(lambda: not left_in(home), why=lambda: str(left_in(home)))
    finally:
        for process in left_in(home):
            process.kill()


def test_an_older_version_that_runs_is_no_asterisk_that_starts_for_ever(tmp_path: Path) -> None:
    with running(tmp_path, quick=True) as hotline:
        pid = hotline.pid("asterisk")
        (hotline.home / "run/asterisk.ready").write_text(f"{pid}\n")  # as a version before noted it
        done = hotline.run("status")
        assert done.returncode == 0, done.stdout
        assert "an older version of the program runs" in done.stdout
        assert "an older version of the program runs" in hotline.run("up", "--detach").stdout
        (hotline.home / "run/asterisk.ready").write_text(f"{pid + 1}\n")
        assert hotline.parts()["asterisk"]["state"] == "syncing", "that was another process"
        assert hotline.run("down").stdout.strip() == "stopped."


def test_whoever_starts_or_applies_with_too_few_ports_for_the_seats_is_warned_and_it_runs(
    tmp_path: Path,
) -> None:
    warning = "warning: IVR_RTP_PORTS"
    hotline = Hotline(tmp_path, quick=True, IVR_RTP_PORTS=rtp_range(39))
    try:
        done = hotline.run("up", "--detach")
        assert done.returncode == 0, done.stderr
        assert warning in done.stderr
        assert "fewer than the 24 seats" in done.stderr
        seats = tmp_path / "queues/queues.yaml"
        seats.write_text(
            seats.read_text(encoding="utf-8") + "  - {id: q_new, name: 新队列, strategy: random}\n"
        )
        for words in (["apply"], ["apply", "--undo"], ["apply", "--json"]):
            done = hotline.run(*words)
            assert done.returncode == 0, done.stderr
            assert warning in done.stderr, words
        assert json.loads(done.stdout)["changed"], "what a program reads is as before"
        hotline.run("down")
        hotline.watch()
        started = subprocess.Popen(
            [str(IVR), "up"], env=hotline.environment, stderr=subprocess.PIPE, text=True, cwd=tmp_path
        )
        try:
            assert started.stderr is not None
            assert any(warning in line for line in started.stderr), "in the foreground too"
        finally:
            started.terminate()
            started.wait(PATIENCE_S)
    finally:
        hotline.down()


@pytest.mark.parametrize(
    ("setting", "kind"),
    [("IVR_SIP_PORT", "udp"), ("IVR_AMI_PORT", "tcp"), ("IVR_AGI_PORT", "tcp")],
)
def test_a_taken_port_stops_the_start_with_its_number_and_its_owner(
    tmp_path: Path, setting: str, kind: str
) -> None:
    hotline = Hotline(tmp_path)
    port = int(hotline.environment[setting])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", port))
        if kind == "tcp":
            taken.listen()
        done = hotline.run("up", "--detach")
        assert done.returncode == 1
        assert str(port) in done.stderr
        assert "python" in done.stderr
        assert setting in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert not hotline.processes()


def test_two_hotlines_run_side_by_side(tmp_path: Path) -> None:
    with (
        running(tmp_path / "a", quick=True) as first,
        running(tmp_path / "b", quick=True) as second,
    ):
        assert first.phones.caller(number="15400000001", after_ms=800).wait() == 0
        assert second.phones.caller(number="15400000002", after_ms=800).wait() == 0
        assert first.ticket_of("15400000001")["outcome"] == "abandoned"
        assert second.ticket_of("15400000002")["outcome"] == "abandoned"
        assert len(first.tickets()) == len(second.tickets()) == 1


def test_a_very_long_state_folder_is_no_obstacle(tmp_path: Path) -> None:
    with running(tmp_path / ("deep" * 30), quick=True) as hotline:
        assert hotline.phones.caller(number="15400000003", after_ms=800).wait() == 0
        assert hotline.ticket_of("15400000003")["outcome"] == "abandoned"


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"IVR_SIP_PORT": "99999"}, ["IVR_SIP_PORT", "65535"]),
        ({"IVR_ASTERISK": "/nonexistent/asterisk"}, ["IVR_ASTERISK", "/nonexistent/asterisk"]),
        ({"IVR_CONFIG": "/nonexistent"}, ["/nonexistent", "no such folder"]),
        ({"IVR_DATABASE_URL": "mysql://x"}, ["IVR_DATABASE_URL"]),
    ],
)
def test_a_wrong_setting_is_one_clear_sentence(
    tmp_path: Path, extra: dict[str, str], words: list[str]
) -> None:
    hotline = Hotline(tmp_path, quick=False, **extra)
    done = hotline.run("up", "--detach")
    assert not hotline.processes()
    assert not hotline.home.exists(), "nothing was begun"
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


def test_a_template_with_a_fault_is_refused_before_asterisk_sees_it(tmp_path: Path) -> None:
    """The lint and the throwaway boot stand between a fault and the running hotline."""
    project = tmp_path / "project"
    shutil.copytree(
        PROJECT,
        project,
        ignore=shutil.ignore_patterns(".git", ".venv", "var", "recordings", "tests", "am"),
    )
    template = project / "asterisk_conf/ivr12345/extensions.conf.j2"
    text = template.read_text().replace(
        "same => n,Goto(ivr-refused,s,1)", "same => n,Gotoo(ivr-refused,s,1)", 1
    )
    template.write_text(text)
    hotline = Hotline(tmp_path / "instance", PYTHONPATH=str(project), IVR_CONFIG=str(PROJECT / "queues"))
    done = hotline.run("up", "--detach")
    hotline.down()
    assert done.returncode == 1
    assert "no application Gotoo" in done.stderr


def test_asterisks_logs_never_fill_the_disk(tmp_path: Path) -> None:
    with running(tmp_path, quick=True) as hotline:
        log = hotline.home / "asterisk/log/messages.log"
        with log.open("ab") as file:
            file.truncate(17 * 1024 * 1024)
        for number in range(7):
            (log.parent / f"security.log.{number}").touch()
        wait_for(lambda: log.stat().st_size < 1_000_000, why="a fresh messages.log")
        wait_for(lambda: not (log.parent / "security.log.5").exists(), why="the oldest logs deleted")
