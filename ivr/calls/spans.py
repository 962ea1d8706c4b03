"""Stretches of time that may overlap, and how long they are together."""

from __future__ import annotations

from collections.abc import Iterable


def covered_s(spans: Iterable[tuple[float, float]]) -> float:
    """Return the seconds that at least one of the spans covers; one that ends before it begins counts nothing.

    Args:
        spans: (begin, end) in seconds.
    """
    total, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        begin = max(begin, reached)
        if end > begin:
            total, reached = total + end - begin, end
    return total
