"""Whoever looks after those who wait: callbacks, messages, announcements cut short, phones and sides that are gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from ivr.asterisk.ami.link import Link, Message
from ivr.calls.open_calls import CallBook
from ivr.calls.record import CallRecord
from ivr.events.event import Event
from ivr.hotline.book import HotlineBook
from ivr.queueing.announcement_cutter import Hurry
from ivr.queueing.callback_desk import CallbackDesk
from ivr.queueing.claims import Claims, Secrets
from ivr.queueing.place_told import PlaceTold
from ivr.queueing.unattended import Unattended
from ivr.seats.phones import SeatPhones
from ivr.sides.watch import SideWatch
from ivr.supervision.part import People


@dataclass(frozen=True)
class Pace:
    """How long things are waited for, in seconds, and the clock (seconds since the epoch).

    ``phone_check_s`` may change with the configuration.
    """

    clock: Callable[[], float]
    callback_retry_s: float
    unattended_s: float
    phone_check_s: Callable[[], float]


class Attendants:
    """All of them, wired to each other.

    Args:
        book: gives the present configuration.
        calls: open calls.
        link: the link to Asterisk.
        secrets: what is done with numbers.
        people: who sits where, which phones ring in vain, the board of alarms.
        pace: how long things are waited for.
    """

    def __init__(
        self,
        book: Callable[[], HotlineBook],
        calls: CallBook,
        link: Link,
        *,
        secrets: Secrets,
        people: People,
        pace: Pace,
    ) -> None:
        clock, seating, alarms = pace.clock, people.seating, people.alarms
        self.phones = SeatPhones(book, link, pace.phone_check_s)
        self.sides = SideWatch(
            calls,
            link,
            clock,
            time.monotonic,
            watching=lambda: bool(pace.phone_check_s()),
            judge=alarms.judge,
        )
        self.claims = Claims(book, calls, secrets, clock, alarms)
        self.desk = CallbackDesk(
            book,
            calls,
            link,
            self.claims.number_of,
            clock,
            lambda: [seat for seat in seating.memberships() if seat.username not in self.phones.away],
            pace.callback_retry_s,
        )
        in_vain = lambda: seating.memberships_of_users(people.offers.in_vain)  # noqa: E731
        self.hurry = Hurry(calls, link, clock, in_vain, lambda: people.offers.in_vain)
        self.place_told = PlaceTold(calls, link)
        self.unattended = Unattended(book, calls, seating, link, clock, pace.unattended_s, alarms.raise_)
        self.unattended.over = alarms.clear
        self.unattended.cannot_call = self.claims.cannot_call
        self.unattended.away = lambda: self.phones.away

    def words(self) -> dict[str, Callable[[Message], None]]:
        """Return who hears which UserEvent of the dialplan."""
        return {"IvrCallback": self.desk.hear_word, "IvrVoicemail": self.unattended.hear_word}

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
        return [self.desk.run(), self.unattended.run(), self.hurry.run(), self.phones.run(), self.sides.run()]
