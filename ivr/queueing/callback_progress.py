"""What became of a callback while nobody listened, told from the word that was left of it.

It says ``CALLING``, how ringing ended (``BUSY``), ``NOTICE`` while the citizen hears that they are recorded, or
``ANSWERED``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ivr.calls.callback import Callback, CallbackState
from ivr.calls.facts import ANSWERED, CALLING, NOTICE, CallbackWord
from ivr.events.event import Kind

_STATUSES = frozenset({"BUSY", "NOANSWER", "CANCEL", "CONGESTION", "CHANUNAVAIL", "INVALIDARGS", "DONTCALL"})

Missed = list[tuple[Kind, Mapping[str, Any]]]


def caught_up(callback: Callback, word: CallbackWord | None, *, present: bool) -> Missed:
    """Return the events that the journal lacks, in order; nothing when it has them all.

    Args:
        callback: as the journal tells it.
        word: what was left of it; None tells nothing.
        present: whether the placeholder, or the citizen who has answered, still has a channel.
    """
    if word is None:
        return []
    attempt, what = word.attempt, word.what
    if what == NOTICE and not present:
        what = ANSWERED  # they hung up while they heard it
    state, tries, events = callback.state, callback.tries, Missed()
    if state in (CallbackState.WAITING, CallbackState.RESTING) and attempt == tries + 1:
        events.append((Kind.CALLBACK_TRIED, {"try": attempt, "channel": word.seat, "reconciled": True}))
        state, tries = CallbackState.CALLING, attempt
    if attempt != tries:
        return []
    if state is CallbackState.CALLING:
        if what == ANSWERED:
            recording = callback.recording_of(attempt)
            facts = {"try": attempt, "recording": recording, "channel": word.citizen}
            events.append((Kind.CALLBACK_ANSWERED, facts))
            state = CallbackState.TALKING
        elif what in _STATUSES or (what == CALLING and not present):
            status = what if what in _STATUSES else "LOST"
            events.append((Kind.CALLBACK_UNREACHED, {"try": attempt, "status": status}))
    if state is CallbackState.TALKING and what == ANSWERED and not present:
        events.append((Kind.HUNG_UP, {"reconciled": True, "cause_text": "it ended while nobody listened"}))
    return events
