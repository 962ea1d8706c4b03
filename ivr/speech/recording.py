"""A call's recording as a file: closed whole or not at all, checked, and taken apart by sides.

What Asterisk records is 8 kHz 16-bit linear PCM, both sides apart. Only the standard library is used
here: the engine closes recordings itself. A recording must never be loaded into memory as a whole.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import struct
import warnings
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from ivr.errors import HotlineError
from ivr.speech.stills import Still

RATE_HZ = 8000
SAMPLE_BYTES = 2

_COPY_BLOCK = 1 << 18
_CHUNK_FRAMES = 4000
_LONGEST_HEADER = 1024


class RecordingMissing(HotlineError):
    """There is no such recording."""

    code = "recording_missing"


class RecordingEmpty(HotlineError):
    """A recording has no length: the call ended before a word could be recorded."""

    code = "recording_empty"


class RecordingDamaged(HotlineError):
    """A recording is cut off, still being written, or not what it should be."""

    code = "recording_damaged"


class RecordingNotWritten(HotlineError):
    """A recording could not be stored, mostly because the disk is full."""

    code = "recording_not_written"
    retry = True


class Closed(NamedTuple):
    """A finished recording: length in seconds and checksum of the wav file."""

    seconds: float
    sha256: str


def raw_to_wav(
    raw: Path,
    wav: Path,
    channels: int = 2,
    rate: int = RATE_HZ,
    *,
    salvage: bool = False,
    stills: Sequence[Still] = (),
) -> Closed:
    """Close a call's recording: put what Asterisk wrote into a wav file, all of it or none.

    ``MixMonitor`` with option ``D`` writes interleaved 16-bit little-endian stereo, left what came
    from the caller, right what went to the caller. The raw file is left where it is.

    Args:
        raw: the file Asterisk wrote.
        wav: the file to make; appears only when it is whole and on the disk.
        channels: interleaved sides in ``raw``.
        rate: Hz.
        salvage: drop an incomplete last sample, as a crash in mid-write leaves it, instead of refusing.
        stills: where nobody sent anything, and silence is put in.

    Raises:
        RecordingMissing, RecordingEmpty, RecordingDamaged: what was recorded cannot be used.
        RecordingNotWritten: the wav could not be stored; trying again later may succeed.
    """
    frame = channels * SAMPLE_BYTES
    size = _raw_size(raw, frame, salvage=salvage)
    part = wav.with_name(f".{wav.name}.part")
    try:
        wav.parent.mkdir(parents=True, exist_ok=True)
        plan = _plan(size, frame, rate, stills)
        whole = sum(length for length, _ in plan)
        digest = _wrap(raw, part, plan, channels, rate)
        part.replace(wav)
        _sync_folder(wav.parent)
    except OSError as error:
        why = "the disk is full" if error.errno == errno.ENOSPC else str(error)
        raise RecordingNotWritten(
            f"The recording {wav} could not be stored: {why}; make room, it is tried again.",
            f"录音 {wav} 无法保存：{why}；请清理磁盘空间，系统会重试。",
        ) from error
    finally:
        # Gone already where all went well; nobody may find half a recording.
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return Closed(whole / frame / rate, digest)


def sides(wav_path: Path, chunk_frames: int = _CHUNK_FRAMES) -> tuple[Iterator[bytes], ...]:
    """Take the sides of a call apart without loading it.

    Args:
        wav_path: 16-bit wav, one side a channel.
        chunk_frames: samples per chunk; 4000 are 0.5 s.

    Returns:
        one iterator per channel, of 16-bit mono little-endian chunks.

    Raises:
        RecordingMissing, RecordingEmpty, RecordingDamaged: it cannot be read to its end.
    """
    channels = checked_wav(wav_path)[1]
    return tuple(_side(wav_path, channel, channels, chunk_frames) for channel in range(channels))


def checked_wav(path: Path) -> tuple[float, int]:
    """Make sure that a call recording is whole.

    Returns:
        its length in seconds and its number of channels.

    Raises:
        RecordingMissing, RecordingEmpty, RecordingDamaged: it is not.
    """
    if not path.is_file():
        raise missing(path)
    try:
        with wave.open(str(path), "rb") as sound:
            frames, channels, width = sound.getnframes(), sound.getnchannels(), sound.getsampwidth()
            rate = sound.getframerate()
    except (EOFError, wave.Error) as error:
        if not path.stat().st_size:
            raise empty(path) from error
        raise _damaged(path, f"not a PCM wav file ({error})") from error
    if width != SAMPLE_BYTES or channels not in (1, 2):
        raise _damaged(path, f"{width * 8} bit and {channels} channels, not 16 bit and one or two")
    held = path.stat().st_size
    if held < frames * channels * width or (not frames and held > _LONGEST_HEADER):
        raise _damaged(path, "cut off, or still being written", retry=True)
    if not frames:
        raise empty(path)
    return frames / rate, channels


def _raw_size(raw: Path, frame: int, *, salvage: bool) -> int:
    """Check a raw recording; returns how many bytes of it are whole samples of all sides."""
    if not raw.is_file():
        raise missing(raw)
    size = raw.stat().st_size
    if not size or (salvage and size < frame):
        raise empty(raw)
    if size % frame and not salvage:
        raise _damaged(
            raw, f"{size} bytes are no whole number of samples; cut off, or still being written", retry=True
        )
    return size - size % frame


def _plan(size: int, frame: int, rate: int, stills: Sequence[Still]) -> list[tuple[int, bool]]:
    """Return the pieces of a recording: how many bytes, and whether they are silence that is put in."""
    plan, at = [], 0
    for still in sorted(stills):
        until = max(at, min(size, still.at) // frame * frame)
        plan += [(until - at, False), (int(still.seconds * rate) * frame, True)]
        at = until
    return [*plan, (size - at, False)]


def _wrap(raw: Path, part: Path, plan: Sequence[tuple[int, bool]], channels: int, rate: int) -> str:
    frame, size = channels * SAMPLE_BYTES, sum(length for length, _ in plan)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * frame, frame, SAMPLE_BYTES * 8)
    header = struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE") + form + struct.pack("<4sI", b"data", size)
    digest = hashlib.sha256(header)
    with raw.open("rb") as source, part.open("wb") as target:
        target.write(header)
        for length, silent in plan:
            left = length
            while left:
                wanted = min(_COPY_BLOCK, left)
                block = bytes(wanted) if silent else source.read(wanted)
                if not block:
                    raise _damaged(raw, "became shorter while it was read", retry=True)
                left -= len(block)
                digest.update(block)
                target.write(block)
        target.flush()
        os.fsync(target.fileno())
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut (POSIX: the folder is a file of its own)."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _side(path: Path, channel: int, channels: int, chunk_frames: int) -> Iterator[bytes]:
    to_mono_side = audioop().tomono
    with wave.open(str(path), "rb") as sound:
        while chunk := sound.readframes(chunk_frames):
            whole = chunk[: len(chunk) - len(chunk) % (channels * SAMPLE_BYTES)]
            if channels == 1:
                yield whole
            else:
                yield to_mono_side(whole, SAMPLE_BYTES, 1 - channel, channel)


def missing(path: Path) -> RecordingMissing:
    """Build the error for a recording that is not there."""
    return RecordingMissing(
        f"There is no recording {path}; the call ended before it, or the disk is full.",
        f"录音 {path} 不存在；通话提前结束，或磁盘已满。",
    )


def empty(path: Path) -> RecordingEmpty:
    """Build the error for a recording of no length."""
    return RecordingEmpty(
        f"The recording {path} has no length; the call ended before anything was recorded.",
        f"录音 {path} 长度为零；通话在录音开始前已结束。",
    )


def _damaged(path: Path, why: str, *, retry: bool = False) -> RecordingDamaged:
    return RecordingDamaged(
        f"The recording {path} cannot be used: {why}.", f"录音 {path} 无法使用：{why}。", retry=retry
    )


def audioop() -> ModuleType:
    """Import audioop without its farewell: from Python 3.13 on it comes from audioop-lts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import audioop as module
    return module
