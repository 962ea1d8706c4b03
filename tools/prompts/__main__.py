"""``python -m tools.prompts``: make every shipped prompt recording anew.

Reads ``ivr/speech/prompts/prompts.yaml`` and ``line_names.yaml`` beside this file, writes
``zh/*.wav``, ``moh/*.wav`` and ``words.yaml`` of the prompt folder. Needs espeak-ng and sox.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from ivr.speech.prompts import BEEP, LANGUAGE, SHIPPED, PromptBook, load_texts
from tools.prompts import hold_music, synthesis

HERE = Path(__file__).parent
HOLD_MUSIC = "hold"
# A word said alone comes out hasty; numbers and units are spoken a little slower.
PIECE_SLOWER_BY = 20
# A name stands in prompts that have to be over in time: it is spoken faster until it fits.
LONGEST_NAME_S = 2.3
FASTER_STEP = 5
FASTEST_BY = 40


def main() -> int:
    """Make the recordings; returns the exit status."""
    options = _options()
    if missing := synthesis.missing_programs():
        print(f"{', '.join(missing)} missing: apt-get install {' '.join(missing)}", file=sys.stderr)
        return 1
    pronounce = yaml.safe_load((HERE / "pronounce.yaml").read_text(encoding="utf-8"))
    voice = synthesis.Voice(options.voice, options.english, options.speed, pronounce)
    _write_words(options.into)
    sounds = options.into / LANGUAGE
    _clear(sounds)
    todo = _what_to_say(options.into)
    with ThreadPoolExecutor() as pool:
        jobs = {
            name: pool.submit(_say, text, sounds / f"{name}.wav", voice, slower)
            for name, (text, slower) in todo.items()
        }
        for done, (name, job) in enumerate(jobs.items(), 1):
            _progress(f"{done}/{len(jobs)} {name} {job.result():.2f} s")
    _write_tones(options.into)
    faults = PromptBook(shipped=options.into).check()
    print("\n".join(faults) or f"{len(todo)} recordings made".ljust(60))
    return 1 if faults else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.prompts", description=__doc__)
    parser.add_argument("--into", type=Path, default=SHIPPED, help="prompt folder (default: the shipped one)")
    parser.add_argument("--voice", default="cmn-latn-pinyin", help="espeak-ng voice for Chinese")
    parser.add_argument("--english", default="en-gb", help="espeak-ng voice for English")
    parser.add_argument("--speed", type=int, default=195, help="espeak-ng words per minute")
    return parser.parse_args()


def _progress(line: str) -> None:
    """Show one changing line on a terminal; nothing in a log."""
    if sys.stdout.isatty():
        print(f"\r{line}".ljust(60), end="", flush=True)


def _say(text: str, target: Path, voice: synthesis.Voice, slower: int | None) -> float:
    """Record one text; with ``slower`` None a name, as fast as it must be. Return its length in seconds."""
    if slower is not None:
        return synthesis.speak(text, target, _at_speed(voice, slower))
    for faster in range(0, FASTEST_BY + 1, FASTER_STEP):
        seconds = synthesis.speak(text, target, _at_speed(voice, -faster))
        if seconds <= LONGEST_NAME_S:
            break
    return seconds


def _at_speed(voice: synthesis.Voice, slower: int) -> synthesis.Voice:
    return synthesis.Voice(voice.chinese, voice.english, voice.words_per_minute - slower, voice.pronounce)


def _write_words(folder: Path) -> None:
    """Copy the names of the lines beside the texts, where the engine reads them."""
    names = yaml.safe_load((HERE / "line_names.yaml").read_text(encoding="utf-8"))["lines"]
    lines = ["# Names of the department lines, made by `python -m tools.prompts`; do not edit."]
    lines += [
        f"{name}: {text}"
        if isinstance(text, str)
        else f"{name}: {{text: {text['text']}, say: {text['say']}}}"
        for name, text in names.items()
    ]
    (folder / "words.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _what_to_say(folder: Path) -> dict[str, tuple[str, int | None]]:
    """Everything to record: name of the recording -> (text, how much slower; None for a name)."""
    texts = load_texts(folder)
    todo: dict[str, tuple[str, int | None]] = {
        part.name: (part.text, -prompt.faster)
        for prompt in texts.prompts.values()
        for part in prompt.fragments
    }
    todo |= {name: (text, PIECE_SLOWER_BY) for name, text in texts.pieces.items()}
    return todo | {name: (word.say, None) for name, word in texts.words.items()}


def _write_tones(folder: Path) -> None:
    tone, music = hold_music.beep(), hold_music.hold_music()
    synthesis.level(tone, hold_music.BEEP_DBFS)
    synthesis.level(music, hold_music.MUSIC_DBFS)
    synthesis.write_wav(folder / LANGUAGE / f"{BEEP}.wav", tone)
    (folder / "moh").mkdir(exist_ok=True)
    synthesis.write_wav(folder / "moh" / f"{HOLD_MUSIC}.wav", music)


def _clear(folder: Path) -> None:
    """Remove recordings of earlier texts, so that none stays behind unnoticed."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.wav"):
        old.unlink()


if __name__ == "__main__":
    raise SystemExit(main())
