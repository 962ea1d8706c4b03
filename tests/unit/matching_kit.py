"""A book of 82 lines with 549 names, and what callers say, for the tests and the benchmark of matching."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ivr.hotline.book import (
    AmbiguousName,
    EmergencyWords,
    HotlineBook,
    Line,
    MergeMode,
    QueueSpec,
    Referral,
    Trunks,
)
from ivr.hotline.names.matcher import Match

DATA = Path(__file__).resolve().parents[1] / "data"
CARRIERS = (
    "{}",
    "喂你好我想问一下那个{}",
    "请帮我转{}谢谢",
    "麻烦您我找一下{}",
    "嗯那个就是{}的事情",
    "我想咨询一下{}怎么办",
)


@dataclass(frozen=True)
class Utterance:
    text: str
    kind: str
    why: str
    line: str | None = None
    number: str | None = None
    candidates: tuple[str, ...] = ()

    def met_by(self, answer: Match) -> bool:
        """Tell whether an answer is what was expected, target included."""
        return (
            answer.kind == self.kind
            and self.line in (None, answer.line_id)
            and self.number in (None, answer.number)
            and set(self.candidates) <= set(answer.candidates)
        )


def _load(name: str) -> Any:
    return yaml.safe_load((DATA / name).read_text(encoding="utf-8"))


def utterances(part: str) -> list[Utterance]:
    """Return ``development`` or ``heldout``."""
    name = "utterances.yaml" if part == "development" else "utterances_heldout.yaml"
    rows = _load(name)["utterances"]
    return [Utterance(**row | {"candidates": tuple(row.get("candidates", ()))}) for row in rows]


def book_with(lines: tuple[Line, ...], data: dict[str, Any] | None = None) -> HotlineBook:
    """Return a book with these lines and the sections of ``data``."""
    data = data or {}
    return HotlineBook(
        city="测试市",
        region="511100",
        area_code="0833",
        number="12345",
        timezone="Asia/Shanghai",
        greeting="P001",
        lines=lines,
        queues=(QueueSpec("q_general", "综合"),),
        seats=(),
        operators=(),
        trunks=Trunks(),
        ambiguous=tuple(
            AmbiguousName(a["text"], a["ask"], tuple(a["candidates"])) for a in data.get("ambiguous", ())
        ),
        emergencies=tuple(
            EmergencyWords(e["number"], e["name"], tuple(e["words"]), e["transfer"])
            for e in data.get("emergencies", ())
        ),
        referrals=tuple(
            Referral(r["number"], r["name"], tuple(r["words"])) for r in data.get("referrals", ())
        ),
    )


@functools.cache
def book_of_82() -> HotlineBook:
    data = _load("named_lines.yaml")
    lines = tuple(
        Line(**row | {"merge_mode": MergeMode(row["merge_mode"]), "aliases": tuple(row["aliases"])})
        for row in data["lines"]
    )
    return book_with(lines, data)
