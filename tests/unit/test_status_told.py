"""What ``ivr status`` prints for a person who looks at it in the night."""

from __future__ import annotations

import pytest

from ivr.commands.process import _tell_alarms


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
