"""Nobody else on the machine reads what the hotline writes, and no log has a number that can be rung."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.asterisk.hotline import IVR, SPEECH, Hotline, running, wait_for

pytestmark = pytest.mark.asterisk

CALLER, DIALLED, DIALLED_BY_SEAT = "15400007001", "13900005678", "083312345678"


@contextlib.contextmanager
def loose() -> Iterator[None]:
    """Start everything as most people's shells do: others may read new files."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


def open_to_others(*folders: Path) -> list[str]:
    """What in these folders somebody else may read, write or enter, the folders themselves included."""
    found = []
    for folder in folders:
        assert folder.is_dir()
        for path in (folder, *folder.rglob("*")):
            with contextlib.suppress(FileNotFoundError):  # a file of an instance that runs
                mode = path.lstat().st_mode
                if not stat.S_ISLNK(mode) and mode & 0o077:
                    found.append(f"{stat.filemode(mode)} {path}")
    return found


def written(hotline: Hotline) -> tuple[Path, ...]:
    config = Path(hotline.environment["IVR_CONFIG"])
    made = (hotline.home, hotline.recordings, config / "kept")
    return tuple(path for path in made if path.is_dir())


def change(hotline: Hotline) -> None:
    """Do what an administrator does."""
    config = Path(hotline.environment["IVR_CONFIG"])
    imported = hotline.run("prompts", "import", "P042", str(SPEECH / "power_cut.wav"))
    assert imported.returncode == 0, imported.stderr
    assert (config / "prompts/P042.wav").stat().st_mode & 0o077 == 0
    used = hotline.run("profile", "use", "leshan")
    assert used.returncode == 0, used.stderr
    assert any((config / "kept").rglob("*.yaml"))
    queues = config / "queues.yaml"
    queues.write_text(queues.read_text("utf-8") + "# changed\n", "utf-8")
    applied = hotline.run("apply", "--by", "1001")
    assert applied.returncode == 0, applied.stderr


def talk(hotline: Hotline) -> None:
    """A call that is answered, and two to private numbers that are refused."""
    hotline.man("01", "1001", sound=SPEECH / "social_card.wav", talk_ms=1500)
    assert hotline.phones.caller(number=CALLER, stays=True).wait() == 0
    assert hotline.transcribed(CALLER)["recordings"]
    assert hotline.phones.caller(number=CALLER, dialled=DIALLED).wait() != 0
    seat = next(row for row in hotline.engine("seats") if row["seat"] == "02")["username"]
    password = hotline.ask("seats", "list", "--secrets")
    (secret,) = [row["password"] for row in password if row["username"] == seat]
    hotline.phones.caller(number=seat, dialled=DIALLED_BY_SEAT, user=seat, password=secret).wait()


def logs(hotline: Hotline) -> dict[str, str]:
    places = [*(hotline.home / "log").iterdir(), *(hotline.home / "asterisk/log").glob("*.log")]
    return {path.name: path.read_text(errors="replace") for path in places if path.is_file()}


def test_nothing_that_is_written_around_a_call_is_open_to_others_and_no_log_has_a_number(
    tmp_path: Path,
) -> None:
    with loose(), running(tmp_path, quick=True) as hotline:
        assert open_to_others(*written(hotline)) == []
        talk(hotline)
        change(hotline)
        wait_for(lambda: "139****5678" in logs(hotline)["engine.log"], why="the refused call is logged")
        wait_for(lambda: "0833-****5678" in logs(hotline)["engine.log"], why="that of the seat, too")
        assert len(written(hotline)) == 3
        assert open_to_others(*written(hotline)) == []
    told = logs(hotline)
    assert {"engine.log", "supervisor.log", "supervisor.out", "messages.log"} <= set(told)
    assert [
        (name, number)
        for name, text in told.items()
        for number in (CALLER, DIALLED, DIALLED_BY_SEAT)
        if number in text
    ] == []
    assert open_to_others(hotline.home) == [], "nor after the end"


def test_a_hotline_in_the_foreground_is_as_private_as_a_detached_one(tmp_path: Path) -> None:
    hotline = Hotline(tmp_path, quick=True)
    try:
        hotline.watch()
        with loose():
            hotline.run("setup")
            assert open_to_others(hotline.home) == [], "set-up alone makes the secrets"
            process = subprocess.Popen(
                [IVR, "up"], env=hotline.environment, cwd=tmp_path, stderr=subprocess.DEVNULL
            )
        try:
            hotline.wait_live(150)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
        assert open_to_others(*written(hotline)) == []
    finally:
        hotline.down()
        shutil.rmtree(hotline.recordings, ignore_errors=True)
