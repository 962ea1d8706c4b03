"""Files are private from the door of every program on; what a person asked for, or has, keeps their way."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr.asterisk.install.external import install
from ivr.home.logs import CleanFormatter, start_logging
from ivr.hotline.files.snapshot import Snapshot

IVR = Path(sys.executable).with_name("ivr")


@pytest.fixture(autouse=True)
def loose() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_page_that_somebody_asks_for_can_be_read_by_their_colleagues(tmp_path: Path) -> None:
    words = ["staffing", "--calls-per-day", "500", "--aht", "200", "--patience", "90", "--on-duty", "6/6/6"]
    environment = {**os.environ, "IVR_HOME": str(tmp_path / "home")}
    page = tmp_path / "page.html"
    subprocess.run([IVR, *words, "--html", page], check=True, capture_output=True, env=environment)
    assert mode(page) == 0o644


def test_a_city_s_asterisk_can_still_read_its_files_after_our_lines_are_added(tmp_path: Path) -> None:
    old = tmp_path / "extensions.conf"
    old.write_text("[general]\n")
    old.chmod(0o640)
    os.umask(0o077)
    install(
        tmp_path,
        {"extensions.conf": "; 12345 hotline (ivr12345)\n", "cel.conf": "; 12345 hotline (ivr12345)\n"},
    )
    assert (mode(old), mode(tmp_path / "cel.conf")) == (0o640, 0o644)


def test_a_file_that_colleagues_edit_together_stays_theirs_when_a_profile_is_taken(tmp_path: Path) -> None:
    shared = tmp_path / "lines.yaml"
    shared.write_text("old")
    shared.chmod(0o664)
    os.umask(0o077)
    Snapshot(tmp_path, {"lines.yaml": b"new"}).write(tmp_path)
    assert (shared.read_text(), mode(shared)) == ("new", 0o664)


def test_a_traceback_in_a_log_has_no_number_either() -> None:
    try:
        raise ValueError("no way to call 13800138000")
    except ValueError:
        record = logging.LogRecord(
            "ivr", logging.ERROR, "", 1, "refused %s", ("0833-2345678",), sys.exc_info()
        )
    line = CleanFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s").format(record)
    assert "refused 0833-****5678" in line
    assert "no way to call 138****8000" in line
    assert line.startswith("20") and "****" not in line[:24], "the time stays"


def test_logs_that_a_former_version_left_open_are_closed_at_the_next_start(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir(mode=0o755)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers.clear()
    try:
        start_logging(folder, "engine")
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers[:] = before
        root.setLevel(level)
    assert mode(folder) == 0o700
