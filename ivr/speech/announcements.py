"""What callers are told while they wait, as one file a prompt at a path that never changes.

Asterisk's music classes name these paths, so a new recording is heard without a reload.
"""

from __future__ import annotations

import logging
import wave
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ivr.errors import HotlineError
from ivr.speech.prompts import RATE_HZ, SAMPLE_BYTES, PromptBook

log = logging.getLogger(__name__)


def write(book: PromptBook, prompts: Iterable[str], folder: Path) -> None:
    """Write each prompt as one recording, 8 kHz 16-bit mono wav, without the names nobody gave.

    A prompt that cannot be said is logged and left out: the caller hears music.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for prompt_id in prompts:
        target = folder / f"{prompt_id}.wav"
        try:
            prompt = book.texts.prompts.get(prompt_id)
            slots: dict[str, Any] = {slot.name: "" for slot in prompt.slots} if prompt else {}
            _join(book.files(prompt_id, **slots), target)
        except (HotlineError, OSError, EOFError, wave.Error) as error:
            log.error("announcement %s cannot be played: %s", prompt_id, error)
            target.unlink(missing_ok=True)


def _join(parts: Sequence[Path], target: Path) -> None:
    fresh = target.with_suffix(".new")
    with wave.open(str(fresh), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(SAMPLE_BYTES)
        sound.setframerate(RATE_HZ)
        for part in parts:
            with wave.open(str(part), "rb") as said:
                sound.writeframes(said.readframes(said.getnframes()))
    fresh.replace(target)
