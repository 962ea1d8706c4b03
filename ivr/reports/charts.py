"""Drawings of a day by hours as inline SVG, by hand: no library, no script, no outside resource."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 920, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 56, 18, 34
_INNER_W = WIDTH - LEFT - RIGHT
_INNER_H = HEIGHT - TOP - BOTTOM


@dataclass(frozen=True)
class Scale:
    """A vertical axis from ``low`` to ``high`` with a tick every ``step``."""

    low: float
    high: float
    step: float
    percent: bool = False

    def y(self, value: float) -> float:
        """Return the height of a value on the drawing, kept inside it."""
        inside = min(max(value, self.low), self.high)
        return TOP + _INNER_H * (1 - (inside - self.low) / (self.high - self.low))

    def ticks(self) -> list[float]:
        """Return the values that are named."""
        count = round((self.high - self.low) / self.step)
        return [self.low + self.step * at for at in range(count + 1)]

    def name(self, value: float) -> str:
        """Return a value as people read it."""
        return f"{value:.0%}" if self.percent else f"{value:g}"


def scale_to(most: float) -> Scale:
    """Return an axis from 0 with round steps that holds ``most``."""
    step = 1.0
    while True:
        for factor in (1, 2, 3, 4, 5):
            if most <= 5 * step * factor:
                return Scale(0, 5 * step * factor, step * factor)
        step *= 10


def x_of(hour: float) -> float:
    """Return where an hour of the day begins on the drawing."""
    return LEFT + _INNER_W * hour / 24


def frame(left: Scale, right: Scale | None = None) -> str:
    """Return the grid with the hours below and one or two axes."""
    parts = []
    for value in left.ticks():
        y = left.y(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(LEFT - 8, y + 4, left.name(value), "end"))
    if right is not None:
        for value in right.ticks():
            parts.append(_text(WIDTH - RIGHT + 8, right.y(value) + 4, right.name(value), "start"))
    for hour in range(0, 25, 2):
        parts.append(_text(x_of(hour), HEIGHT - BOTTOM + 18, f"{hour:02}", "middle"))
    return "".join(parts)


def bars(values: Sequence[float], scale: Scale, kind: str, titles: Sequence[str]) -> str:
    """Return one bar an hour; ``titles`` appear under the pointer."""
    width = _INNER_W / 24
    return "".join(
        f'<rect class="{kind}" x="{x_of(hour) + 3:.1f}" y="{scale.y(value):.1f}" width="{width - 6:.1f}" '
        f'height="{max(0.0, scale.y(scale.low) - scale.y(value)):.1f}" rx="3">'
        f"<title>{escape(titles[hour])}</title></rect>"
        for hour, value in enumerate(values)
    )


def steps(values: Sequence[float], scale: Scale, kind: str) -> str:
    """Return a line with one step for each of the values, which share the day evenly."""
    wide = 24 / len(values)
    points = []
    for at, value in enumerate(values):
        y = scale.y(value)
        points += [f"{x_of(at * wide):.1f},{y:.1f}", f"{x_of((at + 1) * wide):.1f},{y:.1f}"]
    return f'<polyline class="{kind}" points="{" ".join(points)}"/>'


def curve(values: Sequence[float], scale: Scale, kind: str, titles: Sequence[str]) -> str:
    """Return a line through the middles of the hours, with a dot for each."""
    spots = [(x_of(hour + 0.5), scale.y(value)) for hour, value in enumerate(values)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    dots = "".join(
        f'<circle class="dot {kind}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"><title>{escape(title)}</title></circle>'
        for (x, y), title in zip(spots, titles, strict=True)
    )
    return f'<polyline class="{kind}" points="{line}"/>{dots}'


def target(value: float, scale: Scale, kind: str) -> str:
    """Return a dashed line at a target."""
    y = scale.y(value)
    return f'<line class="target {kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'


def drawing(title: str, *parts: str) -> str:
    """Return the whole picture; ``title`` is read aloud to those who cannot see it."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
