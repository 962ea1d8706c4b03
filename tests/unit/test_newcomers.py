"""Who comes after finds what CONTRIBUTING.md, the picture of the house and the hooks promise."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from tools import architecture

PROJECT = Path(__file__).resolve().parents[2]
_ROW = re.compile(r"^\| (?P<change>[^|]+) \| `(?P<folder>[^`|]+)/` \| `(?P<word>[^`|]+)` \|$", re.MULTILINE)
_READ = (".py", ".yaml", ".j2", ".part")


def _minute() -> list[tuple[str, str, str]]:
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition("### A newcomer's minute")[2].partition("\n## ")[0]
    return [(row["change"], row["folder"], row["word"]) for row in _ROW.finditer(section)]


def test_a_newcomer_is_told_ten_changes_or_more() -> None:
    assert len(_minute()) >= 10


@pytest.mark.parametrize(("change", "folder", "word"), _minute(), ids=[row[0] for row in _minute()])
def test_a_newcomer_finds_the_change_in_the_folder_named(change: str, folder: str, word: str) -> None:
    files = [path for path in (PROJECT / folder).rglob("*") if path.suffix in _READ]
    assert any(word in path.read_text(encoding="utf-8") for path in files), change


def test_the_picture_and_the_table_of_the_house_are_those_of_the_code() -> None:
    house = architecture.read()
    page = architecture.PAGE.read_text(encoding="utf-8")
    assert page == architecture.drawn(page, house), "run: make drawings"
    assert architecture.PICTURE.read_text(encoding="utf-8") == architecture.picture(house), (
        "run: make drawings"
    )
    ElementTree.fromstring(architecture.picture(house))


def test_an_arrow_that_a_way_over_others_says_is_not_drawn() -> None:
    arrows = frozenset({("a", "b"), ("b", "c"), ("a", "c"), ("a", "d")})
    assert architecture.direct(arrows) == {("a", "b"), ("b", "c"), ("a", "d")}


def test_a_new_folder_is_in_the_picture() -> None:
    house = architecture.House(
        (("upper",), ("lower",)),
        frozenset({("upper", "lower")}),
        frozenset(),
        {},
        {"upper": "A", "lower": "B"},
    )
    assert ">upper<" in architecture.picture(house)
    assert "| `upper.py` | A | lower |  |  |" in architecture.table(house)
    with pytest.raises(ValueError, match="must have the lines"):
        architecture.drawn("nothing", house)


def test_hooks_fetch_nothing_and_run_what_set_up_installed() -> None:
    text = (PROJECT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert "://" not in text
    installed = {"ruff", "mypy", "lint-imports", "ivr"}
    for repository in yaml.safe_load(text)["repos"]:
        assert repository["repo"] == "local"
        for hook in repository["hooks"]:
            program = Path(shlex.split(hook["entry"])[0])
            assert (hook["language"], program.parent) == ("system", Path(".venv/bin"))
            assert program.name in installed


def test_the_licence_says_where_everything_comes_from_that_is_no_code() -> None:
    text = (PROJECT / "LICENSE").read_text(encoding="utf-8")
    assert text.startswith("MIT License")
    for path in re.findall(r"\b(?:ivr|tests|tools)/[\w./]*\w", text):
        assert (PROJECT / path).exists() or (PROJECT / f"{path}.py").exists(), path
    data = [
        path for path in (PROJECT / "ivr").rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")
    ]
    unnamed = [
        str(path.relative_to(PROJECT))
        for path in data
        if path.name not in ("py.typed", "script.py.mako", "prompts.yaml", "words.yaml")
        and not any(
            str(path.relative_to(PROJECT)).startswith(name) for name in re.findall(r"ivr/[\w./]*\w", text)
        )
    ]
    assert unnamed == []


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_readme_names_every_folder_of_the_house_and_no_other(page: str) -> None:
    text = (PROJECT / page).read_text(encoding="utf-8")
    begins = text.index("`cli/`")
    table = text[begins : text.index("make lint", begins)]
    there = {path.parent.name for path in (PROJECT / "ivr").glob("*/__init__.py")}
    assert set(re.findall(r"`(\w+)/`", table)) == there
