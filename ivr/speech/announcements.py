"""What Asterisk plays by itself, as one file a prompt at a path that never changes.

Asterisk's files name these paths, so a new recording is heard without a reload, and one that is
taken away leaves nobody in silence.
"""

from __future__ import annotations

import logging
import os
import wave
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ivr.errors import HotlineError
from ivr.speech.prompts import RATE_HZ, SAMPLE_BYTES, PromptBook

log = logging.getLogger(__name__)


Said = Mapping[str, tuple[str, Mapping[str, str]]]
"""What lies in the folder: the prompt and its slots by file name without ``.wav``."""


def write(book: PromptBook, said: Said, folder: Path) -> None:
    """Write each prompt as one recording, 8 kHz 16-bit mono wav, without the names nobody gave.

    A prompt that cannot be said is logged and left out: the caller hears music.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, (prompt_id, values) in said.items():
        target = folder / f"{name}.wav"
        try:
            _join(_parts(book, prompt_id, values), target)
        except OSError as error:  # a full disk: what was heard until now is better than nothing
            log.error("announcement %s cannot be written: %s", prompt_id, error)
        except (HotlineError, EOFError, wave.Error) as error:
            log.error("announcement %s cannot be played: %s", prompt_id, error)
            target.unlink(missing_ok=True)


def write_variants(book: PromptBook, variants: Mapping[str, Sequence[str]], folder: Path) -> None:
    """Write what is said instead in some languages of Asterisk, as ``<language>/<file>``: prompts in a row, or a blink."""
    for name, prompts in variants.items():
        target = folder / f"{name}.wav"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _join([part for prompt_id in prompts for part in _parts(book, prompt_id, {})], target)
        except (HotlineError, OSError, EOFError, wave.Error) as error:
            log.error("announcement %s cannot be written: %s", name, error)


def _parts(book: PromptBook, prompt_id: str, values: Mapping[str, str]) -> list[Path]:
    prompt = book.texts.prompts.get(prompt_id)
    if prompt is None:
        return [book.recording(prompt_id)]
    slots: dict[str, Any] = {slot.name: "" for slot in prompt.slots}
    return book.files(prompt_id, **slots | dict(values))


def _join(parts: Sequence[Path], target: Path) -> None:
    fresh = target.with_suffix(f".{os.getpid()}.new")  # the engine and a command may both be at it
    try:
        with wave.open(str(fresh), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(SAMPLE_BYTES)
            sound.setframerate(RATE_HZ)
            for part in parts:
                with wave.open(str(part), "rb") as said:
                    sound.writeframes(said.readframes(said.getnframes()))
            if not parts:  # Asterisk takes an empty file for a broken one
                sound.writeframes(bytes(RATE_HZ // 50 * SAMPLE_BYTES))
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
