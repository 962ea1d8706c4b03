"""Queue members in Asterisk: looked up, changed, and what it tells of them."""

from __future__ import annotations

import asyncio
import contextlib

from ivr.asterisk.ami.link import AmiRefused, Link, Message
from ivr.seats.ports import Change, Member, Step

_CHANNEL = "PJSIP/"
_ROWS_AT_ONCE = 100
_ACTIONS = {
    Step.REMOVE: "QueueRemove",
    Step.ADD: "QueueAdd",
    Step.PAUSE: "QueuePause",
    Step.WEIGH: "QueuePenalty",
}
_MOVED = ("AgentComplete", "QueueMemberRemoved")


class AsteriskMembers:
    """The members of Asterisk's queues.

    Args:
        link: the link to Asterisk.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    async def of_queue(self, queue: str) -> list[Member]:
        """Return the members of one queue."""
        return await self._listed({"Queue": queue})

    async def of_seat(self, user: str) -> list[Member]:
        """Return the queues that one seat is in."""
        return [one for one in await self._listed({"Member": _interface(user)}) if one.user == user]

    async def _listed(self, which: dict[str, str]) -> list[Member]:
        found = []
        for n, item in enumerate(await self._link.list_action("QueueStatus", which), 1):
            if item.name == "QueueMember":
                found.append(_member(item))
            if n % _ROWS_AT_ONCE == 0:
                await asyncio.sleep(0)
        return found

    async def carry_out(self, change: Change) -> None:
        """Carry one change out; whoever is removed may be gone already."""
        refusal = contextlib.suppress(AmiRefused) if change.step is Step.REMOVE else contextlib.nullcontext()
        with refusal:
            await self._link.action(_ACTIONS[change.step], _headers(change.step, change.member))


def _member(item: Message) -> Member:
    paused = item.get("Paused") == "1"
    return Member(
        item.get("Queue"),
        item.get("Location").removeprefix(_CHANNEL),
        item.get("Name"),
        paused,
        item.get("PausedReason") if paused else "",
        int(item.get("Penalty") or 0),
        int(item.get("LastCall") or 0),
    )


def _interface(user: str) -> str:
    return user if "/" in user else _CHANNEL + user


def _headers(step: Step, member: Member) -> dict[str, str]:
    headers = {"Queue": member.queue, "Interface": _interface(member.user)}
    if step is Step.ADD:
        headers |= {"StateInterface": headers["Interface"], "MemberName": member.name}
    if step in (Step.ADD, Step.WEIGH):
        headers["Penalty"] = str(member.penalty)
    if step in (Step.ADD, Step.PAUSE):
        headers["Paused"] = "true" if member.paused else "false"
    if step is Step.PAUSE or (step is Step.ADD and member.reason):
        headers["Reason"] = member.reason
    return headers


def moved(message: Message) -> str | None:
    """Return the seat of which Asterisk tells something that was not asked of it, None where it tells nothing of one.

    The end of a talk is the beginning of Asterisk's own wrap-up; a member may be removed by somebody at its console.
    """
    return message.get("Interface").removeprefix(_CHANNEL) if message.name in _MOVED else None
