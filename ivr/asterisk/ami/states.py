"""The life of the manager link as tables: its states, its back-off, its errors.

``DOWN → CONNECTED → SYNCING → LIVE``.  Only LIVE means that what the engine believes about
calls, queues and seats was compared with Asterisk since the link came up.  No code here
touches a socket or a clock.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from ivr.errors import HotlineError

log = logging.getLogger(__name__)


class AmiError(HotlineError):
    """Something about the manager link."""

    code = "ami"


class AmiDown(AmiError):
    """There is no link; the action was not carried out or nobody knows whether it was."""

    code = "ami_down"
    retry = True


class AmiTimeout(AmiError):
    """Asterisk did not answer in time; the action may have been carried out."""

    code = "ami_timeout"
    retry = True


class AmiRefused(AmiError):
    """Asterisk answered no; its own words are in the sentence."""

    code = "ami_refused"


class AmiOverflow(AmiError):
    """A list longer than the bound that was asked for."""

    code = "ami_overflow"


class LinkState(Enum):
    """Where the link stands; the values are those of ``ivr status``, CONNECTED apart."""

    DOWN = "down"
    CONNECTED = "connected"
    SYNCING = "syncing"
    LIVE = "live"


class LinkEvent(Enum):
    """What can happen to the link."""

    OPENED = "opened"
    LOGGED_IN = "logged_in"
    SYNCHRONISED = "synchronised"
    LOST = "lost"


TRANSITIONS: Final[Mapping[LinkState, Mapping[LinkEvent, LinkState]]] = MappingProxyType(
    {
        LinkState.DOWN: {LinkEvent.OPENED: LinkState.CONNECTED},
        LinkState.CONNECTED: {LinkEvent.LOGGED_IN: LinkState.SYNCING, LinkEvent.LOST: LinkState.DOWN},
        LinkState.SYNCING: {LinkEvent.SYNCHRONISED: LinkState.LIVE, LinkEvent.LOST: LinkState.DOWN},
        LinkState.LIVE: {LinkEvent.LOST: LinkState.DOWN},
    }
)


class IllegalTransition(AmiError):
    """A defect of ours: an event that the state's row does not know."""

    code = "ami_illegal_transition"


def next_state(state: LinkState, event: LinkEvent) -> LinkState:
    """Look one step up in :data:`TRANSITIONS`.

    Raises:
        IllegalTransition: the row has no such event.
    """
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise IllegalTransition(f"the manager link cannot see {event.name} while {state.name}") from None


class StateBoard:
    """Where the link stands now, why, and who wants to know.

    Args:
        on_state: called after each change of state; what it raises is logged.
    """

    def __init__(self, on_state: Callable[[LinkState], None] | None = None) -> None:
        self.state = LinkState.DOWN
        self.reason = "not started"
        self.reason_zh = "尚未启动"
        self._on_state = on_state
        self._live = asyncio.Event()

    def explain(self, reason: str, reason_zh: str) -> None:
        """Say why the link stands where it stands."""
        self.reason, self.reason_zh = reason, reason_zh

    def step(self, event: LinkEvent, reason: str, reason_zh: str) -> None:
        """Go one step along the table.

        Raises:
            IllegalTransition: the table has no such step.
        """
        self.state = next_state(self.state, event)
        self.explain(reason, reason_zh)
        if self.state is LinkState.LIVE:
            self._live.set()
        else:
            self._live.clear()
        if self._on_state is not None:
            try:
                self._on_state(self.state)
            except Exception:
                log.exception("on_state failed on %s; the link goes on", self.state)

    async def wait_live(self, timeout_s: float) -> None:
        """Wait for LIVE.

        Raises:
            AmiTimeout: not reached in ``timeout_s`` seconds.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._live.wait()
        except TimeoutError:
            raise AmiTimeout(
                f"the manager link was not live within {timeout_s:g} s: {self.reason}",
                f"管理连接在 {timeout_s:g} 秒内未就绪：{self.reason_zh}",
            ) from None


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next attempt to connect.

    Args:
        first_s: the first wait in seconds.
        factor: by which each further wait is longer.
        cap_s: the longest wait, so that a link never waits for hours.
        refused_s: the wait after a wrong password: each attempt is a security event in
            Asterisk's log and may get the engine banned by fail2ban.
        jitter: the part of each wait that is random, 0 to 1, so that several engines do not
            come back in the same instant.
    """

    first_s: float = 0.25
    factor: float = 2.0
    cap_s: float = 10.0
    refused_s: float = 30.0
    jitter: float = 0.5

    def delay(self, attempt: int, rng: random.Random, *, refused: bool = False) -> float:
        """Return the seconds to wait after ``attempt`` failures in a row (0 = the first)."""
        # The exponent is capped too: 2.0 ** 1024 raises OverflowError after some hours.
        longest = (
            self.refused_s if refused else min(self.cap_s, self.first_s * self.factor ** min(attempt, 64))
        )
        return longest * (1.0 - self.jitter * rng.random())
