"""Nobody is logged in: callers are asked for a message instead of being left alone (P042).

It must never be normal, the service is 7×24 human; so it is an alarm, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Iterable, Mapping

from ivr.calls.facts import MessageBegun
from ivr.calls.open_calls import CallBook
from ivr.calls.record import CallRecord
from ivr.calls.states import CallState
from ivr.errors import HotlineError
from ivr.events import actors
from ivr.events.event import Event, Kind
from ivr.hotline.book import HotlineBook
from ivr.queueing.ports import Queues
from ivr.seats.log_in import Seating

log = logging.getLogger(__name__)

Alarm = Callable[[str, str, str, str], object]
"""Tells the shift leader: (alarm, what it is about, sentence, the same in Chinese)."""


def log_alarm(alarm: str, about: str, sentence: str, sentence_zh: str) -> None:
    """Tell the log, where there is no board of alarms."""
    log.warning("alarm %s (%s): %s %s", alarm, about, sentence, sentence_zh)


def left_alone(
    calls: Iterable[CallRecord], empty_since: Mapping[str, float], now: float, limit_s: float
) -> list[CallRecord]:
    """Return who has waited ``limit_s`` seconds in a queue that was without anybody for as long."""
    return [
        call
        for call in calls
        if call.state is CallState.WAITING
        and call.queue is not None
        and call.queue in empty_since
        and call.queued_at is not None
        and now - max(call.queued_at, empty_since[call.queue]) >= limit_s
    ]


class Unattended:
    """Watches queues that nobody is logged in to.

    Args:
        book: gives the present configuration.
        calls: open calls.
        seating: who sits where.
        queues: where they wait.
        clock: seconds since the epoch.
        limit_s: how long a caller waits for somebody to log in.
        alarm: tells the shift leader.
    """

    def __init__(
        self,
        book: Callable[[], HotlineBook],
        calls: CallBook,
        seating: Seating,
        queues: Queues,
        clock: Callable[[], float],
        limit_s: float,
        alarm: Alarm = log_alarm,
    ) -> None:
        self._book = book
        self._calls = calls
        self._seating = seating
        self._queues = queues
        self._clock = clock
        self._limit_s = limit_s
        self.alarm = alarm
        self.away: Callable[[], Collection[str]] = frozenset
        """Tells the SIP users whose phone is unplugged: nobody can be reached there."""
        self.cannot_call: Callable[[CallRecord], str] = lambda _: ""
        """Tells why a caller cannot be called back, empty where they can."""
        self.over: Callable[[str, str], object] = lambda *_: None
        """Told when an alarm is no more: (alarm, what it was about)."""
        self._empty_since: dict[str, float] = {}
        self._sent: set[str] = set()

    async def run(self) -> None:
        """Look once a second until cancelled."""
        while True:
            await asyncio.sleep(1.0)
            with contextlib.suppress(HotlineError):
                await self.look()

    async def look(self) -> None:
        """Send to the message those who are left alone; each once: who presses 0 wants to wait."""
        if not self._seating.known or not self._queues.live:
            return
        now = self._clock()
        manned = self._seating.manned(self.away())
        for queue_id in manned & self._empty_since.keys():
            self.over("unattended", queue_id)
        self._empty_since = {
            queue.id: self._empty_since.get(queue.id, now)
            for queue in self._book().queues
            if queue.id not in manned
        }
        self._sent &= self._calls.ids()
        alone = left_alone(self._calls.open(), self._empty_since, now, self._limit_s)
        for call in alone:
            if call.call_id not in self._sent:
                self._sent.add(call.call_id)
                await self._send(call)

    async def _send(self, call: CallRecord) -> None:
        channel = next((leg.channel for leg in call.legs if leg.role == "caller" and not leg.left_at), "")
        if not channel:
            return
        self.alarm(
            "unattended",
            str(call.queue),
            f"nobody is logged in to {call.queue}; a caller is asked for a message.",
            f"队列 {call.queue} 无人登录，来电人已转入留言。",
        )
        await self._queues.take_message(channel)

    def hear_word(self, told: MessageBegun) -> None:
        """Take the word that a message is being left."""
        call_id = told.call_id
        call = self._calls.get(call_id)
        if call is None:
            return
        data = {"message": told.path}
        self._calls.record(Event(call_id, self._clock(), Kind.VOICEMAIL_LEFT, data, actors.CALLER))
        if self.cannot_call(call):
            english = (
                f"call {call_id} leaves a message and cannot be called back by itself: see to its ticket."
            )
            chinese = f"来电 {call_id} 正在留言，无法自动回拨：请人工处理该工单。"
        else:
            english = (
                f"call {call_id} leaves a message and is promised a callback within 30 minutes: "
                "it comes as soon as somebody is logged in."
            )
            chinese = f"来电 {call_id} 正在留言，已承诺30分钟内回拨：有话务员登录后自动回拨。"
        self.alarm("voicemail", call_id, english, chinese)

    def on_event(self, event: Event) -> None:
        """Take the alarm of a message down when its caller has talked to an operator after all."""
        by_themselves = event.kind is Kind.CALLBACK_FAILED and "call" in event.data
        if event.kind in (Kind.CALLBACK_ANSWERED, Kind.ANSWERED) or by_themselves:
            self.over("voicemail", event.stream)
