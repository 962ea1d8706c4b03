"""The engine as the switch sees it: its book and secrets, who waits where, and who must leave their seat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from ivr.asterisk.ami.link import Link
from ivr.asterisk.control import queues as members
from ivr.asterisk.install import reloading
from ivr.asterisk.install.reloading import Difference, Expected
from ivr.calls.open_calls import CallBook
from ivr.calls.states import CallState, SeatState
from ivr.events.actors import ADMINISTRATOR
from ivr.events.event import Event, Kind
from ivr.events.streams import HOTLINE, seat_stream
from ivr.home.secrets import Keys
from ivr.home.settings import Settings
from ivr.hotline.book import HotlineBook
from ivr.rollout.prepare import keys_for

_UNANSWERED = frozenset({CallState.GREETING, CallState.WAITING, CallState.RINGING})


class Holder(Protocol):
    """Whoever holds the book that everything reads."""

    book: HotlineBook


class Service:
    """Changes what the engine believes.

    Args:
        settings: where things are.
        holder: holds the book.
        calls: open calls and seats.
        keys: the secrets in use; what new seats and operators need is added to them.
        align: brings queue members in line.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        settings: Settings,
        holder: Holder,
        calls: CallBook,
        keys: Keys,
        align: Callable[[], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._holder = holder
        self._calls = calls
        self._keys = keys
        self._align = align
        self._clock = clock

    @property
    def book(self) -> HotlineBook:
        """The book that everything reads."""
        return self._holder.book

    @book.setter
    def book(self, book: HotlineBook) -> None:
        self._holder.book = book

    def placed_in(self, queue: str) -> int:
        """Return how many callers are on their way to a queue or wait in it."""
        return sum(call.queue == queue for call in self._calls.in_state(*_UNANSWERED))

    def use(self, book: HotlineBook) -> None:
        """Take a book over, with the secrets of its seats and operators."""
        fresh = keys_for(self._settings, book)
        self._keys.sip.update(fresh.sip)
        self._keys.pins.update(fresh.pins)
        self._holder.book = book
        self.retire()

    def retire(self) -> None:
        """Log out who sits on a seat that is gone, or is gone themselves; a call they talk on goes on."""
        busy = self._calls.busy_seats()
        for seat_id, record in list(self._calls.seats.items()):
            if record.state is SeatState.LOGGED_OUT or seat_id in busy:
                continue
            if self.book.seat(seat_id) is None or self.book.operator(record.operator or "") is None:
                told = {"by": "configuration"}
                self._calls.record(Event(seat_stream(seat_id), self._clock(), Kind.LOGGED_OUT, told))

    async def align(self) -> None:
        """Bring queue members in line."""
        await self._align()

    def applied(self, version: int, by: str) -> None:
        """Journal that a version runs."""
        self._calls.record(
            Event(HOTLINE, self._clock(), Kind.APPLIED, {"version": version, "by": by}, ADMINISTRATOR)
        )


class Attached:
    """The Asterisk behind a manager link.

    Args:
        link: the link.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    async def tell(self, files: Sequence[str]) -> None:
        """Let it read changed files again."""
        await reloading.tell(self._link, files)

    async def differences(self, wanted: Expected, gone: Expected) -> list[Difference]:
        """Ask it for what it should have."""
        return await reloading.differences(self._link, wanted, gone)

    async def waiting(self) -> dict[str, int]:
        """Return how many callers wait, by queue."""
        return dict(Counter(caller.queue for caller in (await members.status(self._link)).callers))
