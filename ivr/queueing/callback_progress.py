"""What became of a callback while nobody listened, told from the word the dialplan left.

The word is ``<try>/<what>``: ``1/CALLING``, Dial's own status (``1/BUSY``), ``1/NOTICE/…`` while the
citizen hears that they are recorded, or ``1/ANSWERED/…``, with ``<the citizen's channel>^<the seat's>``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ivr.calls.callback import Callback, CallbackState
from ivr.events.event import Kind

CALLING, NOTICE, ANSWERED = "CALLING", "NOTICE", "ANSWERED"
_STATUSES = frozenset({"BUSY", "NOANSWER", "CANCEL", "CONGESTION", "CHANUNAVAIL", "INVALIDARGS", "DONTCALL"})

Missed = list[tuple[Kind, Mapping[str, Any]]]


def citizen_in(word: str) -> str:
    """Return the channel of a citizen who has answered, empty where a word names none."""
    return _channels_in(word)[0]


def _channels_in(word: str) -> tuple[str, str]:
    """Return the channels of citizen and seat."""
    citizen, _, seat = (word.split("/", 2) + [""] * 3)[2].partition("^")
    return citizen, seat


def caught_up(callback: Callback, word: str, *, present: bool) -> Missed:
    """Return the events that the journal lacks, in order; nothing when it has them all.

    Args:
        callback: as the journal tells it.
        word: what the dialplan left; an old or foreign one tells nothing.
        present: whether the placeholder, or the citizen who has answered, still has a channel.
    """
    number, _, what = word.partition("/")
    what = what.partition("/")[0]
    if what == NOTICE and not present:
        what = ANSWERED  # they hung up while they heard it
    citizen, seat = _channels_in(word)
    if not number.isascii() or not number.isdigit():
        return []
    attempt = int(number)
    state, tries, events = callback.state, callback.tries, Missed()
    if state in (CallbackState.WAITING, CallbackState.RESTING) and attempt == tries + 1:
        events.append((Kind.CALLBACK_TRIED, {"try": attempt, "channel": seat, "reconciled": True}))
        state, tries = CallbackState.CALLING, attempt
    if attempt != tries:
        return []
    if state is CallbackState.CALLING:
        if what == ANSWERED:
            recording = callback.recording_of(attempt)
            facts = {"try": attempt, "recording": recording, "channel": citizen}
            events.append((Kind.CALLBACK_ANSWERED, facts))
            state = CallbackState.TALKING
        elif what in _STATUSES or (what == CALLING and not present):
            status = what if what in _STATUSES else "LOST"
            events.append((Kind.CALLBACK_UNREACHED, {"try": attempt, "status": status}))
    if state is CallbackState.TALKING and what == ANSWERED and not present:
        events.append((Kind.HUNG_UP, {"reconciled": True, "cause_text": "it ended while nobody listened"}))
    return events
