"""The pulse of the manager link: how late Asterisk answers, and when it is gone.

TCP does not notice a peer that vanished (a cut cable, a stopped process); only an unanswered
question does.  This module must never end a link that is merely busy: a flood of events ahead
of the answer is a talking link.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from ivr.asterisk.ami.protocol import LinkProtocol

_PATIENCE = 5
"""Heartbeats that a talking link may owe its answer."""


class Heartbeat:
    """Pings, and ends the connection that does not answer.

    Args:
        every_s: seconds between an answer and the next ping, and the longest silence.
        clock: seconds that only grow.
    """

    def __init__(self, every_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._clock = clock
        self._sent: float | None = None
        self.lag_s: float | None = None
        """Round trip of the last answered ping in seconds; None before the first."""

    @property
    def late(self) -> bool:
        """Whether the last ping took, or the present one takes, over half a heartbeat."""
        waiting = 0.0 if self._sent is None else self._clock() - self._sent
        return max(waiting, self.lag_s or 0.0) > self._every_s / 2

    def forget(self) -> None:
        """Start anew: the connection is gone."""
        self._sent = self.lag_s = None

    async def run(self, protocol: LinkProtocol) -> None:
        """Ping until the connection ends, or end it."""
        while not protocol.closed:
            sent = self._sent = self._clock()
            if not await self._answered(protocol):
                waited = self._clock() - sent
                protocol.drop(
                    f"heartbeat lost: Asterisk did not answer a ping for {waited:.1f} s",
                    f"心跳丢失：Asterisk {waited:.1f} 秒没有应答",
                )
                return
            self.lag_s = self._clock() - sent
            self._sent = None
            await asyncio.sleep(self._every_s)

    async def _answered(self, protocol: LinkProtocol) -> bool:
        limit_s = self._every_s * _PATIENCE
        future = protocol.submit("Ping", None, limit_s).future
        while True:
            heard = protocol.received
            await asyncio.wait({future}, timeout=self._every_s)
            if future.done():
                return not future.cancelled() and future.exception() is None
            if protocol.received == heard:
                future.cancel()
                return False
