"""Callbacks (回拨): the caller hangs up, their place in the queue stays, and we call them.

A callback belongs to the call that was given up for it: the same stream of events, the same
ticket.  Rules: one claim a call, one open callback a number, at most two tries, then the ticket
tells a person to go on (``caller_journey.md`` rule 3; 国办发〔2022〕66号 wants missed calls
answered).  Pure: what is to be done is told, never done, here.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ivr.events.event import Event, Kind
from ivr.events.payloads.callbacks import CallbackClaimed
from ivr.events.payloads.reading import read
from ivr.hotline.book import Trunks
from ivr.hotline.destinations import CALLBACK, usable

MAX_TRIES = 2
PROMISED_S = 30 * 60.0
"""Within which a callback is promised (P025, P042)."""
RETRY_AFTER_S = 120.0
LOST_AFTER_S = 90.0
"""An attempt of which nothing is heard, and whose channel is gone, has failed after this long."""
GIVEN_UP_AFTER_S = 4 * 3600.0
"""A callback that no seat took for so long becomes a ticket for a person."""
GRACE_S = 5.0
"""Asterisk lists a channel a moment after it was asked for it."""
MISSED = "missed"
"""Who claimed, where nobody did: the caller gave up waiting, and nothing was promised."""
COMES_WITHIN_S = 15.0
"""A placeholder that was asked for and is not in the queue after this long never comes."""
BELOW_THE_LIVE = 1000
"""Taken from the priority of a missed call, so that everybody who waits goes before it."""


class CallbackState(enum.StrEnum):
    """Where a callback is."""

    WAITING = "waiting"
    CALLING = "calling"
    RESTING = "resting"
    TALKING = "talking"
    DONE = "done"
    FAILED = "failed"


CALLBACK_TRANSITIONS: Mapping[CallbackState, Mapping[Kind, CallbackState]] = {
    CallbackState.WAITING: {
        Kind.CALLBACK_TRIED: CallbackState.CALLING,
        Kind.CALLBACK_FAILED: CallbackState.FAILED,
    },
    CallbackState.CALLING: {
        Kind.CALLBACK_ANSWERED: CallbackState.TALKING,
        Kind.CALLBACK_UNREACHED: CallbackState.RESTING,
        Kind.CALLBACK_FAILED: CallbackState.FAILED,
    },
    CallbackState.RESTING: {
        Kind.CALLBACK_TRIED: CallbackState.CALLING,
        Kind.CALLBACK_FAILED: CallbackState.FAILED,
    },
    CallbackState.TALKING: {Kind.HUNG_UP: CallbackState.DONE},
    CallbackState.DONE: {},
    CallbackState.FAILED: {},
}


@dataclass(slots=True)
class Callback:
    """One callback; times in seconds since the epoch.

    Attributes:
        since: when its place in the queue was taken: the caller's own entry, or a missed call's end.
        priority: the queue priority of that place.
        number_enc: the number to call, sealed; ``number_hash`` tells the same number again.
        tries: attempts begun.
        seat_channel: the channel of the operator who was given the last attempt.
        channel: the citizen's channel, once they have answered.
        by: ``caller``, ``message`` or ``missed``.
    """

    call_id: str
    queue: str
    priority: int
    since: float
    claimed_at: float
    number_enc: str = ""
    number_hash: str = ""
    state: CallbackState = CallbackState.WAITING
    tries: int = 0
    changed_at: float = 0.0
    recording: str = ""
    seat_channel: str = ""
    channel: str = ""
    by: str = "caller"

    @classmethod
    def claimed(cls, event: Event) -> Callback:
        """Read the claim (``callback_claimed``)."""
        told = read(event.data, CallbackClaimed)
        return cls(
            event.stream,
            told.queue,
            told.priority,
            event.at if told.since is None else told.since,
            event.at,
            told.caller.enc,
            told.caller.hash,
            changed_at=event.at,
            recording=told.recording,
            by=told.by,
        )

    @property
    def promised(self) -> bool:
        """Whether the citizen was told that they will be called."""
        return self.by != MISSED

    @property
    def unreached(self) -> bool:
        """Whether it ended because nobody answered any of its tries."""
        return self.state is CallbackState.FAILED and self.tries >= MAX_TRIES

    def rank(self, again: int) -> int:
        """Return the queue priority of the next attempt.

        Args:
            again: the priority of a second try of a promised one.
        """
        if not self.promised:
            return self.priority - BELOW_THE_LIVE
        return max(self.priority, again if self.tries else 0)

    @property
    def open(self) -> bool:
        """Whether something is still to be done or going on."""
        return bool(CALLBACK_TRANSITIONS[self.state])

    def apply(self, event: Event) -> bool:
        """Fold one event in; return whether the table allows it in the present state."""
        following = CALLBACK_TRANSITIONS[self.state].get(event.kind)
        if following is None:
            return False
        if event.kind is Kind.CALLBACK_TRIED:
            self.tries += 1
            self.seat_channel = str(event.data.get("channel") or "")
        elif event.kind is Kind.CALLBACK_ANSWERED:
            self.channel = str(event.data.get("channel") or "")
        self.state = following
        self.changed_at = event.at
        return True

    def recording_of(self, attempt: int) -> str:
        """Return where an attempt's talk is recorded, without extension; each has a file of its own."""
        return f"{self.recording}-callback{attempt}" if self.recording else ""


class Waiting(NamedTuple):
    """Somebody in a queue: their priority and since when their place is theirs."""

    priority: int
    since: float


def place_of(priority: int, since: float, others: Iterable[Waiting]) -> int:
    """Return the position, from 1, that keeps a place among those who wait.

    Before it stand those with a higher priority, and those of the same who came earlier, as
    ``Queue`` itself orders them.
    """
    return 1 + sum(
        other.priority > priority or (other.priority == priority and other.since < since) for other in others
    )


class Step(enum.StrEnum):
    """What is to be done for a callback now."""

    PLACE = "place"
    LOST = "lost"
    FAIL = "fail"


class Due(NamedTuple):
    """A callback and what is to be done for it."""

    callback: Callback
    step: Step
    reason: str = ""


def due(
    callbacks: Iterable[Callback],
    present: set[str],
    now: float,
    *,
    retry_after_s: float = RETRY_AFTER_S,
) -> list[Due]:
    """Tell what is to be done, those who came first, first.

    Args:
        callbacks: all that are known.
        present: call ids of callbacks that have a channel in Asterisk: these are never placed again.
        now: seconds since the epoch.
        retry_after_s: between two tries.
    """
    todo: list[Due] = []
    for callback in sorted(callbacks, key=lambda one: (one.since, one.call_id)):
        if callback.call_id in present:
            continue
        todo += _due(callback, now, retry_after_s)
    return todo


def _due(callback: Callback, now: float, retry_after_s: float) -> list[Due]:
    rested_s = now - callback.changed_at
    if callback.state is CallbackState.WAITING:
        if now - callback.claimed_at > GIVEN_UP_AFTER_S:
            return [Due(callback, Step.FAIL, "no seat took it in time")]
        return [Due(callback, Step.PLACE)]
    if callback.state is CallbackState.RESTING:
        if callback.tries >= MAX_TRIES:
            return [Due(callback, Step.FAIL, f"not reached in {MAX_TRIES} tries")]
        return [Due(callback, Step.PLACE)] if rested_s >= retry_after_s else []
    if callback.state is CallbackState.CALLING and rested_s > LOST_AFTER_S:
        return [Due(callback, Step.LOST, "nothing was heard of it")]
    return []


def destination(trunks: Trunks, number: str) -> str:
    """Return the SIP URI that calls a citizen, empty where none is configured or allowed.

    The number is appended to the user part of the first URI of ``destinations: callback``, which
    may hold a prefix: ``sip:9@10.0.0.1`` and 138… make ``sip:9138…@10.0.0.1``.  In lab mode only
    loopback hosts are called.
    """
    for uri in trunks.destinations.get("callback", ()):
        scheme, _, rest = uri.strip().partition(":")
        prefix, at, host = rest.rpartition("@")
        if not usable(uri.strip(), trunks.lab, target=CALLBACK):
            continue
        return f"{scheme}:{prefix if at else ''}{number}@{host}"
    return ""


def offered(trunks: Trunks) -> bool:
    """Tell whether callbacks can be made at all."""
    return bool(destination(trunks, "0"))
