"""How Chinese characters sound, small enough for the engine.

The sounds come from pypinyin's dictionaries, through the table that ``tools/pinyin_table.py`` makes: importing
pypinyin takes 58 MB, the table about 4.  **Polyphones:** a character keeps every reading in common use, and two
characters sound alike when any reading of one is a reading of the other.  Nothing is picked by phrase,
because what a recogniser writes need not be the phrase that was said.

Pure: the table is read once, at import; afterwards nothing here changes, so any thread may look things up.
"""

from __future__ import annotations

import functools
from importlib import resources

TONES = "12345"


def fold(syllable: str) -> str:
    """Return what a syllable becomes where speakers or recognisers mix sounds up.

    Folded together: z/zh, c/ch, s/sh; n/l/r; f/h before u (hui/fei, huang/fang); an/ang, en/eng,
    in/ing.  These are the mergers of the south-western and Hunan dialects and the ones that recognisers make
    of them (普通话水平测试大纲 lists the same pairs as the usual faults of their speakers).
    """
    if syllable[:2] in ("zh", "ch", "sh"):
        syllable = syllable[0] + syllable[2:]
    if syllable[0] in "nr" and len(syllable) > 1:
        syllable = "l" + syllable[1:]
    if syllable[:2] == "hu":
        syllable = "f" + ({"i": "ei", "n": "en", "": "u"}.get(syllable[2:]) or syllable[2:])
    elif syllable == "hong":
        syllable = "fong"
    if syllable == "feng":
        return "fong"
    return syllable[:-1] if syllable.endswith("ng") and syllable[-3] in "aei" else syllable


def _read() -> tuple[dict[str, tuple[int, ...]], list[str]]:
    """Return the readings of each character as numbers (syllable times 8 plus tone), and the syllables."""
    text = resources.files("ivr.hotline").joinpath("pinyin_table.txt").read_text(encoding="utf-8")
    syllables: dict[str, int] = {}
    table: dict[str, tuple[int, ...]] = {}
    shared: dict[tuple[int, ...], tuple[int, ...]] = {}
    for row in text.splitlines():
        sound, signs = row.split(" ", 1)
        code = syllables.setdefault(sound[:-1], len(syllables)) * 8 + TONES.index(sound[-1]) + 1
        for sign in signs:
            codes = (*table.get(sign, ()), code)
            table[sign] = shared.setdefault(codes, codes)
    return table, list(syllables)


_READINGS, _SYLLABLES = _read()
_FOLD_NUMBERS = {name: at for at, name in enumerate(dict.fromkeys(map(fold, _SYLLABLES)))}
_FOLDED = [_FOLD_NUMBERS[fold(syllable)] for syllable in _SYLLABLES]


def readings(sign: str) -> tuple[str, ...]:
    """Return the syllables of a character, without tones; none when it is no Chinese character."""
    return tuple(dict.fromkeys(_SYLLABLES[code >> 3] for code in _READINGS.get(sign, ())))


@functools.lru_cache(maxsize=8192)
def keys(sign: str) -> tuple[int, ...]:
    """Return what a character is looked up by: its folded sounds; its negative code point if it has none."""
    return tuple(dict.fromkeys(_FOLDED[code >> 3] for code in _READINGS.get(sign, ()))) or (-ord(sign),)


SAME, SAME_TONE, SAME_SOUND, NEAR = range(4)
"""How alike two characters sound: written alike, tone and all, without the tone, only when folded."""


@functools.lru_cache(maxsize=8192)
def likeness(one: str, other: str) -> int:
    """Tell how alike two characters sound whose folded sounds are known to meet."""
    if one == other:
        return SAME
    mine, theirs = _READINGS.get(one, ()), _READINGS.get(other, ())
    if not set(mine).isdisjoint(theirs):
        return SAME_TONE
    return NEAR if {code >> 3 for code in mine}.isdisjoint(code >> 3 for code in theirs) else SAME_SOUND
