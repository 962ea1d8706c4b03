"""What the dialplan must know of three parties, so that it can act while the engine is dead."""

from __future__ import annotations

from pathlib import Path

from ivr.hotline.book import EMERGENCY_NUMBERS, HotlineBook
from ivr.hotline.destinations import CALLBACK, Own, usable
from ivr.hotline.modes import Priorities
from ivr.transfers.targets import HELP_RING_S, RING_S

HOLD_LIMIT_S = 200
"""Seconds of music after which Asterisk brings the caller back by itself; above every deadline of ours."""
TAKE_S = 20
PRIORITY_THIRD = 25


def transfer_prompts(book: HotlineBook) -> dict[str, tuple[str, dict[str, str]]]:
    """Return what is said there, by the name of its recording: the prompt and its slots."""
    star = book.reception.star_number
    help_ = {f"P010-{n}": ("P010", {"emergency_name": f"emergency_{n}"}) for n in EMERGENCY_NUMBERS}
    return help_ | {f"P011-{star}": ("P011", {"emergency_number": star})}


def transfer_values(book: HotlineBook, recordings: Path, own: Own | None = None) -> dict[str, object]:
    """Return the values of ``transfers.part`` and the music of emergencies.

    Args:
        book: what the city configured.
        recordings: the folder of :func:`transfer_prompts`.
        own: where we ourselves are.
    """
    star = book.reception.star_number
    routes = [uri for uri in book.trunks.destinations.get(star, ()) if usable(uri, book.trunks.lab, own)]
    thirds = (uris for target, uris in book.trunks.destinations.items() if target != CALLBACK)
    out = {uri for uris in thirds for uri in uris if usable(uri, book.trunks.lab, own)}
    return {
        "out_addresses": sorted(out),
        "star_number": star,
        "star_routes": routes,
        "star_failed": recordings / f"P011-{star}",
        "help_ring_s": int(HELP_RING_S),
        "help_sounds": [(number, [recordings / f"P010-{number}"]) for number in EMERGENCY_NUMBERS],
        "hold_limit_s": HOLD_LIMIT_S,
        "take_s": TAKE_S,
        "expert_wait_s": int(RING_S),
        "priority_third": PRIORITY_THIRD,
        "priority_emergency": Priorities().emergency,
    }
