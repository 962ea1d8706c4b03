"""What listening to the sides of calls needs of whatever carries the voice: a Protocol that the domain owns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Contact(NamedTuple):
    """An address at which somebody is reached.

    Attributes:
        user: whose it is: a seat's SIP user, a way out.
        uri: the SIP address.
        answers: whether it is not known to be silent; one that is not asked answers.
        reached: whether it was asked and answered.
        id: what a channel that was called there says of it.
    """

    user: str
    uri: str
    answers: bool
    reached: bool
    id: str = ""


class Sides(Protocol):
    """The channels of those who talk, and where they are reached.  What is asked may raise ``HotlineError``."""

    @property
    def live(self) -> bool:
        """Whether anything can be asked now."""

    @property
    def way_out(self) -> str:
        """The endpoint by which third parties outside are reached."""

    async def packets(self, channel: str) -> str:
        """Return how many packets came of a side so far; empty where that cannot be told."""

    async def address(self, channel: str) -> str:
        """Return the SIP address to which a side outside was called; empty where that cannot be told."""

    async def contact(self, channel: str) -> str:
        """Return the ``id`` of the contact at which a telephone was called; empty where that cannot be told."""

    async def ask(self, endpoint: str) -> None:
        """Ask the addresses of an endpoint; what they say is seen later, and nothing where that cannot be asked."""

    async def contacts(self) -> Sequence[Contact]:
        """Return every address that somebody has registered from."""

    async def written(self, endpoint: str) -> Sequence[Contact]:
        """Return the addresses that were written down for an endpoint; they are not among the others."""

    async def renew(self, channel: str) -> None:
        """Renew the session inside a call: who has lost the call says so.  Who has gone is no fault."""

    async def mark_gone(self, caller: str, *, gone: bool) -> None:
        """Tell a caller's channel whether who leaves now has not hung up."""

    async def end(self, channel: str) -> None:
        """Hang a side up; one that has ended by itself is no fault."""
