"""What three parties need of whatever carries the voice: the Protocol that the desk owns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ivr.transfers.targets import Route


@dataclass(frozen=True)
class Invitation:
    """A third party that is called.

    Attributes:
        call_id: the call it is for.
        channel_id: what its channel will be called.
        route: how it is reached.
        target: who it is.
        caller_number: the number it is shown; the hotline's own where the caller's stays hidden.
        line_id: the department line of the call, empty for none.
        dialled: the number the caller dialled.
        category: what the call is about, empty while that is not known.
        emergency: whether it joins at once instead of being asked.
        recording: path of the call's recording, without ending.
    """

    call_id: str
    channel_id: str
    route: Route
    target: str
    caller_number: str
    line_id: str = ""
    dialled: str = ""
    category: str = ""
    emergency: bool = False
    recording: str = ""


@dataclass(frozen=True)
class Presence:
    """Who of a call is there now: channel ids (or names, for the operator) that exist and that are in the room.

    ``caller_in_queue``: whether the caller waits in a queue, or was answered there.
    """

    caller: bool
    operator: bool
    third: bool
    caller_in_room: bool = False
    operator_in_room: bool = False
    third_in_room: bool = False
    caller_in_queue: bool = False


class Room(Protocol):
    """A room on the server and the ways into it.  Each returns when it was asked for, not when it happened.

    Channels are named as Asterisk names them.  Everything may raise ``HotlineError``.
    """

    async def keys_done(self, *channels: str) -> None:
        """Wait until no code keyed by one of these is at work; a channel that has gone is at work with nothing."""

    async def gather(self, caller: str, operator: str, *, hold: bool, help_number: str = "") -> None:
        """Take both out of the queue's bridge: the operator into the room, the caller on hold or there too."""

    async def hold(self, caller: str, *, help_number: str = "") -> None:
        """Let the caller hear music, or that help is being called."""

    async def bring(self, caller: str, *, help_number: str = "") -> None:
        """Bring the caller into the room; while help is called they wait on if everybody else leaves."""

    async def requeue(self, caller: str) -> None:
        """Send the caller to the head of the general queue."""

    async def expect(self, caller: str) -> None:
        """Tell the caller's channel that somebody is being called: whoever leaves, the caller waits on."""

    async def settle(self, caller: str) -> None:
        """Tell the caller's channel that nobody is waited for any more."""

    async def invite(self, invitation: Invitation) -> None:
        """Call a third party."""

    async def drop(self, channel_id: str) -> None:
        """Hang a channel up, by id or name; one that is gone already is no fault."""

    async def say(self, channel: str, prompt: str, slots: Mapping[str, str]) -> None:
        """Whisper a prompt to one party."""

    async def mute(self, call_id: str, channel: str, on: bool) -> None:
        """Mute one party of a room."""

    async def record(self, channel: str, path: str) -> None:
        """Record what a party says, from now on; ``path`` without ending."""

    async def present(self, call_id: str, caller: str, operator: str, third: str) -> Presence:
        """Tell who is there; who was called back has no channel of the call's id."""
