"""The menu: one level of keys, or a few words; whoever does neither gets a person.

GB/T 33358 wants no menu; a city that sets style ``menu`` gets one that is never in a caller's way:
0, silence and two mistakes lead to a person, and the whole of it is over within a minute.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from ivr.calls.reception import STAR, Choice
from ivr.hotline.book import EMERGENCY_NUMBERS, HotlineBook, Line

GREETING = "P002"
MENU = "P003"
WRONG_KEY = "S030"
SAY_IT = "S031"
FIRST_KEY_S = 3.0
NEXT_KEY_S = 2.0
TRIES = 2
LONGEST_NUMBER = 15
LONGEST_SHOWN = 6
"""Keys of a mistake that are journalled whole; more may be somebody's telephone number."""
MENU_S = 50.0
"""Seconds after which a caller goes to a person, whatever they are doing."""

PERSON, EMERGENCY, END = "0", STAR, "#"
WISHES = {"8": "ticket_query", "9": "english"}
"""What P003 offers that no line is: a person does it, told by the ticket."""


class Match(Protocol):
    """What a name or a sentence was found to mean."""

    @property
    def kind(self) -> str:
        """``line``, ``ambiguous``, ``emergency``, ``referral`` or ``none``."""

    @property
    def line_id(self) -> str | None:
        """The line, of kind ``line``."""

    @property
    def number(self) -> str | None:
        """The number to dial, of a line, an emergency or a referral."""

    @property
    def candidates(self) -> Any:
        """Line ids or emergency numbers between which a question decides."""

    @property
    def question(self) -> str | None:
        """That question."""

    @property
    def score(self) -> float | None:
        """How sure it is, 0 to 1."""


class Matcher(Protocol):
    """Finds what words mean."""

    def match(self, text: str) -> Match:
        """Return the best meaning."""


class Asked(Protocol):
    """A caller who can be asked."""

    async def say(self, prompt: str) -> str:
        """Play a prompt; return the key that cut it short, or ``''``."""

    async def key(self, wait_s: float) -> str:
        """Return the next key, ``''`` after ``wait_s`` seconds without one."""

    @property
    def can_speak(self) -> bool:
        """Whether words would be understood now."""

    async def words(self) -> tuple[str, str]:
        """Listen; return (what was said, the key that was pressed instead)."""


async def ask(caller: Asked, book: HotlineBook, matcher: Matcher | None, limit_s: float = MENU_S) -> Choice:
    """Ask the caller what the call is about.

    Args:
        caller: who is on the line.
        book: what the city configured.
        matcher: finds a line by words; None where nothing finds one.
        limit_s: seconds after which the caller goes to a person.
    """
    try:
        async with asyncio.timeout(limit_s):
            return await _converse(caller, book, matcher)
    except TimeoutError:
        return Choice("nothing", facts={"why": "menu took too long"})


async def _converse(caller: Asked, book: HotlineBook, matcher: Matcher | None) -> Choice:
    key = await caller.say(GREETING) or await caller.say(MENU)
    pressed: list[str] = []
    while True:
        if not key and not pressed and matcher is not None and book.reception.speech and caller.can_speak:
            choice, key = await _listen(caller, book, matcher)
            if choice is not None:
                return choice
        elif not key:
            key = await caller.key(FIRST_KEY_S)
        if not key:
            return Choice("nothing", keyed=" ".join(pressed))
        keyed = await _whole(caller, book, key)
        pressed.append(keyed if len(keyed) <= LONGEST_SHOWN else keyed[:3] + "…")
        choice = chosen_by_keys(keyed, book)
        if choice is not None:
            return choice
        if len(pressed) >= TRIES:
            return Choice("nothing", keyed=" ".join(pressed), facts={"why": "wrong keys"})
        key = await caller.say(WRONG_KEY) or await caller.say(MENU)


async def _whole(caller: Asked, book: HotlineBook, first: str) -> str:
    """Return the keys of one try: at once where no number goes on from there, else after ``#`` or a pause."""
    keyed = first
    while keyed[-1] not in (END, EMERGENCY) and len(keyed) < LONGEST_NUMBER and _may_go_on(keyed, book):
        following = await caller.key(NEXT_KEY_S)
        if not following or following == END:
            break
        keyed += following
    return keyed


def _may_go_on(keyed: str, book: HotlineBook) -> bool:
    if keyed == PERSON:  # never waits, so numbers that begin with 0 cannot be keyed
        return False
    numbers = (*book.answered, *EMERGENCY_NUMBERS)
    if any(number.startswith(keyed) and number != keyed for number in numbers):
        return True
    # whoever keys a number that is none of ours is heard to the end, so that its rest means nothing else
    return len(keyed) > 1 and keyed not in numbers


def chosen_by_keys(keyed: str, book: HotlineBook) -> Choice | None:
    """Return what keys mean; None when they mean nothing."""
    if EMERGENCY in keyed:
        return Choice("keys", keyed=keyed, emergency=EMERGENCY)
    if keyed in EMERGENCY_NUMBERS:
        return Choice("keys", keyed=keyed, emergency=keyed)
    if keyed == PERSON or keyed in book.number_forms(book.number):
        return Choice("keys", keyed=keyed)
    line = _line(book, book.reception.keys.get(keyed)) or book.line_by_number(keyed)
    if line is not None:
        return Choice("keys", line, keyed)
    if keyed in WISHES:
        return Choice("keys", keyed=keyed, facts={"wish": WISHES[keyed]})
    return None


async def _listen(caller: Asked, book: HotlineBook, matcher: Matcher) -> tuple[Choice | None, str]:
    """Invite the caller to speak; return what that chose, or a key to go on with."""
    key = await caller.say(SAY_IT)
    if key:
        return None, key
    heard, key = await caller.words()
    if key:
        return None, key
    if not heard:
        return Choice("nothing"), ""
    return chosen_by_words(heard, matcher.match(heard), book), ""


def chosen_by_words(heard: str, match: Match, book: HotlineBook) -> Choice:
    """Return what words mean; what is not certain goes to a person, who is told what is open."""
    facts: dict[str, Any] = {} if match.score is None else {"score": match.score}
    if match.question:
        facts |= {"candidates": list(match.candidates), "question": match.question}
    if match.kind == "emergency":
        return Choice("speech", heard=heard, emergency=match.number or EMERGENCY, facts=facts)
    if match.kind == "referral":
        facts["referral"] = match.number
    line = _line(book, match.line_id) if match.kind == "line" else None
    return Choice("speech", line, heard=heard, facts=facts)


def _line(book: HotlineBook, line_id: str | None) -> Line | None:
    return next((line for line in book.lines if line.id == line_id), None)
