"""What the dialplan must know of three parties, so that it can act while the engine is dead."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from ivr.hotline.book import EMERGENCY_NUMBERS, HotlineBook
from ivr.hotline.destinations import Own, usable
from ivr.hotline.modes import Priorities
from ivr.transfers.targets import HELP_RING_S, RING_S

HOLD_LIMIT_S = 200
"""Seconds of music after which Asterisk brings the caller back by itself; above every deadline of ours."""
TAKE_S = 20
PRIORITY_THIRD = 25

Sounds = Callable[..., Iterable[Path]]


def transfer_values(book: HotlineBook, sounds: Sounds, own: Own | None = None) -> dict[str, object]:
    """Return the values of ``transfers.part`` and the music of emergencies.

    Args:
        book: what the city configured.
        sounds: the recordings of a prompt, in playing order: (id, for_asterisk=True, slots…).
        own: where we ourselves are.
    """
    star = book.reception.star_number
    routes = [uri for uri in book.trunks.destinations.get(star, ()) if usable(uri, book.trunks.lab, own)]
    return {
        "star_number": star,
        "star_routes": routes,
        "star_failed": _joined(sounds("P011", for_asterisk=True, emergency_number=star)),
        "help_ring_s": int(HELP_RING_S),
        "help_sounds": [
            (number, list(sounds("P010", for_asterisk=True, emergency_name=f"emergency_{number}")))
            for number in EMERGENCY_NUMBERS
        ],
        "hold_limit_s": HOLD_LIMIT_S,
        "take_s": TAKE_S,
        "expert_wait_s": int(RING_S),
        "priority_third": PRIORITY_THIRD,
        "priority_emergency": Priorities().emergency,
    }


def _joined(paths: Iterable[Path]) -> str:
    return "&".join(str(path) for path in paths)
