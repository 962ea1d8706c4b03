"""What sounds like an emergency, and when it is none.

**Which error is worse.** An emergency that is missed leaves somebody in a queue while it burns.  A call that is
handed to 119 without need costs an operator there half a minute.  So whatever names an emergency is one, unless
there is clear evidence against it, and words of haste (快来, 现在, 救命, 突然) outweigh that evidence:

- it is denied (没有着火, 不是要报警), by the caller and not by somebody the caller tells of (他叫我别报警);
- the word is the beginning of something administrative (消防车通道, 急救证, 报警器, 交通事故责任认定);
- it is long past *and* the caller asks for paper or money (以前出过车祸想问赔偿);
- it names a thing or an authority rather than an event (公安, 心脏病), the caller asks for paper or money *and*
  names a line as well (公安局上户口), or names what no haste goes with (反映救护车收费).

报警电话是多少 stays an emergency: whoever asks for it may need it and be unable to say why.  Errors that
remain are of the kind 我看见电视里着火了, answered as a fire.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_ALSO_SAID = {
    "110": "报警 救命 杀人 砍人 拿刀 跳楼 打起来 在打我 老公打我 被打了 殴打 绑架 入室盗窃 持枪 抢东西 有炸弹 自杀"
    " 小偷 被偷 被抢 老人走丢 孩子走丢 孩子不见了 孩子丢了 进贼 被人打 要杀我 打死我",
    "119": "着火 火警 火灾 失火 起火 烧起来 烧着了 着了火 发生火灾 浓烟 爆炸了 困在电梯 困在里面 冒着烟"
    " 煤气味 燃气味 天然气味 煤气罐漏 关在电梯 卡在电梯 电梯里关着 电梯里困 被困在 被困了 被困住"
    " 在里面出不来 人出不来 有人出不来 天然气泄漏 燃气漏 煤气漏 天然气漏",
    "120": "救护车 晕倒 没呼吸 晕过去 昏倒 昏过去 昏迷 不省人事 喘不上气 吐血 大出血 喝农药 中毒了 触电"
    " 中风 抽搐 快不行了 快生了 羊水破 心梗 流了好多血 流血不止 煤气中毒 没有呼吸 不呼吸 心脏骤停",
    "122": "车祸 撞人 撞到人 被车撞 翻车 撞死人 车撞了 车相撞",
    "12395": "溺水 掉河里 掉水里 掉进河 掉江里",
}
ALSO_SAID: Mapping[str, tuple[str, ...]] = {
    number: tuple(words.split()) for number, words in _ALSO_SAID.items()
}
"""What callers say besides the book's words, or when it has none: used for 110, 119, 120, 122 and every number
that the book calls an emergency."""

_LIFT = "[电殿店垫]梯"
_TRAPPED = re.compile(
    rf"{_LIFT}.{{0,8}}?(?:[困捆](?![难扰境])|[卡夹]住|卡着|[关锁].{{0,3}}里|关了.{{0,3}}人|人.{{0,3}}在里|[出下]不[来去])"
    rf"|[困捆](?![难扰境])在?.{{0,4}}{_LIFT}|[关卡锁夹]在?.{{0,3}}{_LIFT}里"
)
"""Somebody in a lift who cannot get out, however it is put."""

_HASTE = re.compile(
    r"救命|快来|快点|快去|快叫|快派|赶紧|赶快|马上|现在(?!没|不|想|要|咨询|问|怎么|能|可以|办)|正在|刚刚|刚才|又.{1,4}了|突然|发作|犯病|出人命|不行了|叫不醒|流血|有人被"
)
_PAPER_AFTER = re.compile(
    r"(?:后|的)?(?:责任|认定|理赔|赔偿|鉴定|证|器|通道|车道|收费|费用|培训|知识|演练|箱|险|保险|预案|宣传|讲座|费|手续|诉讼|招聘|招考|考试"
    r"|隐患|事故|报告|预防|防控|防范|逃生|警示|高发)"
)
_PAPER_BEFORE = re.compile(r"(?:预防|防止|防范|万一|如果|假如|要是|宣传|演练|模拟|避免|想当|要当|报考)$")
_PAST = re.compile(
    r"以前|之前|去年|前年|上个月|上次|曾经|当年|年前|前段时间|以后|之后|过后|那次|[做住出报得]过|那年"
)
_ASKS = re.compile(
    r"想问|咨询|问一下|问下|请问|赔|认定|鉴定|报销|补贴|补办|办|证|手续|材料|收费|太高|太贵|工伤|保险|几点|哪里|怎么申请|能不能|多少|服务态度"
)
_THINGS = frozenset(
    {
        "公安",
        "警察",
        "心脏病",
        "急救",
        "救护车",
        "交通事故",
        "消防车",
        "反诈",
        "车祸",
        "追尾",
        "撞车",
        "车撞了",
        "中风",
        "心梗",
    }
)
_CHIMNEY = re.compile(r"烟囱|工厂|厂里|锅炉|尾气|黑烟|车冒|汽车|烧烤|餐馆|饭店|油烟|天天|每天|经常|长期")


def no_emergency(text: str, start: int, end: int, *, denied: bool, line_named: bool) -> bool:
    """Tell whether the emergency word at ``text[start:end]`` is clearly none.

    Args:
        text: everything said.
        start: where the word begins.
        end: where it ends.
        denied: the words before say that it is not so.
        line_named: a line is named as well, elsewhere in the text.
    """
    if _HASTE.search(f"{text[:start]} {text[end:]}"):
        return False
    if denied or _PAPER_AFTER.match(text, end) or _PAPER_BEFORE.search(text, 0, start):
        return True
    asks = bool(_ASKS.search(text))
    if asks and _PAST.search(text):
        return True
    return asks and line_named and (text[start:end] in _THINGS or text[start:end].isdecimal())


def trapped(text: str) -> tuple[int, int] | None:
    """Return where somebody is said to be trapped in a lift; None when nobody is."""
    found = _TRAPPED.search(text)
    return found.span() if found else None


def haste(text: str) -> bool:
    """Tell whether somebody cannot wait."""
    return bool(_HASTE.search(text))


def may_be_harmless(text: str) -> bool:
    """Tell whether smoke is a matter of the environment: chimneys, exhausts, kitchens, every day."""
    return bool(_CHIMNEY.search(text)) and not _HASTE.search(text)


_RANK = {"119": 0, "12119": 0, "12395": 1, "120": 2, "122": 4}


def rank(number: str, word: str) -> tuple[int, int]:
    """Return the order in which emergencies are called: fire, water, life, violence, traffic, anything told.

    A word that only calls the police (报警) yields to the one that says why.
    """
    if number == "110":
        return (5 if word in ("报警", "警察", "公安", "救命") else 3, 0)
    return (_RANK.get(number, 6), -len(word))
