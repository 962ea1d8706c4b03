"""Which line a caller means, by what the caller says.

``Matcher(book).match("喂你好我想问一下那个公积金贷款")`` finds names as they are written, by sound and
nearly so, within ordinary talk.  Emergencies go before everything (see ``names_urgent`` for the two errors
and which is worse), longer names before shorter ones, and names that several lines share are answered
with the question that tells them apart.

Pure and frozen: no clock, no file, nothing is changed after it was built, so any thread may ask.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ivr.hotline.book import EMERGENCY_NUMBERS, HotlineBook, Line
from ivr.hotline.names import derived as names_derived
from ivr.hotline.names import everyday as names_everyday
from ivr.hotline.names import phrases as names_talk
from ivr.hotline.names import urgency as names_urgent
from ivr.hotline.names.index import Hit, Name, NamesIndex
from ivr.hotline.telephone import digits


@dataclass(frozen=True)
class Match:
    """What a text came to.

    Attributes:
        kind: ``line``, ``ambiguous``, ``emergency``, ``referral`` or ``none``.
        line_id: the line, of kind ``line`` only.
        number: the number of the line, the emergency or the referral.
        candidates: line ids and emergency numbers among which the question decides; of an emergency, all
            emergency numbers heard, the first to be called first.
        question: what to ask, in Chinese; of an emergency, what may be asked after it was put through.
        score: 0.0 to 1.0, how sure the match is; it orders answers and is no probability.
    """

    kind: str
    line_id: str | None = None
    number: str | None = None
    candidates: tuple[str, ...] = ()
    question: str | None = None
    score: float = 0.0

    def document(self) -> dict[str, Any]:
        """Return the answer as ``ivr lines match --json`` prints it."""
        return {
            "kind": self.kind,
            "line_id": self.line_id,
            "number": self.number,
            "candidates": list(self.candidates),
            "question": self.question,
            "score": self.score,
        }


NOTHING = Match("none")


@dataclass(frozen=True)
class Matcher:
    """Finds what callers mean, in the names of one book."""

    book: HotlineBook
    _index: NamesIndex = field(init=False, repr=False, compare=False)
    _numbers: dict[str, Name] = field(init=False, repr=False, compare=False)
    _lines: dict[str, Line] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", NamesIndex(_names(self.book)))
        object.__setattr__(self, "_numbers", _numbers(self.book))
        object.__setattr__(self, "_lines", {line.id: line for line in self.book.lines})

    def match(self, text: str) -> Match:
        """Tell what ``text`` asks for; any text gives an answer, a very long one is cut."""
        said = names_talk.normal(text)
        if not said:
            return NOTHING
        heard = [*self._index.search(said), *self._said_numbers(said), *_trapped(said)]
        hits = _longest([hit for hit in heard if not hit.doubtful])
        others = [hit for hit in hits if hit.name.kind != "emergency"]
        urgent = [hit for hit in hits if hit.name.kind == "emergency" and not _harmless(said, hit, others)]
        if urgent:
            return self._emergency(said, urgent)
        wanted = [hit for hit in others if not names_talk.denied(said, hit.start)]
        doubtful = [hit for hit in heard if hit.doubtful]
        return self._answer(_clearest(wanted)) if wanted else self._doubt(said, doubtful)

    def _doubt(self, said: str, doubtful: list[Hit]) -> Match:
        """Ask where an everyday word may stand for an emergency: nobody is put through, nobody is passed over."""
        meant = [
            hit
            for hit in doubtful
            if names_everyday.may_be_meant(said, hit.start, hit.end) and not _harmless(said, hit, [])
        ]
        if not meant:
            return NOTHING
        first = min(meant, key=lambda hit: names_urgent.rank(hit.name.targets[0], hit.name.text))
        word = first.name.text
        ask = f"请问是有紧急情况（{word}）吗?"
        return Match("ambiguous", None, None, first.name.targets, ask, first.score)

    def _said_numbers(self, said: str) -> Iterator[Hit]:
        for number, start, end in names_talk.numbers(said):
            if name := self._numbers.get(number):
                yield Hit(name, start, end, 1.0, len(number))

    def _emergency(self, said: str, urgent: list[Hit]) -> Match:
        urgent.sort(key=lambda hit: names_urgent.rank(hit.name.targets[0], hit.name.text))
        first = urgent[0]
        asked = next((a for a in self.book.ambiguous if a.text == first.name.text), None)
        numbers = tuple(dict.fromkeys(hit.name.targets[0] for hit in urgent))
        if asked and len(urgent) == 1 and names_urgent.may_be_harmless(said):
            return Match("ambiguous", None, None, asked.candidates, asked.ask, first.score)
        question = asked.ask if asked else None
        candidates = numbers if len(numbers) > 1 else ()
        return Match("emergency", None, numbers[0], candidates, question, first.score)

    def _answer(self, hits: list[Hit]) -> Match:
        targets = dict.fromkeys(target for hit in hits for target in hit.name.targets)
        score = max(hit.score for hit in hits)
        asking = [hit for hit in hits if len(hit.name.targets) > 1]
        agreed = [t for t in targets if all(t in hit.name.targets for hit in hits)]
        if agreed:
            targets = dict.fromkeys(agreed)
        if len(targets) == 1:
            only = next(iter(targets))
            line = self._lines.get(only)
            if line:
                return Match("line", line.id, line.number, (), None, score)
            kind = hits[0].name.kind if hits[0].name.kind != "ambiguous" else "emergency"
            return Match(kind, None, only, (), None, score)
        ask = asking[0].name.ask if asking and (agreed or len(hits) == 1) else ""
        return Match("ambiguous", None, None, tuple(targets), ask or _question(hits, self._lines), score)


def _names(book: HotlineBook) -> Iterator[Name]:
    """Yield every name of the book once, with all whom it means; emergency words are nothing else.

    A name of one character is in nearly every sentence, so it counts only where nothing else is said.
    """
    urgent = {names_talk.normal(word) for entry in book.emergencies for word in entry.words}
    asked = {names_talk.normal(entry.text) for entry in book.ambiguous}
    owners = _owners(book)
    taken = {*owners, *asked, *urgent}
    for entry in book.ambiguous:
        if (text := names_talk.normal(entry.text)) not in urgent:
            alone = len(text) == 1
            yield Name(text, "ambiguous", entry.candidates, shown=entry.text, ask=entry.ask, only_alone=alone)
    for text, ids in owners.items():
        if text not in asked and text not in urgent:
            kind = "line" if len(ids) == 1 else "ambiguous"
            yield Name(text, kind, tuple(ids), shown=text, only_alone=len(text) == 1)
    yield from names_derived.derived(book, owners, taken)
    yield from _urgent_names(book, taken)
    for referral in book.referrals:
        for word in referral.words:
            text = names_talk.normal(word)
            alone = len(text) == 1
            yield Name(text, "referral", (referral.number,), shown=referral.name, only_alone=alone)


def _owners(book: HotlineBook) -> dict[str, dict[str, None]]:
    owners: dict[str, dict[str, None]] = {}
    for line in book.lines:
        for alias in (*line.aliases, line.name):
            if text := names_talk.normal(alias):
                owners.setdefault(text, {})[line.id] = None
    return owners


def _urgent_names(book: HotlineBook, taken: set[str]) -> Iterator[Name]:
    """Yield the book's emergency words and those everybody uses, for the four numbers whatever the book says."""
    words = {number: dict[str, None]() for number in EMERGENCY_NUMBERS}
    for entry in book.emergencies:
        words.setdefault(entry.number, {}).update(dict.fromkeys(map(names_talk.normal, entry.words)))
    for number, named in words.items():
        also = (word for word in names_urgent.ALSO_SAID.get(number, ()) if word not in taken)
        for word in dict.fromkeys((*named, *also)):
            yield Name(word, "emergency", (number,))


def _numbers(book: HotlineBook) -> dict[str, Name]:
    """Return what each number means when it is said; the hotline's own means nothing more."""
    meant: dict[str, Name] = {}
    for referral in book.referrals:
        meant[digits(referral.number)] = Name(
            referral.number, "referral", (referral.number,), shown=referral.name
        )
    for line in book.lines:
        for form in book.number_forms(line.number):
            meant[form] = Name(form, "line", (line.id,), shown=line.name)
    for number in (*EMERGENCY_NUMBERS, *(digits(urgent.number) for urgent in book.emergencies)):
        meant[number] = Name(number, "emergency", (number,))
    return meant


def _trapped(said: str) -> Iterator[Hit]:
    """Yield the lift that somebody is trapped in: 电梯里面困人了, 我卡在电梯里, in whatever order it is told."""
    if place := names_urgent.trapped(said):
        yield Hit(Name("电梯困人", "emergency", ("119",)), *place, 1.0, place[1] - place[0])


def _longest(hits: list[Hit]) -> list[Hit]:
    """Keep of names that overlap the one that says most; an emergency yields only to a longer one as written."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: (-hit.weight, hit.start)):
        rivals = [other for other in kept if other.start < hit.end and hit.start < other.end]
        urgent = hit.name.kind == "emergency"
        if not rivals or (urgent and not any(_outdoes(rival, hit) for rival in rivals)):
            kept.append(hit)
    return kept


def _outdoes(rival: Hit, urgent: Hit) -> bool:
    """Tell whether an emergency word yields: to another, to what was said as written, 举报警察 before 警察."""
    if rival.name.kind == "emergency":
        return True
    around = rival.start <= urgent.start and urgent.end <= rival.end and rival.heard > urgent.heard
    return rival.score == 1.0 and (around or urgent.score < 1.0)


def _harmless(said: str, hit: Hit, others: list[Hit]) -> bool:
    named = any(other.score == 1.0 for other in others)
    return names_urgent.no_emergency(
        said, hit.start, hit.end, denied=names_talk.denied(said, hit.start, event=True), line_named=named
    )


def _clearest(hits: list[Hit]) -> list[Hit]:
    """Drop hints beside names, and short names by their sound beside names as they are written."""
    named = [hit for hit in hits if not hit.name.weak] or hits
    if any(hit.score == 1.0 for hit in named):
        named = [hit for hit in named if hit.score > 0.9 or len(hit.name.text) > 3]
    return sorted(named, key=lambda hit: hit.start)


def _question(hits: list[Hit], lines: dict[str, Line]) -> str:
    """Ask between the names heard; of one name, between its lines."""
    names = list(dict.fromkeys(hit.name.shown for hit in hits))
    if len(names) == 1:
        names = [lines[target].name if target in lines else target for target in hits[0].name.targets]
    return f"请问您要找的是{'、'.join(names[:-1])},还是{names[-1]}?"
