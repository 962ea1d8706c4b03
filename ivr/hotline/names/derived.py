"""What follows from the names of a book without being written in it.

People say 投诉快递 for 快递投诉, 住房公积金 for 住房公积金热线, 人社 for 人社局, and the department's full name.
A core such as 快递 is only a hint: whatever else was named outweighs it.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ivr.hotline.book import HotlineBook
from ivr.hotline.names import phrases as names_talk
from ivr.hotline.names.index import Name

_ASKING = ("投诉", "举报", "咨询", "查询")
_TOO_GENERAL = frozenset(
    {
        "医院",
        "企业",
        "价格",
        "消费",
        "质量",
        "商务",
        "医疗",
        "手机卡",
        "计量",
        "农技科技",
        "窗口",
        "物业",
        "食品",
    }
)
"""Cores that are everybody's words; a hint of them would mislead."""


_BRACKETS = str.maketrans("", "", "()\uff08\uff09")  # what stands in brackets is a part, not the whole


def derived(book: HotlineBook, names: Mapping[str, Mapping[str, None]], taken: set[str]) -> Iterator[Name]:
    """Yield the further names of lines.

    Args:
        book: whose departments are names too.
        names: every name as it is compared, with the ids of its lines.
        taken: what means something already.
    """
    made: dict[tuple[str, bool], set[str]] = {}
    for text, line_id, weak in (*_turned(names), *_departments(book)):
        if len(text) >= 2 and text not in taken:
            made.setdefault((text, weak), set()).add(line_id)
    for (text, weak), lines in made.items():
        if len(lines) == 1 and not (weak and (text, False) in made):
            yield Name(text, "line", tuple(lines), weak=weak, shown=text)
    bureaus: dict[str, set[str]] = {}
    for text, ids in names.items():
        if (
            len(text) == 3
            and text[-1] in "局委办"
            and text[:2] not in taken
            and (text[:2], False) not in made
        ):
            bureaus.setdefault(text[:2], set()).update(ids)
    for text, lines in bureaus.items():
        if len(lines) == 1:
            yield Name(text, "line", tuple(lines), shown=text, only_alone=True)


def _turned(names: Mapping[str, Mapping[str, None]]) -> Iterator[tuple[str, str, bool]]:
    for text, ids in names.items():
        cores = [(asking, text.removesuffix(asking)) for asking in _ASKING if text.endswith(asking)]
        for line_id in ids:
            if text.endswith("热线"):
                yield text[:-2], line_id, len(text) < 6
            for asking, core in cores:
                if len(core) >= 2:
                    yield asking + core, line_id, False
                    if core not in _TOO_GENERAL:
                        yield core, line_id, True


def _departments(book: HotlineBook) -> Iterator[tuple[str, str, bool]]:
    for line in book.lines:
        for department in line.department.split("/"):
            if department == department.translate(_BRACKETS):
                yield names_talk.normal(department), line.id, False
