"""Writes the two halves of vosk's search graph: how words sound (HCLr.fst) and how words follow (Gr.fst)."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .kaldi_model import FILLER, SILENCE, Phones, enter, stay
from .ngram import END, START, Bigrams

UNKNOWN = "[unk]"
UNKNOWN_COST = 1.8  # per sound unit; lower hears more strangers, higher forces more words of a grammar


class _Fst:
    """A transducer in OpenFst's text format; state 0 is the start."""

    def __init__(self) -> None:
        self.states = 0
        self.arcs: list[str] = []
        self.finals: list[str] = []

    def state(self) -> int:
        self.states += 1
        return self.states - 1

    def arc(self, source: int, target: int, label_in: int = 0, label_out: int = 0, cost: float = 0.0) -> None:
        self.arcs.append(f"{source} {target} {label_in} {label_out} {cost:.4f}")

    def final(self, state: int, cost: float = 0.0) -> None:
        self.finals.append(f"{state} {cost:.4f}")

    def text(self) -> str:
        return "\n".join([*self.arcs, *self.finals]) + "\n"


class _Sounds:
    """Builds the transducer from transitions to words: one tree of all words, closed to a loop."""

    def __init__(self, phones: Phones, numbers: Mapping[str, int]) -> None:
        self.phones, self.numbers, self.fst = phones, numbers, _Fst()
        start = self.fst.state()
        self.hub = self.fst.state()
        self._optional(start, self.hub, SILENCE)
        self.fst.final(self.hub)
        self.branches: dict[tuple[str, ...], tuple[int, int]] = {}

    def _emit(self, source: int, phone: int, word: int = 0, cost: float = 0.0) -> int:
        target = self.fst.state()
        self.fst.arc(source, target, enter(phone), word, cost)
        self.fst.arc(target, target, stay(phone))
        return target

    def _optional(self, source: int, target: int, blank: int) -> None:
        self.fst.arc(source, target)
        self.fst.arc(self._emit(source, blank), target)

    def _inner(self, units: tuple[str, ...]) -> int:
        """Return the state after a word's first units, shared by all words that begin with them."""
        if not units:
            return self.hub
        if units not in self.branches:
            phone = self.phones.number[units[-1], "B" if len(units) == 1 else "I"]
            said = self._emit(self._inner(units[:-1]), phone)
            after = self.fst.state()
            self._optional(said, after, FILLER)
            self.branches[units] = (said, after)
        return self.branches[units][1]

    def add_words(self, readings: Mapping[str, Sequence[tuple[str, ...]]]) -> None:
        """Add the words; words that sound the same share everything but the label."""
        ends: dict[tuple[str, ...], int] = {}
        for word, ways in readings.items():
            for units in ways:
                before = self._inner(units[:-1])
                phone = self.phones.number[units[-1], "S" if len(units) == 1 else "E"]
                if units in ends:
                    self.fst.arc(before, ends[units], enter(phone), self.numbers[word])
                else:
                    ends[units] = self._emit(before, phone, self.numbers[word])
                    self._optional(ends[units], self.hub, SILENCE)

    def add_unknown(self) -> None:
        """Add the stranger: two or more sound units in any order."""
        inside = self.fst.state()
        for (_, position), phone in self.phones.number.items():
            if position == "S":
                continue
            source = self.hub if position == "B" else inside
            word = self.numbers[UNKNOWN] if position == "B" else 0
            said = self._emit(source, phone, word, UNKNOWN_COST)
            self._optional(
                said, self.hub if position == "E" else inside, SILENCE if position == "E" else FILLER
            )


def _grammar(bigrams: Bigrams, words: list[str], numbers: Mapping[str, int]) -> _Fst:
    fst = _Fst()
    state = {before: fst.state() for before in [START, "", *words]}
    for word, cost in bigrams.single.items():
        if word == END:
            fst.final(state[""], cost)
        else:
            fst.arc(state[""], state[word], numbers[word], numbers[word], cost)
    for before in [START, *words]:
        for word, cost in bigrams.pairs.get(before, {}).items():
            if word == END:
                fst.final(state[before], cost)
            else:
                fst.arc(state[before], state[word], numbers[word], numbers[word], cost)
        fst.arc(state[before], state[""], cost=bigrams.back.get(before, 0.0))
    return fst


def _openfst(command: str, text: str, work: Path) -> None:
    """Run a pipe of OpenFst's tools; its file types live in plug-ins that Debian keeps apart."""
    plugins = next(Path("/usr/lib").glob("*/fst/*/olabel_lookahead-fst.so"), None)
    if plugins is None:
        raise FileNotFoundError(
            "olabel_lookahead-fst.so: install Debian's libfst-tools and libfst22-plugins-base"
        )
    environment = {**os.environ, "LD_LIBRARY_PATH": str(plugins.parent)}
    subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], input=text.encode(), cwd=work, env=environment, check=True
    )


def write(
    readings: Mapping[str, Sequence[tuple[str, ...]]],
    bigrams: Bigrams,
    phones: Phones,
    model: Path,
    work: Path,
) -> None:
    """Write the graph folder of a model.

    Args:
        readings: word to its pronunciations.
        bigrams: the language model over the same words.
        phones: the numbering that am/final.mdl was written with.
        model: folder of the model.
        work: folder for intermediate files.
    """
    graph = (model / "graph").resolve()
    (graph / "phones").mkdir(parents=True, exist_ok=True)
    vocabulary = [*readings, UNKNOWN]
    numbers = {word: i for i, word in enumerate(vocabulary, 1)}
    sounds = _Sounds(phones, numbers)
    sounds.add_words(readings)
    sounds.add_unknown()
    convert = "fstconvert --fst_type=olabel_lookahead --save_relabel_opairs=relabel.txt"
    _openfst(
        f"fstcompile | fstarcsort --sort_type=olabel | {convert} - '{graph}/HCLr.fst'",
        sounds.fst.text(),
        work,
    )
    # Looking ahead wants its own numbering of the words; everything after this line uses that one.
    pairs = (row.split() for row in (work / "relabel.txt").read_text().splitlines() if row)
    renumbered = {int(old): int(new) for old, new in pairs}
    final = {word: renumbered.get(i, i) for word, i in numbers.items()}
    if len(set(final.values())) != len(final):
        raise RuntimeError("two words were given the same number by the look-ahead transducer")
    grammar = _grammar(bigrams, list(readings), final)
    compile_grammar = "fstcompile | fstarcsort --sort_type=ilabel | fstconvert --fst_type=const"
    _openfst(f"{compile_grammar} - '{graph}/Gr.fst'", grammar.text(), work)
    _tables(final, phones, graph)


def _tables(numbers: Mapping[str, int], phones: Phones, graph: Path) -> None:
    """Write the word and phone tables beside the two transducers."""
    table = sorted((number, word) for word, number in numbers.items())
    rows = ["<eps> 0", *(f"{word} {number}" for number, word in table)]
    (graph / "words.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (graph / "disambig_tid.int").write_text("")
    (graph / "phones" / "word_boundary.int").write_text(phones.word_boundaries())
