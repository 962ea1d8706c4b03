"""Keeps the switch's queue members as they should be: the difference of a seat at once, everything now and then.

A change of one seat costs that seat: what it should be is compared with what is known to be set, and the difference is
sent.  What is known comes from the last look and from what was sent since.  A seat of which anything is in doubt (a
refusal, a silence, a talk that ended, a member that somebody else removed) is asked for by itself.  The full look
(:meth:`Alignment.compare`) goes queue by queue and seat by seat, and lets changes pass in between.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from ivr.errors import HotlineError
from ivr.hotline.book import HotlineBook
from ivr.seats.log_in import Membership, Seating
from ivr.seats.ports import Change, Member, QueueMembers, Step

log = logging.getLogger(__name__)

_CLOCK_WAS_SET_S = 2.0
"""Whole seconds are compared, and the switch was asked a moment ago."""
_SEATS_AT_ONCE = 20
"""So many are compared before everything else has its turn: about a millisecond where each is in 15 queues."""
_WORDS = {
    Step.REMOVE: "left",
    Step.ADD: "joined",
    Step.PAUSE: "paused or resumed in",
    Step.WEIGH: "weighed in",
}

There = dict[str, Member]
"""A seat's memberships by queue."""


def differences(
    there: Mapping[str, Member], wanted: Sequence[Membership], now: float = math.inf
) -> list[Change]:
    """Return what makes of a seat's memberships those it should have, in the order to carry it out.

    Args:
        there: what the switch has, by queue.
        wanted: what it should have.
        now: seconds since the epoch; infinite: nobody looks whether the clock was set back.
    """
    changes = []
    queues = {membership.queue for membership in wanted}
    for queue in sorted(there.keys() - queues):
        changes.append(Change(Step.REMOVE, there[queue]))
    for membership in wanted:
        changes += _difference(there.get(membership.queue), membership, now)
    return changes


def _difference(there: Member | None, wanted: Membership, now: float) -> list[Change]:
    changes = []
    if there is not None and (there.name != wanted.name or _still_wraps_up(there, wanted, now)):
        changes.append(Change(Step.REMOVE, there))
        there = None
    if there is None:
        fresh = Member(
            wanted.queue, wanted.username, wanted.name, wanted.paused, wanted.reason, wanted.penalty
        )
        return [*changes, Change(Step.ADD, fresh)]
    if (there.paused, there.reason) != (wanted.paused, wanted.reason):
        there = replace(there, paused=wanted.paused, reason=wanted.reason)
        changes.append(Change(Step.PAUSE, there))
    if there.penalty != wanted.penalty:
        changes.append(Change(Step.WEIGH, replace(there, penalty=wanted.penalty)))
    return changes


def _still_wraps_up(there: Member, wanted: Membership, now: float) -> bool:
    """Tell whether Asterisk keeps calls away for a wrap-up that is over; only a new member forgets it.

    It counts by the clock (app_queue, ring_entry): where that was set back, a talk has ended in the future.
    """
    if wanted.paused:
        return False
    if there.last_call > now + _CLOCK_WAS_SET_S:
        return True
    return 0 < there.last_call <= wanted.free_since < there.last_call + wanted.wrap_up_s


class Alignment:
    """The members of one hotline's queues.

    Args:
        seating: knows which seat should be in which queue.
        book: gives the present configuration.
        members: the switch's queue members.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        seating: Seating,
        book: Callable[[], HotlineBook],
        members: QueueMembers,
        clock: Callable[[], float],
    ) -> None:
        self._seating = seating
        self._book = book
        self._members = members
        self._clock = clock
        self._known: dict[str, There] = {}
        """What the switch is known to have, by SIP user; who is not here must be asked for."""
        self._moved: dict[str, int] = {}
        """Of each SIP user, the turn in which anything of it last changed: what was told before that is old."""
        self._turn = 0
        self._sending = asyncio.Lock()
        self._comparing = asyncio.Lock()

    def doubt(self, user: str) -> None:
        """Take note that something has happened to a seat in the switch that was not sent from here."""
        self._known.pop(user, None)
        self._has_moved(user)

    def forget(self) -> None:
        """Know nothing any more: whoever answers now may be another switch."""
        self._known.clear()

    async def settle(self, seats: Collection[str]) -> None:
        """Send the difference of these seats.

        Raises:
            HotlineError: one was refused; the others were sent all the same.  Or the switch does not answer.
        """
        book = self._book()
        found = (book.seat(seat_id) for seat_id in seats)
        await self._settle_all(seat.username for seat in found if seat is not None)

    async def compare(self) -> None:
        """Ask for every member of our queues, and send what differs.

        Raises:
            HotlineError: as :meth:`settle`.
        """
        async with self._comparing:
            began = self._turn
            found: defaultdict[str, There] = defaultdict(dict)
            for queue in self._book().queues:
                for member in await self._members.of_queue(queue.id):
                    found[member.user][queue.id] = member
            seats = (seat.username for seat in self._book().seats)
            await self._settle_all(dict.fromkeys((*seats, *found, *self._known)), found, began)

    async def _settle_all(
        self, users: Iterable[str], found: Mapping[str, There] | None = None, began: int = 0
    ) -> None:
        refused: HotlineError | None = None
        for n, user in enumerate(users, 1):
            async with self._sending:  # for one seat at a time: who presses a key waits for no crowd
                if found is not None and self._moved.get(user, 0) <= began:
                    self._known[user] = found.get(user, {})
                try:
                    await self._settle(user)
                except HotlineError as error:
                    if error.retry:
                        raise
                    log.warning("queue members: %s: %s", user, error.sentence)
                    refused = refused or error
            if n % _SEATS_AT_ONCE == 0:
                await asyncio.sleep(0)
        if refused is not None:
            raise refused

    async def _settle(self, user: str) -> None:
        """Send the difference of one seat; what is believed wrongly is refused, and then looked up."""
        there = self._known.pop(user, None)  # known again when it is known what became of it
        while True:
            believed, turn = there is not None, self._turn
            if there is None:
                there = await self._ask(user)
            changes = differences(there, self._wanted(user), self._clock())
            try:
                there = await self._carry_out(user, there, changes)
            except HotlineError as error:
                if error.retry or not believed:
                    raise
                there = None
                continue
            if self._moved.get(user, 0) <= turn:
                self._known[user] = there
            if changes:
                self._has_moved(user)
            return

    async def _ask(self, user: str) -> There:
        ours = {queue.id for queue in self._book().queues}
        return {one.queue: one for one in await self._members.of_seat(user) if one.queue in ours}

    async def _carry_out(self, user: str, there: There, changes: Sequence[Change]) -> There:
        """Send everything, then wait for all of it; return what the switch has then."""
        if not changes:
            return there
        answers = await asyncio.gather(*map(self._members.carry_out, changes), return_exceptions=True)
        errors = [answer for answer in answers if isinstance(answer, BaseException)]
        if errors:
            raise next((one for one in errors if getattr(one, "retry", True)), errors[0])
        after = dict(there)
        for change in changes:
            after.pop(change.member.queue, None)
            if change.step is not Step.REMOVE:
                after[change.member.queue] = change.member
        for step in dict.fromkeys(change.step for change in changes):
            queues = ", ".join(change.member.queue for change in changes if change.step is step)
            log.info("queue members: %s %s %s", user, _WORDS[step], queues)
        return after

    def _wanted(self, user: str) -> list[Membership]:
        seat = self._book().seat_by_username(user)
        return self._seating.memberships_of(seat) if seat is not None else []

    def _has_moved(self, user: str) -> None:
        self._turn += 1
        self._moved[user] = self._turn
