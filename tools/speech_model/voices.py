"""The synthetic speakers: who trains the model, who is kept out to measure it, how they are made to speak."""

import random
import re
import subprocess
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np  # type: ignore[import-not-found,unused-ignore]
import numpy.typing as npt  # type: ignore[import-not-found,unused-ignore]

from .lexicon import VOICE, split_phonemes
from .text import rows

SYNTH_RATE = 22_050  # Hz; what espeak-ng makes
Samples: TypeAlias = "npt.NDArray[np.float32]"
_BY_USE = {use: names.split() for use, names in (row.split("\t") for row in rows("voices.tsv"))}
TRAINED, COMMON, TABLE_VOICES, HELD_OUT = (_BY_USE[use] for use in ("trained", "common", "table", "held_out"))
COMMON_SHARE = 0.4  # of the training speech, beside what chance gives them


@dataclass(frozen=True)
class Manner:
    """One way to speak.

    Attributes:
        voice: name of an espeak-ng variant, or "default".
        speed: words per minute as espeak-ng counts them, 80 to 450.
        pitch: 0 to 99.
    """

    voice: str = "default"
    speed: int = 150
    pitch: int = 50


def random_manner(rng: random.Random) -> Manner:
    """Choose a speaker and a manner; the range is a little wider than what will be measured."""
    voice = rng.choice(COMMON if rng.random() < COMMON_SHARE else TRAINED)
    return Manner(voice, rng.randint(110, 215), rng.randint(10, 90))


def speak(text: str, manner: Manner) -> tuple[Samples, list[str]]:
    """Synthesise a text.

    Returns:
        Samples at 22,050 Hz in the range of 16-bit integers, and the syllables that were really said.
    """
    voice = VOICE if manner.voice == "default" else f"{VOICE}+{manner.voice}"
    command = ["espeak-ng", "-v", voice, "-s", str(manner.speed), "-p", str(manner.pitch), "--stdout", "-x"]
    result = subprocess.run([*command, "--phonout=/dev/stderr", text], capture_output=True, check=True)
    said = split_phonemes(re.sub(r"\s+", " ", result.stderr.decode("utf-8", errors="replace")))
    body = result.stdout[44:]
    return np.frombuffer(body[: len(body) // 2 * 2], dtype="<i2").astype(np.float32), said
