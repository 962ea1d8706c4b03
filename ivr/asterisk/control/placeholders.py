"""Placeholders in Asterisk's queues: made, listed and taken away; why and when is decided elsewhere.

Once a placeholder stands in a queue, Asterisk carries the callback out alone and leaves word of it
in its own database.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from ivr.asterisk.ami.link import AmiRefused, Link
from ivr.asterisk.control import queues as members
from ivr.asterisk.facts.records import called_back

FAMILY = "ivr-callback"
_HELD_MS = 24 * 3600 * 1000
"""How long Asterisk holds a placeholder that nobody answers."""


@dataclass(frozen=True)
class Seen:
    """What there is at one moment.

    Attributes:
        channels: the names of all channels.
        placeholders: the queue's end of each placeholder, by call id.
        words: what the dialplan left of each callback, by call id.
        status: Asterisk's queues.
    """

    channels: frozenset[str]
    placeholders: Mapping[str, str]
    words: Mapping[str, str]
    status: members.QueueStatus

    @property
    def waiting(self) -> dict[str, str]:
        """The placeholders that wait for a seat, or ring one: channel by call id."""
        waits = {caller.channel for caller in self.status.callers}
        return {call_id: name for call_id, name in self.placeholders.items() if name in waits}


async def look(link: Link, citizens: Mapping[str, str]) -> Seen:
    """Ask Asterisk for everything about placeholders.

    Args:
        link: the link to Asterisk.
        citizens: the calls of citizens who were called back, by channel.
    """
    status = await members.status(link, citizens)
    channels = await members.channels(link)
    ends = ((called_back(name), name) for name in channels if name.endswith(";2"))
    there = {call_id: name for call_id, name in ends if call_id is not None}
    return Seen(frozenset(channels), there, await _words(link), status)


async def _words(link: Link) -> dict[str, str]:
    with contextlib.suppress(AmiRefused):  # Asterisk's way to say there are none
        found = await link.list_action("DBGetTree", {"Family": FAMILY})
        return {item.get("Key").rpartition("/")[2]: item.get("Val") for item in found}
    return {}


async def forget(link: Link, call_id: str) -> None:
    """Take the word of a callback out of Asterisk's database, where there is one."""
    with contextlib.suppress(AmiRefused):
        await link.action("DBDel", {"Family": FAMILY, "Key": call_id})


async def remove(link: Link, channel: str) -> None:
    """Take a placeholder away; one that has gone by itself is no fault."""
    with contextlib.suppress(AmiRefused):
        await link.action("Hangup", {"Channel": channel})


async def stand(link: Link, call_id: str, caller_id: str, variables: Mapping[str, str]) -> None:
    """Ask for a placeholder; it is in the queue a moment later.

    Raises:
        AmiRefused, AmiTimeout, AmiDown: as :meth:`Link.action`.
    """
    headers = {
        "Channel": f"Local/{call_id}@ivr-callback/n",
        "Context": "ivr-callback-out",
        "Exten": "s",
        "Priority": "1",
        "CallerID": f"<{caller_id}>",
        "Timeout": str(_HELD_MS),
        "Async": "true",
        # not slin, the format of a room: Asterisk would go on with the translator that it has, which takes
        # the room's frames, numbered anew, for old ones, and nobody would hear anything (translate.c)
        "Codecs": "alaw",
        "Variable": [f"{name}={value}" for name, value in variables.items()],
    }
    await link.action("Originate", headers)
