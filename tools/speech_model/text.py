"""What the model knows: sentences of the language model, the vocabulary, sentences held out for measuring.

Everything comes from the small text files in corpus/, so that the recipe needs nothing else from the project.
"""

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jieba

CORPUS = Path(__file__).parent / "corpus"
NUMERALS = "零一二三四五六七八九"
# How much one sentence of each kind counts; the many sentences of a pattern share the weight of a few.
FLOOR, GENERAL_WEIGHT, FLATTENING = 0.15, 5_000.0, 0.7
PATTERN_WEIGHT, NUMBER_WEIGHT, WRITTEN_WEIGHT, EMERGENCY_WEIGHT = 0.08, 0.1, 1.0, 3.0


@dataclass(frozen=True)
class HeldOut:
    """One sentence to measure with: the text, the words that matter in it, and what it is about."""

    topic: str
    key: str
    text: str


@dataclass(frozen=True)
class Corpus:
    """All text of the recipe, cut into words.

    Attributes:
        weighted: sentences of the language model with their weights.
        words: the vocabulary, sorted; every single character is a word too.
        usual: how much each word counts by general usage, beside the sentences.
        lines: held-out sentences, one for each department line.
        emergencies: held-out emergency sentences.
        sentences: the twenty sentences of the voice table, held out as well.
    """

    weighted: list[tuple[list[str], float]]
    words: list[str]
    usual: dict[str, float]
    lines: list[HeldOut]
    emergencies: list[HeldOut]
    sentences: list[str]


def rows(name: str) -> list[str]:
    """Return the lines of a corpus file without comments and blanks."""
    text = (CORPUS / name).read_text(encoding="utf-8")
    return [row.strip() for row in text.splitlines() if row.strip() and not row.startswith("#")]


def spell_digits(text: str, one: str = "一") -> str:
    """Write every Arabic digit as it is read out one by one, for instance 110 as 幺幺零."""
    return re.sub(r"\d", lambda m: one if m[0] == "1" else NUMERALS[int(m[0])], text)


@cache
def _cutter() -> jieba.Tokenizer:
    jieba.setLogLevel(60)
    cutter = jieba.Tokenizer()
    for word in rows("emergency_words.txt"):
        cutter.add_word(word, freq=100_000)
    return cutter


def cut(text: str) -> list[str]:
    """Cut a sentence into words; numerals always stand alone, as callers string them freely."""
    words: list[str] = []
    for part in re.findall(r"[\u4e00-\u9fff]+|[A-Z]+", spell_digits(text)):
        for word in _cutter().lcut(part, HMM=False):
            numeral = len(word) > 1 and any(c in NUMERALS + "十百幺两" for c in word)
            words += list(word) if numeral else [word]
    return words


def _spoken_names(name: str) -> list[str]:
    """Return the ways to say a name; what stands in brackets may be said or left out."""
    if "(" not in name:
        return [name]
    return [re.sub(r"\(.*?\)", "", name), re.sub(r"[()]", "", name)]


def _line_sentences() -> Iterator[str]:
    """Yield every pattern filled with every name of every line and department."""
    patterns = rows("patterns.txt")
    of_dept = [p.removeprefix("dept: ") for p in patterns if p.startswith("dept: ")]
    of_name = [p for p in patterns if not p.startswith("dept: ")]
    departments: set[str] = set()
    for row in rows("lines.tsv"):
        _, _, name, depts, aliases = row.split("\t")
        departments.update(depts.split("|"))
        for alias in [*_spoken_names(name), *aliases.split("|")]:
            for spoken in _spoken_names(alias):
                yield from (p.format(spoken) for p in of_name)
    for row in rows("other_services.tsv"):
        _, name, aliases = row.split("\t")
        for alias in [name, *aliases.split("|")]:
            yield from (p.format(alias) for p in of_name)
    for dept in sorted(departments):
        yield from (p.format(dept) for p in of_dept)


def _number_sentences(rng: random.Random) -> Iterator[str]:
    """Yield phone numbers, service numbers, addresses, dates and amounts, as callers say them."""

    def digits(count: int, alphabet: str) -> str:
        return "".join(rng.choice(alphabet) for _ in range(count))

    # A mobile number says 1 either way, but not both ways in one breath.
    for one in ("一", "幺") * 400:
        alphabet = "零二三四五六七八九" + one
        mobile = one + rng.choice("三五七八九") + digits(9, alphabet)
        yield rng.choice(["", "我的电话号码是", "我的手机号码是", "号码是", "电话是"]) + mobile
        yield rng.choice(["", "电话", "尾号", "工单编号"]) + digits(rng.choice([4, 7, 8, 8]), alphabet)
        tens = rng.choice(["", "二", "三", "五", "八"]) + "十" + rng.choice(NUMERALS[1:])
        road = rng.choice(["人民路", "解放路", "中山路", "建设路", "和平路", "新华路", "文化路", "胜利路"])
        unit = rng.choice(NUMERALS[1:]) + rng.choice(["单元", "号楼", "楼", "栋", "层"])
        yield rng.choice(["地址在", "我家在", "我住在", "在", ""]) + road + tens + "号" + unit
        yield tens + rng.choice(["块钱", "个月", "天", "分钟", "个小时", "岁", "年", "号", "个人", "次"])
        yield rng.choice(NUMERALS[1:]) + "月" + tens + "日"
    for row in [*rows("lines.tsv"), *rows("other_services.tsv")]:
        number = next((n for n in row.split("\t")[:2] if n.isdigit()), "")
        for one in ("一", "幺") if number else ():
            yield spell_digits(number, one)
            yield "请转" + spell_digits(number, one)


def _held_out(name: str) -> list[HeldOut]:
    out = []
    for row in rows(name):
        *topic, key, text = row.split("\t")
        out.append(HeldOut(topic[0] if topic else key, key, text))
    return out


def _vocabulary(texts: Iterable[list[str]]) -> list[str]:
    words = {word for words in texts for word in words}
    words |= {c for word in words for c in word if "\u4e00" <= c <= "\u9fff"}
    return sorted(words | set(NUMERALS) | set("幺两十百千万") | set(rows("emergency_words.txt")))


def _usual(words: list[str]) -> dict[str, float]:
    """Spread GENERAL_WEIGHT over the words by jieba's counts, flattened, as those counts are of books."""
    jieba.dt.initialize()
    flat = {word: (jieba.dt.FREQ.get(word, 0) or 1) ** FLATTENING for word in words}
    total = sum(flat.values())
    return {word: FLOOR + GENERAL_WEIGHT * share / total for word, share in flat.items()}


def load() -> Corpus:
    """Read the corpus files and return the whole text of the recipe."""
    rng = random.Random(12345)
    weighted: list[tuple[list[str], float]] = []
    for row in [*rows("complaints.txt"), *rows("prompts.txt")]:
        weighted.append((cut(row), WRITTEN_WEIGHT))
    weighted += [(cut(row), EMERGENCY_WEIGHT) for row in rows("emergencies.txt")]
    weighted += [(cut(text), NUMBER_WEIGHT) for text in _number_sentences(rng)]
    held_lines, held_emergencies = _held_out("held_out.tsv"), _held_out("emergencies_held_out.tsv")
    sentences = rows("sentences.txt")
    held_texts = {*sentences, *(h.text for h in [*held_lines, *held_emergencies])}
    weighted += [(cut(text), PATTERN_WEIGHT) for text in _line_sentences() if text not in held_texts]
    loose = [word for row in rows("words.txt") for word in row.split()]
    words = _vocabulary([*(s for s, _ in weighted), *(cut(text) for text in [*held_texts, *loose])])
    return Corpus(weighted, words, _usual(words), held_lines, held_emergencies, sentences)
