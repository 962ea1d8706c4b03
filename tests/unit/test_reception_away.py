"""A caller while the engine is away: the script as Asterisk runs it, a process with AGI on its pipes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "agi_scripts/reception_away.py"
CALL = "a1-1795296848.3"
GREETING = "/opt/ivr/prompts/zh/P001"
ENVIRONMENT = [
    b"agi_network: yes",
    b"agi_channel: PJSIP/trunk-00000002",
    b"agi_uniqueid: " + CALL.encode(),
    b"agi_callerid: 13800138000",
    b"agi_calleridname: unknown",
]
PLAYED = b"200 result=0 endpos=45600\n"
SET = b"200 result=1\n"


class Call:
    """One run of the script, with this end of its pipes."""

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


def arguments(spool: Path, *, source: str = "live", greeting: str = GREETING) -> list[str]:
    return [str(spool), CALL, "12345", source, "/rec/2026/11/22/x", "12315", "", greeting]


def note(spool: Path) -> dict[str, object]:
    (path,) = spool.glob("*.json")
    read: dict[str, object] = json.loads(path.read_text("utf-8"))
    return read


def test_the_caller_is_greeted_and_a_note_waits_for_the_engine(spool: Path, calls: list[Call]) -> None:
    before = time.time()
    calls.append(call := Call(*arguments(spool)))
    assert call.command() == f'STREAM FILE {GREETING} "" 0'
    left = note(spool)
    assert before - 1 <= float(str(left.pop("at"))) <= time.time() + 1
    assert left == {
        "call_id": CALL,
        "caller": "13800138000",
        "channel": "PJSIP/trunk-00000002",
        "extra": "12345/12315//live//rec/2026/11/22/x",
    }
    call.answer(PLAYED)
    assert call.command() == 'SET VARIABLE "IVR_GREETED" "1"'
    call.answer(SET)
    assert call.end() == 0
    assert call.complaints() == ""
    assert [path.name for path in spool.iterdir()] == [f"{CALL}.json"]


def test_a_diversion_from_110_waits_for_no_greeting(spool: Path, calls: list[Call]) -> None:
    calls.append(call := Call(*arguments(spool, source="110_diversion")))
    assert call.command() == ""
    assert call.end() == 0
    assert "/110_diversion/" in str(note(spool)["extra"])


@pytest.mark.parametrize(
    "how", ["closed", "sighup", "result -1", "hangup notice", "silence of a broken pipe"]
)
def test_a_caller_who_hangs_up_in_the_greeting_still_leaves_a_note(
    spool: Path, calls: list[Call], how: str
) -> None:
    calls.append(call := Call(*arguments(spool)))
    assert call.command().startswith("STREAM FILE")
    if how == "sighup":
        call.process.send_signal(signal.SIGHUP)
    elif how == "result -1":
        call.answer(b"200 result=-1 endpos=8000\n")
    elif how == "hangup notice":
        call.answer(b"HANGUP\n")
    elif how == "silence of a broken pipe":
        call.from_script.close()
        call.answer(PLAYED)
    assert call.end() == 0
    assert note(spool)["call_id"] == CALL
    assert "Traceback" not in call.complaints()


def test_a_caller_name_in_gbk_is_no_obstacle(spool: Path, calls: list[Call]) -> None:
    odd = [*ENVIRONMENT[:3], b"agi_callerid: " + "张三".encode("gb18030"), b"agi_calleridname: \xff\xfe\xd5"]
    calls.append(call := Call(*arguments(spool), environment=odd))
    assert call.command().startswith("STREAM FILE")
    call.answer(PLAYED)
    call.command()
    call.answer(SET)
    assert call.end() == 0
    assert "\ufffd" in str(note(spool)["caller"])


@pytest.mark.parametrize(
    "name", [b'"', b"a: b: c", b"no colon at all", b": x", b"x" * 70_000, "张“三”".encode(), b"\0\0"]
)
def test_no_name_keeps_a_caller_from_the_greeting(spool: Path, calls: list[Call], name: bytes) -> None:
    calls.append(
        call := Call(*arguments(spool), environment=[*ENVIRONMENT, b"agi_calleridname: " + name, name])
    )
    assert call.command().startswith("STREAM FILE")
    call.answer(PLAYED)
    assert call.command().startswith("SET VARIABLE")
    call.answer(SET)
    assert call.end() == 0
    assert note(spool)["caller"] == "13800138000"


@pytest.mark.parametrize("where", ["missing", "a file", "full"])
def test_a_spool_that_cannot_be_written_does_not_silence_the_greeting(
    tmp_path: Path, calls: list[Call], where: str
) -> None:
    place = tmp_path / "no/such/folder"
    if where == "a file":
        place = tmp_path / "file"
        place.touch()
    if where == "full":
        place = Path("/dev/full")
    calls.append(call := Call(*arguments(place)))
    assert call.command().startswith("STREAM FILE")
    call.answer(PLAYED)
    assert call.command().startswith("SET VARIABLE")
    call.answer(SET)
    assert call.end() == 0


@pytest.mark.parametrize("count", range(8))
def test_with_arguments_missing_it_ends_at_once_without_an_error(
    spool: Path, calls: list[Call], count: int
) -> None:
    calls.append(call := Call(*arguments(spool)[:count]))
    assert call.command() == ""
    assert call.end() == 0
    assert "Traceback" not in call.complaints()


@pytest.mark.parametrize("greeting", ["", "a b", "x\nEXEC System x", 'x" "', "提示/P001", "a;b"])
def test_a_greeting_that_could_become_a_command_is_left_to_the_dialplan(
    spool: Path, calls: list[Call], greeting: str
) -> None:
    calls.append(call := Call(*arguments(spool, greeting=greeting)))
    assert call.command() == ""
    assert call.end() == 0
    assert note(spool)["call_id"] == CALL


def test_a_call_id_cannot_name_a_file_outside_the_spool(spool: Path, calls: list[Call]) -> None:
    calls.append(call := Call(spool, "../../etc/x" + "y" * 200, "12345", "live", "/rec/x"))
    assert call.end() == 0
    (path,) = spool.iterdir()
    assert "/" not in path.name
    assert len(path.name) < 100
    assert note(spool)["call_id"] == "../../etc/x" + "y" * 200


@pytest.mark.parametrize(
    "reply", [b"510 Invalid or unknown command\n", b"garbage\n", b"\xff\xfe\n", b"520-Invalid\n520 End\n"]
)
def test_an_answer_that_makes_no_sense_ends_the_script_not_the_call(
    spool: Path, calls: list[Call], reply: bytes
) -> None:
    calls.append(call := Call(*arguments(spool)))
    assert call.command().startswith("STREAM FILE")
    call.answer(reply)
    assert call.end() == 0
    assert "Traceback" not in call.complaints()


def test_an_answer_cut_off_in_mid_usage_does_not_leave_a_process_spinning(
    spool: Path, calls: list[Call]
) -> None:
    calls.append(call := Call(*arguments(spool)))
    assert call.command().startswith("STREAM FILE")
    call.answer(b"520-Invalid command syntax.  Proper usage follows:\n")
    assert call.end() == 0
