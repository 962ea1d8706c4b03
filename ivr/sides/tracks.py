"""Where a side of a call is being recorded."""

from __future__ import annotations

from pathlib import Path

from ivr.calls.record import CallRecord
from ivr.recordings.after_call import raws
from ivr.recordings.tracks import MAIN_SIDES
from ivr.sides.rules import Role
from ivr.speech.levels import Side


def recorded(call: CallRecord, role: Role, *, room: bool) -> Side | None:
    """Return the side of a recording that has nobody but this party; None where there is none.

    Args:
        call: the call.
        role: the party.
        room: whether they are in a room: what the caller hears there is everybody mixed.
    """
    for track in reversed(call.tracks):
        if track.sides == (role.value,):
            return Side(Path(track.path + ".raw"), 1, 0)
    main = raws(call)
    if not main or role.value not in MAIN_SIDES or (room and role is not Role.CALLER):
        return None
    return Side(main[-1], len(MAIN_SIDES), MAIN_SIDES.index(role.value))
