"""Which versions of the configuration stay on the disk; the history's lines all do.

Nothing that goes on reads a version's files: a call lives by the book that was read when it
came.  They are there to be gone back to, and to be looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ivr.rollout.history import Change
from ivr.rollout.states import ApplyState
from ivr.rollout.versions import Versions

KEPT = 100
"""The newest versions stay, however old; own value."""
KEPT_S = 366 * 86_400.0
"""Whatever is younger (seconds) stays, however many; own value."""
UNDO_STEPS = 10
"""So many undos in a row find their version; own value."""


def parent_of(number: int, changes: Sequence[Change]) -> int:
    """Return the version that ran when this one first became the running one; 0 for none."""
    for change in changes:
        if (
            change.version == number
            and change.how not in ("undo", "prompts")
            and change.state is ApplyState.VERIFIED
        ):
            return change.former
    return 0


def needed(running: int, changes: Sequence[Change]) -> set[int]:
    """Return the versions that something may still go back or forward to."""
    found = {running} | {number for one in changes if one.open for number in (one.version, one.former)}
    number = running
    for _ in range(UNDO_STEPS):
        number = parent_of(number, changes)
        found.add(number)
    return found


def spare(made_at: Mapping[int, float], running: int, changes: Sequence[Change], now: float) -> list[int]:
    """Return the versions that nobody needs any more, the oldest first.

    Args:
        made_at: every version, and when it was made (seconds since the epoch).
        running: the one that runs; 0: none.
        changes: the history.
        now: seconds since the epoch.
    """
    stay = needed(running, changes) | set(sorted(made_at)[-KEPT:])
    return [number for number in sorted(made_at) if number not in stay and now - made_at[number] > KEPT_S]


def forget_old(versions: Versions, changes: Sequence[Change], now: float) -> list[int]:
    """Delete the versions that nobody needs any more; return their numbers.  Call it with the lock held."""
    there = versions.all()
    if len(there) <= KEPT:
        return []
    running = versions.running()
    made_at = {version.number: version.made_at for version in there}
    gone = spare(made_at, running.number if running else 0, changes, now)
    for version in there:
        if version.number in gone:
            versions.forget(version)
    return gone
