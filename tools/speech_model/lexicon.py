"""How words sound: initials and finals without tones, as the dictionary and as the synthesiser says them.

The synthesiser misreads many characters (着火 becomes zhuo huo). A transcript of its audio therefore comes
from its own phonemes, and a word that it reads in another way than the dictionary gets both pronunciations.
"""

import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Sequence

from pypinyin import Style, lazy_pinyin, pinyin

BLANK = "<blk>"
INITIALS = [
    "zh",
    "ch",
    "sh",
    "b",
    "p",
    "m",
    "f",
    "d",
    "t",
    "n",
    "l",
    "g",
    "k",
    "h",
    "j",
    "q",
    "x",
    "r",
    "z",
    "c",
    "s",
    "y",
    "w",
]
LETTERS = {"KTV": ["k", "_ei", "t", "_i", "w", "_ei"]}
VOICE = "cmn-latn-pinyin"
ONLY_IN_PARTICLES = {"n@": "ne"}  # 呢 is the only syllable with this sound; the vote would say na


def tokens_of_syllable(syllable: str) -> tuple[str, ...]:
    """Split a pinyin syllable without tone into initial and final; finals begin with an underscore."""
    syllable = syllable.replace("ü", "v")
    initial = next((i for i in INITIALS if syllable.startswith(i) and len(syllable) > len(i)), "")
    final = syllable[len(initial) :]
    if initial in ("j", "q", "x", "y") and final.startswith("u"):
        final = "v" + final[1:]
    return (initial, "_" + final) if initial else ("_" + final,)


def tokens_of_word(word: str) -> tuple[str, ...]:
    """Return the sound units of a word as the dictionary says."""
    if word in LETTERS:
        return tuple(LETTERS[word])
    return tuple(t for syllable in lazy_pinyin(word) for t in tokens_of_syllable(syllable))


def split_phonemes(phonemes: str) -> list[str]:
    """Return the syllables of a line of espeak-ng phonemes, without stress, tone and length marks."""
    bare = (re.sub(r"[\d'\[,:;!\-\s]", "", part) for part in re.split(r"_\|", phonemes))
    return [re.sub(r"^_+|_+$", "", part) for part in bare if part.strip("_")]


def espeak_phonemes(texts: Sequence[str]) -> list[list[str]]:
    """Ask espeak-ng how it reads each text, in one run.

    Args:
        texts: texts without punctuation, one clause each.

    Returns:
        For each text its syllables in espeak-ng's own mnemonics.

    Raises:
        RuntimeError: espeak-ng cut the texts in another way than we did.
    """
    command = ["espeak-ng", "-v", VOICE, "-x", "-q", "--stdin"]
    result = subprocess.run(command, input="。\n\n".join(texts), capture_output=True, text=True, check=True)
    read = [split_phonemes(line) for line in result.stdout.splitlines() if line.strip()]
    if len(read) != len(texts):
        raise RuntimeError(f"espeak-ng read {len(read)} clauses for {len(texts)} texts")
    return read


def _common_characters() -> list[str]:
    """Return the common characters: the level 1 set of GB 2312."""
    level_1 = (bytes([row, cell]) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF))
    return [c for c in (pair.decode("gb2312", errors="ignore") for pair in level_1) if c]


class Ear:
    """Turns espeak-ng's phonemes into our sound units, by a table learnt from single characters."""

    def __init__(self) -> None:
        characters = _common_characters()
        # Characters with several readings vote too, but only break silence: 了 is the only le there is.
        weights = [
            1_000 if len(readings) == 1 else 1
            for readings in pinyin(characters, style=Style.NORMAL, heteronym=True)
        ]
        votes: dict[str, Counter[str]] = defaultdict(Counter)
        for character, weight, read in zip(characters, weights, espeak_phonemes(characters), strict=True):
            if len(read) == 1:
                votes[read[0]][lazy_pinyin(character)[0]] += weight
        self.table = {mnemonic: count.most_common(1)[0][0] for mnemonic, count in votes.items()}
        self.table.update(ONLY_IN_PARTICLES)

    def tokens(self, syllables: Sequence[str]) -> tuple[str, ...] | None:
        """Return the sound units of syllables in mnemonics, or None where one of them is unknown."""
        if any(s not in self.table for s in syllables):
            return None
        return tuple(t for s in syllables for t in tokens_of_syllable(self.table[s]))


def pronunciations(words: Sequence[str], ear: Ear) -> dict[str, list[tuple[str, ...]]]:
    """Return every word's readings: the dictionary's first, then the synthesiser's where it differs."""
    readings = {word: [tokens_of_word(word)] for word in words}
    spoken = [word for word in words if word not in LETTERS]
    for word, syllables in zip(spoken, espeak_phonemes(spoken), strict=True):
        heard = ear.tokens(syllables) if len(syllables) == len(word) else None
        if heard and heard not in readings[word]:
            readings[word].append(heard)
    return readings
