"""Telephone audio in files: people's recordings become prompts, call recordings become listenable.

Closing call recordings is in ``recording.py``, whose names are offered here too. pydub and ffmpeg
serve people's files; pydub is loaded only by the functions that need it, never on a call's path.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import warnings
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivr.errors import HotlineError
from ivr.speech import ffmpeg
from ivr.speech.ffmpeg import FfmpegMissing
from ivr.speech.recording import (
    RATE_HZ,
    SAMPLE_BYTES,
    Closed,
    RecordingDamaged,
    RecordingEmpty,
    RecordingMissing,
    RecordingNotWritten,
    checked_wav,
    empty,
    missing,
    raw_to_wav,
    sides,
)

__all__ = [
    "Closed",
    "FfmpegMissing",
    "Imported",
    "NotAudio",
    "RecordingDamaged",
    "RecordingEmpty",
    "RecordingMissing",
    "RecordingNotWritten",
    "RecordingRefused",
    "checked_wav",
    "import_recording",
    "raw_to_wav",
    "sides",
    "telephone_wav",
    "to_mono",
    "to_mp3",
]

# What people hear comfortably next to the shipped prompts.
SPEECH_DBFS = -20.0
PEAK_DBFS = -3.0
LOUDNESS_TOLERANCE_DB = 3.0
SILENT_BELOW_DBFS = -50.0
# More than one sample in a thousand at full scale is heard as distortion.
CLIPPED_SHARE = 0.001
CLIPPED_LEVEL = 32700
EDGE_SILENCE_S = 0.1
FFMPEG_LIMIT_S = 120

_RECORDING_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")


class NotAudio(HotlineError):
    """A file holds no sound that can be decoded."""

    code = "not_audio"


class RecordingRefused(HotlineError):
    """A prompt recording cannot be used: silent, too long, or with a name that cannot be played."""

    code = "recording_refused"


@dataclass(frozen=True)
class Imported:
    """A person's recording, ready to be played.

    Attributes:
        path: 8 kHz 16-bit mono wav.
        seconds: its length.
        dbfs: its mean loudness, dB below full scale.
        notes: what was changed or should be recorded better, one sentence each.
        notes_zh: the same in Chinese.
    """

    path: Path
    seconds: float
    dbfs: float
    notes: tuple[str, ...]
    notes_zh: tuple[str, ...]


def import_recording(source: Path, target: Path, *, max_s: float | None = None) -> Imported:
    """Turn a person's recording in any format into a prompt.

    Args:
        source: wav, mp3, ogg, m4a … of any rate.
        target: the wav to write; its stem is the prompt's name.
        max_s: longest length allowed, seconds.

    Raises:
        RecordingMissing, RecordingEmpty: no such file, or nothing in it.
        NotAudio: no sound in it that can be decoded.
        FfmpegMissing: it needs converting and there is no ffmpeg.
        RecordingRefused: silence, too long, or a name that cannot be played.
    """
    if not _RECORDING_NAME.match(target.stem):
        raise RecordingRefused(
            f"'{target.stem}' cannot be the name of a prompt; use A-Z a-z 0-9 _ and - only.",
            f"提示音名称“{target.stem}”无效；只能使用字母、数字、下划线和连字符。",
        )
    with telephone_wav(source, channels=1) as wav:
        sound = _segment(wav)
    notes: list[tuple[str, str]] = []
    sound = _without_edges(_refuse_silence(sound, source))
    if max_s is not None and sound.duration_seconds > max_s:
        raise RecordingRefused(
            f"{source} plays {sound.duration_seconds:.1f} s, at most {max_s:.1f} s fit; record it shorter.",
            f"{source} 时长 {sound.duration_seconds:.1f} 秒，最长 {max_s:.1f} 秒；请重新录制。",
        )
    sound = _levelled(sound, notes)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    sound.export(str(part), format="wav").close()
    part.replace(target)
    return Imported(target, sound.duration_seconds, sound.dBFS, *_in_both_languages(notes))


@contextmanager
def telephone_wav(source: Path, *, channels: int | None = None) -> Iterator[Path]:
    """Offer any audio file as 8 kHz 16-bit wav: itself where it is one, else a converted copy.

    Args:
        source: the file.
        channels: 1 to mix down; None keeps one or two as they are.

    Raises:
        RecordingMissing, RecordingEmpty, NotAudio, FfmpegMissing: it cannot be offered.
    """
    if not source.is_file() or not source.stat().st_size:
        raise empty(source) if source.is_file() else missing(source)
    shape = _wav_shape(source)
    if shape and shape[:2] == (RATE_HZ, SAMPLE_BYTES) and shape[2] == (channels or min(shape[2], 2)):
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="ivr-audio-") as scratch:
        wav = Path(scratch) / "telephone.wav"
        _convert(source, wav, channels or (shape[2] if shape and shape[2] == 1 else None))
        yield wav


def to_mono(wav: Path, target: Path) -> Path:
    """Mix both sides into one 8 kHz 16-bit mono wav. Raises as ``checked_wav``."""
    checked_wav(wav)
    _segment(wav).set_channels(1).export(str(target), format="wav").close()
    return target


def to_mp3(wav: Path, target: Path, kbit_per_s: int = 32) -> Path:
    """Make a small copy for listening, both sides mixed. Raises as ``checked_wav``; FfmpegMissing."""
    checked_wav(wav)
    mixed = _segment(wav).set_channels(1)
    mixed.converter = ffmpeg.program()  # pydub itself looks on the PATH only
    mixed.export(str(target), format="mp3", bitrate=f"{kbit_per_s}k").close()
    return target


def _wav_shape(path: Path) -> tuple[int, int, int] | None:
    """Read (Hz, bytes per sample, channels) of a PCM wav; None for every other file."""
    try:
        with wave.open(str(path), "rb") as sound:
            return sound.getframerate(), sound.getsampwidth(), sound.getnchannels()
    except (EOFError, wave.Error):
        return None


def _convert(source: Path, wav: Path, channels: int | None) -> None:
    # ffmpeg filters properly when it resamples; pydub's own resampling folds hiss into the voice.
    command = [
        ffmpeg.program(),
        "-v",
        "error",
        "-nostdin",
        "-protocol_whitelist",
        "file",
        "-i",
        f"file:{source}",
    ]
    command += [
        "-vn",
        "-ar",
        str(RATE_HZ),
        "-c:a",
        "pcm_s16le",
        *(["-ac", str(channels)] if channels else []),
    ]
    try:
        subprocess.run([*command, "-f", "wav", wav], check=True, capture_output=True, timeout=FFMPEG_LIMIT_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        lines = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        why = lines[-1] if lines else "it took too long"
        raise NotAudio(
            f"{source} is not audio that can be decoded ({why}); save it as wav or mp3 and try again.",
            f"{source} 不是可解码的音频文件（{why}）；请另存为 wav 或 mp3 后重试。",
        ) from error


def _segment(wav: Path) -> Any:
    return _quiet_import("pydub").AudioSegment.from_wav(str(wav))


def _quiet_import(name: str) -> Any:
    """Import pydub without warnings about audioop's leaving (3.13) or ffmpeg's absence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return __import__(name)


def _refuse_silence(sound: Any, source: Path) -> Any:
    if not len(sound) or sound.dBFS < SILENT_BELOW_DBFS:
        raise RecordingRefused(
            f"{source} is silent; check the microphone and record it again.",
            f"{source} 没有声音；请检查麦克风后重新录制。",
        )
    return sound


def _without_edges(sound: Any) -> Any:
    """Cut silence at both ends down to ``EDGE_SILENCE_S``: every second before the queue counts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pydub.silence import detect_leading_silence
    keep_ms = int(EDGE_SILENCE_S * 1000)
    start = max(0, detect_leading_silence(sound) - keep_ms)
    end = len(sound) - max(0, detect_leading_silence(sound.reverse()) - keep_ms)
    return sound[start:end] if end > start else sound


def _in_both_languages(notes: list[tuple[str, str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(en for en, _ in notes), tuple(zh for _, zh in notes)


def _levelled(sound: Any, notes: list[tuple[str, str]]) -> Any:
    """Bring a recording to the loudness of the shipped ones and say what was done."""
    samples = sound.get_array_of_samples()
    clipped = sum(abs(sample) >= CLIPPED_LEVEL for sample in samples) / len(samples)
    if clipped > CLIPPED_SHARE:
        en = "clipped: it was recorded too loud and is distorted; record it again, softer"
        notes.append((en, "录音音量过大，已失真；请调低音量重新录制"))
    gain = 0.0
    if abs(sound.dBFS - SPEECH_DBFS) > LOUDNESS_TOLERANCE_DB:
        gain = SPEECH_DBFS - sound.dBFS
    gain = min(gain, PEAK_DBFS - sound.max_dBFS)
    if gain:
        way, way_zh = ("louder", "调高") if gain > 0 else ("softer", "调低")
        notes.append((f"{way} by {abs(gain):.1f} dB", f"音量{way_zh} {abs(gain):.1f} dB"))
    return sound.apply_gain(gain)
