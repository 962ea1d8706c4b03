"""Each defect of panoramisk's manager: shown on the library as published, absent from ours."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from ivr.asterisk.ami.link import AmiRefused, AmiTimeout, LinkState, UnsafeValue
from tests.wire.wire_kit import (
    FakeManager,
    event,
    eventually,
    grant,
    our_link,
    published_manager,
    read_actions,
    refuse,
)


@pytest.fixture(autouse=True)
def quiet_library(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "panoramisk")
    caplog.set_level(logging.CRITICAL, "asyncio")


async def published_up(server: FakeManager, **options: Any) -> Any:
    manager = published_manager(server, **options)
    await manager.connect()
    assert await eventually(lambda: manager.authenticated)
    return manager


async def test_a_caller_name_cut_by_tcp_arrives_whole() -> None:
    async def name_seen(manager: Any, server: FakeManager) -> str:
        seen: list[str] = []
        manager.register_event("Newchannel", lambda _, message: seen.append(message.get("CallerIDName")))
        raw = event("Newchannel", CallerIDName="来电者")
        cut = raw.index("来".encode()) + 1
        server.send(raw[:cut])
        await asyncio.sleep(0.1)
        server.send(raw[cut:])
        assert await eventually(lambda: seen)
        return seen[0]

    async with FakeManager() as server:
        manager = await published_up(server)
        assert await name_seen(manager, server) != "来电者"
        manager.close()
    async with FakeManager() as server:
        link = our_link(server)
        await link.start()
        await link.wait_live(60)
        assert await name_seen(link, server) == "来电者"
        await link.close()


async def test_one_faulty_callback_does_not_lose_the_next_call() -> None:
    async def joined(manager: Any, server: FakeManager) -> tuple[list[str], int]:
        seen: list[str] = []

        def fail(_: Any, message: Any) -> None:
            if message.get("Uniqueid") == "1":
                raise ValueError("a fault in a callback")
            seen.append(message.get("Uniqueid"))

        manager.register_event("QueueCallerJoin", fail)
        server.send(event("QueueCallerJoin", Uniqueid="1") + event("QueueCallerJoin", Uniqueid="2"))
        await eventually(lambda: seen or server.ended, 1.0)
        return seen, server.ended

    async with FakeManager() as server:
        manager = await published_up(server)
        seen, ended = await joined(manager, server)
        assert seen == [] and ended == 1
        manager.close()
    async with FakeManager() as server:
        link = our_link(server)
        await link.start()
        await link.wait_live(60)
        assert await joined(link, server) == (["2"], 0)
        await link.close()


async def test_a_line_break_in_a_value_cannot_place_a_call() -> None:
    evil = {"Action": "Setvar", "Variable": "NAME", "Value": "x\r\n\r\nAction: Originate\r\nChannel: PJSIP/1"}

    async with FakeManager() as server:
        manager = await published_up(server)
        manager.send_action(dict(evil))
        assert await eventually(lambda: server.count("Originate") == 1)
        manager.close()
    async with FakeManager() as server:
        link = our_link(server)
        await link.start()
        await link.wait_live(60)
        with pytest.raises(UnsafeValue):
            await link.send_action(dict(evil))
        with pytest.raises(UnsafeValue):
            await link.action("Setvar", {"Value": evil["Value"]})
        await link.action("Ping")
        assert server.count("Originate") == 0 == server.count("Setvar")
        await link.close()


async def test_a_link_on_which_asterisk_fell_silent_is_noticed() -> None:
    async with FakeManager() as server:
        manager = published_manager(server)
        manager.ping_delay = manager.ping_interval = 0.05
        await manager.connect()
        server.mute = True
        pings = server.count("Ping")
        assert await eventually(lambda: server.count("Ping") > pings + 5)
        assert server.ended == 0 and manager.protocol.closed is False
        manager.close()
    async with FakeManager() as server:
        link = our_link(server, heartbeat_s=0.1)
        await link.start()
        await link.wait_live(60)
        server.mute = True
        assert await eventually(lambda: link.state is LinkState.DOWN)
        assert "heartbeat lost" in link.reason
        await link.close()


async def test_a_link_closed_while_it_waits_stays_closed() -> None:
    async def came_back(manager: Any, server: FakeManager) -> bool:
        server.drop()
        assert await eventually(lambda: server.ended == 1)
        await asyncio.sleep(0.02)
        manager.close()
        return await eventually(lambda: server.connections > 1, 0.5)

    async with FakeManager() as server:
        manager = await published_up(server)
        manager.reconnect_timeout = 0.1
        assert await came_back(manager, server)
        manager.close()
    async with FakeManager() as server:
        link = our_link(server)
        await link.start()
        await link.wait_live(60)
        assert not await came_back(link, server)
        assert link.reason == "closed"


async def test_a_wrong_password_does_not_look_like_success() -> None:
    async with FakeManager() as server:
        server.answers["Login"] = lambda action: refuse(action, "Authentication failed")
        manager = published_manager(server)
        await manager.connect()
        await asyncio.sleep(0.1)
        assert manager.authenticated is False
        manager.close()

        link = our_link(server)
        with pytest.raises(AmiRefused, match="Authentication failed"):
            await link.connect()
        assert link.state is not LinkState.LIVE
        await link.close()


async def test_a_lost_answer_does_not_wait_for_ever() -> None:
    async with FakeManager() as server:
        server.answers["QueuePause"] = lambda _: None
        manager = await published_up(server)
        future = manager.send_action({"Action": "QueuePause"})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(future), 0.5)
        assert not future.done()
        manager.close()

        link = our_link(server, action_timeout_s=0.3)
        await link.start()
        await link.wait_live(60)
        with pytest.raises(AmiTimeout, match="QueuePause"):
            await asyncio.wait_for(link.action("QueuePause"), 30)
        assert link.state is LinkState.LIVE
        await link.close()


@pytest.mark.parametrize("name", ["Atxfer", "PlayDTMF"])
async def test_an_attended_transfer_does_not_kill_the_link(name: str) -> None:
    async with FakeManager() as server:
        server.answers[name] = lambda action: grant(action, f"Message: {name} successfully queued")
        manager = await published_up(server)
        future = manager.send_action({"Action": name, "Channel": "PJSIP/8001-1"})
        await asyncio.sleep(0.2)
        assert not future.done() and server.ended == 1
        manager.close()

    async with FakeManager() as server:
        server.answers[name] = lambda action: grant(action, f"Message: {name} successfully queued")
        link = our_link(server)
        await link.start()
        await link.wait_live(60)
        response = await asyncio.wait_for(link.send_action({"Action": name, "Channel": "PJSIP/8001-1"}), 30)
        assert response.success and response.message.endswith("queued")
        assert (await link.action(name, {"Channel": "PJSIP/8001-1"})).success
        assert server.ended == 0
        await link.close()


async def test_an_originate_is_not_dialled_again_after_a_reconnect() -> None:
    async with FakeManager() as server:
        server.answers["Originate"] = lambda _: None
        manager = await published_up(server)
        manager.reconnect_timeout = 0.05
        manager.send_action({"Action": "Originate", "Channel": "PJSIP/8001"})
        assert await eventually(lambda: server.count("Originate") == 1)
        server.drop()
        assert await eventually(lambda: server.count("Originate") == 2)
        manager.close()
    async with FakeManager() as server:
        server.answers["Originate"] = lambda _: None
        link = our_link(server)
        await link.start()
        await link.wait_live(60)
        dialling = asyncio.ensure_future(link.action("Originate", {"Channel": "PJSIP/8001"}))
        assert await eventually(lambda: server.count("Originate") == 1)
        server.drop()
        with pytest.raises(Exception, match="no answer"):
            await dialling
        await eventually(lambda: server.connections == 2)
        await link.wait_live(60)
        await link.action("Ping")
        assert server.count("Originate") == 1
        await link.close()


def test_the_reader_of_these_tests_sees_an_injected_action() -> None:
    assert len(read_actions(b"Action: A\r\nX: y\r\n\r\nAction: B\r\n\r\n")) == 2
