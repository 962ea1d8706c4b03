"""What ``ivr lines match`` tells of a number and of what was said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ivr.cli.records import lines
from ivr.hotline.book import EMERGENCY_NUMBERS

SHIPPED = Path(__file__).parents[2] / "queues"


@pytest.fixture(autouse=True)
def _shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IVR_HOME", str(tmp_path))
    monkeypatch.setenv("IVR_CONFIG", str(SHIPPED))


def match(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(lines, ["match", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    answer: dict[str, Any] = json.loads(done.output)
    return answer


@pytest.mark.parametrize("number", EMERGENCY_NUMBERS)
def test_an_emergency_number_is_named_as_one_and_never_as_a_line(number: str) -> None:
    answer = match("--dialled", number)
    assert (answer["kind"], answer["number"], answer["line_id"]) == ("emergency", number, None)
    said = CliRunner().invoke(lines, ["match", "--dialled", number])
    assert said.exit_code == 0
    assert number in said.output


def test_a_line_is_a_line_and_anything_else_is_none() -> None:
    answer = match("--dialled", "12330")
    assert (answer["kind"], answer["line_id"], answer["number"]) == ("line", "ip_12330", "12330")
    assert match("--dialled", "12345", "--diverted-from", "12330")["line_id"] == "ip_12330"
    assert match("--dialled", "1100")["kind"] == "none"
    assert CliRunner().invoke(lines, ["match"]).exit_code == 2


def test_what_a_caller_said_is_its_line() -> None:
    answer = match("--speech", "喂你好我想问一下那个公积金贷款")
    assert answer == {
        "kind": "line",
        "line_id": "fund_12329",
        "number": "12329",
        "candidates": [],
        "question": None,
        "score": 1.0,
    }
    assert match("--speech", "嗯")["kind"] == match("--speech", "")["kind"] == "none"


def test_the_number_dialled_goes_before_words_and_an_emergency_before_both() -> None:
    assert match("--dialled", "12330", "--speech", "公积金")["line_id"] == "ip_12330"
    assert match("--dialled", "12345", "--speech", "公积金")["line_id"] == "fund_12329"
    assert match("--dialled", "12330", "--speech", "我家着火了")["number"] == "119"


def test_two_lines_named_are_listed_under_the_question_in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IVR_LANGUAGE", "zh")
    said = CliRunner().invoke(lines, ["match", "--speech", "税务局和民政局"]).output.splitlines()
    assert said == [
        "请问您要找的是税务局,还是民政局?",
        "  tax_12366 纳税缴费服务热线",
        "  civil_12349 民政服务热线",
    ]
    assert "119" in CliRunner().invoke(lines, ["match", "--speech", "着火了"]).output
