"""Faults of the dialplan that Asterisk boots with and that only a caller would notice."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ivr.asterisk.install import lint
from ivr.asterisk.install.lint import Step

APPLICATIONS = {"Answer", "AGI", "ExecIf", "Goto", "GotoIf", "Hangup", "NoOp", "Playback", "Queue", "Set"}


@pytest.fixture
def sound(tmp_path: Path) -> str:
    (tmp_path / "P001.wav").touch()
    return str(tmp_path / "P001")


def steps(tmp_path: Path, *lines: str) -> list[Step]:
    path = tmp_path / "extensions.conf"
    path.write_text("; 注释\n[ivr-reception]\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return list(lint.parse(path))


def unknown(found: list[Step]) -> list[str]:
    return lint._unknown(found, APPLICATIONS)


def test_every_step_is_read_with_its_line_context_and_extension(tmp_path: Path) -> None:
    found = steps(
        tmp_path,
        "exten => s,1,Answer()",
        " same => n(ask),Set(A=1)",
        "exten => _X!,n(there),NoOp(a,b)",
        "[next]",
        "exten=>10,1,Hangup()",
        "junk",
    )
    assert [(s.where, s.context, s.exten, s.application) for s in found] == [
        ("extensions.conf:3", "ivr-reception", "s", "Answer()"),
        ("extensions.conf:4", "ivr-reception", "s", "Set(A=1)"),
        ("extensions.conf:5", "ivr-reception", "_X!", "NoOp(a,b)"),
        ("extensions.conf:7", "next", "10", "Hangup()"),
    ]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("exten => s,1,Anser()", "no application Anser"),
        ("exten => s,1,Answer(", "no application with its brackets closed"),
        ("exten => s,1,Answer", "no application with its brackets closed"),
        ("exten => s,1,Set(A=${B)", "a ${ is not closed"),
        ("exten => s,1,Set(A=${B}})", "a ${ is not closed"),
        ('exten => s,1,ExecIf($["${A}"=""]?Plaback(x))', "no application Plaback"),
    ],
)
def test_a_slip_in_the_dialplan_is_named_with_its_line(tmp_path: Path, line: str, fault: str) -> None:
    (found,) = unknown(steps(tmp_path, line))
    assert found.startswith("extensions.conf:3: ")
    assert fault in found


@pytest.mark.parametrize(
    "line",
    [
        "exten => s,1,Answer()",
        "exten => s,1,ANSWER()",
        "exten => s,1,Set(A=${CUT(B,^,1)})",
        'exten => s,1,ExecIf($["${A}"="live" & "${B}"!="1"]?Playback(${C}))',
    ],
)
def test_a_right_line_is_no_fault(tmp_path: Path, line: str) -> None:
    assert unknown(steps(tmp_path, line)) == []


def test_an_unknown_function_is_named(tmp_path: Path) -> None:
    found = steps(tmp_path, "exten => s,1,Set(A=${CUTT(B,^,1)}${CUT(B,^,2)})")
    assert lint._unknown_functions(found, {"CUT"}) == ["extensions.conf:3: no function CUTT"]


@pytest.mark.parametrize(
    ("target", "right"),
    [
        ("Goto(ivr-queue,s,1)", True),
        ("Goto(ivr-queue,t,1)", False),
        ("Goto(ivr-quueue,s,1)", False),
        ("Goto(ivr-door,${EXTEN},1)", True),
        ("Goto(ivr-queue,${EXTEN},1)", False),
        ("GotoIf(${A}?ivr-queue,s,1)", True),
        ("GotoIf(${A}?ivr-nowhere,s,1)", False),
        ("GotoIf(${A}?ivr-queue,s,1:ivr-nowhere,s,1)", False),
        ("GotoIf(${A}?:ivr-nowhere,s,1)", False),
        ("GotoIf($[${A} ? 1]?ask)", True),
        ("Goto(s,1)", True),
    ],
)
def test_a_goto_that_leads_nowhere_is_found(tmp_path: Path, target: str, right: bool) -> None:
    found = steps(
        tmp_path,
        f"exten => s,1,{target}",
        "[ivr-queue]",
        "exten => s,1,NoOp()",
        "[ivr-door]",
        "exten => _X!,1,NoOp()",
    )
    faults = lint.lint_targets(found)
    assert (faults == []) is right
    assert right or "extensions.conf:3: nothing answers at" in faults[0]


def test_a_missing_sound_is_found(tmp_path: Path, sound: str) -> None:
    found = steps(
        tmp_path,
        f"exten => s,1,Playback({sound})",
        f" same => n,Playback({sound},noanswer)",
        f" same => n,Playback({sound}&{sound}2)",
        f" same => n,ExecIf($[1]?Playback({sound}3))",
        " same => n,Playback(${GREETING})",
        f" same => n,Background({sound}4)",
    )
    assert lint._missing(found, set()) == [
        f"extensions.conf:5: no sound file {sound}2",
        f"extensions.conf:6: no sound file {sound}3",
        f"extensions.conf:8: no sound file {sound}4",
    ]


def test_a_missing_queue_is_found(tmp_path: Path) -> None:
    found = steps(
        tmp_path,
        "exten => s,1,Queue(q_general,c)",
        " same => n,Queue(${IVR_QUEUE},c)",
        " same => n,ExecIf($[1]?Queue(q_gone,c))",
        " same => n,AddQueueMember(q_other)",
    )
    assert lint._missing(found, {"q_general"}) == ["extensions.conf:5: no queue q_gone"]


def test_complaints_of_asterisk_at_boot_are_faults_and_notices_are_not(tmp_path: Path) -> None:
    log = tmp_path / "messages.log"
    assert lint._log_faults(log) == ["the throwaway instance wrote no log"]
    log.write_bytes(
        b"[2026-11-22 10:00:00.000] NOTICE[1] loader.c: fine\n"
        b"[2026-11-22 10:00:00.001] WARNING[1] pbx.c: odd \xd5\xc5\n"
        b"[2026-11-22 10:00:00.002] ERROR[1][C-1] x.c: bad\n"
        b"a line that tells of an ERROR[ only\n"
        b"[2026-11-22 10:00:00.003] WARNING[383] taskprocessor.c: Taskprocessor 'stasis/m:devicestate:all-00000008' "
        b"queue reached 500 scheduled tasks (high water mark: 500).\n"  # 300 seats at boot
    )
    faults = lint._log_faults(log)
    assert len(faults) == 2
    assert "WARNING" in faults[0]
    assert "ERROR" in faults[1]


def test_a_free_port_can_be_bound() -> None:
    assert 1024 <= lint.free_port() <= 65535


def test_a_free_port_is_free_for_sip_and_for_ami_alike() -> None:
    for _ in range(50):
        port = lint.free_port()
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            with socket.socket(socket.AF_INET, kind) as probe:
                probe.bind(("127.0.0.1", port))


def test_a_port_held_for_udp_alone_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        taken = held.getsockname()[1]
        binds: list[int] = []

        class Taken(socket.socket):
            """Gets the held port from the system at the first try."""

            def bind(self, address: tuple[str, int], /) -> None:  # type: ignore[override]
                wanted = taken if self.type == socket.SOCK_STREAM and not binds else address[1]
                binds.append(wanted)
                super().bind((address[0], wanted))

        monkeypatch.setattr("ivr.asterisk.install.lint.socket.socket", Taken)
        assert lint.free_port() != taken
    assert binds[:2] == [taken, taken]
