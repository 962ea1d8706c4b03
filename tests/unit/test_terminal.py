"""What strangers call themselves is printed as it is and obeyed by no terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ivr.cli import common
from ivr.cli.common import echo, print_json, print_table

COMMANDS = Path(common.__file__).parent
EVIL = "张三\x1b[2J\x1b]0;title\x07\x9b31m\u202e[/red][bold]x"


def obeyed(text: str) -> list[str]:
    """Return the signs of a text that a terminal would do something about."""
    return re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


@pytest.mark.parametrize("rows", [1, common._DRAWN_ROWS + 1])
def test_a_list_shows_a_callers_name_with_escapes_and_brackets(
    rows: int, capsys: pytest.CaptureFixture[str]
) -> None:
    print_table(("caller", "state"), [(EVIL, "waiting")] * rows)
    printed = capsys.readouterr().out
    assert obeyed(printed) == []
    assert "张三\\x1b[2J" in printed
    assert "[/red][bold]x" in printed, "brackets are part of the name"


def test_a_sentence_and_a_document_are_obeyed_by_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    echo(f"two\nlines of {EVIL}")
    print_json({"name": EVIL})
    printed = capsys.readouterr().out
    assert obeyed(printed) == []
    assert printed.startswith("two\nlines of 张三")
    assert json.loads(printed[printed.index("{") :]) == {"name": EVIL}, "the document itself is the same"


def test_every_command_prints_through_what_is_safe() -> None:
    bare = [
        path.name
        for path in COMMANDS.glob("*.py")
        if re.search(r"click\.s?echo\(|[^_.a-z]print\(", path.read_text())
    ]
    assert bare == ["common.py"]
