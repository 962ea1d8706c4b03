"""What the documents say is what the program does."""

from __future__ import annotations

import re
import shlex
from datetime import date
from pathlib import Path

import click
import pytest
import yaml

from ivr.cli.main import main
from ivr.home.settings import Settings
from ivr.hotline.files.reading import Severity, read
from tools import draw_states

PROJECT = Path(__file__).resolve().parents[2]
GUIDES = ("docs/administrator-guide.md", "docs/administrator-guide.zh-CN.md")
READMES = ("README.md", "README.zh-CN.md")
PAGES = sorted(
    [
        *(
            PROJECT / name
            for name in (*READMES, *GUIDES, "docs/operator-card.md", "docs/call-life.md", "docs/three-way.md")
        ),
        *(
            PROJECT / name
            for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md")
        ),
        *(PROJECT / "docs/decisions").glob("*.md"),
    ]
)
_BLOCK = re.compile(r"^[ ]*```(\w*)\n(.*?)^[ ]*```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")


def _name(page: Path) -> str:
    return str(page.relative_to(PROJECT))


def _code(text: str) -> list[str]:
    """Return every line of code blocks and every piece of code between backquotes."""
    lines = [line.strip() for kind, body in _BLOCK.findall(text) if not kind for line in body.splitlines()]
    return lines + _SPAN.findall(_BLOCK.sub("", text))


def _commands(text: str, program: str) -> list[list[str]]:
    """Return the words after ``program`` wherever code runs it."""
    found = []
    for code in _code(text):
        start = re.search(rf"(?:^|&& |PATH/|\.venv/bin/){program} (?=\S)", code)
        if start is None:
            continue
        try:
            words = shlex.split(code[start.end() :], comments=True)
        except ValueError:  # the end of a quoted shell line
            words = code[start.end() :].rstrip("'").split()
        found.append(words)
    return found


def _check(words: list[str]) -> str | None:
    """Return what is wrong with the words after ``ivr``; None when they exist."""
    command: click.Command = main
    rest = list(words)
    while isinstance(command, click.Group) and rest:
        following = command.get_command(click.Context(command), rest[0])
        if following is None:
            return f"there is no command {rest[0]!r}"
        command = following
        rest.pop(0)
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    unknown = [word for word in rest if word.startswith("-") and word not in known]
    return f"there is no option {unknown[0]}" if unknown else None


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_command_in_the_documents_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    faults = [
        f"ivr {' '.join(words)}: {fault}" for words in _commands(text, "ivr") if (fault := _check(words))
    ]
    assert not faults
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    assert {words[0] for words in _commands(text, "make")} <= targets


@pytest.mark.parametrize("page", READMES)
def test_the_readme_shows_the_commands_a_newcomer_needs(page: str) -> None:
    commands = _commands((PROJECT / page).read_text(encoding="utf-8"), "ivr")
    shown = {words[0] for words in commands}
    assert set(main.list_commands(click.Context(main))) - {"setup"} <= shown


def test_a_command_that_does_not_exist_is_noticed() -> None:
    assert _commands("`ivr fly` and `.venv/bin/ivr seats list --wings`\n```\nivr up --now # x\n```", "ivr")
    assert _check(["fly"]) and _check(["seats", "list", "--wings"]) and _check(["up", "--now"])
    assert _check(["seats", "list", "--secrets"]) is None


def test_the_drawn_states_are_those_of_the_table() -> None:
    page = draw_states.PAGE.read_text(encoding="utf-8")
    assert page == draw_states.drawn(page), "run: python -m tools.draw_states"
    page = draw_states.THREE_WAY_PAGE.read_text(encoding="utf-8")
    assert page == draw_states.drawn_three_way(page), "run: python -m tools.draw_states"


def test_a_page_without_its_marks_is_not_drawn_into() -> None:
    with pytest.raises(ValueError, match="must have the lines"):
        draw_states.drawn("nothing")


def _examples(guide: str) -> dict[str, str]:
    text = (PROJECT / guide).read_text(encoding="utf-8")
    blocks = [body for kind, body in _BLOCK.findall(text) if kind == "yaml"]
    return {body.splitlines()[0].removeprefix("# queues/"): body for body in blocks}


@pytest.mark.parametrize("guide", GUIDES)
def test_the_examples_of_the_guide_are_a_configuration(guide: str, tmp_path: Path) -> None:
    examples = _examples(guide)
    assert set(examples) == {path.name for path in (PROJECT / "queues").glob("*.yaml")}
    for name, text in examples.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    reading = read(tmp_path, date(2026, 6, 1))
    assert [fault.sentence() for fault in reading.faults if fault.severity is Severity.FAULT] == []
    assert reading.book is not None
    assert reading.book.lines and reading.book.seats and reading.book.operators


def test_both_guides_have_the_same_examples() -> None:
    english, chinese = (
        {name: yaml.safe_load(text) for name, text in _examples(guide).items()} for guide in GUIDES
    )
    assert english == chinese


@pytest.mark.parametrize("guide", GUIDES)
def test_the_guide_has_every_setting_and_no_other(guide: str) -> None:
    text = (PROJECT / guide).read_text(encoding="utf-8")
    assert set(re.findall(r"\bIVR_[A-Z_]+\b", text)) == {
        f"IVR_{name.upper()}" for name in Settings.model_fields
    }


def _alarms() -> set[str]:
    """Return the kinds of alarms that the program raises, whether named by a constant or by a word."""
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (PROJECT / "ivr").rglob("*.py"))
    constants: dict[str, str] = {}
    for names, values in re.findall(r"^([A-Z_, ]+) = ((?:\"\w+\"(?:, )?)+)$", sources, re.MULTILINE):
        constants |= dict(zip(names.split(", "), re.findall(r"\w+", values), strict=False))
    raised = re.findall(r"\b(?:Fault|raise_)\(\s*([A-Z_]+),", sources)
    raised += re.findall(r"\"alarm\": ([A-Z_]+),", sources)
    words = re.findall(r"\b_?alarm\(\s*\"(\w+)\",", sources)
    return {constants[name] for name in raised} | set(words)


@pytest.mark.parametrize("guide", GUIDES)
def test_the_guide_says_what_to_do_about_every_alarm(guide: str) -> None:
    text = (PROJECT / guide).read_text(encoding="utf-8")
    table = re.search(r"^## (?:Alarms|告警)\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    assert table is not None
    assert {"voicemail", "database_away", "overloaded"} < _alarms()
    told = {
        name
        for row in table[1].splitlines()
        if row.startswith("| `")
        for name in _SPAN.findall(row.split("|")[1])
    }
    assert told == _alarms()


def test_the_unit_file_names_settings_that_exist() -> None:
    text = (PROJECT / "docs/ivr12345.service").read_text(encoding="utf-8")
    assert set(re.findall(r"\bIVR_[A-Z_]+\b", text)) <= {
        f"IVR_{name.upper()}" for name in Settings.model_fields
    }


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    assert [link for link in links if link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", READMES)
def test_the_readme_says_how_many_words_the_demonstration_model_knows(page: str) -> None:
    card = (PROJECT / "ivr/speech/models/demonstration/README.md").read_text(encoding="utf-8")
    words = re.search(r"(\d+) words", card)
    assert words is not None
    assert f" {words.group(1)} " in (PROJECT / page).read_text(encoding="utf-8")
