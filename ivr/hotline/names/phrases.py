"""The words around a name: fillers, carriers, negations, numbers said digit by digit, and false friends.

Pure text.  Everything here is Chinese as it is spoken on the telephone, of no particular city.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

LONGEST = 240
"""Characters that are looked at: what a minute of talk holds; a longer text keeps its beginning and end."""

_TAG = re.compile(r"[\[<(]\s*[a-z_/ ]{1,12}\s*[\]>)]", re.IGNORECASE)


def normal(text: str) -> str:
    """Return the letters, digits and characters of ``text``, at most :data:`LONGEST` of them.

    Recognisers' marks (``[unk]``, ``<noise>``), punctuation, control characters and pictures go.
    """
    if len(text) > 8 * LONGEST:
        text = text[: 6 * LONGEST] + " " + text[-2 * LONGEST :]
    text = unicodedata.normalize("NFKC", _TAG.sub(" ", text)).lower()
    kept = "".join(sign for sign in text if unicodedata.category(sign) in ("Lo", "Ll", "Nd"))
    return kept if len(kept) <= LONGEST else kept[: LONGEST * 3 // 4] + kept[-(LONGEST // 4) :]


_FILLER = re.compile(
    r"那个|这个|哪个|就是|什么|一下|一个|有个|你们|我们|他们|里面|里头|里边|那里|这里|[嗯呃啊哦噢唉哎呀吧呢嘛哈的]|有人(?=[投举电毒炸])"
)


def without_fillers(text: str) -> tuple[str, list[int]]:
    """Return ``text`` without the words people put inside names, and where each character stood."""
    places = list(range(len(text)))
    for found in reversed(list(_FILLER.finditer(text))):
        del places[found.start() : found.end()]
    return "".join(text[at] for at in places), places


_CARRIER = (
    "喂|你好|您好|请问|麻烦|劳驾|谢谢|拜托|帮忙|帮我|帮|给我|给|汉我|旱我|替我|我要|我想|我找|我们|我这|我家|我是|我|你们|你|您"
    "|问一下|问下|问问|问|查一下|查|咨询|了解|打听|反映|投诉|举报|办理|办|申请|预约|报名|报|转一下|转接|转到|转|接一下|接|打电话|打个|打"
    "|找一下|找|要找|要|想|叫|联系|去|到|在哪里|在哪|怎么走|怎么弄|怎么|哪里|哪个|哪|什么|电话|号码|热线|多少|是|有|没有|没|不|了|吗"
    "|那个|这个|那|这|就是|一下|下|个|的|事情|事|问题|情况|关于|嗯|呃|啊|哦|噢|唉|哎|呀|吧|呢|嘛|哈|里|门口|过期|太|多|快|啦|请|師傅|师傅"
)
_AROUND = re.compile(f"(?:{_CARRIER})*")


def alone(text: str, start: int, end: int) -> bool:
    """Tell whether nothing but carriers (喂你好我找…谢谢) surrounds ``text[start:end]``."""
    return bool(_AROUND.fullmatch(text, 0, start)) and bool(_AROUND.fullmatch(text, end))


_DENIAL = re.compile(
    r"(?<!是)(?<!要)(?:不是|不找|不要[找转接]?|不用[找转接]|别转|不转|不去|不问)[要想来]?(?:说|问|找|投诉|举报|咨询|反映)?$"
)
_NOT_SO = re.compile(
    r"(?<![是有要用需])(?:不是|没有|没在|没人|没有人|没有谁|并非|没打算|没说|没|不用|不需要|不要|不想|不)"
    r"[要想来]?(?:在|说|问|打|叫|发生了?|出了?)?$"
)
_CALLED_OFF = re.compile(r"别[打叫]?$")
_TOLD_NOT_TO = re.compile(r"[让叫劝求逼说准许]我?(?:们)?(?:不要|不用|别)[打叫]?$")
"""他叫我别报警: somebody else does not want it, which is no reason to believe that nothing is wrong."""
_NOT_THERE = re.compile(r"(?:没有?|不来)$")
_COMES = ("警察", "救护车", "消防车", "公安", "急救")
"""Whoever says 还没有救护车 waits for one."""
_EITHER = re.compile(r"就是(?![想要]?[问咨了反])")
"""不是车祸就是打架 is one of the two; 不是报警就是问一下 is not."""


def denied(text: str, start: int, *, event: bool = False) -> bool:
    """Tell whether the words before ``start`` say that this is not it: 我不找社保局, but not 是不是.

    Args:
        text: everything said.
        start: where the name begins.
        event: an event may also be said not to have been: 没有着火; but 没有社保卡 asks for one.
    """
    if event and _TOLD_NOT_TO.search(text, 0, start):
        return False
    if event and text.startswith(_COMES, start) and _NOT_THERE.search(text, 0, start):
        return False
    if event and text.startswith((*_COMES, "报警"), start) and _CALLED_OFF.search(text, 0, start):
        return True
    said = (_NOT_SO if event else _DENIAL).search(text, max(0, start - 6), start)
    return said is not None and not (
        said.group().startswith("不是") and _EITHER.search(text, start, start + 12)
    )


_SPOKEN = {
    **{sign: str(at) for at, sign in enumerate("零一二三四五六七八九")},
    "〇": "0",
    "洞": "0",
    "两": "2",
}
_SPOKEN |= {"幺": "1", "拐": "7", "勾": "9"}
_RUN = re.compile(f"[要腰妖夭]?[0-9{''.join(_SPOKEN)}]{{2,}}")
_COUNTED_BEFORE = re.compile(r"[第路]$|(?:门牌|房间|房)号?$")
_COUNTED = re.compile(r"号(?!码|线|热)|室|[块元平斤岁路米栋个次多万千百年月分度户名]|公里|公斤|单元|[a-z]")


def numbers(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield every run of digits, spoken or written, as digits with its place; amounts are left out.

    幺, 一 (and 要, as recognisers write 幺) are 1; 12333 said twice over is given once.
    """
    for run in _RUN.finditer(text):
        start, end = run.span()
        if _COUNTED.match(text, end) or _COUNTED_BEFORE.search(text, 0, start):
            continue
        written = "".join(_SPOKEN.get(sign, sign) for sign in run.group())
        forms = [written] if written[0].isdigit() else [written[1:], "1" + written[1:]]
        for form in forms:
            half = len(form) // 2
            yield (form[:half] if half > 2 and form[:half] * 2 == form else form), start, end


_EVERYDAY = """\
公正 一车 给水 没气 没起 有烟 有油 公会 工商 上方 上房 找活 这火 大车 搭车 装车 缴税 水里
是火 事火 夹层 的事 的时 的是 的十 地市 地势 地是 得是 大家 打假 大驾 新房 幅度 复读 识货
是活 糊口 有据 有言 发源 发愿 剩余 声誉 生于 不可 一秒 易爆 易报 一包 寄生 机身 几声 几生 样子 养子
建议 简易 观点 税费 水泥 每期 是真 失真 市镇 实证 时政 是政 是正 经查 山货 散伙 占到 站到 护着 旧业
就也 也住 板正 办正 挂好 听谁 叫谁 教谁 找上 运到 学去 及时 急事 火井 水灾 偷税
"""
ORDINARY = frozenset(_EVERYDAY.split())
"""Everyday words, and cuts through them, that sound like names of lines: in talk they mean themselves."""
