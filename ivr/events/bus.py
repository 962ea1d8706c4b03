"""The one stream of events: each is journalled, folded, and told to whoever subscribed, in the journal's order.

A subscriber that emits is not told in the middle of things: its event is journalled and folded at once, and told when
everybody has heard the one before.  A subscriber that raises is named in the log and by an alarm, and costs nobody
else anything.  Subscribers that answer each other for ever are stopped after so many answers.

*Passing* events (words while they are spoken, places in the queue) are told in the same order and never journalled.
"""

from __future__ import annotations

import functools
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from ivr.errors import HotlineError
from ivr.events.event import FIRST_NODE, Event, Kind, Passing
from ivr.events.streams import HOTLINE, StreamType, stream_type

log = logging.getLogger(__name__)

MOST_ANSWERS = 50
"""So many events in a row may each have been emitted by a subscriber that heard the one before."""
SLOW_S = 0.05
"""Processor time; a subscriber that takes more keeps callers waiting, and is named in the log."""
SUBSCRIBER_FAILED = "subscriber_failed"
"""The alarm about a subscriber that raised."""


class EventCircle(HotlineError):
    """Subscribers answer each other's events without end."""

    code = "event_circle"


class Folded(NamedTuple):
    """What an event was folded into, and whether the state table allowed it."""

    record: Any
    allowed: bool


Fold = Callable[[Event], Folded]
_NOTHING = Folded(None, True)


class Hear(Protocol):
    """Hears an event after it was folded in, with the record it was folded into (a call's; None for others)."""

    def __call__(self, event: Event, record: Any, /) -> object:
        """Must not wait: what takes long is a task of its own."""


HearPassing = Callable[[Passing], object]


@dataclass(frozen=True, slots=True, eq=False)
class _Subscriber:
    name: str
    hear: Hear
    kinds: frozenset[Kind] | None


@dataclass(frozen=True, slots=True, eq=False)
class _PassingSubscriber:
    name: str
    hear: HearPassing


class EventBus:
    """One stream of events.

    Args:
        append: writes one event to the journal; must not lose it and must not wait.  What it raises is raised to
            whoever emitted, and nobody is told.
        folds: how events are folded in, by the type of their stream.
        node: the machine of the hotline on which they happen.
    """

    def __init__(
        self, append: Callable[[Event], None], folds: Mapping[StreamType, Fold], node: str = FIRST_NODE
    ) -> None:
        self._node = node
        self._append = append
        self._folds = dict(folds)
        self._subscribers: tuple[_Subscriber, ...] = ()
        self._passing: tuple[_PassingSubscriber, ...] = ()
        self._queue: deque[tuple[Event | Passing, Any, int]] = deque()
        self._telling = False
        self._answers = 0
        self._failed: set[str] = set()

    # -- subscribing ---------------------------------------------------------------------------
    def subscribe(self, name: str, hear: Hear, kinds: Collection[Kind] | None = None) -> Callable[[], None]:
        """Tell somebody of every event from now on, in the order of subscribing; return what ends it.

        Args:
            name: who it is, for the log and the alarm.
            hear: called with each event and what it was folded into.
            kinds: only of these.
        """
        subscriber = _Subscriber(name, hear, None if kinds is None else frozenset(kinds))
        self._subscribers += (subscriber,)

        def end() -> None:
            self._subscribers = tuple(one for one in self._subscribers if one is not subscriber)

        return end

    def subscribe_passing(self, name: str, hear: HearPassing) -> Callable[[], None]:
        """Tell somebody of every passing event; return what ends it."""
        subscriber = _PassingSubscriber(name, hear)
        self._passing += (subscriber,)

        def end() -> None:
            self._passing = tuple(one for one in self._passing if one is not subscriber)

        return end

    # -- telling -------------------------------------------------------------------------------
    def emit(self, event: Event) -> bool:
        """Journal an event, fold it in, tell it; return whether its state table allowed it.

        Raises:
            UnknownStream: nobody folds such a stream; nothing was journalled.
            EventCircle: it answers an answer to an answer …; nothing was journalled.
        """
        type_ = stream_type(event.stream)
        if self._telling and self._answers >= MOST_ANSWERS:
            raise EventCircle(
                f"{event.kind} of {event.stream} is the {MOST_ANSWERS}th answer in a row to an event; it is not recorded.",
                f"{event.stream} 的 {event.kind} 已是连续第 {MOST_ANSWERS} 次互相触发的事件，不再记录。",
            )
        return self._take(event if event.node == self._node else replace(event, node=self._node), type_)

    def pass_on(self, passing: Passing) -> None:
        """Tell an event that is over when it was told; it is not journalled."""
        self._queue.append((passing, None, self._answers + 1))
        self._tell()

    def _take(self, event: Event, type_: StreamType) -> bool:
        self._append(event)
        fold = self._folds.get(type_)
        folded = fold(event) if fold is not None and not event.newer else _NOTHING
        self._queue.append((event, folded.record, self._answers + 1))
        self._tell()
        return folded.allowed

    def _tell(self) -> None:
        if self._telling:
            return
        self._telling = True
        try:
            while self._queue:
                told, record, self._answers = self._queue.popleft()
                if isinstance(told, Event):
                    self._tell_event(told, record)
                else:
                    for listener in self._passing:
                        self._guard(listener.name, functools.partial(listener.hear, told), told)
        finally:
            self._telling, self._answers = False, 0

    def _tell_event(self, event: Event, record: Any) -> None:
        if event.kind is Kind.ALARM_CLEARED and event.data.get("alarm") == SUBSCRIBER_FAILED:
            self._failed.discard(str(event.data.get("about")))
        for subscriber in self._subscribers:
            if subscriber.kinds is None or event.kind in subscriber.kinds:
                self._guard(subscriber.name, functools.partial(subscriber.hear, event, record), event)

    def _guard(self, name: str, hear: Callable[[], object], told: Event | Passing) -> None:
        began = time.thread_time()
        try:
            hear()
        except Exception as error:  # whatever it is, the others must hear the event
            log.exception("%s failed at %s of %s", name, told.kind, told.stream)
            self._raise_alarm(name, told, error)
        took = time.thread_time() - began
        if took > SLOW_S:
            log.warning("%s took %.0f ms for %s of %s", name, took * 1000, told.kind, told.stream)

    def _raise_alarm(self, name: str, told: Event | Passing, error: Exception) -> None:
        """Raise the alarm about a subscriber, once until somebody clears it."""
        if name in self._failed:
            return
        self._failed.add(name)
        data = {
            "alarm": SUBSCRIBER_FAILED,
            "about": name,
            "sentence": f"{name} failed at {told.kind} ({type(error).__name__}); "
            "calls go on; see the log and tell whoever maintains the engine.",
            "sentence_zh": f"{name} 处理 {told.kind} 时出错（{type(error).__name__}）；"
            "通话不受影响，请查看日志并告知维护人员。",
        }
        alarm = Event(HOTLINE, told.at, Kind.ALARM_RAISED, data, node=self._node)
        self._append(alarm)
        self._queue.append((alarm, None, self._answers + 1))
