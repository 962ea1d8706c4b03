"""Measures a model with vosk itself: character errors per voice, names of lines, emergency words, speed."""

import json
import random
import time
import wave
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import vosk

from . import telephone, voices
from .text import Corpus, HeldOut, spell_digits

HARD_SENTENCES = 120
CHUNK = 3_200  # bytes; 200 ms


@dataclass
class Tally:
    """Counts of one row of the report."""

    errors: int = 0
    characters: int = 0
    right: int = 0
    sentences: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, said: str, heard: str, key: str = "") -> None:
        """Count one sentence; it is right if the key (or else the whole sentence) was heard."""
        said, heard = plain(said), plain(heard)
        self.errors += distance(said, heard)
        self.characters += len(said)
        self.sentences += 1
        if (key and plain(key) in heard) or said == heard:
            self.right += 1
        else:
            self.wrong.append(f"{said} > {heard}")

    def row(self) -> dict[str, float | int]:
        """Return the figures: CER in percent, and how many sentences were right."""
        cer = 100 * self.errors / max(1, self.characters)
        return {"cer_percent": round(cer, 1), "right": self.right, "of": self.sentences}


def plain(text: str) -> str:
    """Return a text as it is compared: without blanks, digits spelled, both ways to say 1 alike."""
    return spell_digits(text.replace(" ", "")).replace("幺", "一")


def distance(said: str, heard: str) -> int:
    """Return the least number of characters to put in, leave out or change."""
    row = list(range(len(heard) + 1))
    for i, a in enumerate(said, 1):
        corner, row[0] = row[0], i
        for j, b in enumerate(heard, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (a != b))
    return row[-1]


def transcribe(model: Any, pcm: bytes) -> str:
    """Return what the model hears in 8 kHz 16-bit mono sound, fed as a call would feed it."""
    recognizer = vosk.KaldiRecognizer(model, telephone.RATE)
    heard = []
    for at in range(0, len(pcm), CHUNK):
        if recognizer.AcceptWaveform(pcm[at : at + CHUNK]):
            heard.append(json.loads(recognizer.Result())["text"])
    return "".join([*heard, json.loads(recognizer.FinalResult())["text"]]).replace(" ", "")


def _speak(text: str, manner: voices.Manner, codec: str, seed: int) -> bytes:
    return telephone.plain_line(voices.speak(text, manner)[0], codec, seed)


def _sentences_of(model: Any, corpus: Corpus, names: list[str]) -> dict[str, Tally]:
    """Let every voice say all twenty sentences, at three speeds and in both codecs by turns."""
    table: dict[str, Tally] = defaultdict(Tally)
    for voice in names:
        for i, text in enumerate(corpus.sentences):
            manner = voices.Manner(voice, (150, 125, 195)[i % 3], (50, 25, 75)[i // 3 % 3])
            table[voice].add(text, transcribe(model, _speak(text, manner, ("alaw", "ulaw")[i % 2], i)))
    return table


def _keys_of(model: Any, held: list[HeldOut]) -> Tally:
    """Let the common voices say the held-out sentences, and look for the words that matter."""
    tally, rng = Tally(), random.Random(82)
    for i, sentence in enumerate(held):
        for voice in voices.TABLE_VOICES:
            manner = voices.Manner(voice, rng.randint(125, 190), rng.randint(25, 75))
            tally.add(
                sentence.text, transcribe(model, _speak(sentence.text, manner, "alaw", i)), sentence.key
            )
    return tally


def _hard_lines(model: Any, corpus: Corpus) -> dict[str, Tally]:
    """Let random voices say any held-out sentence at any speed and pitch, over good and bad lines."""
    table: dict[str, Tally] = defaultdict(Tally)
    rng = random.Random(3)
    texts = [*corpus.sentences, *(held.text for held in [*corpus.lines, *corpus.emergencies])]
    for i in range(HARD_SENTENCES):
        voice = rng.choice([*sorted(set(voices.COMMON)), *voices.HELD_OUT])
        manner = voices.Manner(voice, rng.randint(120, 200), rng.randint(5, 95))
        text = rng.choice(texts)
        samples = voices.speak(text, manner)[0]
        naive = telephone.through_codec(telephone.to_pcm(telephone.resample(samples, naive=True)), "ulaw")
        for line, pcm in (
            ("A-law, noise at 25 dB", telephone.plain_line(samples, "alaw", i)),
            ("µ-law, no noise, no filter", naive),
            ("A-law, white noise at 10 dB", telephone.plain_line(samples, "alaw", i, snr=10)),
        ):
            table[line].add(text, transcribe(model, pcm))
    return table


def read_wavs(folder: Path) -> list[tuple[str, str, bytes]]:
    """Return voice, text and 8 kHz samples of the recordings that a folder's transcripts.tsv names."""
    recordings = []
    for row in (folder / "transcripts.tsv").read_text(encoding="utf-8").splitlines():
        name, voice, text = row.split("\t")
        path = next(p for p in (folder / f"{name}.wav", folder / f"{name}_alaw.wav") if p.exists())
        with wave.open(str(path)) as file:
            recordings.append((voice, text, file.readframes(file.getnframes())))
    return recordings


def _wavs(model: Any, folder: Path) -> tuple[dict[str, Tally], float]:
    """Transcribe a folder of recordings; returns the tallies per voice and the real-time factor."""
    table: dict[str, Tally] = defaultdict(Tally)
    seconds = 0.0
    began = time.process_time()
    for voice, text, pcm in read_wavs(folder):
        seconds += len(pcm) / 2 / telephone.RATE
        table[voice.partition("+")[2] or "default"].add(text, transcribe(model, pcm))
    return table, (time.process_time() - began) / max(seconds, 1)


def measure(folder: Path, corpus: Corpus, wavs: Path) -> dict[str, Any]:
    """Measure a model folder.

    Args:
        folder: the model.
        corpus: with the held-out sentences.
        wavs: folder of recordings with a transcripts.tsv (name, voice, text).

    Returns:
        All figures, ready for model.json; errors are listed on the terminal.
    """
    vosk.SetLogLevel(-1)
    model = vosk.Model(str(folder))
    recorded, factor = _wavs(model, wavs)
    groups = {
        "recordings": recorded,
        "trained_voices": _sentences_of(
            model, corpus, [*voices.TABLE_VOICES, "f4", "m1", "m7", "Gene", "linda"]
        ),
        "held_out_voices": _sentences_of(model, corpus, voices.HELD_OUT),
        "hard_lines": _hard_lines(model, corpus),
    }
    singles = {
        "held_out_lines": _keys_of(model, corpus.lines),
        "emergencies": _keys_of(model, corpus.emergencies),
    }
    for name, tally in [*singles.items(), *((v, t) for g in groups.values() for v, t in g.items())]:
        print(f"  {name}: {tally.row()}")
        for wrong in tally.wrong[:40]:
            print(f"      {wrong}")
    report: dict[str, Any] = {g: {v: t.row() for v, t in table.items()} for g, table in groups.items()}
    return (
        report
        | {name: tally.row() for name, tally in singles.items()}
        | {"real_time_factor": round(factor, 4)}
    )
