"""What the queue says while a caller waits, besides their place.

``Queue`` knows up to ten recordings, plays the next one every so often, and begins again after
the tenth (app_queue: MAX_PERIODIC_ANNOUNCEMENTS).  A recording that plays holds up the caller at
the head for as long as it lasts, so most of the slots are music.
"""

from __future__ import annotations

import math

EVERY_S = 20
SLOTS = 10
EMERGENCY, PATIENCE, CALLBACK_OFFER = "P012", "P022", "P023"
SILENCE = "silence"
PLACE = "P021"
FREE, FIRST, NOBODY = "zh_free", "zh_first", "zh_nobody"
"""Languages of a caller in the queue; what one lacks is taken from ``zh``. With a seat free at the entry: the queue
would say P021 before it rings. Whose phones have rung in vain: is told the place, which was left out, with P012. A
callback's placeholder: nobody listens, and every sentence holds up the ring."""
VARIANTS: dict[str, tuple[str, ...]] = {
    f"{FREE}/{PLACE}": (),
    f"{FIRST}/{EMERGENCY}": (PLACE, EMERGENCY),
    **{f"{NOBODY}/{name}": () for name in (PLACE, EMERGENCY, PATIENCE, CALLBACK_OFFER)},
}
"""What is said in these languages, by file name; of no prompt: nothing."""
_OFFER_AGAIN = 4


def slots(callback_after_s: int, *, offered: bool) -> tuple[str, ...]:
    """Return the prompt of each slot, the first after EVERY_S seconds.

    Args:
        callback_after_s: when a callback is offered (P023); later than the last slot: in the last.
        offered: whether callbacks can be made; without it P023 is never played.
    """
    chosen = [PATIENCE if number % 2 == 0 else SILENCE for number in range(1, SLOTS + 1)]
    chosen[0] = EMERGENCY
    if offered:
        first = min(SLOTS, max(2, math.ceil(callback_after_s / EVERY_S)))
        for number in range(first, SLOTS + 1, _OFFER_AGAIN):
            chosen[number - 1] = CALLBACK_OFFER
    return tuple(chosen)
