"""Writes the network as Kaldi's am/final.mdl (transition model and nnet3), in Kaldi's binary format.

Every sound unit becomes four phones of one state, one for each position in a word (begin, internal, end,
single). The blank becomes silence between words and a filler inside them. Weights take 16 bits each.
Formats: kaldi-asr/kaldi, src/hmm/transition-model.cc,
src/nnet3/nnet-nnet.cc, src/matrix/compressed-matrix.cc.
"""

import math
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np  # type: ignore[import-not-found,unused-ignore]

from .features import COEFFICIENTS
from .network import CONTEXT, DILATIONS, FIRST_KERNEL, SUBSAMPLING, Network
from .voices import Samples

SILENCE, FILLER = 1, 2  # the two phones of the blank: between words, inside a word
POSITIONS = {"B": "begin", "I": "internal", "E": "end", "S": "singleton"}
STAY_OR_LEAVE = math.log(0.5)


@dataclass(frozen=True)
class Phones:
    """The numbering of phones and transitions.

    Attributes:
        number: (unit, position) to phone.
        output: phone to the network's output; phones count from 1, so the first entry is not used.
        kinds: phone to its place in a word, in Kaldi's words.
    """

    number: dict[tuple[str, str], int]
    output: list[int]
    kinds: list[str]

    @property
    def count(self) -> int:
        """How many phones there are."""
        return len(self.output) - 1

    def word_boundaries(self) -> str:
        """Return the text of graph/phones/word_boundary.int."""
        return "".join(f"{phone} {kind}\n" for phone, kind in enumerate(self.kinds) if phone)


def number_phones(units: list[str]) -> Phones:
    """Number the phones of the sound units; units[0] is the blank."""
    number: dict[tuple[str, str], int] = {}
    output, kinds = [0, 0, 0], ["", "nonword", "internal"]
    for i, unit in enumerate(units[1:], 1):
        for position, kind in POSITIONS.items():
            number[unit, position] = len(output)
            output.append(i)
            kinds.append(kind)
    return Phones(number, output, kinds)


def enter(phone: int) -> int:
    """Return the transition that enters a phone."""
    return 2 * phone


def stay(phone: int) -> int:
    """Return the transition that stays in a phone."""
    return 2 * phone - 1


class _Writer:
    """Collects Kaldi's binary pieces."""

    def __init__(self) -> None:
        self.data = bytearray(b"\0B")

    def token(self, *names: str) -> None:
        self.data += "".join(f"{name} " for name in names).encode()

    def integer(self, *values: int) -> None:
        for value in values:
            self.data += struct.pack("<bi", 4, value)

    def single(self, value: float) -> None:
        self.data += struct.pack("<bf", 4, value)

    def double(self, value: float) -> None:
        self.data += struct.pack("<bd", 8, value)

    def integers(self, values: list[int]) -> None:
        self.data += struct.pack("<bi", 4, len(values)) + struct.pack(f"<{len(values)}i", *values)

    def vector(self, values: Samples) -> None:
        self.token("FV")
        self.integer(len(values))
        self.data += np.asarray(values, "<f4").tobytes()

    def matrix(self, values: Samples) -> None:
        """Write a matrix in 16 bits a value, between its least and its greatest."""
        low, span = float(values.min()), float(values.max() - values.min())
        self.token("CM2")
        self.data += struct.pack("<ffii", low, span, *values.shape)
        self.data += np.round((values - low) / span * 65_535).astype("<u2").tobytes()


def _transition_model(out: _Writer, phones: Phones) -> None:
    everyone = list(range(1, phones.count + 1))
    out.token("<TransitionModel>", "<Topology>")
    out.integers(everyone)
    out.integers([-1] + [0] * phones.count)
    # One entry of two states: the first emits (class 0), loops and leaves; the second (class -1) is the end.
    out.integer(1, 2, 0, 2, 0)
    out.single(0.5)
    out.integer(1)
    out.single(0.5)
    out.integer(-1, 0)
    out.token("</Topology>", "<Triples>")
    out.integer(phones.count)
    for phone in everyone:
        out.integer(phone, 0, phones.output[phone])
    out.token("</Triples>", "<LogProbs>")
    out.vector(np.array([0.0] + [STAY_OR_LEAVE] * (2 * phones.count)))
    out.token("</LogProbs>", "</TransitionModel>")


def _offsets() -> list[list[int]]:
    """Return the frames that each layer joins, counted in 10 ms from its own."""
    half = FIRST_KERNEL // 2
    first = list(range(-half, half + 1))
    return [first, *([-SUBSAMPLING * d, 0, SUBSAMPLING * d] for d in DILATIONS)]


def _wiring() -> str:
    """Return nnet3's description of how the components are joined."""
    lines, before = [f"input-node name=input dim={COEFFICIENTS}"], "input"
    for i, offsets in enumerate(_offsets()):
        joined = ", ".join(before if d == 0 else f"Offset({before}, {d})" for d in offsets)
        lines.append(f"component-node name=affine{i} component=affine{i} input=Append({joined})")
        lines.append(f"component-node name=relu{i} component=relu{i} input=affine{i}")
        before = f"relu{i}"
    last = f"affine{len(_offsets())}"
    lines.append(f"component-node name={last} component={last} input={before}")
    lines.append(f"component-node name=scores component=scores input={last}")
    lines.append("output-node name=output input=scores objective=linear")
    return "\n".join(lines) + "\n\n"


def _nonlinear(out: _Writer, name: str, kind: str, dim: int) -> None:
    out.token("<ComponentName>", name, f"<{kind}>", "<Dim>")
    out.integer(dim)
    for statistic in ("<ValueAvg>", "<DerivAvg>"):
        out.token(statistic)
        out.vector(np.zeros(0))
    for counter in ("<Count>", "<NumDimsSelfRepaired>", "<NumDimsProcessed>"):
        out.token(counter)
        out.double(0.0)
    out.token(f"</{kind}>")


def _network(out: _Writer, network: Network) -> None:
    layers = network.affine_layers()
    out.token("<Nnet3>")
    out.data += b"\n" + _wiring().encode()
    out.token("<NumComponents>")
    out.integer(2 * len(layers))
    for i, (weight, bias) in enumerate(layers):
        out.token("<ComponentName>", f"affine{i}", "<FixedAffineComponent>", "<LinearParams>")
        out.matrix(weight)
        out.token("<BiasParams>")
        out.vector(bias)
        out.token("</FixedAffineComponent>")
        if i < len(layers) - 1:
            _nonlinear(out, f"relu{i}", "RectifiedLinearComponent", len(bias))
        else:
            _nonlinear(out, "scores", "LogSoftmaxComponent", len(bias))
    out.token("</Nnet3>", "<LeftContext>")
    out.integer(CONTEXT)
    out.token("<RightContext>")
    out.integer(CONTEXT)
    out.token("<Priors>")
    out.vector(np.zeros(0))


def write(network: Network, phones: Phones, path: Path) -> None:
    """Write am/final.mdl."""
    out = _Writer()
    _transition_model(out, phones)
    _network(out, network)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(out.data))
