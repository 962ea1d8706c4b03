"""Looks at strangers without letting them cost the callers anything.

Packets from nobody we know are counted by Asterisk; their counts are asked for now and then.  Wrong passwords are
told by Asterisk one by one: when they come faster than anybody types, hearing of them is given up for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

from ivr.calls.facts import Intruder
from ivr.errors import HotlineError
from ivr.strangers.ports import Counts, Knocks
from ivr.strangers.record import FLOOD, REFUSED_CALL, UNKNOWN, Strangers, plain

log = logging.getLogger(__name__)

LOOK_S = 5.0
FLOOD_PACKETS = 500
"""As many between two looks are no scan and no mistake."""
LOUD = 200
"""Security events within :data:`LOUD_S` that are too many to hear."""
LOUD_S = 1.0
QUIET_S = 10.0


class StrangersWatch:
    """Writes down who knocks.

    Args:
        strangers: where it is written.
        knocks: lets security events come, or not.
        ask: returns Asterisk's count of packets by unknown address, from a thread; None where Asterisk is the city's.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        strangers: Strangers,
        knocks: Knocks,
        ask: Counts | None,
        clock: Callable[[], float],
    ) -> None:
        self._strangers = strangers
        self._knocks = knocks
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

    def intruder(self, told: Intruder) -> None:
        """Take in what somebody did to get in; the log has it where it is worth a line."""
        if not self.heard(told.kind, told.address, told.account):
            return
        if told.kind == REFUSED_CALL:
            log.warning("security: refused a call to %s from %s (%s)", told.account, told.by, told.address)
        else:
            log.warning("security: %s for %s from %s", told.by, plain(told.account), told.address)

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
            await self._hear(False)
            await asyncio.sleep(QUIET_S)
            self._loud.clear()
            await self._hear(True)

    async def _hear(self, wanted: bool) -> None:
        with contextlib.suppress(HotlineError):  # a new connection hears everything again
            await self._knocks.hear_strangers(wanted)


def grown(before: Mapping[str, int], now: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Yield each address with more packets than before; the counts begin anew now and then."""
    for address, count in now.items():
        had = before.get(address, 0)
        more = count - had if count >= had else count
        if more:
            yield address, more
