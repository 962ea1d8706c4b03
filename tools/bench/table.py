"""What was measured, as rows of a table for people."""

from __future__ import annotations

import math
import statistics
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

HEADS = ("measure", "ours", "theirs / base", "ratio or figure", "target", "met")


@dataclass(frozen=True)
class Row:
    """One line of the table; ``met`` is None for a figure without a target."""

    measure: str
    ours: str
    base: str
    figure: str
    target: str
    met: bool | None

    def cells(self) -> tuple[str, ...]:
        """Return the row's texts in the order of :data:`HEADS`."""
        verdict = "" if self.met is None else ("yes" if self.met else "**no**")
        return (self.measure, self.ours, self.base, self.figure, self.target, verdict)


@dataclass(frozen=True)
class Part:
    """One part of the run: its rows and what must be known to read them."""

    name: str
    rows: tuple[Row, ...]
    remarks: tuple[str, ...] = ()


def ratio(
    measure: str, ours: str, base: str, value: float, *, at_most: float = 0, at_least: float = 0
) -> Row:
    """Return the row of a comparison; give the one bound that is meant."""
    met = value <= at_most if at_most else value >= at_least
    bound = f"≤ {at_most:g}×" if at_most else f"≥ {at_least:g}×"
    return Row(measure, ours, base, f"{value:.2f}×", bound, met)


def limit(measure: str, value: float, at_most: float, unit: str) -> Row:
    """Return the row of a figure that must not exceed a bound; NaN means it was not measured."""
    if math.isnan(value):
        return Row(measure, "", "", "not measured", f"≤ {at_most:g} {unit}", None)
    return Row(measure, "", "", f"{value:.3g} {unit}", f"≤ {at_most:g} {unit}", value <= at_most)


def told(measure: str, figure: str, *, ours: str = "", base: str = "") -> Row:
    """Return the row of a figure without a target."""
    return Row(measure, ours, base, figure, "", None)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` (0 to 1) of all lie; NaN of none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def median(values: Sequence[float]) -> float:
    """Return the median; NaN of none."""
    return statistics.median(values) if values else math.nan


def plain(rows: Sequence[Row]) -> str:
    """Return the table for a terminal."""
    table = [HEADS, *(row.cells() for row in rows)]
    widths = [max(_width(line[at]) for line in table) for at in range(len(HEADS))]
    lines = [
        "  ".join(c + " " * (w - _width(c)) for c, w in zip(line, widths, strict=True)) for line in table
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]]).replace("**", "")


def markdown(rows: Sequence[Row]) -> str:
    """Return the table for a document."""
    lines = [HEADS, ("---",) * len(HEADS), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
