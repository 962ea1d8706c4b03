"""What sounds like an emergency only because an everyday word does, or a cut through one.

我拿到了机票 has 拿到, which sounds like 拿刀; 被投诉 holds 被投, which sounds like 被偷, because 投诉 begins
there.  A recogniser that mishears an emergency seldom writes an everyday word for it and more often a string that
nobody says (着伙了), so a word of a dictionary is evidence against the emergency, though no proof: see
:func:`may_be_meant`.

Pure: the table is read once, at import.
"""

from __future__ import annotations

import re
from importlib import resources

_RARER = """\
穿反 戴反 强拆 转车 装车 吃到 转到 烧心 紫砂 山货 中度 分到 触点 井盖 看人 逆水 翻唱 晕车 小头 人社 起货 湿货
伙食 招人 招工 找货 找活 火锅 货车 火车 火机
"""


def _read() -> dict[str, str]:
    """Return, for each character, those that make an everyday word after it."""
    text = resources.files("ivr.hotline").joinpath("common_words.txt").read_text(encoding="utf-8")
    words = {row[0]: row[1:] for row in text.splitlines()}
    for word in _RARER.split():
        words[word[0]] = words.get(word[0], "") + word[1]
    return words


_SECOND = _read()


def common(pair: str) -> bool:
    """Tell whether two characters are a word that people say every day."""
    return pair[1] in _SECOND.get(pair[0], "")


_PARTICLES = "了的着过在是有"


def everyday(name: str, heard: str, text: str, start: int, end: int) -> bool:
    """Tell whether what was heard is an everyday word, or was cut out of one.

    Args:
        name: the emergency word.
        heard: what was said instead, sign for sign.
        text: everything said.
        start: where it begins.
        end: where it ends.
    """
    other = [mine != said for mine, said in zip(name, heard, strict=True)]
    mostly = len(name) < 4 or sum(other) * 2 >= len(name)  # 煤气泄露 is no other word than 煤气泄漏
    within = mostly and any(
        common(heard[at : at + 2]) and any(other[at : at + 2]) and heard[at + 1] not in _PARTICLES
        for at in range(len(heard) - 1)
    )
    return within or _cut(text, end) or _cut(text, start)


def _cut(text: str, at: int) -> bool:
    """Tell whether an everyday word stands across a place of the text."""
    return 0 < at < len(text) and common(text[at - 1 : at + 1]) and text[at] not in _PARTICLES


_SUFFERER = re.compile(
    r"(?:有(?:个|位|一个)?(?:人|老人|孩子|小孩|男的|女的)|老人|老人家|孩子|小孩|宝宝|[爸妈爷奶哥弟姐妹儿女]|老公|老婆|老伴|儿子|女儿|同事|工友|同学"
    r"|邻居|朋友|房子|楼|家|里|[我你他她]|我们|突然|刚刚|刚才)(?:也|都|又|就|要|在|突然|刚刚|刚才)?$"
)
_OVER = re.compile(r"(?:了|啦|啊|呀|着)*(?:(?:快|怎么办|救命|在地上).*)?")


def may_be_meant(text: str, start: int, end: int) -> bool:
    """Tell whether an everyday word may stand for an emergency all the same: it is all that is told of somebody.

    我爸运到了 may well be 我爸晕倒了, and is asked; 货运到了不给卸 is not.
    """
    return bool(_OVER.fullmatch(text, end)) and bool(_SUFFERER.search(text, 0, start))
