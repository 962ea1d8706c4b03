"""What is told while calls go on, turned into the journal's events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ivr.calls.channels import endpoint_of
from ivr.calls.facts import QueueEvent
from ivr.calls.open_calls import CallBook
from ivr.events import actors
from ivr.events.event import ENGINE, Event, Kind
from ivr.hotline.book import HotlineBook


class Listener:
    """Hears facts and journals what they tell of callers.

    Args:
        book: gives the present configuration.
        calls: where events are recorded.
    """

    def __init__(self, book: Callable[[], HotlineBook], calls: CallBook) -> None:
        self._book = book
        self._calls = calls
        self.on_placeholder: Callable[[str, float, str, dict[str, Any]], None] = lambda *_: None
        """Told what a callback's placeholder lived through: call, moment, what, values."""
        self.before_hang_up: Callable[[str, float], None] = lambda *_: None
        """Told that a caller has hung up, just before it is journalled: call, moment."""

    def hear(self, told: QueueEvent) -> None:
        """Journal what happened to a caller."""
        strange = "queue" in told.data and self._book().queue(told.data["queue"]) is None
        if strange and told.call_id not in self._calls:
            return  # a city's own Asterisk has queues that are not ours
        if told.call_id not in self._calls and told.what == "hung_up":
            return  # a channel that never was in reception, or one that is over
        data = dict(told.data)
        if "seat_user" in data:
            data |= self.seat_facts(data.pop("seat_user"))
        if told.what.startswith("callback_"):
            self.on_placeholder(told.call_id, told.at, told.what, data)
            return
        if told.what == "hung_up":
            self.before_hang_up(told.call_id, told.at)
        self._calls.record(Event(told.call_id, told.at, Kind(told.what), data, _actor(told.what, data)))

    def seat_facts(self, username: str) -> dict[str, Any]:
        """Return the seat of a SIP user and who sits there."""
        seat = self._book().seat_by_username(username)
        return {"seat": seat.id, "operator": self._calls.operator_on(seat.id)} if seat else {"seat": None}

    def name_seat(self, channel: str) -> dict[str, Any]:
        """Return the seat of a channel and who sits there."""
        return self.seat_facts(endpoint_of(channel))


def _actor(what: str, data: Mapping[str, Any]) -> str:
    """Return who did it: who answered, or hung up first."""
    if what == Kind.ANSWERED or (what == Kind.OPERATOR_LEFT and data.get("reason") == "agent"):
        return actors.operator(data.get("operator"))
    return actors.CALLER if what == Kind.OPERATOR_LEFT and data.get("reason") == "caller" else ENGINE
