"""Placeholders in Asterisk's queues: made, listed and taken away; why and when is decided elsewhere.

Once a placeholder stands in a queue, Asterisk carries the callback out alone and leaves word of it
in its own database.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

from ivr.asterisk.ami.link import AmiRefused, Link
from ivr.asterisk.contract import FAMILY, Context, Variable
from ivr.asterisk.control import queues
from ivr.asterisk.control.floor import AsteriskFloor
from ivr.asterisk.facts.callback_words import word_of
from ivr.asterisk.facts.records import called_back
from ivr.calls.facts import CallbackWord
from ivr.queueing.ports import NotTaken, Seen, Standing

_HELD_MS = 24 * 3600 * 1000
"""How long Asterisk holds a placeholder that nobody answers."""
_INHERITED = "__"
"""Before a variable's name: every channel that comes of this one has it, too."""


class AsteriskPlaceholders(AsteriskFloor):
    """Implements ``queueing.ports.Placeholders``.

    Args:
        link: the link to Asterisk.
        citizens: gives the calls of citizens who were called back, by channel.
    """

    def __init__(self, link: Link, citizens: Callable[[], Mapping[str, str]] = dict) -> None:
        super().__init__(link, citizens)

    async def look(self) -> Seen:
        """Ask Asterisk for everything about placeholders."""
        status = await self.status()
        channels = await queues.channels(self._link)
        ends = ((called_back(name), name) for name in channels if name.endswith(";2"))
        there = {call_id: name for call_id, name in ends if call_id is not None}
        return Seen(frozenset(channels), there, await self._words(), status)

    async def _words(self) -> dict[str, CallbackWord | None]:
        with contextlib.suppress(AmiRefused):  # Asterisk's way to say there are none
            found = await self._link.list_action("DBGetTree", {"Family": FAMILY})
            said = ((item.get("Key").rpartition("/")[2], item.get("Val")) for item in found)
            return {call_id: word_of(call_id, text) for call_id, text in said}
        return {}

    async def forget(self, call_id: str) -> None:
        """Take the word of a callback out of Asterisk's database."""
        with contextlib.suppress(AmiRefused):
            await self._link.action("DBDel", {"Family": FAMILY, "Key": call_id})

    async def remove(self, channel: str) -> None:
        """Take a placeholder away."""
        with contextlib.suppress(AmiRefused):
            await self._link.action("Hangup", {"Channel": channel})

    async def stand(self, wanted: Standing) -> None:
        """Ask for a placeholder."""
        headers = {
            "Channel": f"Local/{wanted.call_id}@{Context.CALLBACK}/n",
            "Context": Context.CALLBACK_OUT,
            "Exten": "s",
            "Priority": "1",
            "CallerID": f"<{wanted.caller_id}>",
            "Timeout": str(_HELD_MS),
            "Async": "true",
            # not slin, the format of a room: Asterisk would go on with the translator that it has, which takes
            # the room's frames, numbered anew, for old ones, and nobody would hear anything (translate.c)
            "Codecs": "alaw",
            "Variable": [f"{name}={value}" for name, value in _variables(wanted).items()],
        }
        try:
            await self._link.action("Originate", headers)
        except AmiRefused as error:
            raise NotTaken(error.sentence, error.zh) from error


def _variables(wanted: Standing) -> dict[str, str]:
    """Return what the dialplan must know; the citizen's channel gets what a caller's has from the reception."""
    inherited = {
        Variable.CALL: wanted.call_id,
        Variable.TRY: str(wanted.attempt),
        Variable.QUEUE: wanted.queue,
        Variable.RECORDING: wanted.recording,
        Variable.SOURCE: wanted.source,
        Variable.LINE: wanted.line_id,
        Variable.DIALLED: wanted.dialled,
    }
    own = {
        Variable.TO: wanted.uri,
        Variable.PRIORITY: str(wanted.priority),
        Variable.POSITION: str(wanted.position),
        Variable.SPARE: wanted.spare,
    }
    return {_INHERITED + name: value for name, value in inherited.items()} | {
        str(name): value for name, value in own.items()
    }
