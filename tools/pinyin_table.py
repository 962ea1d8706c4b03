"""Make ``ivr/hotline/pinyin_table.txt``, the sounds of Chinese characters, from pypinyin's dictionaries.

``python -m tools.pinyin_table [--check]`` writes the table, or says whether it is still what the installed
pypinyin gives.  The engine reads the table instead of importing pypinyin, which takes 58 MB.

Kept are the characters of GB 2312 and Big5, so that both ways of writing are read.  A character keeps its
first reading and every further one that at least :data:`PHRASES` of pypinyin's phrases use: 行 is xíng and
háng, but archaic readings (大 as tài) make no names sound alike that nobody would mix up.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from pathlib import Path

TABLE = Path(__file__).resolve().parents[1] / "ivr/hotline/pinyin_table.txt"
PHRASES = 3


def _written_by_people(sign: str) -> bool:
    for encoding in ("gb2312", "big5"):
        try:
            sign.encode(encoding)
        except UnicodeEncodeError:
            continue
        return True
    return False


def table() -> str:
    """Return the table's text: one line for each syllable with its tone (5: none), then its characters."""
    from pypinyin.contrib.tone_convert import to_tone3
    from pypinyin.phrases_dict import phrases_dict
    from pypinyin.pinyin_dict import pinyin_dict

    def plain(reading: str) -> str:
        return str(to_tone3(reading, neutral_tone_with_five=True, v_to_u=False)).replace("ü", "v")

    used: Counter[tuple[str, str]] = Counter()
    for phrase, sounds in phrases_dict.items():
        used.update(zip(phrase, (sound[0] for sound in sounds), strict=False))
    by_sound: defaultdict[str, list[str]] = defaultdict(list)
    for code, written in sorted(pinyin_dict.items()):
        sign, readings = chr(code), written.split(",")
        if not 0x4E00 <= code <= 0x9FFF or not _written_by_people(sign):
            continue
        kept = [r for at, r in enumerate(readings) if at == 0 or used[sign, r] >= PHRASES]
        for sound in dict.fromkeys(map(plain, kept)):
            by_sound[sound].append(sign)
    return "".join(f"{sound} {''.join(signs)}\n" for sound, signs in sorted(by_sound.items()))


def main() -> int:
    """Write the table, or with ``--check`` compare it."""
    text = table()
    if "--check" in sys.argv:
        return int(TABLE.read_text(encoding="utf-8") != text)
    TABLE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
