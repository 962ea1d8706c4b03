"""The manager link against a scripted Asterisk that refuses, falls silent, vanishes, returns."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import pytest
import uvloop

from ivr.asterisk.ami.link import (
    AmiDown,
    AmiError,
    AmiOverflow,
    AmiRefused,
    AmiTimeout,
    Backoff,
    Link,
    LinkState,
    Message,
)
from tests.wire.wire_kit import FakeManager, event, eventually, grant, our_link, refuse


async def live(server: FakeManager, **options: Any) -> Link:
    link = our_link(server, **options)
    await link.start()
    await link.wait_live(60)
    return link


async def test_events_arrive_while_the_engine_catches_up_and_live_comes_after() -> None:
    async with FakeManager() as server:
        seen: list[str] = []
        states: list[LinkState] = []
        during: list[LinkState] = []

        async def synchronise(link: Link) -> None:
            server.send(event("Newchannel", Uniqueid="1"))
            assert await eventually(lambda: "Newchannel" in seen)
            during.append(link.state)
            assert (await link.action("QueueStatus")).success

        link = await live(
            server, on_event=lambda e: seen.append(e.name), on_state=states.append, synchronise=synchronise
        )
        assert during == [LinkState.SYNCING]
        assert states == [LinkState.CONNECTED, LinkState.SYNCING, LinkState.LIVE]
        assert link.reason == "" and await eventually(lambda: link.lag_s is not None) and not link.late
        await link.close()
        assert link.state is LinkState.DOWN and states[-1] is LinkState.DOWN


async def test_the_link_catches_up_again_after_every_reconnect() -> None:
    async with FakeManager() as server:
        rounds: list[int] = []

        async def synchronise(link: Link) -> None:
            rounds.append(server.connections)

        link = await live(server, synchronise=synchronise)
        for number in (2, 3):
            server.drop()
            assert await eventually(lambda: len(rounds) == number)  # noqa: B023
            await link.wait_live(60)
        await link.close()


async def test_a_failed_catching_up_is_never_called_live() -> None:
    async with FakeManager() as server:
        attempts: list[int] = []

        async def synchronise(link: Link) -> None:
            attempts.append(1)
            if len(attempts) < 3:
                raise ValueError("queues unknown")

        states: list[LinkState] = []
        link = our_link(server, synchronise=synchronise, on_state=states.append)
        await link.start()
        await link.wait_live(60)
        assert len(attempts) == 3 == server.connections and states.count(LinkState.LIVE) == 1
        await link.close()


async def test_a_wrong_password_is_told_and_tried_rarely() -> None:
    async with FakeManager() as server:
        server.answers["Login"] = lambda action: refuse(action, "Authentication failed")
        link = our_link(server, backoff=Backoff(first_s=0.01, refused_s=30.0))
        await link.start()
        assert await eventually(lambda: "Authentication failed" in link.reason)
        assert link.state is LinkState.DOWN and "manager.conf" in link.reason and "拒绝" in link.reason_zh
        with pytest.raises(AmiTimeout, match="Authentication failed"):
            await link.wait_live(0.2)
        assert server.connections == 1
        with pytest.raises(AmiDown, match="Authentication failed"):
            await link.action("Ping")
        await link.close()


async def test_the_right_password_later_brings_the_link_up() -> None:
    async with FakeManager() as server:
        server.answers["Login"] = lambda action: refuse(action, "Authentication failed")
        link = our_link(server)
        await link.start()
        assert await eventually(lambda: "Authentication failed" in link.reason)
        del server.answers["Login"]
        await link.wait_live(60)
        await link.close()


async def test_an_absent_asterisk_is_told_and_found_when_it_comes() -> None:
    async with FakeManager() as server:
        port = server.port
    link = our_link(server)
    await link.start()
    assert await eventually(lambda: f"127.0.0.1:{port}" in link.reason and "cannot connect" in link.reason)
    await link.close()


async def test_another_program_on_the_port_is_told() -> None:
    async with FakeManager() as server:
        server.banner = b"SSH-2.0-OpenSSH_9.2\r\n"
        link = our_link(server)
        await link.start()
        assert await eventually(lambda: "not an Asterisk manager port" in link.reason)
        assert server.count("Login") == 0  # the password was not given to a stranger
        await link.close()


async def test_a_silent_port_is_given_up() -> None:
    async with FakeManager() as server:
        server.banner = b""
        link = our_link(server, action_timeout_s=0.1)
        await link.start()
        assert await eventually(lambda: "no manager banner" in link.reason)
        assert await eventually(lambda: server.connections > 1)
        await link.close()


async def test_a_half_open_link_ends_what_waits_and_comes_back() -> None:
    async with FakeManager() as server:
        link = await live(server, heartbeat_s=0.5, action_timeout_s=60)
        server.mute = True
        with pytest.raises(AmiDown, match="heartbeat lost"):
            await asyncio.wait_for(link.action("QueueStatus"), 30)
        server.mute = False
        await link.wait_live(60)
        assert server.connections == 2
        await link.close()


async def test_a_busy_asterisk_that_still_talks_is_not_cut_at_once_but_is_in_the_end() -> None:
    async with FakeManager() as server:
        answered: list[bool] = []
        link = await live(server, heartbeat_s=0.2)
        server.answers["Ping"] = lambda _: None
        lost_at: list[int] = []
        for number in range(2000):
            server.send(event("VarSet", Number=str(number)))
            if link.state is LinkState.DOWN:
                lost_at.append(number)
                break
            answered.append(link.late)
            await asyncio.sleep(0.005)
        # It was seen to be late for a good while before it was given up.
        assert lost_at and answered.count(True) > 20
        await link.close()


async def test_asterisk_shutting_down_fails_what_waits_at_once() -> None:
    async with FakeManager() as server:
        seen: list[str] = []
        server.answers["Originate"] = lambda _: event("Shutdown", Shutdown="Cleanly")
        link = await live(server, on_event=lambda e: seen.append(e.name), action_timeout_s=60)
        with pytest.raises(AmiDown, match="shutting down"):
            await asyncio.wait_for(link.action("Originate"), 30)
        assert "Shutdown" in seen
        await link.close()


async def test_a_closed_link_is_closed_for_good() -> None:
    async with FakeManager() as server:
        link = await live(server, action_timeout_s=60)
        server.answers["QueueStatus"] = lambda _: None
        waiting = asyncio.ensure_future(link.action("QueueStatus"))
        assert await eventually(lambda: server.count("QueueStatus"))
        await link.close()
        with pytest.raises(AmiDown, match="closed"):
            await waiting
        with pytest.raises(AmiDown):
            await link.action("Ping")
        with pytest.raises(AmiDown):
            await link.start()
        await link.close()
        assert not await eventually(lambda: server.connections > 1, 0.3)


async def test_closing_while_connecting_and_while_catching_up_ends_cleanly() -> None:
    async with FakeManager() as server:
        link = our_link(server)
        await link.start()
        await link.close()

        async def synchronise(link: Link) -> None:
            await link.close()

        link = our_link(server, synchronise=synchronise)
        await link.start()
        assert await eventually(lambda: link.reason == "closed" and link.state is LinkState.DOWN)


async def test_waits_between_attempts_grow_and_start_anew_after_a_good_link() -> None:
    waits: list[float] = []

    class Patient(Link):
        async def _sleep(self, seconds: float) -> None:
            waits.append(seconds)
            await asyncio.sleep(0)

    async with FakeManager() as server:
        port = server.port
    backoff = Backoff(first_s=1.0, factor=2.0, cap_s=8.0, jitter=0.5)
    link = Patient("127.0.0.1", port, "hotline", "secret", backoff=backoff, rng=random.Random(7))
    await link.start()
    assert await eventually(lambda: len(waits) > 20)
    await link.close()
    for attempt, wait in enumerate(waits):
        longest = min(8.0, 2.0**attempt)
        assert longest / 2 <= wait <= longest
    assert len({round(wait, 6) for wait in waits[5:15]}) > 5

    async with FakeManager() as server:
        waits.clear()
        link = Patient("127.0.0.1", server.port, "hotline", "secret", backoff=backoff, boot_wait_s=0.1)
        await link.start()
        for number in range(1, 5):
            assert await eventually(lambda: server.connections == number)  # noqa: B023
            assert await eventually(lambda: link.state is LinkState.LIVE)
            server.drop()
        assert await eventually(lambda: server.connections == 5)
        await link.wait_live(60)
        assert max(waits) <= 1.0
        await link.close()


async def test_a_list_is_collected_and_does_not_pass_for_news() -> None:
    def members(action: dict[str, str]) -> bytes:
        head = grant(action, "EventList: start", "Message: Queue status will follow")
        rows = [event("QueueMember", ActionID=action["ActionID"], Name=f"座席{n:02d}") for n in range(24)]
        news = event("Hangup", Uniqueid="1")
        end = event("QueueStatusComplete", ActionID=action["ActionID"], EventList="Complete", ListItems="24")
        return head + b"".join(rows[:12]) + news + b"".join(rows[12:]) + end

    async with FakeManager() as server:
        server.answers["QueueStatus"] = members
        seen: list[str] = []
        link = await live(server, on_event=lambda e: seen.append(e.name))
        rows = await link.list_action("QueueStatus", {"Queue": "hot12345"})
        assert [row.get("Name") for row in rows] == [f"座席{n:02d}" for n in range(24)]
        assert seen.count("Hangup") == 1 and "QueueMember" not in seen
        with pytest.raises(AmiOverflow):
            await link.list_action("QueueStatus", limit=5)
        await link.action("Ping")
        assert "QueueMember" not in seen
        both = await link.send_action({"action": "QueueStatus"})
        assert len(both) == 26 and both[0].success
        await link.close()


async def test_the_members_of_a_city_of_1500_seats_in_15_queues_are_listed_whole() -> None:
    def members(action: dict[str, str]) -> bytes:
        row = event("QueueMember", ActionID=action["ActionID"], Name="1001")
        end = event("QueueStatusComplete", ActionID=action["ActionID"], EventList="Complete")
        return grant(action, "EventList: start") + 22_500 * row + end

    async with FakeManager() as server:
        server.answers["QueueStatus"] = members
        link = await live(server)
        assert len(await link.list_action("QueueStatus", timeout_s=60)) == 22_500
        await link.close()


async def test_late_entries_of_a_list_given_up_do_not_pass_for_news() -> None:
    async with FakeManager() as server:
        asked: list[str] = []

        def begin(action: dict[str, str]) -> bytes:
            asked.append(action["ActionID"])
            return grant(action, "EventList: start")

        server.answers["QueueStatus"] = begin
        seen: list[Message] = []
        link = await live(server, on_event=seen.append)
        with pytest.raises(AmiTimeout):
            await link.list_action("QueueStatus", timeout_s=0.1)
        server.send(event("QueueMember", ActionID=asked[0]))
        server.send(event("QueueStatusComplete", ActionID=asked[0], EventList="Complete"))
        server.send(event("OriginateResponse", ActionID="somebody's", Response="Success"))
        assert await eventually(lambda: any(e.name == "OriginateResponse" for e in seen))
        assert not [e.name for e in seen if e.name.startswith("Queue")]
        await link.close()


async def test_what_asterisk_says_when_it_refuses_is_passed_on() -> None:
    async with FakeManager() as server:
        server.answers["QueueAdd"] = lambda action: refuse(action, "Unable to add interface: Already there")
        server.answers["Command"] = lambda action: (
            refuse(action, "Command output follows\r\nOutput: No such command 'x'")
            if action["Command"] == "x"
            else grant(
                action, "Message: Command output follows", "Output: 第一行", "Output: ", "Output: a: b"
            )
        )
        link = await live(server)
        with pytest.raises(AmiRefused, match="Already there"):
            await link.action("QueueAdd", {"Queue": "hot12345"})
        response = await link.send_action({"Action": "QueueAdd"})
        assert not response.success and "Already there" in response.message
        assert await link.command("core show uptime") == ["第一行", "", "a: b"]
        with pytest.raises(AmiRefused, match="No such command"):
            await link.command("x")
        await link.close()


async def test_an_action_given_up_by_its_caller_leaves_nothing_behind() -> None:
    async with FakeManager() as server:
        server.answers["QueueStatus"] = lambda _: None
        link = await live(server)
        task = asyncio.ensure_future(link.list_action("QueueStatus"))
        assert await eventually(lambda: server.count("QueueStatus"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        protocol = link.protocol
        assert protocol is not None
        assert await eventually(lambda: all(p.name == "Ping" for p in protocol._pending.values()))
        await link.close()


async def test_an_event_handler_that_fails_costs_one_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with FakeManager() as server:
        seen: list[str] = []

        def on_event(message: Message) -> None:
            seen.append(message.name)
            if message.name == "Bad":
                raise ValueError("a fault in the engine")

        link = await live(server, on_event=on_event)
        server.send(event("Bad") + event("Good"))
        assert await eventually(lambda: "Good" in seen)
        assert link.state is LinkState.LIVE and caplog.text.count("on_event failed on Bad") == 1
        await link.close()


async def test_patterns_and_coroutines_registered_the_old_way_still_work() -> None:
    async with FakeManager() as server:
        link = await live(server)
        seen: list[str] = []

        @link.register_event("Queue*")  # type: ignore[untyped-decorator]
        async def joined(manager: Link, message: Message) -> None:
            assert manager is link
            seen.append(message.event)

        server.send(event("QueueCallerJoin") + event("Hangup") + event("QueueCallerLeave"))
        assert await eventually(lambda: len(seen) == 2)
        assert seen == ["QueueCallerJoin", "QueueCallerLeave"]
        await link.close()


async def test_a_message_beyond_all_bounds_drops_the_link_with_a_reason() -> None:
    async with FakeManager() as server:
        reasons: list[str] = []
        link = our_link(server)
        link._board._on_state = lambda state: reasons.append(link.reason)
        await link.start()
        await link.wait_live(60)
        server.send(b"Event: Endless\r\nX: " + b"x" * (1 << 20))
        assert await eventually(lambda: any("more than 1048576 bytes" in reason for reason in reasons))
        await link.wait_live(60)
        await link.close()


def test_the_link_works_under_uvloop_too() -> None:
    async def scenario() -> None:
        async with FakeManager() as server:
            link = await live(server, heartbeat_s=0.1)
            assert (await link.action("Ping")).success
            server.mute = True
            assert await eventually(lambda: link.state is LinkState.DOWN)
            server.mute = False
            await link.wait_live(60)
            await link.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())


async def test_an_asterisk_still_starting_is_waited_for_before_catching_up() -> None:
    async with FakeManager() as server:
        server.booted = False
        began: list[float] = []

        async def synchronise(link: Link) -> None:
            began.append(time.monotonic())

        link = our_link(server, synchronise=synchronise, boot_wait_s=30)
        await link.start()
        assert await eventually(lambda: link.state is LinkState.SYNCING)
        await link.action("Ping")
        assert began == []
        server.send(event("FullyBooted"))
        await link.wait_live(60)
        assert len(began) == 1
        await link.close()


async def test_our_errors_say_whether_a_retry_makes_sense() -> None:
    assert AmiDown("x").retry and AmiTimeout("x").retry and not AmiRefused("x").retry
    assert issubclass(AmiOverflow, AmiError)
