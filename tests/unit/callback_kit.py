"""A callback desk for tests, with an Asterisk that has just what it was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from ivr.alarms.board import Alarms
from ivr.asterisk.ami.link import Link, LinkState, Message
from ivr.asterisk.control.queues import NOT_IN_USE
from ivr.asterisk.facts.records import called_back
from ivr.calls.open_calls import CallBook
from ivr.calls.record import CallRecord
from ivr.events.event import Event, Kind
from ivr.hotline.book import Trunks
from ivr.queueing.callback_desk import CallbackDesk
from ivr.queueing.claims import Claims, Secrets
from ivr.seats.log_in import Membership
from tests.unit.kit import T0, Clock, Journal, calls_of, event, small_book

CALL = "a1-1.1"


def sealed(number: str) -> dict[str, str]:
    return {"mask": f"***{number[-4:]}", "enc": number[::-1], "hash": f"h{number}"}


class TakingLink:
    """A link to an Asterisk whose queues have what was originated there, and that remembers what it was asked."""

    state = LinkState.LIVE

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.states: dict[str, int] = {}
        self.callers: list[Message] = []
        self.standing: dict[str, dict[str, str]] = {}
        """The variables of each placeholder, by call id."""
        self._originated = asyncio.Event()
        self.joined: Callable[[str], None] = lambda _: None
        """Told that a placeholder is in the queue."""
        self.late = False
        """Whether a placeholder is in the queue only long after it was asked for."""

    async def action(self, name: str, headers: Any) -> None:
        self.asked.append((name, headers))
        if name == "Originate":
            call_id = headers["Channel"].removeprefix("Local/").partition("@")[0]
            self.standing[call_id] = dict(pair.split("=", 1) for pair in headers["Variable"])
            self._originated.set()
            if not self.late:
                self.joined(call_id)
        elif name == "Hangup":
            self.standing.pop(str(called_back(headers["Channel"])), None)

    async def asked_for(self, call_id: str) -> None:
        """Wait until a placeholder was asked for."""
        while call_id not in self.standing:
            self._originated.clear()
            await self._originated.wait()

    async def list_action(self, name: str, *_: Any) -> list[Message]:
        if name == "CoreShowChannels" and not self.late:
            return [item("CoreShowChannel", Channel=placeholder(call_id)) for call_id in self.standing]
        if name != "QueueStatus":
            return []
        members = [
            item(
                "QueueMember",
                Queue="q_general",
                Name=user,
                StateInterface=f"PJSIP/{user}",
                Status=str(status),
                Paused="0",
            )
            for user, status in self.states.items()
        ]
        return [*members, *self.callers, *([] if self.late else self._entries())]

    def _entries(self) -> list[Message]:
        return [
            item(
                "QueueEntry",
                Queue=told["__IVR_QUEUE"],
                Channel=placeholder(call_id),
                Priority=told["IVR_PRIORITY"],
            )
            for call_id, told in self.standing.items()
        ]

    def caller(self, call_id: str, priority: int = 0) -> None:
        """Let a live caller wait."""
        self.callers.append(
            item(
                "QueueEntry",
                Queue="q_general",
                Channel=f"PJSIP/trunk-{len(self.callers):08x}",
                Uniqueid=call_id,
                Priority=str(priority),
            )
        )


def placeholder(call_id: str) -> str:
    return f"Local/{call_id}@ivr-callback-00000001;2"


def item(name: str, **headers: str) -> Message:
    return Message(f"Event: {name}\r\n" + "".join(f"{key}: {value}\r\n" for key, value in headers.items()))


class Desk:
    def __init__(self, **destinations: tuple[str, ...]) -> None:
        self.journal = Journal()
        self.calls: CallBook = calls_of(self.journal)
        self.clock = Clock()
        trunks = replace(Trunks(), destinations=destinations)
        book = small_book(trunks=trunks)
        secrets = Secrets(sealed, lambda text: text[::-1])
        self.alarms = Alarms(self.calls.record, self.clock)
        self.claims = Claims(lambda: book, self.calls, secrets, self.clock, self.alarms)
        self.seats: list[Membership] = []
        self.link = TakingLink()
        self.desk = CallbackDesk(
            lambda: book,
            self.calls,
            cast(Link, self.link),
            self.claims.number_of,
            self.clock,
            lambda: self.seats,
        )
        self.link.joined = self._joined
        self.calls._on_event = self._told

    def _joined(self, call_id: str) -> None:
        self.desk.hear(call_id, self.clock.now, "callback_queued", {})

    def _told(self, event: Event, call: CallRecord | None) -> None:
        self.claims.on_event(event, call)
        self.desk.on_event(event, call)

    def man(self, *seats: str, status: int = NOT_IN_USE, queue: str = "q_general") -> None:
        """Log people in; ``status`` is the state of their phones."""
        for seat in seats:
            self.seats.append(Membership(queue, seat, f"seat{seat}", seat, False, ""))
            self.link.states[f"seat{seat}"] = status

    def gives_up(self, call_id: str, number: str, waited_s: float = 20.0) -> None:
        """Let a caller wait and hang up now."""
        self.waits(call_id, number, self.clock.now - waited_s - T0)
        self.claims.missed(call_id, self.clock.now)
        self.calls.record(Event(call_id, self.clock.now, Kind.HUNG_UP))

    def waits(self, call_id: str, number: str, after: float = 0.0) -> None:
        begun: dict[str, Any] = {"caller": sealed(number), "recording": f"/r/{call_id}"}
        self.calls.record(event(call_id, after, Kind.CALL_STARTED, **begun))
        self.calls.record(event(call_id, after, Kind.QUEUED, queue="q_general"))


def desk() -> Desk:
    return Desk(callback=("sip:127.0.0.1:5200",))


async def standing(at: Desk) -> list[str]:
    """Look at the floor; return whose placeholders stand then, in the order they were made."""
    await at.desk.align()
    return list(at.link.standing)
