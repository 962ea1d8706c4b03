"""An `ivr up` with wrong settings says so and starts nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.asterisk.hotline import Hotline

pytestmark = pytest.mark.asterisk


def refused(hotline: Hotline, *command: str) -> str:
    """Run a start that must be refused with nothing begun; return what it said."""
    before = sorted(hotline.folder.rglob("*"))
    done = subprocess.run(
        command or [str(Path(sys.executable).with_name("ivr")), "up", "--detach"],
        env=hotline.environment, cwd=hotline.folder, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    try:
        assert done.returncode == 1, done.stderr
        assert not hotline.processes()
        assert sorted(hotline.folder.rglob("*")) == before, "nothing was begun and nothing is left"
    finally:
        hotline.down()
    return done.stderr


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"IVR_DATABASE_URL": "nonsense"}, ["IVR_DATABASE_URL", "URL"]),
        ({"IVR_DATABASE_URL": "postgresql://ivr:hush@127.0.0.1/ivr"}, ["postgresql+asyncpg://"]),
        ({"IVR_RECORDINGS": "/etc/passwd"}, ["IVR_RECORDINGS", "/etc/passwd"]),
        ({"IVR_HOME": "/proc/x"}, ["IVR_HOME", "/proc/x"]),
        ({"IVR_HOME": ""}, ["IVR_HOME", "empty"]),
        ({"IVR_AMI_USER": ""}, ["IVR_AMI_USER"]),
        ({"IVR_BIND": "192.0.2.77"}, ["IVR_BIND", "192.0.2.77"]),
        ({"IVR_SIP_PROT": "5070"}, ["IVR_SIP_PROT", "IVR_SIP_PORT"]),
    ],
)
def test_a_wrong_setting_starts_nothing(tmp_path: Path, extra: dict[str, str], words: list[str]) -> None:
    told = refused(Hotline(tmp_path, quick=False, **extra))
    assert len(told.strip().splitlines()) == 1, told
    assert all(word in told for word in words), told
    assert "hush" not in told


def test_a_citys_asterisk_that_does_not_run_is_told_at_once(tmp_path: Path) -> None:
    hotline = Hotline(tmp_path, IVR_ASTERISK="external", IVR_ASTERISK_LOGS=str(tmp_path))
    told = refused(hotline)
    assert len(told.strip().splitlines()) == 1, told
    assert "IVR_ASTERISK" in told
    assert hotline.environment["IVR_AMI_PORT"] in told


def test_all_wrong_settings_are_told_together_in_the_readers_language(tmp_path: Path) -> None:
    wrong = {"IVR_DATABASE_URL": "mysql://x", "IVR_SIP_PORT": "99999", "IVR_RECORDINGS": "/proc/x"}
    hotline = Hotline(tmp_path, quick=False, **wrong, IVR_LANGUAGE="zh")
    for command in ([], [str(Path(sys.executable).with_name("ivr")), "up"]):
        lines = refused(hotline, *command).strip().splitlines()
        assert sorted(line.split()[0] for line in lines) == sorted(wrong)
        assert all(re.search(r"[\u4e00-\u9fff]", line) for line in lines)


def test_the_supervisor_itself_refuses_wrong_settings(tmp_path: Path) -> None:
    hotline = Hotline(tmp_path, IVR_DATABASE_URL="mysql://x", IVR_RECORDINGS="/etc/passwd")
    told = refused(hotline, sys.executable, "-m", "ivr.engine.supervisor")
    assert "IVR_DATABASE_URL" in told
    assert "IVR_RECORDINGS" in told


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_fault_of_the_configuration_is_shown_in_the_readers_language(
    tmp_path: Path, language: str
) -> None:
    hotline = Hotline(tmp_path, quick=True, IVR_LANGUAGE=language)
    queues = Path(hotline.environment["IVR_CONFIG"]) / "queues.yaml"
    text = queues.read_text(encoding="utf-8")
    queues.write_text(text + "".join(f"mistake_{number}: 1\n" for number in range(12)), encoding="utf-8")
    for words in (["up", "--detach"], ["up"]):
        done = hotline.run(*words)
        left = hotline.processes()
        hotline.down()
        assert done.returncode == 1
        assert not left
        told = [line for line in done.stderr.splitlines() if "mistake_" in line]
        assert len(told) == 12, done.stderr
        assert all(bool(re.search(r"[\u4e00-\u9fff]", line)) is (language == "zh") for line in told)


def test_a_running_hotline_is_looked_at_and_stopped_with_settings_that_are_wrong_by_now(
    tmp_path: Path,
) -> None:
    hotline = Hotline(tmp_path, quick=True)
    try:
        hotline.up()
        hotline.environment |= {"IVR_SIP_PORT": "x", "IVR_CONFIG": "", "IVR_DATABASE_URL": "mysql://x"}
        assert hotline.run("status").returncode == 0
        again = hotline.run("up", "--detach")
        assert again.returncode == 0
        assert "already running" in again.stdout
        done = hotline.run("down")
        assert done.returncode == 0
        assert "stopped" in done.stdout
        assert not hotline.processes()
    finally:
        hotline.down()
