"""Two machines of one hotline on one database: each takes up, lists and closes what is its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ivr.calls.open_calls import CallBook
from ivr.engine.persistence import Memory
from ivr.events.event import Event, Kind
from ivr.events.streams import HOTLINE, ticket_stream
from ivr.home.settings import Settings
from ivr.store import lease
from ivr.store.lease import LeaseHeld
from tests.unit.kit import T0, small_book

CALL = {"1": "a1-1.1", "2": "a2-1.1"}
Kinds = Sequence[tuple[float, Kind, Mapping[str, Any]]]
TALK: Kinds = (
    (0, Kind.CALL_STARTED, {"dialled": "12345", "caller": {}}),
    (1, Kind.QUEUED, {"queue": "q_general"}),
    (2, Kind.ANSWERED, {"seat": "01", "operator": "1001"}),
)


@pytest.fixture(autouse=True)
def _no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, nobody is taken for dead because of it."""
    monkeypatch.setattr(lease, "LEASE_S", 3600.0)


@dataclass
class Node:
    """What an engine remembers, and its open calls."""

    memory: Memory
    calls: CallBook
    hotline: list[Event] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def open(self) -> Node:
        """Take up what was remembered."""
        await self.memory.open(self._record, self.calls, self.hotline.extend)
        return self

    def _record(self) -> None:
        self.tasks.append(asyncio.ensure_future(self.memory.recorder.run()))

    async def tell(self, stream: str, kinds: Kinds) -> None:
        """Record events, and wait until the database has them."""
        for after, kind, data in kinds:
            self.calls.record(Event(stream, T0 + after, kind, data))
        async with asyncio.timeout(60):
            await self.memory.recorder.caught_up()

    async def kill(self) -> None:
        """End without a word."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self.tasks:
            await self.memory.store.close()
            self.memory.journal.close()
        self.tasks.clear()


Start = Callable[..., Awaitable[Node]]


@pytest.fixture
async def start(url: str, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts a node of the hotline by its name; another state folder is another machine."""
    started: list[Node] = []

    async def node(name: str, home: str | None = None) -> Node:
        settings = Settings(home=tmp_path / (home or f"node{name}"), database_url=url, node=name)
        settings.home.mkdir(exist_ok=True)
        memory = Memory(settings, small_book(), f"i000{home or name}")
        started.append(Node(memory, CallBook(memory.append, node=settings.node)))
        return await started[-1].open()

    yield node
    for one in started:
        await one.kill()


async def test_one_node_restarts_and_the_other_s_open_call_seat_and_ticket_are_untouched(
    start: Start,
) -> None:
    first, second = await start("1"), await start("2")
    for name, node in (("1", first), ("2", second)):
        await node.tell(CALL[name], TALK)
        await node.tell("seat:01", ((0, Kind.LOGGED_IN, {"operator": f"100{name}"}),))
    before = await first.memory.store.tickets()
    await second.kill()
    again = await start("2")
    assert again.calls.ids() == {CALL["2"]}
    assert again.calls.operator_on("01") == "1002"
    await again.tell(CALL["2"], ((60, Kind.HUNG_UP, {"reconciled": True}),))
    assert first.calls[CALL["1"]].seat == "01"
    assert await first.memory.store.open_calls() == [CALL["1"]]
    assert await again.memory.store.open_calls() == []
    (seat,) = await first.memory.store.seats()
    assert (seat["operator"], seat["node"]) == ("1001", "1")
    after = await first.memory.store.tickets()
    assert [ticket for ticket in after if ticket["call_id"] == CALL["1"]] == [
        ticket for ticket in before if ticket["call_id"] == CALL["1"]
    ]
    assert len({ticket["ticket_no"] for ticket in after}) == 2


async def test_events_tell_the_node_they_happened_on(start: Start) -> None:
    second = await start("2")
    await second.tell(CALL["2"], TALK)
    rows = (await second.memory.store.events([CALL["2"]]))[CALL["2"]]
    assert {row["node"] for row in rows} == {"2"}
    assert {event.node for event in (await second.memory.known([CALL["2"]]))[CALL["2"]]} == {"2"}


async def test_an_engine_that_would_be_the_same_node_is_refused_in_one_sentence(start: Start) -> None:
    await start("2")
    with pytest.raises(LeaseHeld) as refused:
        await start("2", home="another")
    assert "IVR_NODE" in refused.value.sentence
    assert "IVR_NODE" in refused.value.zh
    await start("3")


async def test_two_nodes_that_open_the_day_s_first_ticket_together_give_two_numbers(start: Start) -> None:
    nodes = {name: await start(name) for name in ("1", "2")}
    await asyncio.gather(*(node.tell(CALL[name], TALK) for name, node in nodes.items()))
    tickets = await nodes["1"].memory.store.tickets()
    assert len({ticket["ticket_no"] for ticket in tickets}) == len(tickets) == 2


async def test_the_mode_is_the_whole_hotline_s_and_an_alarm_its_node_s(start: Start) -> None:
    first = await start("1")
    alarm = {"alarm": "disk_full", "about": "/", "sentence": "", "sentence_zh": ""}
    mode = {"mode": "emergency", "by": "1001"}
    await first.tell(HOTLINE, ((0, Kind.MODE_SET, mode), (1, Kind.ALARM_RAISED, alarm)))
    second = await start("2")
    assert [event.data["mode"] for event in second.hotline] == ["emergency"]
    await first.kill()
    assert [event.kind for event in (await start("1")).hotline] == [Kind.MODE_SET, Kind.ALARM_RAISED]


async def test_a_ticket_that_people_have_dispatched_keeps_its_state_whatever_its_call_says_later(
    start: Start,
) -> None:
    node, call = await start("1"), CALL["1"]
    await node.tell(call, TALK)
    (ticket,) = await node.memory.store.tickets()
    assert ticket["state"] == "accepted"
    await node.tell(ticket_stream(call), ((3, Kind.TICKET_DISPATCHED, {"unit": "water"}),))
    await node.tell(
        call,
        (
            (4, Kind.OPERATOR_LEFT, {}),
            (5, Kind.HUNG_UP, {}),
            (6, Kind.RECORDING_CLOSED, {"path": "a.wav", "sha256": "0", "sides": ["caller", "operator"]}),
            (7, Kind.TRANSCRIPT_DONE, {"text": "停水", "turns": []}),
        ),
    )
    (ticket,) = await node.memory.store.tickets(state="dispatched")
    assert (ticket["state"], ticket["unit"], ticket["outcome"]) == ("dispatched", "water", "answered")
    assert ticket["transcript"]["text"] == "停水"
    assert await node.memory.store.tickets(state="accepted") == []
    await node.kill()
    again = await start("1")
    await again.tell(call, ((8, Kind.SURVEYED, {"score": 5}),))
    (ticket,) = await again.memory.store.tickets()
    assert (ticket["state"], ticket["unit"], ticket["satisfaction"]) == ("dispatched", "water", 5)
