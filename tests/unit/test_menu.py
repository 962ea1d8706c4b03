"""What a caller gets in the menu: by keys, by words, by saying and pressing nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.calls import menu
from ivr.calls.menu import ask
from ivr.calls.reception import Choice
from ivr.hotline.book import HotlineBook, Line, MergeMode
from ivr.hotline.modes import ReceptionSpec, ReceptionStyle
from tests.unit.kit import small_book

HR = Line("hr_12333", "12333", "人社热线", "人社局", MergeMode.PARALLEL)
TAX = Line("tax_12366", "12366", "税务热线", "税务局", MergeMode.WHOLE)


def book(**changes: Any) -> HotlineBook:
    reception = ReceptionSpec(style=ReceptionStyle.MENU, keys={"1": HR.id, "5": TAX.id}, speech=True)
    return small_book(lines=(HR, TAX), reception=replace(reception, **changes))


@dataclass(frozen=True)
class Meant:
    """An answer of a matcher."""

    kind: str
    line_id: str | None = None
    number: str | None = None
    candidates: tuple[str, ...] = ()
    question: str | None = None
    score: float | None = 0.9


class Names:
    """A matcher that knows a few sentences."""

    def __init__(self, **known: Meant) -> None:
        self.known = known

    def match(self, text: str) -> Meant:
        return self.known.get(text, Meant("none", score=0.0))


class Phone:
    """A caller who presses ``keys`` when the script says: a string a prompt or a wait, in order.

    ``.`` is a pause: nothing is pressed while that prompt plays or that wait lasts.
    """

    def __init__(self, script: str = "", said: str = "", can_speak: bool = True) -> None:
        self.script = list(script)
        self.said = said
        self.can_speak = can_speak
        self.heard: list[str] = []
        self.waits: list[float] = []

    def _next(self) -> str:
        return (self.script.pop(0) if self.script else ".").replace(".", "")

    async def say(self, prompt: str) -> str:
        self.heard.append(prompt)
        return self._next()

    async def key(self, wait_s: float) -> str:
        self.waits.append(wait_s)
        return self._next()

    async def words(self) -> tuple[str, str]:
        self.heard.append("(listens)")
        key = self._next()
        return ("", key) if key else (self.said, "")


async def answered(phone: Phone, matcher: Names | None = None, **changes: Any) -> Choice:
    return await ask(phone, book(**changes), matcher)


KEYED = [
    # keys as they come: P002, P003, then each wait; "." is a pause
    ("1.", "keys", HR, "1", ""),
    (".1.", "keys", HR, "1", ""),
    ("..1.", "keys", HR, "1", ""),
    ("5", "keys", TAX, "5", ""),
    ("12333", "keys", HR, "12333", ""),
    ("..12366", "keys", TAX, "12366", ""),
    ("1#", "keys", HR, "1", ""),
    ("12345", "keys", None, "12345", ""),
    ("0", "keys", None, "0", ""),
    (".0", "keys", None, "0", ""),
    ("*", "keys", None, "*", "*"),
    ("12*", "keys", None, "12*", "*"),
    ("119.", "keys", None, "119", "119"),
    ("8.", "keys", None, "8", ""),
    ("9.", "keys", None, "9", ""),
    ("...", "nothing", None, "", ""),
    ("7" + "1.", "keys", HR, "1", ""),
    ("7" + "7", "nothing", None, "7 7", ""),
    ("#" + "..." + "0", "nothing", None, "#", ""),
    ("7" + "0", "keys", None, "0", ""),
    ("10086#" + "0", "keys", None, "0", ""),
    ("10086." + "10086.", "nothing", None, "10086 10086", ""),
    ("13800138000#" + "..7", "nothing", None, "138… 7", ""),
]


@pytest.mark.parametrize(("script", "by", "line", "keyed", "emergency"), KEYED)
async def test_keys_lead_where_the_menu_says(
    script: str, by: str, line: Line | None, keyed: str, emergency: str
) -> None:
    choice = await answered(Phone(script), speech=False)
    assert (choice.by, choice.line, choice.keyed, choice.emergency) == (by, line, keyed, emergency)


@pytest.mark.parametrize("script", ["0", "*", "5", "7"])
async def test_a_key_that_begins_no_number_is_not_waited_upon(script: str) -> None:
    phone = Phone(script)
    await answered(phone, speech=False)
    assert menu.NEXT_KEY_S not in phone.waits


async def test_silence_leads_to_a_person_after_three_seconds() -> None:
    phone = Phone()
    assert await answered(phone, speech=False) == Choice("nothing")
    assert phone.heard == ["P002", "P003"]
    assert phone.waits == [3.0]


async def test_a_mistake_is_told_and_the_menu_is_heard_once_more() -> None:
    phone = Phone("7..5")
    assert (await answered(phone, speech=False)).line == TAX
    assert phone.heard == ["P002", "S030", "P003"]


@pytest.mark.parametrize(("key", "wish"), [("8", "ticket_query"), ("9", "english")])
async def test_what_the_menu_offers_besides_lines_is_done_by_a_person(key: str, wish: str) -> None:
    assert (await answered(Phone(key))).facts == {"wish": wish}
    assert (await answered(Phone(key), keys={key: "tax_12366"})).line == TAX


async def test_a_key_for_a_line_that_is_gone_is_a_mistake_and_no_dead_end() -> None:
    assert (await answered(Phone("33"), keys={"3": "gone"})).by == "nothing"


async def test_who_presses_nothing_may_say_what_it_is_about() -> None:
    phone = Phone(said="社保卡")
    choice = await answered(phone, Names(社保卡=Meant("line", "hr_12333", "12333")))
    assert (choice.by, choice.line, choice.heard) == ("speech", HR, "社保卡")
    assert choice.facts == {"score": 0.9}
    assert phone.heard == ["P002", "P003", "S031", "(listens)"]


async def test_a_key_instead_of_words_counts() -> None:
    assert (await answered(Phone("..5"), Names())).line == TAX
    assert (await answered(Phone("...5"), Names())).line == TAX


async def test_words_that_could_mean_several_lines_go_to_a_person_with_the_question() -> None:
    meant = Meant("ambiguous", candidates=("hr_12333", "tax_12366"), question="是养老保险还是税费?")
    choice = await answered(Phone(said="养老"), Names(养老=meant))
    assert choice.line is None
    assert choice.facts["candidates"] == ["hr_12333", "tax_12366"]
    assert choice.facts["question"] == "是养老保险还是税费?"
    assert choice.heard == "养老"


async def test_words_of_an_emergency_are_one() -> None:
    choice = await answered(Phone(said="着火了"), Names(着火了=Meant("emergency", number="119")))
    assert (choice.emergency, choice.by, choice.line) == ("119", "speech", None)


async def test_another_service_s_number_is_told_by_a_person() -> None:
    choice = await answered(Phone(said="银行"), Names(银行=Meant("referral", number="12363")))
    assert choice.facts["referral"] == "12363"


@pytest.mark.parametrize("said", ["天气不错", ""])
async def test_words_that_mean_nothing_lead_to_a_person(said: str) -> None:
    choice = await answered(Phone(said=said), Names())
    assert (choice.line, choice.emergency, choice.heard) == (None, "", said)


@pytest.mark.parametrize(
    ("can_speak", "matcher", "speech"),
    [(False, Names(), True), (True, None, True), (True, Names(), False)],
)
async def test_without_a_recogniser_nobody_is_asked_to_speak(
    can_speak: bool, matcher: Names | None, speech: bool
) -> None:
    phone = Phone(can_speak=can_speak)
    assert (await answered(phone, matcher, speech=speech)).by == "nothing"
    assert phone.heard == ["P002", "P003"]


async def test_a_menu_that_takes_too_long_ends_at_a_person() -> None:
    class Slow(Phone):
        async def say(self, prompt: str) -> str:
            await asyncio.Event().wait()
            return ""

    choice = await ask(Slow(), book(), None, limit_s=0.01)
    assert choice == Choice("nothing", facts={"why": "menu took too long"})


@given(st.text("0123456789*#.", max_size=60), st.text(max_size=8))
def test_whatever_is_pressed_or_said_the_menu_ends(script: str, said: str) -> None:
    phone = Phone(script, said)
    choice = asyncio.run(answered(phone, Names()))
    assert choice.line in (None, HR, TAX)
    assert phone.heard.count("P003") <= menu.TRIES
    assert len(phone.waits) <= menu.TRIES * menu.LONGEST_NUMBER
    assert not (choice.emergency and choice.line)


@given(st.integers(0, 2), st.text("0123456789*#.", max_size=12))
def test_the_star_key_comes_before_everything(pauses: int, then: str) -> None:
    assert asyncio.run(answered(Phone("." * pauses + "*" + then), speech=False)).emergency == "*"


def test_the_whole_menu_is_over_before_asterisk_takes_the_caller_back() -> None:
    from ivr.rollout.staging import MENU_LIMIT_S
    from ivr.speech.prompts import PromptBook

    longest = max(PromptBook().seconds(name) for name in (menu.GREETING, menu.MENU, menu.SAY_IT))
    assert menu.MENU_S + longest < MENU_LIMIT_S, "a prompt that plays is heard to its end"
