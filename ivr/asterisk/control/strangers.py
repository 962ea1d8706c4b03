"""What Asterisk says of strangers: which events of them are heard, and how often each knocked."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from ivr.asterisk.ami.link import Link
from ivr.asterisk.facts.unidentified import counts
from ivr.asterisk.install.instance import Instance

_WITHOUT = "system,call,agent,user,dtmf"
_HEARD = "system,call,agent,user,security,dtmf"


class AsteriskKnocks:
    """Implements ``strangers.ports.Knocks``.

    Args:
        link: over which security events come.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    async def hear_strangers(self, wanted: bool) -> None:
        """Ask for security events, or for none."""
        await self._link.action("Events", {"EventMask": _HEARD if wanted else _WITHOUT})


class AskAsterisk:
    """Asks for the counts of packets by unknown address; to be called from a thread.

    Args:
        find: finds our Asterisk; done once.
    """

    def __init__(self, find: Callable[[], Instance]) -> None:
        self._find = functools.cache(find)

    def __call__(self) -> Mapping[str, int]:
        """Return packets by address."""
        return counts(self._find())
