"""A switch that keeps queue members, as the port of ``ivr.seats`` has it, and stops where a test wants it to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from ivr.errors import HotlineError
from ivr.seats.ports import Change, Member, Step


class Refused(HotlineError):
    """No."""


class Silent(HotlineError):
    """No answer."""

    retry = True


class Switch:
    """Does what is asked, in the order it was asked; a refusal is what Asterisk would refuse, too."""

    def __init__(self, present: Iterable[Member] = ()) -> None:
        self.members = {(one.queue, one.user): one for one in present}
        self.changes: list[Change] = []
        self.asked: list[str] = []
        self.silent = self.no_room = False
        self.gate: dict[str, asyncio.Event] = {}
        """What is answered about a queue or a seat only later: the answer is of the moment it was asked."""
        self.reached = asyncio.Event()
        self.deaf_to: Step | None = None
        """What is carried out, and never answered."""

    async def of_queue(self, queue: str) -> list[Member]:
        """Return the members of one queue."""
        return await self._list(queue, [one for one in self.members.values() if one.queue == queue])

    async def of_seat(self, user: str) -> list[Member]:
        """Return the queues that one seat is in."""
        return await self._list(user, [one for one in self.members.values() if one.user == user])

    async def _list(self, about: str, found: list[Member]) -> list[Member]:
        if self.silent:
            raise Silent("no answer")
        self.asked.append(about)
        if about in self.gate:
            self.reached.set()
            await self.gate[about].wait()
        return found

    async def carry_out(self, change: Change) -> None:
        """Carry one change out."""
        if self.silent:
            raise Silent("no answer")
        self.changes.append(change)
        key, there = (change.member.queue, change.member.user), change.member
        if change.step is Step.ADD:
            if key in self.members or self.no_room:
                raise Refused("there already, or no such queue")
            self.members[key] = there
        elif change.step is Step.REMOVE:
            self.members.pop(key, None)
        elif key not in self.members:
            raise Refused("not there")
        elif change.step is Step.PAUSE:
            self.members[key] = replace(self.members[key], paused=there.paused, reason=there.reason)
        else:
            self.members[key] = replace(self.members[key], penalty=there.penalty)
        if change.step is self.deaf_to:
            raise Silent("no answer")

    def talked(self, user: str, until: float) -> None:
        """Let a talk of a seat end."""
        for key, there in self.members.items():
            if key[1] == user:
                self.members[key] = replace(there, last_call=int(until))
