"""Make ``ivr/hotline/common_words.txt``, everyday words of two characters, from jieba's dictionary.

``python -m tools.common_words DICT`` reads the ``dict.txt`` of jieba 0.42.1 (MIT licence; word, count, part of
speech in each line) and writes the words that its corpus has at least :data:`COUNT` times, names of people, places and
bodies left out.  The engine asks whether what sounds like an emergency is simply one of these words, or a cut
through one.
"""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

TABLE = Path(__file__).resolve().parents[1] / "ivr/hotline/common_words.txt"
COUNT = 100
_NAMES = ("nr", "nt", "ns")


def everyday(lines: list[str]) -> list[str]:
    """Return the words of a dictionary's lines."""
    rows = (line.split() for line in lines)
    return sorted(
        word
        for word, count, kind in rows
        if len(word) == 2 and int(count) >= COUNT and not kind.startswith(_NAMES) and _chinese(word)
    )


def _chinese(word: str) -> bool:
    return all("\u4e00" <= sign <= "\u9fff" for sign in word)


def main() -> None:
    """Write the table: a row for each first character, with every second one after it."""
    words = everyday(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines())
    rows = [
        first + "".join(word[1] for word in group) for first, group in groupby(words, lambda word: word[0])
    ]
    TABLE.write_text("\n".join(rows) + "\n", encoding="utf-8")
    print(f"{len(words)} words")


if __name__ == "__main__":
    main()
