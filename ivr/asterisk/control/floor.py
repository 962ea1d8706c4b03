"""Asterisk's queues, and the telephones of seats, as the domain sees them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence

from ivr.asterisk.ami.link import AmiRefused, Link, LinkState
from ivr.asterisk.contract import Context
from ivr.asterisk.control import queues
from ivr.queueing.ports import QueueCounts
from ivr.seats.ports import Caller, Phone, Place, QueueStatus

TELEPHONE = "PJSIP/"
_PHONES = {
    queues.NOT_IN_USE: Phone.FREE,
    queues.IN_USE: Phone.TALKS,
    queues.BUSY: Phone.BUSY,
    queues.UNAVAILABLE: Phone.AWAY,
    queues.RINGING: Phone.RINGS,
}
_LANGUAGE = "CHANNEL(language)"
_KEY = "D"
"""It stands on no telephone, so nobody means anything by it, and no extension of ours answers to it."""


def seen(listed: queues.QueueStatus) -> QueueStatus:
    """Return what Asterisk lists in the words of the domain."""
    return QueueStatus(
        [Place(one.queue, one.interface.removeprefix(TELEPHONE), one.paused) for one in listed.members],
        [
            Caller(
                one.call_id,
                one.queue,
                one.channel,
                one.wait_s,
                one.position,
                one.priority,
                placeholder=one.placeholder,
            )
            for one in listed.callers
        ],
        listed.queues,
        {
            interface.removeprefix(TELEPHONE): _PHONES.get(state, Phone.UNKNOWN)
            for interface, state in listed.states.items()
        },
    )


class AsteriskFloor:
    """Implements ``queueing.ports.Queues``, ``supervision.ports.Floor`` and ``seats.ports.Phones``.

    Args:
        link: the link to Asterisk.
        citizens: gives the calls of citizens who were called back, by channel.
    """

    def __init__(self, link: Link, citizens: Callable[[], Mapping[str, str]] = dict) -> None:
        self._link = link
        self._citizens = citizens

    @property
    def live(self) -> bool:
        """Whether Asterisk can be asked."""
        return self._link.state is LinkState.LIVE

    # -- queues --------------------------------------------------------------------------------
    async def status(self) -> QueueStatus:
        """Return everything about the queues."""
        return seen(await queues.status(self._link, self._citizens()))

    async def counts(self) -> Sequence[QueueCounts]:
        """Return how the queues stand."""
        return [QueueCounts(*one) for one in await queues.counts(self._link)]

    async def cut_short(self, channel: str) -> None:
        """Press a key for a caller: it ends the announcement."""
        with contextlib.suppress(AmiRefused):
            key = {"Channel": channel, "Digit": _KEY, "Receive": "true", "Async": "false"}
            await self._link.action("PlayDTMF", key)

    async def change_language(self, channel: str, was: str, becomes: str) -> None:
        """Let the queue say something else to a caller."""
        about = {"Channel": channel, "Variable": _LANGUAGE}
        if (await self._link.action("Getvar", about)).get("Value") == was:
            await self._link.action("Setvar", {**about, "Value": becomes})

    async def take_message(self, channel: str) -> None:
        """Lead a caller to where a message is left."""
        where = {"Channel": channel, "Context": Context.VOICEMAIL, "Exten": "s", "Priority": "1"}
        await self._link.action("Redirect", where)

    async def back_to_general(self, channel: str, position: int) -> bool:
        """Lead a caller to a place in the general queue."""
        return await queues.redirect(self._link, channel, Context.BACK_TO_GENERAL, str(position))

    # -- calls ---------------------------------------------------------------------------------
    async def live_calls(self) -> set[str]:
        """Return the ids of all calls that have a channel now, a placeholder's for the call it stands for."""
        return await queues.live_calls(self._link, self._citizens())

    async def end_all(self) -> None:
        """Hang every channel up."""
        await self._link.action("Hangup", {"Channel": "/.*/"})

    # -- telephones ----------------------------------------------------------------------------
    async def registered(self) -> set[str]:
        """Return the SIP users that can be called now."""
        return await queues.registered(self._link)

    async def answering(self) -> Mapping[str, bool]:
        """Return the SIP users that are registered, and whether their telephone answers."""
        return await queues.contacts(self._link)

    async def ask(self, username: str) -> None:
        """Ask a telephone now whether it is there."""
        await self._link.action("PJSIPQualify", {"Endpoint": username})
