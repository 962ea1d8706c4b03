"""What ``ivr status`` prints for a person who looks at it in the night."""

from __future__ import annotations

import pytest

from ivr.cli.process import _tell_alarms, _tell_capacity


def test_a_night_of_messages_does_not_bury_that_the_disk_is_full(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IVR_LANGUAGE", "en")
    messages = [
        {"alarm": "voicemail", "sentence": f"message {n}", "sentence_zh": f"留言 {n}"} for n in range(100)
    ]
    full = {"alarm": "disk_full", "sentence": "the disk is full", "sentence_zh": "磁盘已满"}
    _tell_alarms([*messages[:50], full, *messages[50:]])
    lines = capsys.readouterr().out.splitlines()
    assert "alarm: the disk is full" in lines
    assert "alarm: 97 more of voicemail: `ivr alarms`" in lines
    assert len(lines) == 5


@pytest.mark.parametrize(
    ("language", "callers", "line"),
    [
        ("en", 15, "callers: 15 of 15; RTP ports: 60 of 80; refused today: 2"),
        ("en", None, "callers: ? of 15; RTP ports: 60 of 80; refused today: 2"),
        (
            "en", 30,
            "callers: 30, 15 above the limit of 15 (who is in stays, nobody new is let in); "
            "RTP ports: 60 of 80; refused today: 2",
        ),
        ("zh", 15, "来电：15/15；RTP 端口：60/80；今日拒接：2"),
        ("zh", 30, "来电：30，超出上限 15 共 15 通（已接入的不受影响，暂不接入新来电）；RTP 端口：60/80；今日拒接：2"),
    ],
)  # fmt: skip
def test_after_a_change_to_fewer_places_nobody_reads_of_30_callers_in_15_places(
    language: str,
    callers: int | None,
    line: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IVR_LANGUAGE", language)
    held = {"callers": callers, "limit": 15, "rtp_ports_used": 60, "rtp_ports": 80}
    _tell_capacity({"capacity": held, "refused": {"busy": 2}})
    assert capsys.readouterr().out == line + "\n"
