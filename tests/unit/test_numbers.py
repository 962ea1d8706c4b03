"""The numbers that a waiting caller hears, in the words of main/say.c."""

from __future__ import annotations

from pathlib import Path

from ivr.speech.numbers import recordings, write_numbers
from ivr.speech.prompts import PromptBook, wav_seconds


def test_every_number_word_of_a_place_is_there_to_be_played(tmp_path: Path) -> None:
    write_numbers(PromptBook(), tmp_path)
    wanted = [*(str(n) for n in range(10)), *(str(n) for n in range(10, 100, 10)), "hundred", "thousand"]
    assert all(wav_seconds(tmp_path / "digits" / f"{name}.wav") > 0.1 for name in wanted)
    assert wav_seconds(tmp_path / "silence.wav") == 0.1


def test_twenty_is_said_two_ten_and_ten_is_one_word() -> None:
    assert recordings()["20"] == ("n_2", "n_10")
    assert recordings()["10"] == ("n_10",)


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    write_numbers(PromptBook(), tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.wav")}
    write_numbers(PromptBook(), tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.wav")} == before
