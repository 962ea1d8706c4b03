"""What became of a callback while nobody listened, told from the word the dialplan left.

The word is ``<try>/<what>``: ``1/CALLING``, ``1/ANSWERED``, or Dial's own status (``1/BUSY``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ivr.calls.callbacks import Callback, CallbackState
from ivr.calls.events import Kind

CALLING, ANSWERED = "CALLING", "ANSWERED"
_STATUSES = frozenset({"BUSY", "NOANSWER", "CANCEL", "CONGESTION", "CHANUNAVAIL", "INVALIDARGS", "DONTCALL"})

Missed = list[tuple[Kind, Mapping[str, Any]]]


def caught_up(callback: Callback, word: str, *, present: bool) -> Missed:
    """Return the events that the journal lacks, in order; nothing when it has them all.

    Args:
        callback: as the journal tells it.
        word: what the dialplan left; an old or foreign one tells nothing.
        present: whether the placeholder still has a channel.
    """
    number, _, what = word.partition("/")
    if not number.isascii() or not number.isdigit():
        return []
    attempt = int(number)
    state, tries, events = callback.state, callback.tries, Missed()
    if state in (CallbackState.WAITING, CallbackState.RESTING) and attempt == tries + 1:
        events.append((Kind.CALLBACK_TRIED, {"try": attempt, "reconciled": True}))
        state, tries = CallbackState.CALLING, attempt
    if attempt != tries:
        return []
    if state is CallbackState.CALLING:
        if what == ANSWERED:
            recording = callback.recording_of(attempt)
            events.append((Kind.CALLBACK_ANSWERED, {"try": attempt, "recording": recording}))
            state = CallbackState.TALKING
        elif what in _STATUSES or (what == CALLING and not present):
            status = what if what in _STATUSES else "LOST"
            events.append((Kind.CALLBACK_UNREACHED, {"try": attempt, "status": status}))
    if state is CallbackState.TALKING and what == ANSWERED and not present:
        events.append((Kind.HUNG_UP, {"reconciled": True, "cause_text": "it ended while nobody listened"}))
    return events
