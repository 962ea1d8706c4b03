"""Looks at strangers without letting them cost the callers anything.

Packets from nobody we know are counted by Asterisk; their counts are asked for now and then.  Wrong passwords are
told by Asterisk one by one: when they come faster than anybody types, hearing of them is given up for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from ivr.asterisk.facts.unidentified import counts, grown
from ivr.asterisk.install.instance import Instance
from ivr.errors import HotlineError
from ivr.strangers.record import FLOOD, UNKNOWN, Strangers

log = logging.getLogger(__name__)

LOOK_S = 5.0
FLOOD_PACKETS = 500
"""As many between two looks are no scan and no mistake."""
LOUD = 200
"""Security events within :data:`LOUD_S` that are too many to hear."""
LOUD_S = 1.0
QUIET_S = 10.0
HEARD = "system,call,agent,user,security,dtmf"
WITHOUT_STRANGERS = "system,call,agent,user,dtmf"


class Manager(Protocol):
    """The link to Asterisk."""

    async def action(self, name: str, headers: Mapping[str, str], /) -> Any:
        """Send an action."""


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


class StrangersWatch:
    """Writes down who knocks.

    Args:
        strangers: where it is written.
        link: over which security events come.
        ask: returns Asterisk's count of packets by unknown address, from a thread; None where Asterisk is the city's.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        strangers: Strangers,
        link: Manager,
        ask: Callable[[], Mapping[str, int]] | None,
        clock: Callable[[], float],
    ) -> None:
        self._strangers = strangers
        self._link = link
        self._ask = ask
        self._clock = clock
        self._counts: Mapping[str, int] = {}
        self._recent: deque[float] = deque(maxlen=LOUD)
        self._loud = asyncio.Event()

    def work(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """Return what runs as long as the engine does."""
        return self.look_forever(), self.keep_calm()

    def heard(self, kind: str, address: str, account: str) -> bool:
        """Note a security event; returns whether it was written down."""
        now = self._clock()
        self._recent.append(now)
        if len(self._recent) == LOUD and now - self._recent[0] < LOUD_S:
            self._loud.set()
        return self._strangers.seen(kind, address, account=account)

    async def look_forever(self) -> None:
        """Ask for the counts again and again."""
        while True:
            try:
                await self.look()
            except (OSError, HotlineError) as error:  # no process can be started: callers go on talking
                log.warning("cannot ask Asterisk for strangers: %s", error)
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Ask for the counts and note what is new."""
        if self._ask is not None:
            now = await asyncio.to_thread(self._ask)
            for address, more in grown(self._counts, now):
                self._strangers.seen(FLOOD if more >= FLOOD_PACKETS else UNKNOWN, address, times=more)
            self._counts = now
        self._strangers.turn()

    async def keep_calm(self) -> None:
        """Stop hearing security events for a while whenever there are too many of them."""
        while True:
            await self._loud.wait()
            log.warning(
                "security: more than %d refused passwords in a second; the next ones are not heard for %.0f s",
                LOUD,
                QUIET_S,
            )
            await self._hear(WITHOUT_STRANGERS)
            await asyncio.sleep(QUIET_S)
            self._loud.clear()
            await self._hear(HEARD)

    async def _hear(self, mask: str) -> None:
        with contextlib.suppress(HotlineError):  # a new connection hears everything again
            await self._link.action("Events", {"EventMask": mask})
