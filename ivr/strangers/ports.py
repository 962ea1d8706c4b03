"""What the watch over strangers needs of whatever carries the voice: Protocols that the domain owns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Knocks(Protocol):
    """Who knocks."""

    async def hear_strangers(self, wanted: bool) -> None:
        """Be told of wrong passwords one by one, or not.

        Raises:
            HotlineError: it cannot be asked for now.
        """


class Counts(Protocol):
    """The counts of packets by unknown address."""

    def __call__(self) -> Mapping[str, int]:
        """Return packets by address; to be called from a thread."""
