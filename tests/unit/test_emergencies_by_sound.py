"""An emergency is heard though it is misheard, and an everyday word that sounds like one calls nobody."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ivr.hotline.names.matcher import Matcher
from tests.unit.matching_kit import DATA, book_of_82

FLOORS = {"tuned": (1.0, 1.0), "heldout": (0.83, 0.92)}
"""Least share of everyday sentences that call nobody, and of emergencies that are called at once."""


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher(book_of_82())


def part(name: str) -> dict[str, Any]:
    data: dict[str, dict[str, Any]] = yaml.safe_load(
        (DATA / "emergencies_by_sound.yaml").read_text(encoding="utf-8")
    )
    return data[name]


@pytest.mark.parametrize("name", FLOORS)
def test_everyday_words_that_sound_like_an_emergency_call_nobody(matcher: Matcher, name: str) -> None:
    said = part(name)["everyday"]
    called = [text for text in said if matcher.match(text).kind == "emergency"]
    assert len(said) >= 40
    assert 1 - len(called) / len(said) >= FLOORS[name][0], called


@pytest.mark.parametrize("name", FLOORS)
def test_an_emergency_is_called_at_once_though_a_sound_of_it_was_misheard(
    matcher: Matcher, name: str
) -> None:
    said = part(name)["real"]
    answers = {row["text"]: matcher.match(row["text"]) for row in said}
    missed = [
        row["text"]
        for row in said
        if (answers[row["text"]].kind, answers[row["text"]].number) != ("emergency", row["number"])
    ]
    assert len(said) >= 39
    assert 1 - len(missed) / len(said) >= FLOORS[name][1], missed


@pytest.mark.parametrize(
    "said",
    [
        "电梯里面困人了",
        "电梯里困着人",
        "我们被困在电梯里",
        "电梯把人关里面了",
        "人被电梯困住了",
        "我卡电梯里了",
        "电梯门打不开人在里面",
        "我困在殿梯里面出不来",
    ],
)
def test_whoever_is_trapped_in_a_lift_is_put_through_to_119_without_a_question(
    matcher: Matcher, said: str
) -> None:
    assert (matcher.match(said).kind, matcher.match(said).number) == ("emergency", "119")


@pytest.mark.parametrize(
    "said",
    [
        "电梯坏了",
        "办电梯卡找谁",
        "老旧小区困难户加装电梯补贴",
        "电梯停运困扰居民",
        "上次电梯困人想问赔偿",
        "没有人困在电梯里",
    ],
)
def test_a_lift_that_nobody_is_trapped_in_calls_nobody(matcher: Matcher, said: str) -> None:
    assert matcher.match(said).kind != "emergency"


@pytest.mark.parametrize(("said", "number"), [("我儿子中度了", "120"), ("有人拿到了", "110")])
def test_an_everyday_word_that_may_stand_for_an_emergency_is_asked(
    matcher: Matcher, said: str, number: str
) -> None:
    answer = matcher.match(said)
    assert (answer.kind, answer.candidates) == ("ambiguous", (number,))
    assert answer.question
