"""What callers are told while they wait: always a whole recording at the same place."""

from __future__ import annotations

import wave
from pathlib import Path

from ivr import deployment
from ivr.speech import announcements
from ivr.speech.prompts import PromptBook, wav_seconds
from tests.unit.kit import small_book


def test_every_mode_s_announcement_is_one_recording_without_holes(tmp_path: Path) -> None:
    book = PromptBook()
    names = deployment.announcements(small_book())
    assert names == ["P007", "P040", "P041"]
    announcements.write(book, names, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.wav" for name in names]
    assert wav_seconds(tmp_path / "P041.wav") == book.seconds("P041")
    assert wav_seconds(tmp_path / "P040.wav") == wav_seconds(book.shipped / "zh/P040_0.wav")


def test_the_shift_leader_s_own_recording_is_what_callers_hear(tmp_path: Path) -> None:
    city = tmp_path / "prompts"
    city.mkdir()
    with wave.open(str(city / "P040.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\1\0" * 12000)
    announcements.write(PromptBook(city), ["P040"], tmp_path / "out")
    assert wav_seconds(tmp_path / "out/P040.wav") == 1.5


def test_an_announcement_that_cannot_be_said_is_left_out_and_the_others_stay(tmp_path: Path) -> None:
    (tmp_path / "P999.wav").write_bytes(b"of an earlier configuration")
    announcements.write(PromptBook(), ["P999", "P020", "P041"], tmp_path)
    assert [path.name for path in tmp_path.glob("*.wav")] == ["P041.wav"]
