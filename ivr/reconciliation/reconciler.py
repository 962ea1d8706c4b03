"""Keep the journal equal to Asterisk's own records: at start, after a reconnect, every minute.

Reads what Asterisk wrote down since the last time, and the notes that AGI scripts left while the
engine was away, and journals what is missing.  Every call gets its beginning, its end and so its
ticket, once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any, Protocol

from ivr.calls.open_calls import CallBook
from ivr.calls.reception import Arrival, told_arrival
from ivr.calls.record import CallRecord, fold_call
from ivr.calls.states import CallState
from ivr.events.event import Event, Kind
from ivr.reconciliation.trace import CallTrace, Fact, gather, lost, missing_events

log = logging.getLogger(__name__)

FRESH_S = 1.0
"""Seconds that a call has to reach us by itself before Asterisk's record of it counts."""

QUIET_S = 3.0
"""Seconds after which an end that we did not hear live counts as missed."""


class Records(Protocol):
    """Asterisk's records and the spool, as they grow."""

    def read(self) -> Iterable[Fact]:
        """Return some of what is new since the last call; nothing when all is read."""

    def keep_from(self, open_calls: set[str]) -> None:
        """Remember the place, so that a restart reads again what open calls still need."""

    def notes(self) -> Iterable[tuple[str, Fact]]:
        """Return the spool's notes with their names."""

    def done(self, name: str) -> None:
        """Delete a note that is in the journal."""


Known = Callable[[Sequence[str]], Any]
"""Awaited: the events of those calls that the database knows, by call id."""


class Reconciler:
    """Compares and mends.

    Args:
        calls: the open calls.
        records: what Asterisk wrote down.
        known: looks calls up in the database.
        describe: turns a reception row into the data of a call's first event.
        name_seat: turns a seat's channel into seat and operator.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        calls: CallBook,
        records: Records,
        known: Known,
        describe: Callable[[Arrival], dict[str, Any]],
        name_seat: Callable[[str], dict[str, Any]],
        clock: Callable[[], float],
    ) -> None:
        self._calls = calls
        self._records = records
        self._known = known
        self._describe = describe
        self._name_seat = name_seat
        self._clock = clock
        self._traces: dict[str, CallTrace] = {}
        self.mended = 0
        self.before_hang_up: Callable[[str], None] = lambda _: None
        """Told of a call whose end is about to be journalled."""
        self.last_sign: Callable[[CallRecord], float] = lambda _: 0.0
        """Asked when a call without an end was last heard (seconds since the epoch), for instance in its recording."""

    async def reconcile(self, live: set[str] | None) -> int:
        """Mend the journal.

        Args:
            live: ids of all calls Asterisk has now; None when it cannot be asked.

        Returns:
            How many events were added.

        Raises:
            HotlineError: the database is away; nothing was journalled, the next run does it.
        """
        asked_at = self._clock()
        while facts := list(self._records.read()):
            gather(self._traces, facts)
            await asyncio.sleep(0)  # calls come first
        self._drop_heard()
        notes = list(self._records.notes())
        gather(self._traces, [row for _, row in notes])
        # a restart of Asterisk leaves open calls without a word; what it no longer has is over
        gone = set() if live is None else self._calls.ids() - live
        now = self._clock()
        ripe = {
            call_id
            for call_id, trace in self._traces.items()
            if trace.ended is not None and now - trace.last_at >= QUIET_S
        }
        fresh = {
            call_id
            for call_id, trace in self._traces.items()
            if not self._is_known(call_id) and now - trace.last_at >= FRESH_S
        } - ripe
        if live is not None:
            ripe |= {call_id for call_id in fresh - live if now - self._traces[call_id].last_at >= QUIET_S}
        stored = await self._stored(ripe | fresh)
        ripe -= (unseen := self._unseen(ripe | fresh, stored))
        added = self._mend((ripe | fresh) - unseen, stored) + self._bury(gone, asked_at)
        for name, _ in notes:
            self._records.done(name)
        for call_id in ripe:
            self._traces.pop(call_id, None)
        self._records.keep_from(set(self._traces))
        self.mended += added
        return added

    def _is_known(self, call_id: str) -> bool:
        """Tell whether the book has the call with its beginning."""
        call = self._calls.get(call_id)
        return call is not None and call.known

    def _drop_heard(self) -> None:
        """Forget traces that tell no more than what we heard live."""
        for call_id in self._calls.over.keys() & self._traces.keys():
            trace, heard = self._traces[call_id], self._calls.over[call_id]
            told = (heard.queued or trace.queued is None) and (heard.answered or trace.answered is None)
            told = told and (heard.greeted or trace.greeted is None)
            if trace.ended is not None and heard.whole and told:
                del self._traces[call_id]

    async def _stored(self, call_ids: set[str]) -> dict[str, CallRecord]:
        open_now = {call_id: self._calls[call_id] for call_id in call_ids & self._calls.ids()}
        asked = sorted(call_id for call_id in call_ids if not self._is_known(call_id))
        found: Mapping[str, Sequence[Event]] = await self._known(asked) if asked else {}
        told = {call_id: fold_call(call_id, events) for call_id, events in found.items() if events}
        return open_now | told  # a call may end while the database answers: its record stays good

    def _unseen(self, call_ids: set[str], stored: Mapping[str, CallRecord]) -> set[str]:
        """Return the calls that came and went while the database answered; the next run compares them."""
        return (call_ids & self._calls.over.keys()) - stored.keys() - self._calls.ids()

    def _mend(self, call_ids: set[str], stored: Mapping[str, CallRecord]) -> int:
        added = 0
        for call_id in sorted(call_ids):
            trace = self._traces[call_id]
            record = self._calls.get(call_id)
            if record is None or not record.known:
                record = stored.get(call_id, record)
            for event in missing_events(record, trace):
                self._restore(record)
                if event.kind is Kind.HUNG_UP:
                    self.before_hang_up(call_id)
                self._calls.record(self._completed(event))
                added += 1
        return added

    def _restore(self, record: CallRecord | None) -> None:
        """Have the call in the book, so that what is told now is folded onto what is known."""
        if record is not None and not self._is_known(record.call_id):
            self._calls.restore([record], [])

    def _completed(self, event: Event) -> Event:
        """Put the hotline's own facts to what Asterisk wrote."""
        data = dict(event.data)
        if event.kind is Kind.CALL_STARTED:
            arrival = arrival_of(event.stream, data)
            data = {**self._describe(arrival), "source": arrival.source, "reconciled": True}
        elif event.kind is Kind.ANSWERED:
            data |= self._name_seat(str(data.get("channel", "")))
        return Event(event.stream, event.at, event.kind, data)

    def _bury(self, gone: AbstractSet[str], asked_at: float) -> int:
        added = 0
        for call_id in sorted(gone):
            record = self._calls.get(call_id)
            if record is None or _newest(record) > asked_at - QUIET_S:
                continue
            if record.state is CallState.CALLBACK:
                continue  # it has no channel: the caller waits to be called
            trace = self._traces.get(call_id)
            if trace is not None and trace.ended is not None:
                continue  # Asterisk has just told its end; if we do not hear it, the next run tells it
            last_seen = trace.last_at if trace else (0.0 if _newest(record) else asked_at)
            last_seen = max(last_seen, self.last_sign(record))
            log.warning("Asterisk no longer has call %s; it is closed", call_id)
            self.before_hang_up(call_id)
            self._calls.record(lost(record, last_seen))
            added += 1
        return added


def _newest(record: CallRecord) -> float:
    return max(record.started_at or 0.0, record.queued_at or 0.0, record.answered_at or 0.0)


def arrival_of(call_id: str, data: Mapping[str, Any]) -> Arrival:
    """Read a reception row; nobody heard it live."""
    caller, channel = str(data.get("caller", "")), str(data.get("channel", ""))
    arrival = told_arrival(call_id, str(data.get("extra", "")), caller=caller, channel=channel)
    return replace(arrival, source="reconciled") if arrival.source == "live" else arrival
