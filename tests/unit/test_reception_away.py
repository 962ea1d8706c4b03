"""A caller while the engine is away: the script as Asterisk runs it, a process with AGI on its pipes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "agi_scripts/reception_away.py"
CALL = "a1-1795296848.3"
ENVIRONMENT = [
    b"agi_network: yes",
    b"agi_channel: PJSIP/trunk-00000002",
    b"agi_uniqueid: " + CALL.encode(),
    b"agi_callerid: 13800138000",
    b"agi_calleridname: unknown",
]


class Call:
    """One run of the script, with this end of its pipes; it says nothing, for the dialplan greets."""

    def __init__(self, *arguments: str | Path, environment: list[bytes] = ENVIRONMENT) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C"},  # the locale Asterisk is started in
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.to_script, self.from_script = self.process.stdin, self.process.stdout
        self.answer(b"\n".join(environment) + b"\n\n")

    def answer(self, raw: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.to_script.write(raw)
            self.to_script.flush()

    def command(self) -> str:
        return self.from_script.readline().decode().strip()

    def hang_up(self) -> None:
        self.to_script.close()

    def end(self) -> int:
        """Wait for the end; returns the exit status."""
        if not self.to_script.closed:
            self.hang_up()
        return self.process.wait(10)

    def complaints(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder


@pytest.fixture
def calls() -> Iterator[list[Call]]:
    """Calls of a test, ended with it whatever happens."""
    made: list[Call] = []
    yield made
    for call in made:
        if call.process.poll() is None:
            call.process.kill()
        call.process.wait()
        for pipe in (call.process.stdin, call.process.stdout, call.process.stderr):
            if pipe is not None and not pipe.closed:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def arguments(spool: Path, *, source: str = "live") -> list[str]:
    return [str(spool), CALL, "12345", source, "/rec/2026/11/22/x", "12315", ""]


def note(spool: Path) -> dict[str, object]:
    (path,) = spool.glob("*.json")
    read: dict[str, object] = json.loads(path.read_text("utf-8"))
    return read


def test_a_note_waits_for_the_engine_and_the_dialplan_goes_on_at_once(spool: Path, calls: list[Call]) -> None:
    before = time.time()
    calls.append(call := Call(*arguments(spool)))
    assert call.command() == ""  # the greeting is the dialplan's: it hears the star key meanwhile
    assert call.end() == 0
    left = note(spool)
    assert before - 1 <= float(str(left.pop("at"))) <= time.time() + 1
    assert left == {
        "call_id": CALL,
        "caller": "13800138000",
        "channel": "PJSIP/trunk-00000002",
        "extra": "12345/12315//live//rec/2026/11/22/x",
    }
    assert call.complaints() == ""
    assert [path.name for path in spool.iterdir()] == [f"{CALL}.json"]


def test_the_note_of_a_diversion_from_110_says_so(spool: Path, calls: list[Call]) -> None:
    calls.append(call := Call(*arguments(spool, source="110_diversion")))
    assert call.end() == 0
    assert "/110_diversion/" in str(note(spool)["extra"])


@pytest.mark.parametrize("how", ["closed", "hangup notice"])
def test_a_caller_who_hangs_up_at_once_still_leaves_a_note(spool: Path, calls: list[Call], how: str) -> None:
    calls.append(call := Call(*arguments(spool)))
    if how == "hangup notice":
        call.answer(b"HANGUP\n")
    assert call.end() == 0
    assert note(spool)["call_id"] == CALL
    assert "Traceback" not in call.complaints()


def test_a_caller_name_in_gbk_is_no_obstacle(spool: Path, calls: list[Call]) -> None:
    odd = [*ENVIRONMENT[:3], b"agi_callerid: " + "张三".encode("gb18030"), b"agi_calleridname: \xff\xfe\xd5"]
    calls.append(call := Call(*arguments(spool), environment=odd))
    assert call.end() == 0
    assert "\ufffd" in str(note(spool)["caller"])


@pytest.mark.parametrize(
    "name", [b'"', b"a: b: c", b"no colon at all", b": x", b"x" * 70_000, "张“三”".encode(), b"\0\0"]
)
def test_no_name_keeps_a_caller_from_the_queue(spool: Path, calls: list[Call], name: bytes) -> None:
    calls.append(
        call := Call(*arguments(spool), environment=[*ENVIRONMENT, b"agi_calleridname: " + name, name])
    )
    assert call.command() == ""
    assert call.end() == 0
    assert note(spool)["caller"] == "13800138000"


@pytest.mark.parametrize("where", ["missing", "a file", "full"])
def test_a_spool_that_cannot_be_written_does_not_keep_the_caller(
    tmp_path: Path, calls: list[Call], where: str
) -> None:
    place = tmp_path / "no/such/folder"
    if where == "a file":
        place = tmp_path / "file"
        place.touch()
    if where == "full":
        place = Path("/dev/full")
    calls.append(call := Call(*arguments(place)))
    assert call.command() == ""
    assert call.end() == 0
    assert "Traceback" not in call.complaints()


@pytest.mark.parametrize("count", range(8))
def test_with_arguments_missing_it_ends_at_once_without_an_error(
    spool: Path, calls: list[Call], count: int
) -> None:
    calls.append(call := Call(*arguments(spool)[:count]))
    assert call.command() == ""
    assert call.end() == 0
    assert "Traceback" not in call.complaints()


def test_a_call_id_cannot_name_a_file_outside_the_spool(spool: Path, calls: list[Call]) -> None:
    calls.append(call := Call(spool, "../../etc/x" + "y" * 200, "12345", "live", "/rec/x"))
    assert call.end() == 0
    (path,) = spool.iterdir()
    assert "/" not in path.name
    assert len(path.name) < 100
    assert note(spool)["call_id"] == "../../etc/x" + "y" * 200


def test_an_environment_that_is_cut_off_does_not_leave_a_process_spinning(
    spool: Path, calls: list[Call]
) -> None:
    process = Call(*arguments(spool), environment=[])
    calls.append(process)
    assert process.end() == 0
