"""Who did what an event tells: ``engine``, ``caller``, ``third``, ``operator:1001``, ``administrator``.

Data have said it in words of their own before (``by``): ``seat 01``, ``caller``, ``administrator``.
"""

from __future__ import annotations

from ivr.events.event import ENGINE

CALLER = "caller"
THIRD = "third"
"""Whoever was brought in: an expert outside, a unit, help."""
ADMINISTRATOR = "administrator"
"""Whoever gives commands on the machine."""
_THEMSELVES = frozenset({CALLER, ADMINISTRATOR})


def operator(number: str | None) -> str:
    """Return the actor of an operator's number; the engine where nobody is known."""
    return f"operator:{number}" if number else ENGINE


def actor_of(by: str, sitting: str | None) -> str:
    """Return the actor of a word in ``by``.

    Args:
        by: ``seat 01``, ``caller``, ``administrator``, or a reason, which is nobody.
        sitting: number of the operator on that seat.
    """
    if by in _THEMSELVES:
        return by
    return operator(sitting) if by.startswith("seat ") else ENGINE
