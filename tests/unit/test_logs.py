"""Logs stay readable and last, whatever strangers put into them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr.home.logs import SAME, FirstOfEach, lines_to, start_logging
from ivr.host.terminal import shown


@contextlib.contextmanager
def logging_to(folder: Path) -> Iterator[Path]:
    """Log as the engine does, and as nobody else does meanwhile."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    root.handlers = []
    try:
        start_logging(folder, "engine")
        yield folder / "engine.log"
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers = handlers
        root.setLevel(level)


def test_a_log_shows_a_strangers_escapes_and_line_ends_instead_of_obeying_them(tmp_path: Path) -> None:
    with logging_to(tmp_path) as log:
        logging.getLogger("x").warning(
            "called by %s", "张三\x1b[2J\r\n2026-01-01 00:00:00 ERROR forged\u202e"
        )
    text = log.read_text(encoding="utf-8")
    assert text.endswith("called by 张三\\x1b[2J\\r\\n2026-01-01 00:00:00 ERROR forged\\u202e\n")
    assert text.count("\n") == 1


def test_a_traceback_keeps_its_lines(tmp_path: Path) -> None:
    with logging_to(tmp_path) as log:
        try:
            raise ValueError("\x1b]0;title\x07")
        except ValueError:
            logging.getLogger("x").exception("failed")
    text = log.read_text(encoding="utf-8")
    assert text.startswith("20") and "\nTraceback (most recent call last):\n" in text
    assert "ValueError: \\x1b]0;title\\x07\n" in text


def test_the_same_sentence_over_and_over_does_not_turn_a_log_over() -> None:
    now = [0.0]
    kept = FirstOfEach(lambda: now[0])

    def say(sentence: str, *values: object) -> logging.LogRecord | None:
        line = logging.LogRecord("fastagi", logging.INFO, "", 0, sentence, values, None)
        return line if kept.filter(line) else None

    probes = [say("AGI connection closed: %s", number) for number in range(5000)]
    assert sum(line is not None for line in probes) == SAME
    assert say("something else") is not None, "others are not held back"
    now[0] = 60
    told = say("AGI connection closed: %s", "again")
    assert told is not None
    assert (
        told.getMessage()
        == f"AGI connection closed: again [{5000 - SAME} lines like earlier ones were left out]"
    )


def test_lines_of_a_file_of_their_own_begin_with_the_time_and_its_zone(tmp_path: Path) -> None:
    lines_to(tmp_path, "strangers")("stranger what=unknown address=192.0.2.1 times=1")
    text = (tmp_path / "strangers.log").read_text()
    assert text[19] in "+-"
    assert text[24:] == " stranger what=unknown address=192.0.2.1 times=1\n"


@pytest.mark.parametrize("text", ["张三", "Zoë O'Neil", "नि‍", "12345 (热线)。"])
def test_letters_of_every_language_are_left_alone(text: str) -> None:
    assert shown(text) == text
