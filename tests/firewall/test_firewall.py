"""The shipped firewall and fail2ban files cut off a flood, pass the trunk and the seats, and believe no forged line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from ivr.strangers.record import KINDS, Strangers
from tests.firewall.namespace import SENT

PROJECT = Path(__file__).resolve().parents[2]
FILES = PROJECT / "docs/firewall"
UNPACKED = Path("~/.cache/ivr12345/fail2ban").expanduser()
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_AS_ROOT = ("unshare", "--net") if os.geteuid() == 0 else ("unshare", "--net", "--map-root-user")


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command from the project."""
    return subprocess.run(
        words,
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
        env={**os.environ, "PATH": _PATH, **environment},
    )


def fail2ban(program: str) -> tuple[list[str], Mapping[str, str], Path]:
    """Return how to run a program of fail2ban, installed or as setup unpacked it, and its configuration."""
    if found := shutil.which(program, path=_PATH):
        return [found], {}, Path("/etc/fail2ban")
    python = {"PYTHONPATH": str(UNPACKED / "usr/lib/python3/dist-packages")}
    return ["/usr/bin/python3", str(UNPACKED / "usr/bin" / program)], python, UNPACKED / "etc/fail2ban"


def test_the_rules_are_what_nft_understands() -> None:
    done = run(*_AS_ROOT, "nft", "-c", "-f", str(FILES / "ivr12345.nft"))
    assert done.returncode == 0, done.stderr


def test_a_flood_is_cut_while_the_trunk_the_seats_and_a_quiet_stranger_pass() -> None:
    done = run(*_AS_ROOT, sys.executable, "-m", "tests.firewall.namespace", str(FILES / "ivr12345.nft"))
    assert done.returncode == 0, done.stderr
    came = json.loads(done.stdout)
    assert came["trunk"] == SENT
    assert came["seat"] == SENT // 2
    assert came["stranger"] < SENT / 2, came
    assert came["another"] == 5, "somebody else's flood costs a quiet stranger nothing"
    assert came["many"] < SENT, came
    assert came["voice"] == [50, 50, 50, 0], "voice of trunk, seat and gateway passes, a stranger's does not"


def matched(tmp_path: Path, lines: list[str], mode: str = "normal") -> int:
    """Return how many of the lines the shipped filter takes for a failure."""
    command, environment, _ = fail2ban("fail2ban-regex")
    log = tmp_path / "strangers.log"
    log.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    done = run(*command, str(log), f"{FILES / 'fail2ban-filter.conf'}[mode={mode}]", **environment)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = re.search(r"Lines: (\d+) lines, 0 ignored, (\d+) matched", done.stdout)
    assert found, done.stdout + done.stderr
    assert int(found[1]) == len(lines)
    return int(found[2])


def written(kind: str, address: str, account: str = "", times: int = 1) -> list[str]:
    lines: list[str] = []
    Strangers(lines.append, lambda: 0.0).seen(kind, address, account=account, times=times)
    return [f"2026-11-27 17:39:06+0800 {line}" for line in lines]


def test_fail2ban_reads_every_line_that_the_engine_writes_of_strangers(tmp_path: Path) -> None:
    lines = [line for kind in KINDS for line in written(kind, "IPV4/UDP/203.0.113.7/5060", "seat05")]
    lines += written("unknown", "203.0.113.7", times=389)
    lines += ["2026-11-27 17:40:06+0800 stranger what=wrong_password address=203.0.113.7 times=12 more"]
    outside = ("refused_call", "no_key")
    assert matched(tmp_path, lines) == len(lines) - len(outside)
    assert matched(tmp_path, lines, "flood") == 1


FORGERIES = [
    "x\n2026-11-27 17:39:06+0800 stranger what=flood address=198.51.100.1 times=9",
    "x stranger what=flood address=198.51.100.1 times=9",
    "x\x1b[2K\r2026-11-27 17:39:06+0800 stranger what=flood address=198.51.100.1 times=9",
    "x address=198.51.100.1 times=1",
    "\u2028stranger what=flood address=198.51.100.1 times=9",
]


@pytest.mark.parametrize("forged", FORGERIES)
def test_no_name_a_stranger_takes_bans_anybody_else(tmp_path: Path, forged: str) -> None:
    lines = written("wrong_password", "IPV4/UDP/203.0.113.7/5060", forged)
    lines += written("wrong_password", forged, "seat05")
    assert matched(tmp_path, lines) == 1, lines
    assert not any("address=198.51.100.1" in line for line in lines)


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-27 17:39:06,123 WARNING ivr.calls.intake: stranger what=flood address=198.51.100.1 times=9",
        "[2026-11-27 17:39:06.123] NOTICE[1] stranger what=flood address=198.51.100.1 times=9",
        "2026-11-27 17:39:06+0800 stranger what=flood address=198.51.100.1 times=9 account=a b",
        "2026-11-27 17:39:06+0800 stranger what=unknown address=- times=9",
        "2026-11-27 17:39:06+0800 strangers others times=9",
    ],
)
def test_what_the_engine_never_writes_bans_nobody(tmp_path: Path, line: str) -> None:
    assert matched(tmp_path, [line]) == 0


def test_the_jails_are_what_fail2ban_understands(tmp_path: Path) -> None:
    command, environment, shipped = fail2ban("fail2ban-client")
    config = tmp_path / "fail2ban"
    shutil.copytree(shipped, config)
    for jail in (config / "jail.d").glob("*"):
        jail.unlink()  # what the distribution turns on is not ours to test
    shutil.copy(FILES / "fail2ban-filter.conf", config / "filter.d/ivr12345.conf")
    (tmp_path / "strangers.log").touch()
    text = (FILES / "fail2ban-jail.conf").read_text(encoding="utf-8")
    (config / "jail.d/ivr12345.conf").write_text(
        re.sub(r"(?m)^logpath = .*$", f"logpath = {tmp_path}/strangers.log", text)
    )
    done = run(*command, "-c", str(config), "-d", **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "'ivr12345'" in done.stdout and "'ivr12345-flood'" in done.stdout
    assert "'dport'" in done.stdout or "5060" in done.stdout
