"""Who was let in and who was not: reads what Asterisk wrote down, watches how full it is, raises alarms.

Admission itself is the dialplan's (``ivr-reception``), which needs no engine; what is refused while
the engine is away is read when it comes back.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from ivr.admission.capacity import OVERLOADED, overloaded
from ivr.admission.ports import Remembered, Wires
from ivr.admission.refusals import CALLS_REFUSED, Refusals
from ivr.admission.strain import Strain
from ivr.alarms.board import Alarm, Alarms, Fault
from ivr.calls.open_calls import CallBook
from ivr.errors import HotlineError
from ivr.events.event import Event, Kind
from ivr.events.streams import refused_stream
from ivr.hotline.book import HotlineBook
from ivr.hotline.telephone import number_in

log = logging.getLogger(__name__)

READ_S = 1.0
"""Seconds between two looks at Asterisk's records; a look costs two ``stat``."""
LOOK_S = 3.0
STRAINED_FOR_S = 10
"""Seconds that a limit of the machine holds without being told again: a dead engine leaves the ports' alone."""
_KNOWN = 5_000
"""Newest refused calls of a day that are looked up after a start; far more than a kill can leave half done."""


class Sources(NamedTuple):
    """What the hotline remembers and is told: open calls, the journal, alarms, what may be stored of a number."""

    calls: CallBook
    memory: Remembered
    alarms: Alarms
    identify: Callable[[str], dict[str, str]]


class Admission:
    """The callers of a running engine, against what its ports hold.

    Args:
        book: gives the present configuration.
        sources: what the hotline remembers.
        wires: where calls are carried, and what is known of those that are not.
        place: a small file that remembers how far was read.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        book: Callable[[], HotlineBook],
        sources: Sources,
        wires: Wires,
        place: Path,
        clock: Callable[[], float],
    ) -> None:
        self._book = book
        self._sources = sources
        self._wires = wires
        self._machine = wires.machine
        self._clock = clock
        self._place = place
        self._files = wires.written({})
        self._zone = ZoneInfo(book().timezone)
        self._strain = Strain(self._machine.cores)
        self.refusals = self._refusals(lambda _: None)

    def _refusals(self, record: Callable[[Event], object]) -> Refusals:
        return Refusals(record, self._sources.identify, self._day, self._clock)

    def _day(self, at: float) -> date:
        """Return the local day of a moment (seconds since the epoch)."""
        return datetime.fromtimestamp(at, self._zone).date()

    # -- what goes on ----------------------------------------------------------------------------
    async def run(self) -> None:
        """Take in what is refused, and look how full it is; until cancelled."""
        await self._count_until_restored()
        await self._restore()
        loop = asyncio.get_running_loop()
        looked_at = 0.0
        while True:
            try:
                await self.read()
                await self.breathe()
                if loop.time() - looked_at >= LOOK_S:
                    looked_at = loop.time()
                    await self.look()
                if await self._take_unheard():
                    looked_at = 0.0
            except HotlineError as error:
                log.info("how many callers there are is looked at again in a moment: %s", error.sentence)
            except Exception:  # a fault here must not end the engine, again and again
                log.exception("the watch over refused calls failed; the next round tries again")
            await asyncio.sleep(READ_S)

    async def stop(self) -> None:
        """Leave nothing behind in an Asterisk that goes on."""
        await self._wires.carrier.stop()

    async def _count_until_restored(self) -> None:
        """Count what is refused while the database is away; which calls the journal has is not known before.

        Nothing is journalled and nothing kept: all of it is read once more.
        """
        restored = self._sources.memory.restored
        self._begin(self.refusals, self._kept(), [])
        while not restored.is_set():
            try:
                await self._take_in()
                with contextlib.suppress(HotlineError):  # a broken wire is mended by recovery
                    await self.breathe()
            except Exception:
                log.exception("counting refused calls failed; the next round tries again")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(restored.wait(), READ_S)

    async def _restore(self) -> None:
        kept = self._kept()
        today = self._day(self._clock())
        known: list[str] = []
        for day in (today, today - timedelta(days=1)):
            rows = await self._newest(refused_stream(day))
            known += [str(row["data"].get("call_id", "")) for row in rows]
        self.refusals = self._refusals(self._sources.calls.record)
        self._begin(self.refusals, kept, known)

    def _kept(self) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError):
            kept = json.loads(self._place.read_text())
            return kept if isinstance(kept, dict) else {}
        return {}

    def _begin(self, refusals: Refusals, kept: dict[str, Any], known: list[str]) -> None:
        try:
            self._files = self._wires.written(kept.get("places", {}))
            refusals.restore(kept.get("refusals", {}), known)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            log.error("%s cannot be used (%s): refused calls are counted anew", self._place, error)

    async def _newest(self, stream: str) -> list[dict[str, Any]]:
        while True:
            try:
                return await self._sources.memory.store.last_events(stream, [Kind.CALL_REFUSED], _KNOWN)
            except HotlineError:
                await asyncio.sleep(1.0)

    async def read(self) -> None:
        """Take in what Asterisk wrote down since the last time; a kill between the two steps counts nothing twice."""
        before = self._state()
        await self._take_in()
        if (state := self._state()) != before:
            self._keep(state)

    async def _take_in(self) -> None:
        for rows in self._files.read():
            self.refusals.take(rows)
            await asyncio.sleep(0)  # calls come first
        self.refusals.settle()

    def _state(self) -> str:
        return json.dumps({"places": self._files.places, "refusals": self.refusals.state()})

    def _keep(self, state: str) -> None:
        fresh = self._place.with_suffix(".new")
        try:
            fresh.write_text(state)
            fresh.replace(self._place)
        except OSError as error:  # a full disk: a restart reads more than it need
            log.error("how far refused calls were read cannot be kept: %s", error.strerror or error)

    async def breathe(self) -> None:
        """See whether the machine carries its callers, and tell the dialplan how many may come where it hardly does."""
        used = self._machine.cores_busy()
        if used is None or not self._machine.live or not self._strain.may_matter(used):
            return
        before = self._strain.limit
        limit = self._strain.judge(used, await self._machine.admitted())
        if limit is not None:
            await self._machine.let_in(limit, int(self._clock()) + STRAINED_FOR_S)
        elif before is not None:
            await self._machine.let_in(before, 0)
        if (limit is None) != (before is None):
            state = "the machine has room again" if limit is None else f"{limit} callers are let in"
            log.warning("Asterisk keeps %.1f of %d cores busy: %s", used, self._strain.cores, state)

    async def _take_unheard(self) -> bool:
        """Take in the calls that Asterisk refused by itself; return whether there were any."""
        rows = [replace(row, caller=number_in(row.caller)) for row in await self._wires.carrier.look()]
        self.refusals.take(rows)
        return bool(rows)

    async def look(self) -> None:
        """Raise and clear the alarms of this moment."""
        faults: list[Fault] = self.refusals.faults()
        judged = {CALLS_REFUSED}
        if self._machine.live:
            judged.add(OVERLOADED)
            limit = self._wires.room()
            faults += overloaded(await self._machine.admitted(), limit, self._strain.limit)
        self._sources.alarms.judge(faults, judged)

    # -- what is told ----------------------------------------------------------------------------
    async def told(self) -> dict[str, Any]:
        """Return ``capacity`` and ``refused`` of ``ivr status``; None for what cannot be known now."""
        callers = None
        if self._machine.live:
            with contextlib.suppress(HotlineError):
                callers = await self._machine.admitted()
        held, strained = self._wires.room().callers, self._strain.limit
        return {
            "capacity": {
                "callers": callers,
                "limit": min(held, held if strained is None else strained),
                "limited_by": "ports" if strained is None or strained >= held else "machine",
                "rtp_ports_used": self._machine.rtp_ports_used(),
                "rtp_ports": self._wires.rtp_ports,
            },
            "refused": self.refusals.by_reason(),
        }

    def told_of(self, alarm: Alarm) -> dict[str, Any]:
        """Return what an alarm says now rather than when it was raised: the counts by reason and trunk."""
        if alarm.alarm != CALLS_REFUSED:
            return {}
        english, chinese = self.refusals.sentences()
        return {"counts": self.refusals.by_trunk(), "sentence": english, "sentence_zh": chinese}
