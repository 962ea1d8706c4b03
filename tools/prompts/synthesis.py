"""One sentence of text to one telephone recording: espeak-ng, then sox.

The voice is ``cmn-latn-pinyin``: the voice ``cmn`` of espeak-ng 1.51 reads Chinese wrongly. Digits
are spelled out before, because espeak-ng reads them as English. Must never be used while a call
runs: the recordings are made once and shipped.
"""

from __future__ import annotations

import array
import math
import re
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ivr.speech import spoken

RATE_HZ = 8000
FULL_SCALE = 32768
# Telephone band (ITU-T G.712 passes 300-3400 Hz).
BAND_HZ = "300-3400"
SPEECH_DBFS = -20.0
PEAK_DBFS = -3.0
_ENGLISH = re.compile(r"([A-Za-z][A-Za-z0-9 ,.]*[A-Za-z0-9.])")
_NEEDED = ("espeak-ng", "sox")
# espeak-ng pauses otherwise at full-width marks; every shipped recording was made with these.
_AS_READ = str.maketrans("，；：？！（）", ",;:?!()")


@dataclass(frozen=True)
class Voice:
    """How the machine speaks.

    Attributes:
        chinese: espeak-ng voice for Chinese.
        english: espeak-ng voice for stretches of English.
        words_per_minute: espeak-ng's speed; 195 keeps P001 below its 6 s and stays intelligible.
        pronounce: words that espeak-ng reads wrongly -> what it is given instead.
    """

    chinese: str
    english: str
    words_per_minute: int
    pronounce: Mapping[str, str]


def missing_programs() -> list[str]:
    """Return the command-line programs that are needed and not installed."""
    return [program for program in _NEEDED if shutil.which(program) is None]


def as_read(text: str) -> str:
    """Return a prompt's text with the marks that the synthesiser reads."""
    return text.translate(_AS_READ)


def speak(text: str, target: Path, voice: Voice) -> float:
    """Say ``text`` into ``target``, 8 kHz 16-bit mono wav.

    Returns:
        the length in seconds.
    """
    with tempfile.TemporaryDirectory() as scratch:
        said = Path(scratch) / "said.wav"
        parts = _stretches(text, voice)
        raw = [
            _espeak(part, name, voice, Path(scratch) / f"{at}.wav") for at, (part, name) in enumerate(parts)
        ]
        _run(
            "sox",
            *map(str, raw),
            "-D",
            "-R",
            "-r",
            str(RATE_HZ),
            "-b",
            "16",
            "-c",
            "1",
            str(said),
            *_effects(),
        )
        samples = read_samples(said)
    level(samples, SPEECH_DBFS)
    write_wav(target, samples)
    return len(samples) / RATE_HZ


def read_samples(path: Path) -> array.array[int]:
    """Read an 8 kHz 16-bit mono wav as numbers."""
    with wave.open(str(path), "rb") as sound:
        return array.array("h", sound.readframes(sound.getnframes()))


def write_wav(path: Path, samples: array.array[int]) -> None:
    """Write numbers as an 8 kHz 16-bit mono wav with the plain 44-byte header that Asterisk reads."""
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE_HZ)
        sound.writeframes(samples.tobytes())


def level(samples: array.array[int], wanted_dbfs: float) -> None:
    """Bring the RMS to ``wanted_dbfs`` in place; peaks above ``PEAK_DBFS`` win over the wish."""
    rms = math.sqrt(sum(sample * sample for sample in samples) / len(samples))
    gain = min(_amplitude(wanted_dbfs) / rms, _amplitude(PEAK_DBFS) / max(map(abs, samples)))
    for at, sample in enumerate(samples):
        samples[at] = int(sample * gain)


def _amplitude(dbfs: float) -> float:
    return FULL_SCALE * 10 ** (dbfs / 20)


def _stretches(text: str, voice: Voice) -> list[tuple[str, str]]:
    """Cut a sentence into (text for espeak-ng, espeak-ng voice)."""
    found = []
    for place, stretch in enumerate(_ENGLISH.split(as_read(text))):
        if place % 2:
            found.append((stretch, voice.english))
        elif stretch.strip():
            chinese = spoken.spell_out(stretch)
            for word, instead in voice.pronounce.items():
                chinese = chinese.replace(word, instead)
            found.append((chinese, voice.chinese))
    return found


def _espeak(text: str, name: str, voice: Voice, target: Path) -> Path:
    _run("espeak-ng", "-v", name, "-s", str(voice.words_per_minute), "-w", str(target), "--", text)
    return target


def _effects() -> list[str]:
    """Trim both ends, keep the telephone band, tame peaks, leave 30 ms of air around."""
    trim = ["silence", "1", "0.01", "0.5%", "reverse"]
    compress = ["compand", "0.005,0.1", "6:-60,-60,-24,-18,-12,-12,0,-10", "0", "-60", "0.005"]
    return ["rate", "-h", str(RATE_HZ), "sinc", BAND_HZ, *compress, *trim, *trim, "pad", "0.03", "0.03"]


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
