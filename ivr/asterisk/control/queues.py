"""Asterisk's queues, channels and phones at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ivr.asterisk.ami.link import AmiRefused, Link, Message
from ivr.asterisk.facts.records import called_back


class Member(NamedTuple):
    """A seat in a queue."""

    queue: str
    interface: str
    name: str
    paused: bool
    reason: str
    penalty: int = 0


class Caller(NamedTuple):
    """Somebody who waits: ``wait_s`` seconds so far."""

    call_id: str
    queue: str
    channel: str
    wait_s: int
    position: int = 0
    priority: int = 0

    @property
    def placeholder(self) -> bool:
        """Whether nobody waits there: it stands for somebody to be called back."""
        return called_back(self.channel) is not None


class QueueStatus(NamedTuple):
    """Everything about the queues at one moment; ``busy`` maps interface to Asterisk's device state."""

    members: list[Member]
    callers: list[Caller]
    queues: list[str]
    states: Mapping[str, int]


class QueueCounts(NamedTuple):
    """How a queue stands: seats that could take a caller now, and callers who wait."""

    queue: str
    free: int
    callers: int


NOT_IN_USE, IN_USE, BUSY, UNAVAILABLE, RINGING = 1, 2, 3, 5, 6
"""Device states of app_queue's members (enum ast_device_state)."""


async def counts(link: Link) -> list[QueueCounts]:
    """Ask Asterisk for the counts of its queues: unlike :func:`status` it costs the same in a crowd."""
    return [
        QueueCounts(item.get("Queue"), int(item.get("Available") or 0), int(item.get("Callers") or 0))
        for item in await link.list_action("QueueSummary", {})
    ]


async def status(link: Link, citizens: Mapping[str, str] | None = None) -> QueueStatus:
    """Ask Asterisk for its queues.

    Args:
        link: the link to Asterisk.
        citizens: the calls of citizens who were called back, by channel.
    """
    members, callers, queues, states = [], [], [], {}
    for item in await link.list_action("QueueStatus", {}):
        if item.name == "QueueParams":
            queues.append(item.get("Queue"))
        elif item.name == "QueueMember":
            members.append(_member(item))
            states[item.get("StateInterface")] = int(item.get("Status") or 0)
        elif item.name == "QueueEntry":
            wait = int(item.get("Wait") or 0)
            channel = item.get("Channel")
            call_id = called_back(channel) or (citizens or {}).get(channel) or item.get("Uniqueid")
            place = int(item.get("Position") or 0), int(item.get("Priority") or 0)
            callers.append(Caller(call_id, item.get("Queue"), channel, wait, *place))
    return QueueStatus(members, callers, queues, states)


def _member(item: Message) -> Member:
    paused = item.get("Paused") == "1"
    return Member(
        item.get("Queue"),
        item.get("StateInterface") or item.get("Location"),
        item.get("Name"),
        paused,
        item.get("PausedReason") if paused else "",
        int(item.get("Penalty") or 0),
    )


async def redirect(link: Link, channel: str, context: str, extension: str) -> bool:
    """Send a channel elsewhere in the dialplan; False when it has just gone."""
    headers = {"Channel": channel, "Context": context, "Exten": extension, "Priority": "1"}
    try:
        await link.action("Redirect", headers)
    except AmiRefused:
        return False
    return True


async def live_calls(link: Link, citizens: Mapping[str, str]) -> set[str]:
    """Return the ids of all calls that have a channel now, a placeholder's for the call it stands for.

    Args:
        link: the link to Asterisk.
        citizens: the calls of citizens who were called back, by channel.
    """
    shown = [(item.get("Channel"), item.get("Linkedid")) for item in await _shown(link)]
    return {called_back(name) or citizens.get(name) or call_id for name, call_id in shown}


async def channels(link: Link) -> set[str]:
    """Return the names of all channels that there are now."""
    return {item.get("Channel") for item in await _shown(link)}


async def _shown(link: Link) -> list[Message]:
    listed = await link.list_action("CoreShowChannels", {})
    return [item for item in listed if item.name == "CoreShowChannel"]


class Contact(NamedTuple):
    """An address at which somebody can be called, and what Asterisk says of it (``Reachable``, ``NonQualified``, …)."""

    user: str
    uri: str
    status: str
    id: str = ""

    @property
    def answers(self) -> bool:
        """Whether it answers; one that is not asked does."""
        return self.status != "Unreachable"


async def addresses(link: Link) -> list[Contact]:
    """Return every address that somebody has registered from."""
    try:
        found = await link.list_action("PJSIPShowContacts", {})
    except AmiRefused:  # Asterisk's way to say there are none
        return []
    return [
        Contact(
            item.get("ObjectName").partition("/")[0].partition(";")[0],
            item.get("Uri"),
            item.get("Status"),
            item.get("ObjectName"),
        )
        for item in found
    ]


async def written_addresses(link: Link, endpoint: str) -> list[Contact]:
    """Return the addresses of an endpoint that stand in its file; they are not among the others."""
    try:
        found = await link.list_action("PJSIPShowEndpoint", {"Endpoint": endpoint})
    except AmiRefused:
        return []
    return [
        Contact(endpoint, item.get("URI"), item.get("Status"))
        for item in found
        if item.name == "ContactStatusDetail"
    ]


async def contacts(link: Link) -> dict[str, bool]:
    """Return the SIP users that have a contact now, and whether it answers; one that is not asked does."""
    told: dict[str, bool] = {}
    for contact in await addresses(link):
        told[contact.user] = told.get(contact.user, False) or contact.answers
    return told


async def registered(link: Link) -> set[str]:
    """Return the SIP users that can be called now: registered, and not known to be unplugged."""
    return {username for username, answers in (await contacts(link)).items() if answers}
