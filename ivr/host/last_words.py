"""How a process of ours tells the one that started it, in both languages, why it ended.

Its output is a file that older ends stand in too, and a sentence may have many lines: so the last words
are one line of JSON.
"""

from __future__ import annotations

import contextlib
import json

from ivr.errors import HotlineError


def spoken(error: HotlineError) -> str:
    """Return the line to write."""
    return json.dumps({"sentence": error.sentence, "sentence_zh": error.zh}, ensure_ascii=False) + "\n"


def heard(output: str) -> tuple[str, str]:
    """Return the last words in English and Chinese; of a process that crashed its last line."""
    lines = output.strip().splitlines()
    if not lines:
        return "it ended without a word", "进程已结束，没有留下说明"
    with contextlib.suppress(ValueError, KeyError, TypeError):
        words = json.loads(lines[-1])
        return str(words["sentence"]), str(words["sentence_zh"])
    return lines[-1], lines[-1]
