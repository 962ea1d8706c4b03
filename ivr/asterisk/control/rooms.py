"""Rooms on Asterisk: how parties are moved, called, muted and recorded over AMI.

``transfers.part`` is the other half.  Every value that could carry a comma or a bracket into an
application is refused here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ivr.asterisk.ami.link import AmiRefused, Link
from ivr.asterisk.ami.values import UnsafeValue

_NAME = re.compile(r"[\w./@:;+*#-]{1,150}", re.ASCII)
_PATH = re.compile(r"/[\w./+-]{1,300}", re.ASCII)

_KEY_CONTEXTS = frozenset({"ivr-keys", "ivr-room-keys"})
_LOOK_AGAIN_S = 0.01
KEYS_LIMIT_S = 6.0
"""Longer than the dialplan waits for the digits of a code."""

Sound = Callable[..., str]
"""Recordings of a prompt joined by ``&``: (prompt, **slots)."""


class Guest(Protocol):
    """Whom to call, see ``ivr.transfers.ports.Invitation``."""

    @property
    def call_id(self) -> str:
        """The call."""

    @property
    def channel_id(self) -> str:
        """What the channel will be called."""

    @property
    def caller_number(self) -> str:
        """The number shown."""

    @property
    def line_id(self) -> str:
        """The department line."""

    @property
    def dialled(self) -> str:
        """What the caller dialled."""

    @property
    def category(self) -> str:
        """What it is about."""

    @property
    def emergency(self) -> bool:
        """Whether it joins at once."""

    @property
    def recording(self) -> str:
        """The call's recording."""

    @property
    def route(self) -> Any:
        """How it is reached."""


class Rooms:
    """The rooms of one Asterisk.

    Args:
        link: the manager connection.
        sound: where prompts are.
        present: builds what :meth:`present` returns.
    """

    def __init__(self, link: Link, sound: Sound, present: Callable[..., Any]) -> None:
        self._link = link
        self._sound = sound
        self._present = present

    async def keys_done(self, *channels: str) -> None:
        """Wait until none of these channels is in a code's subroutine; ``KEYS_LIMIT_S`` at most."""
        for channel in channels:
            for _ in range(int(KEYS_LIMIT_S / _LOOK_AGAIN_S)):  # nothing tells of the end of a subroutine
                if not await self._keying(channel):
                    break
                await asyncio.sleep(_LOOK_AGAIN_S)

    async def _keying(self, channel: str) -> bool:
        """Tell where a channel is in the dialplan this moment; what Status says of that may be out of date."""
        try:
            answer = await self._link.action("Getvar", {"Channel": _plain(channel), "Variable": "CONTEXT"})
        except AmiRefused:  # it has gone
            return False
        return answer.get("Value") in _KEY_CONTEXTS

    async def gather(self, caller: str, operator: str, *, hold: bool, help_number: str = "") -> None:
        """Take both out of the queue's bridge in one action: neither is alone in between."""
        context, exten = ("ivr-await", "s") if hold else ("ivr-room-caller", help_number or "s")
        await self._link.action(
            "Redirect",
            {
                "Channel": _plain(caller),
                "Context": context,
                "Exten": _plain(exten),
                "Priority": "1",
                "ExtraChannel": _plain(operator),
                "ExtraContext": "ivr-room",
                "ExtraExten": "operator",
                "ExtraPriority": "1",
            },
        )

    async def hold(self, caller: str, *, help_number: str = "") -> None:
        """Let the caller hear music, or that help is being called."""
        await self._redirect(caller, "ivr-await", help_number or "s")

    async def bring(self, caller: str, *, help_number: str = "") -> None:
        """Bring the caller into the room."""
        await self._redirect(caller, "ivr-room-caller", help_number or "s")

    async def requeue(self, caller: str) -> None:
        """Send the caller to the head of the general queue."""
        await self._redirect(caller, "ivr-requeue", "s")

    async def settle(self, caller: str) -> None:
        """Nobody is waited for any more: when the others leave, the talk is over."""
        await self._await(caller, "")

    async def expect(self, caller: str) -> None:
        """Somebody is being called: whoever leaves, the caller waits on."""
        await self._await(caller, "1")

    async def _await(self, caller: str, value: str) -> None:
        headers = {"Channel": _plain(caller), "Variable": "IVR_AWAIT", "Value": value}
        await self._link.action("Setvar", headers)

    async def _redirect(self, channel: str, context: str, exten: str) -> None:
        headers = {"Channel": _plain(channel), "Context": context, "Exten": _plain(exten), "Priority": "1"}
        await self._link.action("Redirect", headers)

    async def invite(self, invitation: Guest) -> None:
        """Call a third party; what becomes of it is told by events of its channel."""
        guest = invitation
        variables = [f"IVR_CALL={_plain(guest.call_id)}"]
        if guest.emergency:
            variables += [
                f"PJSIP_HEADER(add,X-IVR-Call)={_plain(guest.call_id)}",
                f"PJSIP_HEADER(add,X-IVR-Dialled)={_plain(guest.dialled or '12345')}",
                f"PJSIP_HEADER(add,X-IVR-Line)={_plain(guest.line_id or '12345')}",
            ]
        else:
            # a queue records whether we want it or not; what it records is on the third party's own track
            variables.append(
                f"MONITOR_FILENAME={_plain(guest.recording)}-spare" if guest.recording else "IVR_X="
            )
            variables.append(f"IVR_ASK={self._sound('P033', category=guest.category)}")
        await self._link.action(
            "Originate",
            {
                "Channel": _dialled(guest.route.by, guest.route.address),
                "ChannelId": _plain(guest.channel_id),
                "Context": "ivr-third",
                "Exten": "help" if guest.emergency else "ask",
                "Priority": "1",
                "Async": "true",
                "Timeout": str(int((guest.route.ring_s + 2) * 1000)),
                "CallerID": _plain(guest.caller_number or "12345"),
                "Variable": variables,
            },
        )

    async def drop(self, channel_id: str) -> None:
        """Hang a channel up; one that is gone already is no fault."""
        if not channel_id:
            return
        try:
            await self._link.action("Hangup", {"Channel": _plain(channel_id)})
        except AmiRefused:
            return

    async def say(self, channel: str, prompt: str, slots: Mapping[str, str]) -> None:
        """Whisper a prompt to one party: the others do not hear it."""
        if not channel:
            return
        await self._link.action(
            "Originate",
            {
                "Channel": "Local/s@ivr-tell/n",
                "Application": "ChanSpy",
                "Data": f"{_plain(channel)},qWE",
                "Async": "true",
                "Variable": [f"IVR_SAY={self._sound(prompt, **slots)}"],
            },
        )

    async def mute(self, call_id: str, channel: str, on: bool) -> None:
        """Mute one party of a room."""
        name = "ConfbridgeMute" if on else "ConfbridgeUnmute"
        await self._link.action(name, {"Conference": _plain(call_id), "Channel": _plain(channel)})

    async def record(self, channel: str, path: str) -> None:
        """Record what comes from a party, silence included."""
        if not _PATH.fullmatch(path):
            raise UnsafeValue(f"{path!r} cannot name a recording")
        headers = {"Channel": _plain(channel), "File": "", "Options": f"r({path}.raw)"}
        await self._link.action("MixMonitor", headers)

    async def present(self, call_id: str, caller: str, operator: str, third: str) -> Any:
        """Tell who is there, by Asterisk's own lists."""
        channels = await self._link.list_action("CoreShowChannels", {})
        ids = {item.get("Uniqueid") for item in channels} | {item.get("Channel") for item in channels}
        try:
            listed = await self._link.list_action("ConfbridgeList", {"Conference": _plain(call_id)})
        except AmiRefused:  # Asterisk's way to say that there is no such room
            listed = []
        queued = {item.get("Uniqueid") for item in channels if item.get("Application") == "Queue"}
        queued |= {item.get("Channel") for item in channels if item.get("Application") == "Queue"}
        inside = {item.get("Uniqueid") for item in listed} | {item.get("Channel") for item in listed}
        return self._present(
            not ids.isdisjoint((call_id, caller)),
            bool(operator) and operator in ids,
            bool(third) and third in ids,
            not inside.isdisjoint((call_id, caller)),
            bool(operator) and operator in inside,
            bool(third) and third in inside,
            not queued.isdisjoint((call_id, caller)),
        )


def _dialled(by: str, address: str) -> str:
    """Return what Asterisk dials for a route."""
    if by == "sip":
        return f"PJSIP/ivr-out/{_plain(address)}"
    if by == "queue":
        return f"Local/{_plain(address)}@ivr-expert/n"
    return f"PJSIP/{_plain(address)}"


def _plain(value: str) -> str:
    """Return a value that is no more than a name."""
    if not _NAME.fullmatch(value):
        raise UnsafeValue(
            f"{value[:60]!r} cannot name a channel or an extension", f"{value[:60]!r} 不能作为通道或分机名"
        )
    return value
