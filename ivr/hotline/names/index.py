"""All names of a book, found in what was said by their sounds.

A trie of folded syllables finds every name that sounds like a stretch of the text, in time that grows with the text
and hardly with the names.  Long names with a syllable wrong, missing or too many are found by rare pairs of
syllables and verified with rapidfuzz, never more than :data:`VERIFIED` of them.

Pure and never changed after it was built, so any thread may search.
"""

from __future__ import annotations

import heapq
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from rapidfuzz.distance import LCSseq
from rapidfuzz.fuzz import partial_ratio_alignment

from ivr.hotline.names import everyday as names_everyday
from ivr.hotline.names import phrases as names_talk
from ivr.hotline.names import pinyin
from ivr.hotline.names import urgency as names_urgent

VERIFIED = 16
"""Names compared syllable by syllable for one text, however many there are."""
COMMON = 24
"""A pair of syllables that more names have than this tells nothing (投诉, 热线)."""
COVERED = 0.78
"""Share of a long name that must have been heard; generic words count a third."""

_GENERIC = re.compile(
    r"热线|服务|投诉|举报|咨询|监督|公益|补贴|电话|查询|公开|维权|管理|中心|局|怎么|申诉|市场|违法|事务|和|监管"
)


@dataclass(frozen=True)
class Name:
    """A name and whom it means.

    Attributes:
        text: the name as it is compared.
        kind: ``line``, ``ambiguous``, ``emergency`` or ``referral``.
        targets: line ids or numbers.
        weak: only a hint, which anything else outweighs.
        shown: how the name is said in a question.
        ask: the question of an ambiguous name.
        only_alone: means this only when nothing else is said: 工商, 人社.
    """

    text: str
    kind: str
    targets: tuple[str, ...]
    weak: bool = False
    shown: str = ""
    ask: str = ""
    only_alone: bool = False


@dataclass(frozen=True)
class Hit:
    """A name heard at ``[start, end)`` of the text; ``score`` is 1.0 as written, less by sound."""

    name: Name
    start: int
    end: int
    score: float
    heard: int
    """How many of the name's syllables were heard."""
    doubtful: bool = False
    """An emergency that was heard out of an everyday word."""

    @property
    def weight(self) -> float:
        """What decides between names that overlap: longer, then better, then a name that asks."""
        asks = 0.01 if self.name.kind == "ambiguous" else 0.0
        return self.heard * self.score * (0.5 if self.name.weak else 1.0) + asks


_Node = dict[int, Any]
_END = 1 << 30


class NamesIndex:
    """Finds names in talk."""

    def __init__(self, names: Iterable[Name]) -> None:
        self.names = tuple(names)
        self._root: _Node = {}
        self._pairs: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        self._codes: dict[int, str] = {}
        self._weights: dict[int, tuple[float, ...]] = {}
        for at, name in enumerate(self.names):
            self._plant(at, name.text)
            if len(name.text) >= 4 and not name.weak and name.kind != "emergency":
                self._pair(at, name.text)
        self._pairs = defaultdict(list, {k: v for k, v in self._pairs.items() if len(v) <= COMMON})

    def _plant(self, at: int, text: str) -> None:
        for path in itertools.islice(itertools.product(*map(pinyin.keys, text)), 64):
            node = self._root
            for key in path:
                node = node.setdefault(key, {})
            node.setdefault(_END, []).append(at)

    def _pair(self, at: int, text: str) -> None:
        code = [pinyin.keys(sign)[0] for sign in text]
        generic = {place for found in _GENERIC.finditer(text) for place in range(*found.span())}
        if len(text) - len(generic) < 3:
            return  # 信访咨询: two syllables that tell, and 新房子 sounds like them
        self._codes[at] = _string(code)
        self._weights[at] = tuple(0.34 if place in generic else 1.0 for place in range(len(text)))
        for pair in set(itertools.pairwise(code)):
            self._pairs[pair].append(at)

    def search(self, text: str) -> list[Hit]:
        """Return every name heard in ``text`` (already :func:`names_talk.normal`), overlapping ones too."""
        hits = list(self._by_sound(text, text, range(len(text) + 1)))
        short, places = names_talk.without_fillers(text)
        if len(short) < len(text):
            hits += self._by_sound(short, text, [*places, len(text)])
        heard = {hit.name for hit in hits}
        hits += (hit for hit in self._nearly(text) if hit.name not in heard)
        return hits

    def _by_sound(self, said: str, whole: str, places: list[int] | range) -> Iterator[Hit]:
        keys = [pinyin.keys(sign) for sign in said]
        for start in range(len(said)):
            seen = set()
            nodes: list[tuple[int, _Node]] = [(start, self._root)]
            while nodes:
                at, node = nodes.pop()
                for found in node.get(_END, ()):
                    if (found, at) not in seen:
                        seen.add((found, at))
                        name = self.names[found]
                        here = places[start], places[at - 1] + 1
                        score = judged(name, said[start:at], whole, *here)
                        if score:
                            yield Hit(name, *here, score, at - start, doubtful(name, score, said, start, at))
                if at < len(keys):
                    nodes += ((at + 1, node[key]) for key in keys[at] if key in node)

    def candidates(self, code: list[int]) -> list[int]:
        """Return the long names that share rare pairs of syllables with the text, at most VERIFIED."""
        shared: Counter[int] = Counter()
        for pair in set(itertools.pairwise(code)):
            shared.update(self._pairs.get(pair, ()))
        return heapq.nlargest(
            VERIFIED, shared, key=lambda at: (shared[at] / len(self._codes[at]), shared[at], -at)
        )

    def _nearly(self, text: str) -> Iterator[Hit]:
        code = [pinyin.keys(sign)[0] for sign in text]
        said = _string(code)
        for at in self.candidates(code):
            name, wanted = self.names[at], self._codes[at]
            window = partial_ratio_alignment(wanted, said, score_cutoff=60)
            if window is None:
                continue
            begin, end = max(0, window.dest_start - 2), min(len(said), window.dest_end + 2)
            same = [op for op in LCSseq.opcodes(wanted, said[begin:end]) if op.tag == "equal"]
            weights = self._weights[at]
            kept = sum(sum(weights[op.src_start : op.src_end]) for op in same)
            lost = sum(weight == 1.0 for weight in weights) - sum(
                weights[op.src_start : op.src_end].count(1.0) for op in same
            )
            covered = kept / sum(weights)
            allowed = 1 if len(wanted) <= 7 else len(wanted) // 4
            start, stop = begin + same[0].dest_start, begin + same[-1].dest_end
            if covered >= COVERED and lost <= allowed and stop - start <= len(wanted) + 2:
                yield Hit(
                    name, start, stop, round(0.85 * covered, 3), sum(op.src_end - op.src_start for op in same)
                )


def _string(code: Iterable[int]) -> str:
    return "".join(chr(0x4E00 + key if key >= 0 else 0xF0000 + (-key & 0xFFFF)) for key in code)


def judged(name: Name, heard: str, text: str, start: int, end: int) -> float:
    """Return how surely ``heard`` is the name, 0.0 when it is not: the shorter, the stricter.

    A word of two characters of which neither is the name's counts only alone, in its tones or as an emergency;
    everyday words (大家 is not 打架) never count inside talk.
    """
    likeness = [pinyin.likeness(mine, other) for mine, other in zip(name.text, heard, strict=True)]
    worst = max(likeness)
    if worst == pinyin.SAME:
        if name.only_alone and not names_talk.alone(text, start, end):
            return 0.0
        return 0.6 if name.weak else 1.0
    ordinary = heard in names_talk.ORDINARY
    if name.weak or name.only_alone:
        return 0.0
    if name.kind == "emergency" and (ordinary or not _told(name, likeness, text)):
        return 0.0
    score = round(0.97 - 0.1 * sum(likeness) / len(heard), 3)
    lonely = names_talk.alone(text, start, end)
    pressed = name.kind == "emergency" and names_urgent.haste(text)
    rule = _short if len(heard) == 2 else _long
    return score if rule(name, likeness, lonely, ordinary, pressed) else 0.0


def doubtful(name: Name, score: float, said: str, start: int, end: int) -> bool:
    """Tell whether an emergency was heard out of an everyday word."""
    if name.kind != "emergency" or score == 1.0:
        return False
    return names_everyday.everyday(name.text, said[start:end], said, start, end)


def _told(name: Name, likeness: list[int], text: str) -> bool:
    """Tell whether more than the 了 of 船翻了 was heard as written or in its tone, or there is haste."""
    counted = likeness[:-1] if name.text.endswith("了") and len(likeness) > 2 else likeness
    return (
        len(counted) > 2
        or min(counted) == pinyin.SAME
        or max(counted) == pinyin.SAME_TONE
        or names_urgent.haste(text)
    )


def _short(name: Name, likeness: list[int], lonely: bool, ordinary: bool, pressed: bool) -> bool:
    same = pinyin.SAME in likeness
    if pinyin.NEAR in likeness:
        return same and not ordinary and (lonely or pressed)
    in_tone = max(likeness) == pinyin.SAME_TONE and name.kind == "emergency"
    return lonely or ((same or in_tone) and not ordinary)


def _long(name: Name, likeness: list[int], lonely: bool, ordinary: bool, pressed: bool) -> bool:
    size, near = len(likeness), likeness.count(pinyin.NEAR)
    if ordinary and not lonely:
        return False
    if near <= size // 3 and (near == 0 or pinyin.SAME in likeness or size > 3 or lonely):
        return True
    return near <= size // 2 and (lonely or size > 4)
