"""Reception while the engine is away: leave a note; the dialplan greets and queues the caller.

Asterisk starts one process a call.  The note in the spool folder becomes a ticket when the engine
is back.  This program must never keep a caller from the queue: whatever goes wrong, it ends, and
the dialplan goes on.  It says nothing to the caller: keys that are pressed while a program of ours
runs are lost, and ``*`` must be heard from the first moment on.

Arguments: spool folder, call id, number dialled, source, recording path, number the call was
forwarded from, the first such number.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import TextIO

from asterisk import agi


def note_of(arguments: list[str], caller: str, channel: str, now: float) -> dict[str, object]:
    """Return the note of a call; ``extra`` is what the dialplan's own record of it says."""
    call_id, dialled, source, recording, diverted, reference = (arguments + [""] * 6)[:6]
    extra = "/".join((dialled, diverted, reference, source, recording))
    return {"call_id": call_id, "at": now, "caller": caller, "channel": channel, "extra": extra}


def leave_note(spool: Path, note: dict[str, object]) -> None:
    """Write a note whole or not at all."""
    name = re.sub(r"[^\w.-]", "_", str(note["call_id"]), flags=re.ASCII)[:80]
    fresh = spool / f"{name}.new"
    fresh.write_text(json.dumps(note, ensure_ascii=False), encoding="utf-8")
    fresh.rename(spool / f"{name}.json")


class Lines:
    """What Asterisk says; once it has gone for good, pyst2 must not read on for ever."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._ended = False

    def readline(self) -> str:
        """Return a line, ``''`` once at the end.

        Raises:
            EOFError: the end was told before.
        """
        line = self._stream.readline()
        if not line and self._ended:
            raise EOFError("Asterisk has gone")
        self._ended = not line
        return line


def main(arguments: list[str]) -> int:
    """Serve one call."""
    os.umask(0o077)  # a note has the caller's number
    now = time.time()
    spool, rest = Path(arguments[0] if arguments else os.devnull), arguments[1:]
    with (
        open(os.devnull, "w", encoding="utf-8") as quiet,  # noqa: PTH123 - pyst2 wants a stream
        contextlib.suppress(agi.AGIException, OSError, ValueError, EOFError),  # ValueError: pyst2 at EOF
    ):
        # pyst2 prints every call's data to stderr, so it gets a stream of its own
        session = agi.AGI(stdin=Lines(sys.stdin), stderr=quiet)
        caller = session.env.get("agi_callerid", "")
        caller = "" if caller == "unknown" else caller
        # a full disk, or bytes that are no text: Asterisk's own records still tell of the call
        with contextlib.suppress(OSError, ValueError):
            leave_note(spool, note_of(rest, caller, session.env.get("agi_channel", ""), now))
    return 0


if __name__ == "__main__":
    sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]  # a GBK caller name
    sys.exit(main(sys.argv[1:]))
