"""What callers hear from the machine: nobody is left in silence, nobody waits for a notice too long."""

from __future__ import annotations

import array
import math
import shutil
import wave
from pathlib import Path

import pytest

from ivr.speech.prompts import (
    RECORDING_NOTICE,
    RECORDING_NOTICE_MAX_S,
    SHIPPED,
    PromptBook,
    PromptMissing,
    PromptSlotWrong,
    PromptUnknown,
    SlotKind,
    load_texts,
    wav_seconds,
)

FULL_SCALE = 32768
RECORDINGS = sorted((SHIPPED / "zh").glob("*.wav"))


@pytest.fixture(scope="module")
def book() -> PromptBook:
    return PromptBook()


def _write(path: Path, *, rate: int = 8000, seconds: float = 1.0, channels: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(b"\1\0" * int(rate * seconds) * channels)
    return path


def _levels(path: Path) -> tuple[float, float]:
    with wave.open(str(path), "rb") as sound:
        samples = array.array("h", sound.readframes(sound.getnframes()))
    rms = math.sqrt(sum(sample * sample for sample in samples) / len(samples))
    return 20 * math.log10(rms / FULL_SCALE), 20 * math.log10(max(map(abs, samples)) / FULL_SCALE)


def test_every_prompt_number_and_line_name_is_recorded(book: PromptBook) -> None:
    assert book.check() == []
    assert sum(name.startswith("loc_") or name[-5:].isdigit() for name in book.texts.words) == 82


def test_the_recording_notice_leaves_time_to_answer(book: PromptBook) -> None:
    assert 3.0 < book.seconds(RECORDING_NOTICE) <= RECORDING_NOTICE_MAX_S
    assert book.texts.prompts[RECORDING_NOTICE].max_s == RECORDING_NOTICE_MAX_S


def test_the_notice_on_a_kept_number_is_heard_with_every_line_name(book: PromptBook) -> None:
    for name in book.texts.words:
        assert len(book.files("P005", line_name=name)) == 3


def test_all_recordings_are_equally_loud_and_none_is_distorted() -> None:
    for path in RECORDINGS:
        rms, peak = _levels(path)
        assert peak <= -2.9, path
        # Very short words reach the peak limit before the wanted mean.
        assert -25.0 <= rms <= -14.0, (path, rms)


def test_recordings_have_no_silence_at_their_ends() -> None:
    for path in RECORDINGS:
        with wave.open(str(path), "rb") as sound:
            samples = array.array("h", sound.readframes(sound.getnframes()))
        loud = [at for at, sample in enumerate(samples) if abs(sample) > 200]
        assert loud[0] < 1600, path
        assert len(samples) - loud[-1] < 1600, path


def test_the_recordings_fit_into_a_small_package() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*.wav")) < 8_000_000
    assert all(path.name.isascii() for path in SHIPPED.rglob("*"))


def test_hold_music_is_half_a_minute_without_a_seam(book: PromptBook) -> None:
    music = list(book.hold_music.glob("*.wav"))
    assert len(music) == 1
    assert 20 <= wav_seconds(music[0]) <= 30
    with wave.open(str(music[0]), "rb") as sound:
        samples = array.array("h", sound.readframes(sound.getnframes()))
    assert abs(samples[0] - samples[-1]) < 500


def test_asterisk_gets_names_without_an_extension(book: PromptBook) -> None:
    names = book.files("P020", n=2, m=15, for_asterisk=True)
    assert [path.name for path in names] == ["P020_1", "n_liang", "P020_2", "n_10", "n_5", "P020_3"]
    assert all(path.with_suffix(".wav").exists() for path in names)
    assert book.files("beep", for_asterisk=True)[0].name == "beep"


def test_the_emergency_number_is_spoken_digit_by_digit(book: PromptBook) -> None:
    names = [path.stem for path in book.files("P011", emergency_number="119")]
    assert names == ["P011_1", "n_yao", "n_yao", "n_9", "P011_2"]


def test_a_line_is_found_by_its_written_name_too(book: PromptBook) -> None:
    assert book.files("P006", line_name="纳税缴费服务热线") == book.files("P006", line_name="tax_12366")


def test_a_line_is_found_whichever_brackets_a_city_writes(book: PromptBook) -> None:
    by_id = book.files("P006", line_name="loc_labor")
    assert len(by_id) > 1
    assert book.files("P006", line_name="劳动监察（欠薪）举报热线") == by_id
    assert book.files("P006", line_name="劳动监察(欠薪)举报热线") == by_id  # half-width kept


def test_a_mark_beside_a_name_is_no_recording_of_its_own(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "prompts")
    texts = tmp_path / "prompts/prompts.yaml"
    added = "  X001: {text: '您好{dept}，{line_name}！', without: '您好。', slots: {dept: name, line_name: name}}\n"
    texts.write_text(texts.read_text("utf-8").replace("prompts:\n", f"prompts:\n{added}", 1), "utf-8")
    parts = load_texts(tmp_path / "prompts").prompts["X001"].fragments
    assert [part.text for part in parts] == ["您好", "您好。"]


def test_a_name_too_long_for_its_time_is_left_out_and_the_notice_is_over_in_time(tmp_path: Path) -> None:
    _write(tmp_path / "loc_long.wav", seconds=4.0)
    book = PromptBook(city=tmp_path)
    assert [path.stem for path in book.files("P005", line_name="loc_long")] == ["P005_0"]
    assert book.seconds("P005", line_name="loc_long") <= RECORDING_NOTICE_MAX_S
    assert [path.stem for path in book.files("P032", dept="loc_long")] == ["P032_1", "loc_long", "P032_2"]


def test_a_line_nobody_recorded_leaves_no_hole_in_the_sentence(book: PromptBook) -> None:
    assert [path.stem for path in book.files("P006", line_name="新开的热线")] == ["P006_0"]


def test_every_prompt_with_a_name_can_be_said_without_it(book: PromptBook) -> None:
    for prompt in book.texts.prompts.values():
        named = [slot for slot in prompt.slots if slot.kind is SlotKind.NAME]
        assert bool(named) == (prompt.without is not None), prompt.prompt_id


def test_a_wrong_prompt_id_or_value_is_refused_clearly(book: PromptBook) -> None:
    with pytest.raises(PromptUnknown, match="P999"):
        book.files("P999")
    with pytest.raises(PromptSlotWrong, match="last4"):
        book.files("P024")
    with pytest.raises(PromptSlotWrong, match="last4"):
        book.files("P024", last4="12x4")
    with pytest.raises(PromptSlotWrong, match="n as count"):
        book.files("P020", n=-1, m=1)


def test_a_citys_own_recording_wins(tmp_path: Path) -> None:
    mine = _write(tmp_path / "P001.wav", seconds=4.0)
    fragment = _write(tmp_path / "P006_2.wav")
    word = _write(tmp_path / "loc_newline.wav")
    book = PromptBook(city=tmp_path)
    assert book.files("P001") == [mine]
    assert book.seconds("P001") == 4.0
    assert book.files("P006", line_name="loc_newline")[1:] == [word, fragment]
    assert book.check() == []


def test_a_whole_sentence_recorded_by_a_city_replaces_its_fragments(tmp_path: Path) -> None:
    mine = _write(tmp_path / "P020.wav")
    assert PromptBook(city=tmp_path).files("P020", n=3, m=4) == [mine]


@pytest.mark.parametrize("fault", ["rate", "stereo", "empty", "garbage", "name"])
def test_a_recording_that_cannot_be_played_is_reported_and_the_shipped_one_plays(
    tmp_path: Path, fault: str
) -> None:
    mine = tmp_path / ("P001 new.wav" if fault == "name" else "P001.wav")
    match fault:
        case "rate":
            _write(mine, rate=44100)
        case "stereo":
            _write(mine, channels=2)
        case "empty":
            _write(mine, seconds=0)
        case "garbage":
            mine.write_bytes(b"RIFF what is this")
        case _:
            _write(mine)
    book = PromptBook(city=tmp_path)
    assert book.files("P001") == [SHIPPED / "zh" / "P001.wav"]
    assert len(book.check()) == 1
    assert str(mine) in book.check()[0]


def test_a_recording_notice_that_is_too_long_is_reported(tmp_path: Path) -> None:
    _write(tmp_path / "P001.wav", seconds=6.5)
    assert "6.5 s" in PromptBook(city=tmp_path).check()[0]


def test_a_missing_recording_is_named_before_a_caller_meets_it(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "prompts")
    (tmp_path / "prompts" / "zh" / "P021.wav").unlink()
    book = PromptBook(shipped=tmp_path / "prompts")
    assert book.check() == [
        "P021: no recording of '您是下一位，马上为您接听。'; record it or run python -m tools.prompts"
    ]
    with pytest.raises(PromptMissing, match=r"P021\.wav"):
        book.files("P021")


def test_the_texts_say_no_placeholder_aloud() -> None:
    for prompt in load_texts().prompts.values():
        assert all("{" not in fragment.text for fragment in prompt.fragments)
