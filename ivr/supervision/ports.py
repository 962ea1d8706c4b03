"""What the watch over the floor needs of whatever carries the voice: Protocols that the domain owns."""

from __future__ import annotations

from typing import Protocol

from ivr.seats.ports import QueueStatus


class Floor(Protocol):
    """Who waits and who is there.  What is asked may raise ``HotlineError``."""

    @property
    def live(self) -> bool:
        """Whether anything can be asked now."""

    async def status(self) -> QueueStatus:
        """Return everything about the queues."""

    async def registered(self) -> set[str]:
        """Return the SIP users that can be called now: registered, and not known to be unplugged."""

    async def back_to_general(self, channel: str, position: int) -> bool:
        """Lead a caller to a place in the general queue; False when they have just gone."""
