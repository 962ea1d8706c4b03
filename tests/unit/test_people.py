"""The floor as a whole: what survives a restart, and what Asterisk is asked to do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from ivr.asterisk.ami.codec import Message
from ivr.asterisk.ami.link import Link, LinkState
from ivr.asterisk.contract import Context
from ivr.asterisk.control.floor import AsteriskFloor
from ivr.calls.open_calls import CallBook
from ivr.calls.record import CallRecord
from ivr.calls.states import SeatState
from ivr.engine.persistence import Memory
from ivr.events.event import Event, Kind
from ivr.events.streams import HOTLINE, seat_stream
from ivr.home.settings import Settings
from ivr.hotline.book import HotlineBook, Operator, QueueKind, QueueSpec
from ivr.hotline.modes import ModeName
from ivr.supervision.part import People
from tests.unit.kit import T0, Clock, small_book


def a_book() -> HotlineBook:
    return small_book(
        queues=(QueueSpec("q_general", "综合受理"), QueueSpec("q_market", "市场", kind=QueueKind.EXPERT)),
        operators=(
            Operator("1001", "话务员01", ("q_general",), leads=True),
            Operator("1002", "话务员02", ("q_market",)),
        ),
    )


class Asterisk:
    """A link that tells of queues and phones, and writes down what it is asked."""

    state = LinkState.LIVE

    def __init__(self) -> None:
        self.items: dict[str, list[Message]] = {}
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    async def list_action(self, name: str, _: Mapping[str, str]) -> list[Message]:
        return self.items.get(name, [])

    async def action(self, name: str, headers: Mapping[str, str]) -> Message:
        self.asked.append((name, headers))
        return Message("Response: Success")


def message(name: str, **headers: str) -> Message:
    return Message("\r\n".join([f"Event: {name}", *(f"{key}: {value}" for key, value in headers.items())]))


class Engine:
    """What an engine has of people, on a state folder of its own."""

    def __init__(self, home: Path) -> None:
        settings = Settings(home=home)
        home.mkdir(exist_ok=True)
        self.memory = Memory(settings, a_book(), "a1")
        self.calls = CallBook(self.memory.append)
        self.clock = Clock()
        self.aligned = 0
        self.audits: list[tuple[str, str, Mapping[str, Any]]] = []
        self.people = People(a_book, self.calls, self._align, self._audit, self.clock)
        self.calls.events.subscribe("people", self.people.hear)
        self._recorder: asyncio.Task[None] | None = None

    async def _align(self, _: object) -> None:
        self.aligned += 1

    async def _audit(self, _: float, who: str, what: str, data: Mapping[str, Any]) -> None:
        self.audits.append((who, what, data))

    def _record(self) -> None:
        self._recorder = asyncio.get_running_loop().create_task(self.memory.recorder.run())

    async def start(self) -> None:
        await self.memory.open(self._record, self.calls, self.people.restore)
        self.people.seating.known = True

    async def stop(self) -> None:
        await self.memory.recorder.caught_up()
        if self._recorder is not None:
            self._recorder.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._recorder
        await self.memory.store.close()
        self.memory.journal.close()


@contextlib.asynccontextmanager
async def running(home: Path) -> AsyncIterator[Engine]:
    engine = Engine(home)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


async def talked(engine: Engine) -> None:
    await engine.people.seating.log_in("01", "1001", by="x")
    for kind, data in (
        (Kind.CALL_STARTED, {}),
        (Kind.QUEUED, {"queue": "q_general"}),
        (Kind.ANSWERED, {"seat": "01", "operator": "1001"}),
    ):
        engine.calls.record(Event("a1-1.1", engine.clock.now, kind, data))
    engine.clock.now += 10
    engine.calls.record(Event("a1-1.1", engine.clock.now, Kind.OPERATOR_LEFT, {}))


async def test_a_restart_knows_who_is_still_to_be_called_back_and_who_was_called_in_vain(
    tmp_path: Path,
) -> None:
    rows: list[tuple[Kind, dict[str, Any]]] = [
        (Kind.CALL_STARTED, {"caller": {"hash": "h1"}}),
        (Kind.QUEUED, {"queue": "q_general"}),
        (Kind.CALLBACK_CLAIMED, {"caller": {"hash": "h1"}, "by": "missed", "queue": "q_general"}),
        (Kind.HUNG_UP, {}),
    ]
    twice = (Kind.CALLBACK_TRIED, Kind.CALLBACK_UNREACHED) * 2
    in_vain: list[tuple[Kind, dict[str, Any]]] = [(kind, {}) for kind in (*twice, Kind.CALLBACK_FAILED)]
    async with running(tmp_path / "home") as engine:
        for call_id, told in (("a1-1.1", rows), ("a1-2.2", [*rows, *in_vain])):
            for kind, data in told:
                engine.calls.record(Event(call_id, T0, kind, data))
    async with running(tmp_path / "home") as again:
        (still_open,) = again.calls.callbacks()
        assert (still_open.call_id, still_open.promised, still_open.open) == ("a1-1.1", False, True)
        (known,) = await again.memory.callbacks_since(T0 - 1)
        assert (known.call_id, known.number_hash, known.unreached) == ("a1-2.2", "h1", True)
        assert await again.memory.callbacks_since(T0 + 1) == []


async def test_a_restart_keeps_the_seconds_of_wrap_up_the_mode_and_the_alarms(tmp_path: Path) -> None:
    async with running(tmp_path / "home") as engine:
        await talked(engine)
        engine.people.modes.set("emergency", "1001", "暴雨")
        engine.people.alarms.raise_("understaffed", "early", "too few.", "人手不足。")
        await asyncio.sleep(0)
        assert engine.audits == [
            ("operator 1001", "mode_set", {"mode": "emergency", "by": "1001", "event": "暴雨", "fact": ""})
        ]
    async with running(tmp_path / "home") as again:
        seat = again.calls.seat("01")
        assert (seat.state, seat.operator, seat.until) == (SeatState.WRAP_UP, "1001", T0 + 40)
        assert again.people.modes.set_to == engine.people.modes.set_to
        assert again.people.alarms.active == engine.people.alarms.active
        assert again.people.seating.memberships()[0].paused
        assert HOTLINE not in again.calls
        again.clock.now = T0 + 40
        assert again.people.wrap_up.end_due() == ["01"]


async def test_a_restart_after_the_clock_was_set_keeps_the_seconds_of_wrap_up(tmp_path: Path) -> None:
    async with running(tmp_path / "home") as engine:
        await talked(engine)
        told = Event(seat_stream("01"), T0 + 3610, Kind.CLOCK_SET, {"step_s": 3600.0})
        engine.calls.record(told)
        before = engine.calls.seat("01")
        assert before.until == T0 + 3640
    async with running(tmp_path / "home") as again:
        assert again.calls.seat("01") == before


async def until(what: Callable[[], bool]) -> None:
    for _ in range(6000):
        if what():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never happened")


async def test_asterisk_is_put_right_when_a_wrap_up_begins_and_when_it_ends(tmp_path: Path) -> None:
    async with running(tmp_path / "home") as engine:
        await talked(engine)
        before = engine.aligned
        watching = asyncio.create_task(engine.people.run(AsteriskFloor(cast(Link, Asterisk()))))
        try:
            await until(lambda: engine.aligned > before)
            before = engine.aligned
            engine.clock.now += 30
            await until(lambda: engine.calls.seat("01").state is SeatState.READY)
            await until(lambda: engine.aligned > before)
        finally:
            watching.cancel()


@pytest.mark.parametrize("here", [True, False])
async def test_callers_of_an_expert_queue_go_back_when_its_last_expert_goes(
    tmp_path: Path, here: bool
) -> None:
    async with running(tmp_path / "home") as engine:
        asterisk = Asterisk()
        asterisk.items["QueueStatus"] = [
            message("QueueEntry", Uniqueid="a1-9.1", Queue="q_general", Channel="PJSIP/trunk-1", Wait="10"),
            message("QueueEntry", Uniqueid="a1-9.2", Queue="q_market", Channel="PJSIP/trunk-2", Wait="50"),
            message("QueueEntry", Uniqueid="a1-9.3", Queue="q_market", Channel="PJSIP/trunk-3", Wait="5"),
        ]
        for number in ("1", "2", "3"):
            call = f"a1-9.{number}"
            engine.calls.restore([CallRecord(call, started_at=T0)], [])
            engine.calls.record(Event(call, T0, Kind.QUEUED, {"queue": "q_market"}))
            engine.calls[call].queued_at = None
        if here:
            await engine.people.seating.log_in("01", "1002", by="x")
        await engine.people.look(AsteriskFloor(cast(Link, asterisk)))
        moved = [
            (headers["Channel"], headers["Context"], headers["Exten"])
            for name, headers in asterisk.asked
            if name == "Redirect"
        ]
        expected = [
            ("PJSIP/trunk-2", Context.BACK_TO_GENERAL, "1"),
            ("PJSIP/trunk-3", Context.BACK_TO_GENERAL, "3"),
        ]
        assert moved == ([] if here else expected)


async def test_a_seat_without_its_phone_becomes_an_alarm_and_is_mended(tmp_path: Path) -> None:
    async with running(tmp_path / "home") as engine:
        asterisk = Asterisk()
        await engine.people.seating.log_in("01", "1001", by="x")

        async def look(after: float, *phones: str) -> bool:
            asterisk.items["PJSIPShowContacts"] = [
                message("ContactList", ObjectName=f"{phone};@x") for phone in phones
            ]
            engine.clock.now = T0 + after
            await engine.people.look(AsteriskFloor(cast(Link, asterisk)))
            return ("phone_away", "01") in {(a.alarm, a.about) for a in engine.people.alarms.active}

        assert not await look(0)
        assert await look(30)
        assert await look(35, "seat01")
        assert not await look(50, "seat01")
        asterisk.state = LinkState.DOWN
        assert not await look(500)
        assert engine.people.modes.current is ModeName.REGULAR
