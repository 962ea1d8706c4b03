"""The one place that touches vosk: a checked model, a stream of telephone audio in, turns out.

Belongs into a process of its own (``worker.py``): the native library can take its process down.
It must never see a malformed grammar (it crashes) nor a model by name (it would download one).
vosk itself is imported only when a model is loaded, so the names here cost the engine nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ivr.errors import HotlineError
from ivr.speech.models import TELEPHONE_HZ, ModelBroken, ModelFacts, check_model
from ivr.speech.recording import SAMPLE_BYTES, audioop

UNKNOWN_WORD = "[unk]"
# A pause this long inside what the recogniser calls one utterance starts a new turn.
LONG_PAUSE_S = 1.0
# G.711 silence decodes to at most 8; nobody's line noise is this quiet.
SILENCE_PEAK = 16
# The library ends an utterance after about a second of silence: what comes later can be skipped.
SILENCE_KEPT_BEFORE_S = 1.5
SILENCE_KEPT_AFTER_S = 0.5
# A word longer than the longest phrase we would ever put into a grammar is somebody's mistake.
_LONGEST_PHRASE = 200

# "ERROR (VoskAPI:Read():matrix.cc:610) Failed to read": the place in the library helps nobody.
_KALDI_PREFIX = re.compile(r"^[A-Z]+ \(VoskAPI:.*?:\d+\) ")
_BETWEEN_CHINESE = re.compile(r"(?<=[^\x00-\x7f]) +| +(?=[^\x00-\x7f])")


class GrammarWrong(HotlineError):
    """A grammar would be empty or malformed; the library must not see it."""

    code = "speech_grammar_wrong"


@dataclass(frozen=True)
class Turn:
    """One stretch of speech by one person.

    Attributes:
        start: seconds from the beginning of the recording.
        end: seconds from the beginning of the recording.
        text: what was said, without spaces between Chinese words.
        speaker: ``caller``, ``operator`` …; empty where only one stream is known.
    """

    start: float
    end: float
    text: str
    speaker: str = ""


@dataclass(frozen=True)
class Word:
    """One recognised word with its times in seconds."""

    text: str
    start: float
    end: float


def join_words(words: Iterable[str]) -> str:
    """Write recognised words as people write: no spaces around Chinese, single ones in English."""
    kept = " ".join(word for word in words if word != UNKNOWN_WORD)
    return _BETWEEN_CHINESE.sub("", kept)


def split_known(phrase: str, knows: Callable[[str], bool]) -> list[str] | None:
    """Cut a phrase into words the model knows, as few as possible; None where that is impossible."""
    best: list[list[str] | None] = [[]] + [None] * len(phrase)
    for end in range(1, len(phrase) + 1):
        for start in range(end):
            before = best[start]
            if before is None or not knows(phrase[start:end]):
                continue
            found = best[end]
            if found is None or len(before) + 1 < len(found):
                best[end] = [*before, phrase[start:end]]
    return best[len(phrase)]


def build_grammar(phrases: Iterable[str], knows: Callable[[str], bool]) -> tuple[str, tuple[str, ...]]:
    """Write a grammar that the library can take.

    Args:
        phrases: what may be said, with or without spaces between words.
        knows: tells whether the model has a word.

    Returns:
        the grammar as JSON, always with ``[unk]``, and the phrases left out because the model lacks a
        word for them.

    Raises:
        GrammarWrong: no phrase is left.
    """
    kept: dict[str, None] = {}
    left_out: list[str] = []
    for phrase in phrases:
        words = _known_words(phrase, knows)
        if words:
            kept[" ".join(words)] = None
        else:
            left_out.append(phrase)
    if not kept:
        raise GrammarWrong(
            "None of the phrases can be recognised: the speech model knows none of their words.",
            "没有可识别的短语：语音模型不认识其中的任何词。",
        )
    return json.dumps([*kept, UNKNOWN_WORD], ensure_ascii=False), tuple(left_out)


class Recognizer:
    """One loaded model, shared by any number of streams in this process.

    Args:
        path: folder of the model.

    Raises:
        ModelMissing: there is no such folder.
        ModelBroken: the folder is not a whole model, or the library refuses it.
    """

    def __init__(self, path: Path) -> None:
        self.facts: ModelFacts = check_model(path)
        import vosk

        self._vosk: ModuleType = vosk
        vosk.SetLogLevel(-1)
        with _library_noise() as noise:
            try:
                self._model: Any = vosk.Model(str(path))
                # A damaged graph is noticed only when the first stream uses it: now, not on a call.
                self.transcribe([bytes(TELEPHONE_HZ // 10 * SAMPLE_BYTES)])
            except Exception as error:
                raise _refused(path, _KALDI_PREFIX.sub("", noise()) or str(error)) from error

    def knows(self, word: str) -> bool:
        """Tell whether the model's vocabulary has this word."""
        return bool(word) and "\0" not in word and self._model.vosk_model_find_word(word) >= 0

    def transcribe(self, chunks: Iterable[bytes], *, grammar: str | None = None) -> list[Turn]:
        """Write down one side of a conversation.

        Args:
            chunks: 8 kHz 16-bit mono little-endian audio, in whole samples, best 0.1 to 0.5 s each.
            grammar: from ``build_grammar``; None for free speech.

        Returns:
            the turns in the order they were spoken; empty where nobody spoke.
        """
        made = (self._model, self.facts.feed_hz, *([grammar] if grammar else []))
        stream = self._vosk.KaldiRecognizer(*made)
        stream.SetWords(True)
        clock = _SkippedTime()
        turns: list[Turn] = []
        for chunk in _at_rate(clock.without_long_silence(chunks), self.facts.feed_hz):
            if stream.AcceptWaveform(chunk):
                turns += self._turns(stream.Result(), clock)
        return turns + self._turns(stream.FinalResult(), clock)

    @staticmethod
    def _turns(result: str, clock: _SkippedTime) -> list[Turn]:
        said = [
            Word(word["word"], clock.true_time(word["start"]), clock.true_time(word["end"]))
            for word in json.loads(result).get("result", ())
            if word["word"] != UNKNOWN_WORD
        ]
        return [
            Turn(round(group[0].start, 2), round(group[-1].end, 2), join_words(word.text for word in group))
            for group in _at_pauses(said)
        ]


class _SkippedTime:
    """Leaves long digital silence out of a stream and remembers where, to put word times right."""

    def __init__(self) -> None:
        # (seconds fed before the gap, seconds left out up to and with it)
        self._gaps: list[tuple[float, float]] = []

    def true_time(self, fed_s: float) -> float:
        """Turn a time on the recogniser's clock into one of the recording, in seconds."""
        left_out = 0.0
        for at, total in self._gaps:
            if at > fed_s:
                break
            left_out = total
        return fed_s + left_out

    def without_long_silence(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass audio on; of a long silence only its beginning and its end."""
        peak = audioop().max
        fed = silent = left_out = 0
        held: list[bytes] = []
        for chunk in chunks:
            if peak(chunk, SAMPLE_BYTES) > SILENCE_PEAK:
                silent = 0
                yield from held
                fed += sum(map(len, held)) + len(chunk)
                held.clear()
                yield chunk
                continue
            silent += len(chunk)
            if _seconds(silent) <= SILENCE_KEPT_BEFORE_S:
                fed += len(chunk)
                yield chunk
                continue
            held.append(chunk)
            while len(held) > 1 and _seconds(sum(map(len, held[1:]))) >= SILENCE_KEPT_AFTER_S:
                left_out += len(held.pop(0))
                self._note(_seconds(fed), _seconds(left_out))
        yield from held

    def _note(self, fed_s: float, left_out_s: float) -> None:
        if self._gaps and self._gaps[-1][0] == fed_s:
            self._gaps.pop()
        self._gaps.append((fed_s, left_out_s))


def _seconds(size: int) -> float:
    return size / (TELEPHONE_HZ * SAMPLE_BYTES)


def _at_pauses(words: Iterable[Word]) -> list[list[Word]]:
    groups: list[list[Word]] = []
    for word in words:
        if groups and word.start - groups[-1][-1].end < LONG_PAUSE_S:
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups


def _at_rate(chunks: Iterable[bytes], rate_hz: int) -> Iterator[bytes]:
    """Bring 8 kHz audio to the rate a model insists on; most take 8 kHz as it is."""
    if rate_hz == TELEPHONE_HZ:
        yield from chunks
        return
    convert, state = audioop().ratecv, None
    for chunk in chunks:
        converted, state = convert(chunk, SAMPLE_BYTES, 1, TELEPHONE_HZ, rate_hz, state)
        yield converted


def _known_words(phrase: str, knows: Callable[[str], bool]) -> list[str]:
    if len(phrase) > _LONGEST_PHRASE:
        return []
    words: list[str] = []
    for word in phrase.split():
        found = [word] if knows(word) else split_known(word, knows)
        if not found:
            return []
        words += found
    return words


@contextlib.contextmanager
def _library_noise() -> Iterator[Callable[[], str]]:
    """Catch what the native library writes to file descriptor 2; yields a reader of its last line."""
    kept = os.dup(2)
    with tempfile.TemporaryFile() as noise:
        os.dup2(noise.fileno(), 2)

        def last_line() -> str:
            noise.seek(0)
            lines = noise.read().decode(errors="replace").strip().splitlines()
            return lines[-1] if lines else ""

        try:
            yield last_line
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _refused(path: Path, why: str) -> ModelBroken:
    return ModelBroken(
        f"The speech model in {path} cannot be loaded ({why}); install it again.",
        f"语音模型 {path} 无法加载（{why}）；请重新安装。",
    )
