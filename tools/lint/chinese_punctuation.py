"""``python -m tools.lint.chinese_punctuation``: Chinese sentences have full-width punctuation.

Refuses ``, ; : ? ! ( )`` beside a Chinese character in a Chinese sentence of any tracked file; ``--mend``
writes what it should be. A mark with space or Latin on its other side counts only where the sentence is
more Chinese than English: an English sentence may name a Chinese word, and has its own marks then.

A line that says ``half-width kept`` is left alone, and so are the files of ``LEFT_ALONE``.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from tools.lint import prose
from tools.lint.prose import HOLE, Prose

FULL_WIDTH = dict(zip(",;:?!()", "，；：？！（）", strict=True))
KEPT = "half-width kept"
LEFT_ALONE = {
    "tests/data/": "what callers said, as it was written down",
    "tools/speech_model/corpus/": "what the model is trained with",
    "tests/wire/data/": "what Asterisk sent",
    "tests/unit/test_chinese_punctuation.py": "has every fault",
}

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_CHINESE = re.compile(f"[{_HAN}\u3001-\u3003\u3008-\u301b\uff01-\uff1f\u2026]")
_HAN_SIGN = re.compile(f"[{_HAN}]")
_SKIPPED = re.compile(f"[ \\n{HOLE}\"'*\\[\\]`\u2018\u2019\u201c\u201d]")
_BETWEEN_CHINESE = re.compile(rf"(?<={_CHINESE.pattern})[,;:?!()](?:\n\s*)?{_CHINESE.pattern}")
# The sign itself is meant: "not one of , ; and :".
_ALONE = re.compile(r"(?<= )[,;:?!()](?:[ \0]|$)")
_SENTENCE_END = re.compile(r"\n\0|\n(?=\s*(?:\n|[-*#|>]|\d+\.))|[|。？！]|[.?!](?=\s)|\s/\s")
_ENGLISH_WORD = re.compile(r"(?<![\w./=-])[a-z]{3,}(?![\w/=-])")
_LATIN_WORD = re.compile(r"(?<![\w./-])[A-Za-z]*[a-z]['a-z-]*(?![\w./])")
HAN_A_WORD = 1.6
"""Characters of an ordinary Chinese word, to weigh it against an English one."""


@dataclass(frozen=True)
class Fault:
    """A half-width mark where a full-width one belongs.

    Attributes:
        place: where it is, characters from the beginning of the file.
        mark: what stands there.
    """

    place: int
    mark: str


def faults(path: PurePath, text: str) -> list[Fault]:
    """Find every half-width mark in the Chinese sentences of a file."""
    found = {fault for stretch in prose.of(path, text) for fault in _faults(stretch)}
    return sorted(
        (fault for fault in found if KEPT not in _line(text, fault.place)), key=lambda each: each.place
    )


def mended(text: str, found: Iterable[Fault]) -> str:
    """Return the text with full-width marks; the blank that followed or led a mark goes with it."""
    for fault in sorted(found, key=lambda each: -each.place):
        before, after = text[: fault.place], text[fault.place + 1 :]
        if fault.mark != "(" and re.match(r" [^\s/#|]", after):
            after = after[1:]
        if fault.mark == "(" and re.search(r"[^\s#|>] $", before):
            before = before[:-1]
        text = before + FULL_WIDTH[fault.mark] + after
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the tracked files, or those named; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.lint.chinese_punctuation", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="files to check (default: all tracked)")
    parser.add_argument("--mend", action="store_true", help="write the right marks into the files")
    options = parser.parse_args(arguments)
    count = 0
    for path in options.files or _tracked():
        text = "" if path.as_posix().startswith(tuple(LEFT_ALONE)) else _read(path)
        found = faults(path, text)
        if found and options.mend:
            path.write_text(mended(text, found), encoding="utf-8")
        for fault in () if options.mend else found:
            print(_said(path, text, fault))
        count += len(found)
    return 1 if count and not options.mend else 0


def _faults(stretch: Prose) -> Iterator[Fault]:
    text = stretch.text
    if not _CHINESE.search(text):
        return
    # A mark beside one that is wrong is beside a full-width one when that is mended, so look again.
    while wrong := {at.start() for at in re.finditer(r"[,;:?!()]", text) if _is_wrong(text, at.start())}:
        for pair in _brackets(text):
            if wrong & set(pair):
                wrong |= set(pair)
        yield from (Fault(stretch.start + at, text[at]) for at in wrong)
        text = "".join(FULL_WIDTH[sign] if at in wrong else sign for at, sign in enumerate(text))


def _is_wrong(text: str, at: int) -> bool:
    left, right = _neighbour(text, at, -1), _neighbour(text, at, 1)
    if not (_CHINESE.match(left) or _CHINESE.match(right)):
        return False
    if _ALONE.match(text, at) or (text.startswith("; ", at) and left in {"", "\n"}):
        return False
    blank = _blank_beside(text, at)
    touches = any(_HAN_SIGN.match(text[beside : beside + 1]) for beside in (at - 1, at + 1) if beside >= 0)
    if _BETWEEN_CHINESE.match(text, at) or (touches and blank is None):
        return True
    sentence = _sentence(text, at)
    return _is_chinese(sentence) and not (
        blank != "\n" and blank is not None and _ENGLISH_WORD.search(sentence)
    )


def _blank_beside(text: str, at: int) -> str | None:
    """Return the blank that English has beside a mark, "" at the end: before a bracket that opens, else after."""
    beside = text[at - 1 : at] if text[at] == "(" else text[at + 1 : at + 2]
    if text[at] == ")" and beside in set(",;:.\n"):
        return ""
    return beside if beside in {"", " ", "\n"} else None


def _neighbour(text: str, at: int, step: int) -> str:
    """Return the next character that is read; quotes, blanks and holes are not."""
    at += step
    while 0 <= at < len(text) and _SKIPPED.match(text[at]):
        at += step
    return text[at] if 0 <= at < len(text) else ""


def _sentence(text: str, at: int) -> str:
    ends = [end.end() for end in _SENTENCE_END.finditer(text, 0, at)]
    end = _SENTENCE_END.search(text, at + 1)
    return text[ends[-1] if ends else 0 : end.start() if end else len(text)]


def _is_chinese(sentence: str) -> bool:
    return len(_HAN_SIGN.findall(sentence)) / HAN_A_WORD > len(_LATIN_WORD.findall(sentence))


def _brackets(text: str) -> Iterator[tuple[int, int]]:
    opened: list[int] = []
    for bracket in re.finditer(r"[()]", text):
        if bracket[0] == "(":
            opened.append(bracket.start())
        elif opened:
            yield opened.pop(), bracket.start()


def _line(text: str, place: int) -> str:
    end = text.find("\n", place)
    return text[text.rfind("\n", 0, place) + 1 : end if end >= 0 else len(text)]


def _said(path: Path, text: str, fault: Fault) -> str:
    row = text.count("\n", 0, fault.place) + 1
    column = fault.place - text.rfind("\n", 0, fault.place)
    around = text[max(0, fault.place - 8) : fault.place + 9].replace("\n", " ")
    right = FULL_WIDTH[fault.mark]
    return f"{path}:{row}:{column}: {fault.mark!r} should be {right!r} in a Chinese sentence: …{around}…"


def _tracked() -> Iterator[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
    yield from map(Path, filter(None, listed.split("\0")))


def _read(path: Path) -> str:
    """Return the text of a file, nothing of one that is none."""
    try:
        return path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, FileNotFoundError):
        return ""


if __name__ == "__main__":
    sys.exit(main())
