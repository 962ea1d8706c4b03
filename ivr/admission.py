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
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from ivr.asterisk.cpu_use import CpuUse, cores
from ivr.asterisk.instance import Instance
from ivr.asterisk.manager import Link, LinkState
from ivr.asterisk.ports_in_use import admitted, let_in, udp_ports_in_use
from ivr.asterisk.refused_files import RefusedFiles
from ivr.calls.alarms import Alarm, Alarms, Fault
from ivr.calls.book import CallBook
from ivr.calls.capacity import OVERLOADED, overloaded
from ivr.calls.events import Event, Kind, refused_stream
from ivr.calls.recorder import local_day
from ivr.calls.refusals import CALLS_REFUSED, Refusal, Refusals
from ivr.calls.strain import Strain
from ivr.carrier_packets import CarrierPackets
from ivr.errors import HotlineError
from ivr.hotline.book import HotlineBook
from ivr.hotline.telephone import number_in
from ivr.memory import Memory
from ivr.room import room
from ivr.settings import Settings

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
    memory: Memory
    alarms: Alarms
    identify: Callable[[str], dict[str, str]]


class Admission:
    """The callers of a running engine, against what its ports hold.

    Args:
        settings: where things are.
        book: gives the present configuration.
        sources: what the hotline remembers.
        link: the link to Asterisk.
        logs: Asterisk's log folder.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        settings: Settings,
        book: Callable[[], HotlineBook],
        sources: Sources,
        link: Link,
        logs: Path,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._book = book
        self._sources = sources
        self._link = link
        self._clock = clock
        self._logs = logs
        self._place = settings.home / "refused.json"
        self._files = RefusedFiles(logs, {})
        self._zone = ZoneInfo(book().timezone)
        instance = Instance.laid_out(settings.asterisk_home, settings.run, settings.pids)
        self._cpu = CpuUse(instance.process if not settings.external_asterisk else lambda: None)
        self._strain = Strain(cores())
        self._packets = CarrierPackets(settings, link, lambda: book().trunks.addresses)
        self.refusals = self._refusals(lambda _: None)

    def _refusals(self, record: Callable[[Event], object]) -> Refusals:
        return Refusals(record, self._sources.identify, lambda at: local_day(at, self._zone), self._clock)

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
        await self._packets.stop()

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
        today = local_day(self._clock(), self._zone)
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
            self._files = RefusedFiles(self._logs, kept.get("places", {}))
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
            self.refusals.take([Refusal(*row) for row in rows])
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
        used = self._cpu.look()
        if used is None or self._link.state is not LinkState.LIVE or not self._strain.may_matter(used):
            return
        before = self._strain.limit
        limit = self._strain.judge(used, await admitted(self._link))
        if limit is not None:
            await let_in(self._link, limit, int(self._clock()) + STRAINED_FOR_S)
        elif before is not None:
            await let_in(self._link, before, 0)
        if (limit is None) != (before is None):
            state = "the machine has room again" if limit is None else f"{limit} callers are let in"
            log.warning("Asterisk keeps %.1f of %d cores busy: %s", used, self._strain.cores, state)

    async def _take_unheard(self) -> bool:
        """Take in the calls that Asterisk refused by itself; return whether there were any."""
        rows = [row._replace(caller=number_in(row.caller)) for row in await self._packets.look()]
        self.refusals.take([Refusal(*row) for row in rows])
        return bool(rows)

    async def look(self) -> None:
        """Raise and clear the alarms of this moment."""
        faults: list[Fault] = self.refusals.faults()
        judged = {CALLS_REFUSED}
        if self._link.state is LinkState.LIVE:
            judged.add(OVERLOADED)
            limit = room(self._settings, self._book())
            faults += overloaded(await admitted(self._link), limit, self._strain.limit)
        self._sources.alarms.judge(faults, judged)

    # -- what is told ----------------------------------------------------------------------------
    async def told(self) -> dict[str, Any]:
        """Return ``capacity`` and ``refused`` of ``ivr status``; None for what cannot be known now."""
        first, last = self._settings.rtp_ports
        callers = None
        if self._link.state is LinkState.LIVE:
            with contextlib.suppress(HotlineError):
                callers = await admitted(self._link)
        held, strained = room(self._settings, self._book()).callers, self._strain.limit
        elsewhere = self._settings.external_asterisk and self._settings.ami_host not in ("", "127.0.0.1")
        return {
            "capacity": {
                "callers": callers,
                "limit": min(held, held if strained is None else strained),
                "limited_by": "ports" if strained is None or strained >= held else "machine",
                "rtp_ports_used": None if elsewhere else udp_ports_in_use(first, last),
                "rtp_ports": last - first + 1,
            },
            "refused": self.refusals.by_reason(),
        }

    def told_of(self, alarm: Alarm) -> dict[str, Any]:
        """Return what an alarm says now rather than when it was raised: the counts by reason and trunk."""
        if alarm.alarm != CALLS_REFUSED:
            return {}
        english, chinese = self.refusals.sentences()
        return {"counts": self.refusals.by_trunk(), "sentence": english, "sentence_zh": chinese}
