"""People's recordings become prompts, and what Asterisk recorded is kept whole or refused clearly."""

from __future__ import annotations

import array
import hashlib
import math
import subprocess
import sys
import wave
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.speech import audio, ffmpeg
from ivr.speech.prompts import RECORDING_NOTICE_MAX_S, PromptBook, wav_seconds


@pytest.fixture
def no_ffmpeg_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is on the PATH: what set-up installed must do."""
    monkeypatch.setenv("PATH", "")


def _tone(
    path: Path, *, seconds: float = 1.0, level: float = 0.1, rate: int = 8000, channels: int = 1
) -> Path:
    total = int(seconds * rate)
    wave_form = [
        max(-32768, min(32767, int(32767 * level * math.sin(2 * math.pi * 440 * at / rate))))
        for at in range(total)
    ]
    samples = array.array("h", [value for value in wave_form for _ in range(channels)])
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(samples.tobytes())
    return path


def _shape(path: Path) -> tuple[int, int, int]:
    with wave.open(str(path), "rb") as sound:
        return sound.getframerate(), sound.getsampwidth(), sound.getnchannels()


@pytest.mark.usefixtures("no_ffmpeg_of_the_machine")
@pytest.mark.parametrize("ending", ["mp3", "ogg", "m4a", "flac", "wav"])
def test_a_prompt_may_be_brought_in_any_format(tmp_path: Path, ending: str) -> None:
    studio = _tone(tmp_path / "studio.wav", rate=44100, channels=2)
    brought = tmp_path / f"欢迎 词.{ending}"
    subprocess.run([ffmpeg.shipped(), "-v", "error", "-i", studio, brought], check=True)
    done = audio.import_recording(brought, tmp_path / "city" / "P021.wav")
    assert _shape(done.path) == (8000, 2, 1)
    assert done.seconds == pytest.approx(1.0, abs=0.1)
    assert done.dbfs == pytest.approx(audio.SPEECH_DBFS, abs=audio.LOUDNESS_TOLERANCE_DB)
    book = PromptBook(city=tmp_path / "city")
    assert book.files("P021") == [done.path]
    assert book.check() == []


@pytest.mark.usefixtures("no_ffmpeg_of_the_machine")
def test_hiss_above_the_telephone_band_does_not_come_back_as_a_whistle(tmp_path: Path) -> None:
    studio = tmp_path / "studio.wav"
    samples = array.array(
        "h",
        (
            int(
                3000 * math.sin(2 * math.pi * 440 * at / 44100)
                + 9000 * math.sin(2 * math.pi * 6000 * at / 44100)
            )
            for at in range(44100)
        ),
    )
    with wave.open(str(studio), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(44100)
        sound.writeframes(samples.tobytes())
    with audio.telephone_wav(studio) as wav, wave.open(str(wav), "rb") as sound:
        peak = max(map(abs, array.array("h", sound.readframes(8000))[1000:7000]))
    assert peak < 3600


def test_a_telephone_wav_needs_no_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    done = audio.import_recording(_tone(tmp_path / "a.wav"), tmp_path / "P021.wav")
    assert wav_seconds(done.path) == pytest.approx(1.0, abs=0.01)


def test_without_ffmpeg_the_administrator_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    source = _tone(tmp_path / "a.wav", rate=44100)
    with pytest.raises(audio.FfmpegMissing, match="apt-get install ffmpeg"):
        audio.import_recording(source, tmp_path / "P021.wav")
    with pytest.raises(audio.FfmpegMissing):
        audio.to_mp3(_tone(tmp_path / "b.wav"), tmp_path / "b.mp3")


def test_an_ffmpeg_of_the_machine_is_taken_first_because_its_faults_are_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "ffmpeg"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ffmpeg.program() == str(own)
    monkeypatch.setenv("PATH", "")
    assert ffmpeg.program() == ffmpeg.shipped() != str(own)


def test_a_notice_longer_than_its_budget_is_refused(tmp_path: Path) -> None:
    source = _tone(tmp_path / "long.wav", seconds=6.4)
    with pytest.raises(audio.RecordingRefused, match=r"6\.4 s, at most 6\.0 s"):
        audio.import_recording(source, tmp_path / "P001.wav", max_s=RECORDING_NOTICE_MAX_S)
    assert not (tmp_path / "P001.wav").exists()


def test_silence_around_the_words_does_not_count_against_the_budget(tmp_path: Path) -> None:
    _tone(tmp_path / "tone.wav", seconds=5.5)
    with wave.open(str(tmp_path / "tone.wav"), "rb") as sound:
        words = sound.readframes(100_000)
    with wave.open(str(tmp_path / "padded.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000) + words + bytes(16000))
    done = audio.import_recording(tmp_path / "padded.wav", tmp_path / "P001.wav", max_s=6.0)
    assert done.seconds == pytest.approx(5.7, abs=0.05)


def test_a_silent_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(audio.RecordingRefused, match="silent"):
        audio.import_recording(_tone(tmp_path / "a.wav", level=0.0005), tmp_path / "P021.wav")


def test_a_soft_recording_is_made_louder_and_a_loud_one_softer(tmp_path: Path) -> None:
    soft = audio.import_recording(_tone(tmp_path / "soft.wav", level=0.02), tmp_path / "P021.wav")
    assert soft.dbfs == pytest.approx(audio.SPEECH_DBFS, abs=0.5)
    assert soft.notes[0].startswith("louder by")
    assert soft.notes_zh[0].startswith("音量调高")
    loud = audio.import_recording(_tone(tmp_path / "loud.wav", level=0.9), tmp_path / "P022.wav")
    assert loud.dbfs == pytest.approx(audio.SPEECH_DBFS, abs=0.5)
    assert loud.notes[0].startswith("softer by")
    assert loud.notes_zh[0].startswith("音量调低")


def test_a_clipped_recording_is_taken_with_a_warning(tmp_path: Path) -> None:
    done = audio.import_recording(_tone(tmp_path / "a.wav", level=3.0), tmp_path / "P021.wav")
    assert "clipped" in done.notes[0]


@pytest.mark.usefixtures("no_ffmpeg_of_the_machine")
@pytest.mark.parametrize("content", [b"hello", b"RIFF\0\0\0\0WAVE", b"%PDF-1.4"])
def test_a_file_that_is_no_audio_is_refused(tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "a.mp3"
    source.write_bytes(content)
    with pytest.raises(audio.NotAudio, match="not audio"):
        audio.import_recording(source, tmp_path / "P021.wav")


def test_a_missing_or_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(audio.RecordingMissing):
        audio.import_recording(tmp_path / "none.wav", tmp_path / "P021.wav")
    (tmp_path / "none.wav").touch()
    with pytest.raises(audio.RecordingEmpty):
        audio.import_recording(tmp_path / "none.wav", tmp_path / "P021.wav")


@pytest.mark.parametrize("name", ["P0 21", "欢迎", "a&b", "-x", "a,b"])
def test_a_name_that_could_be_taken_for_dialplan_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(audio.RecordingRefused, match="name of a prompt"):
        audio.import_recording(_tone(tmp_path / "a.wav"), tmp_path / f"{name}.wav")


@settings(max_examples=30, deadline=None)
@given(samples=st.lists(st.tuples(st.integers(-32768, 32767), st.integers(-32768, 32767)), min_size=1))
def test_both_sides_of_a_call_come_back_as_they_were_recorded(
    tmp_path_factory: pytest.TempPathFactory, samples: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("call")
    interleaved = array.array("h", [value for pair in samples for value in pair])
    (folder / "call.raw").write_bytes(interleaved.tobytes())
    closed = audio.raw_to_wav(folder / "call.raw", folder / "call.wav")
    assert closed.seconds == pytest.approx(len(samples) / 8000)
    assert closed.sha256 == hashlib.sha256((folder / "call.wav").read_bytes()).hexdigest()
    assert audio.checked_wav(folder / "call.wav") == (len(samples) / 8000, 2)
    caller, operator = (b"".join(side) for side in audio.sides(folder / "call.wav", chunk_frames=7))
    assert list(array.array("h", caller)) == [pair[0] for pair in samples]
    assert list(array.array("h", operator)) == [pair[1] for pair in samples]


def test_a_recording_appears_in_its_folder_only_when_it_is_whole(tmp_path: Path) -> None:
    (tmp_path / "call.raw").write_bytes(bytes(4 * 8000))
    target = tmp_path / "2026" / "11" / "21" / "call.wav"
    audio.raw_to_wav(tmp_path / "call.raw", target)
    assert [path.name for path in target.parent.iterdir()] == ["call.wav"]
    assert (tmp_path / "call.raw").exists()


def test_a_call_without_a_recording_says_so(tmp_path: Path) -> None:
    with pytest.raises(audio.RecordingMissing, match=r"none\.raw"):
        audio.raw_to_wav(tmp_path / "none.raw", tmp_path / "a.wav")
    (tmp_path / "empty.raw").touch()
    with pytest.raises(audio.RecordingEmpty, match="no length"):
        audio.raw_to_wav(tmp_path / "empty.raw", tmp_path / "a.wav")
    assert not (tmp_path / "a.wav").exists()


def test_a_recording_cut_in_mid_sample_is_refused_or_salvaged(tmp_path: Path) -> None:
    raw = tmp_path / "cut.raw"
    raw.write_bytes(bytes(4 * 8000 + 3))
    with pytest.raises(audio.RecordingDamaged) as refused:
        audio.raw_to_wav(raw, tmp_path / "a.wav")
    assert refused.value.retry
    assert audio.raw_to_wav(raw, tmp_path / "a.wav", salvage=True).seconds == 1.0
    raw.write_bytes(b"\1")
    with pytest.raises(audio.RecordingEmpty):
        audio.raw_to_wav(raw, tmp_path / "b.wav", salvage=True)


def test_a_full_disk_leaves_no_half_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "call.raw").write_bytes(bytes(4000))
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(audio.RecordingNotWritten, match="disk is full") as refused:
        audio.raw_to_wav(tmp_path / "call.raw", tmp_path / "call.wav")
    assert refused.value.retry
    assert [path.name for path in tmp_path.iterdir()] == ["call.raw"]


def test_a_half_written_recording_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    whole = _tone(tmp_path / "call.wav", channels=2).read_bytes()
    cut = tmp_path / "cut.wav"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(audio.RecordingDamaged, match="cut off") as refused:
        audio.checked_wav(cut)
    assert refused.value.retry
    # As a program leaves it that fills in the length only at the end.
    cut.write_bytes(whole[:40] + bytes(4) + whole[44:])
    with pytest.raises(audio.RecordingDamaged):
        audio.checked_wav(cut)
    cut.write_bytes(whole[:30])
    with pytest.raises(audio.RecordingDamaged):
        audio.checked_wav(cut)


def test_both_sides_are_mixed_for_listening(tmp_path: Path) -> None:
    stereo = _tone(tmp_path / "call.wav", channels=2)
    assert _shape(audio.to_mono(stereo, tmp_path / "mono.wav")) == (8000, 2, 1)


@pytest.mark.usefixtures("no_ffmpeg_of_the_machine")
def test_a_recording_can_be_listened_to_as_a_small_mp3(tmp_path: Path) -> None:
    stereo = _tone(tmp_path / "call.wav", channels=2, seconds=4)
    assert audio.to_mp3(stereo, tmp_path / "call.mp3").stat().st_size < stereo.stat().st_size / 4
