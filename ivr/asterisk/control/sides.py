"""The sides of calls on Asterisk: what comes of them, where they are reached, and how they are asked."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from ivr.asterisk.ami.link import AmiRefused, Link, LinkState
from ivr.asterisk.contract import WAY_OUT, Variable
from ivr.asterisk.control import queues
from ivr.errors import HotlineError
from ivr.sides.ports import Contact


class AsteriskSides:
    """Implements ``sides.ports.Sides``.

    Args:
        link: the link to Asterisk.
    """

    way_out = WAY_OUT

    def __init__(self, link: Link) -> None:
        self._link = link

    @property
    def live(self) -> bool:
        """Whether Asterisk can be asked."""
        return self._link.state is LinkState.LIVE

    async def packets(self, channel: str) -> str:
        """Return the packets that Asterisk counted."""
        return await self._read(channel, "CHANNEL(rtcp,rxcount)")

    async def address(self, channel: str) -> str:
        """Return the SIP address to which a side outside was called."""
        return await self._read(channel, "CHANNEL(pjsip,remote_uri)")

    async def contact(self, channel: str) -> str:
        """Return the contact at which a telephone was called."""
        return await self._read(channel, "CHANNEL(contact)")

    async def _read(self, channel: str, variable: str) -> str:
        try:
            answer = await self._link.action("Getvar", {"Channel": channel, "Variable": variable})
        except AmiRefused:
            return ""
        return answer.get("Value")

    async def ask(self, endpoint: str) -> None:
        """Ask the addresses of an endpoint (OPTIONS)."""
        with contextlib.suppress(HotlineError):
            await self._link.action("PJSIPQualify", {"Endpoint": endpoint})

    async def contacts(self) -> Sequence[Contact]:
        """Return every address that somebody has registered from."""
        return [_contact(one) for one in await queues.addresses(self._link)]

    async def written(self, endpoint: str) -> Sequence[Contact]:
        """Return the addresses that stand in an endpoint's file."""
        return [_contact(one) for one in await queues.written_addresses(self._link, endpoint)]

    async def renew(self, channel: str) -> None:
        """Send a re-INVITE."""
        refresh = {"Channel": channel, "Variable": "PJSIP_SEND_SESSION_REFRESH()", "Value": "invite"}
        with contextlib.suppress(AmiRefused):
            await self._link.action("Setvar", refresh)

    async def mark_gone(self, caller: str, *, gone: bool) -> None:
        """Tell the dialplan whether who leaves now has not hung up."""
        marked = {"Channel": caller, "Variable": Variable.PHONE_GONE, "Value": "1" if gone else ""}
        with contextlib.suppress(AmiRefused):
            await self._link.action("Setvar", marked)

    async def end(self, channel: str) -> None:
        """Hang a side up."""
        with contextlib.suppress(AmiRefused):
            await self._link.action("Hangup", {"Channel": channel})


def _contact(one: queues.Contact) -> Contact:
    return Contact(one.user, one.uri, one.answers, one.status == "Reachable", one.id)
