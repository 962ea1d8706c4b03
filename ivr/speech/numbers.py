"""Chinese numbers where Asterisk looks for them, made from the pieces that prompts are made of.

``SayNumber`` in language ``zh`` (main/say.c, ast_say_number_full_zh) wants ``digits/0`` … ``9``,
the tens as one recording each, ``hundred``, ``thousand``, ``wan`` and ``yi``; no distribution of
Asterisk has them.
"""

from __future__ import annotations

import wave
from collections.abc import Mapping, Sequence
from pathlib import Path

from ivr.speech.prompts import RATE_HZ, SAMPLE_BYTES, PromptBook

_WORDS = {"hundred": "n_100", "thousand": "n_1000", "wan": "n_10000", "yi": "n_100000000"}
_SILENCE_S = 0.1


def recordings() -> Mapping[str, Sequence[str]]:
    """Return the pieces of each recording that say.c asks for."""
    digits = {str(number): (f"n_{number}",) for number in range(11)}
    tens = {str(number * 10): (f"n_{number}", "n_10") for number in range(2, 10)}
    return digits | tens | {name: (piece,) for name, piece in _WORDS.items()}


def write_numbers(prompts: PromptBook, sounds: Path) -> None:
    """Write the numbers, and a moment of silence, under ``sounds`` (Asterisk's ``sounds/zh``).

    Args:
        prompts: where the pieces are, the city's own before the shipped ones.
        sounds: the folder of one language; files that are the same are left alone.

    Raises:
        PromptMissing: a piece has no recording.
    """
    for name, pieces in recordings().items():
        _write(sounds / "digits" / f"{name}.wav", b"".join(_frames(prompts, piece) for piece in pieces))
    _write(sounds / "silence.wav", b"\0" * int(RATE_HZ * SAMPLE_BYTES * _SILENCE_S))


def _frames(prompts: PromptBook, piece: str) -> bytes:
    with wave.open(str(prompts.recording(piece)), "rb") as sound:
        return sound.readframes(sound.getnframes())


def _write(path: Path, frames: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    with wave.open(str(fresh), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(SAMPLE_BYTES)
        sound.setframerate(RATE_HZ)
        sound.writeframes(frames)
    if path.exists() and path.read_bytes() == fresh.read_bytes():
        fresh.unlink()
    else:
        fresh.replace(path)
