"""The word that the dialplan leaves of a callback: ``<try>/<what>``, with the channels of who has answered.

``1/CALLING``, Dial's own status (``1/BUSY``), ``1/NOTICE/…`` while the citizen hears that they are recorded, or
``1/ANSWERED/…``, with ``<the citizen's channel>^<the seat's>``.
"""

from __future__ import annotations

from ivr.asterisk.contract import SEPARATOR
from ivr.calls.facts import CallbackWord


def word_of(call_id: str, text: str) -> CallbackWord | None:
    """Read a word; None for an old or foreign one."""
    attempt, what, rest = [*text.split("/", 2), "", ""][:3]
    if not attempt.isascii() or not attempt.isdigit():
        return None
    citizen, _, seat = rest.partition(SEPARATOR)
    return CallbackWord(call_id, int(attempt), what, citizen, seat)
