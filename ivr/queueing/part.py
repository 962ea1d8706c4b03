"""Whoever looks after those who wait: callbacks, messages, announcements cut short, phones that are gone."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from ivr.alarms.board import Alarms
from ivr.calls.open_calls import CallBook
from ivr.calls.record import CallRecord
from ivr.events.event import Event
from ivr.hotline.book import HotlineBook
from ivr.queueing.announcement_cutter import Hurry
from ivr.queueing.callback_desk import CallbackDesk
from ivr.queueing.claims import Claims, Secrets
from ivr.queueing.place_told import PlaceTold
from ivr.queueing.ports import Placeholders, Queues
from ivr.queueing.unattended import Unattended
from ivr.seats.log_in import Seating
from ivr.seats.phones import SeatPhones
from ivr.seats.ports import Phones, Rings


@dataclass(frozen=True)
class Pace:
    """How long things are waited for, in seconds, and the clock (seconds since the epoch).

    ``phone_check_s`` may change with the configuration.
    """

    clock: Callable[[], float]
    callback_retry_s: float
    unattended_s: float
    phone_check_s: Callable[[], float]


@dataclass(frozen=True)
class QueueWires:
    """What carries the voice, as each of them sees it."""

    queues: Queues
    placeholders: Placeholders
    phones: Phones


@dataclass(frozen=True)
class Company:
    """Who sits where, the board of alarms, and where phones ring in vain."""

    seating: Seating
    alarms: Alarms
    rings: Rings


class Attendants:
    """All of them, wired to each other.

    Args:
        book: gives the present configuration.
        calls: open calls.
        wires: what carries the voice.
        secrets: what is done with numbers.
        people: the others of the floor.
        pace: how long things are waited for.
    """

    def __init__(
        self,
        book: Callable[[], HotlineBook],
        calls: CallBook,
        wires: QueueWires,
        *,
        secrets: Secrets,
        people: Company,
        pace: Pace,
    ) -> None:
        clock, seating, alarms = pace.clock, people.seating, people.alarms
        self.phones = SeatPhones(book, wires.phones, pace.phone_check_s)
        self.claims = Claims(book, calls, secrets, clock, alarms)
        self.desk = CallbackDesk(
            book,
            calls,
            wires.placeholders,
            self.claims.number_of,
            clock,
            lambda: [seat for seat in seating.memberships() if seat.username not in self.phones.away],
            pace.callback_retry_s,
        )
        in_vain = lambda: seating.memberships_of_users(people.rings.in_vain)  # noqa: E731
        self.hurry = Hurry(calls, wires.queues, clock, in_vain, lambda: people.rings.in_vain)
        self.place_told = PlaceTold(calls, wires.queues)
        self.unattended = Unattended(
            book, calls, seating, wires.queues, clock, pace.unattended_s, alarms.raise_
        )
        self.unattended.over = alarms.clear
        self.unattended.cannot_call = self.claims.cannot_call
        self.unattended.away = lambda: self.phones.away

    def on_event(self, event: Event, call: CallRecord | None) -> None:
        """Take in an event that was journalled a moment ago."""
        self.claims.on_event(event, call)
        self.desk.on_event(event, call)
        self.hurry.on_event(event)
        self.place_told.on_event(event)
        self.unattended.on_event(event)
        self.phones.on_event(event)

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """Return what each of them does until cancelled."""
        return [self.desk.run(), self.unattended.run(), self.hurry.run(), self.phones.run()]
