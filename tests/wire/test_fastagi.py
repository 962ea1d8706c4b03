"""The FastAGI server: hang-ups at every moment, odd visitors, faulty handlers, slow ones."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvloop

from ivr.asterisk.agi.codec import UnsafeValue
from ivr.asterisk.agi.server import (
    AgiCommandError,
    AgiError,
    AgiHangup,
    AgiReply,
    AgiSession,
    AgiTimeout,
    FastAgiServer,
    Handler,
)
from tests.wire.wire_kit import eventually, play_asterisk, read_words, request


@contextlib.asynccontextmanager
async def serving(route: Handler, **options: Any) -> AsyncIterator[FastAgiServer]:
    server = FastAgiServer({"ivr": route}, port=0, **options)
    await server.start()
    try:
        yield server
    finally:
        await server.close(0.5)


async def test_the_handler_sees_who_calls_and_with_what() -> None:
    seen: list[Any] = []

    async def route(call: AgiSession) -> None:
        seen.append((call.caller, call.caller_name, call.uniqueid, call.channel, call.args, call.query))

    async with serving(route) as server:
        await play_asterisk(server.port, [], head=request("ivr?line=税务"), hold_s=2)
        assert await eventually(lambda: seen)
    assert seen == [
        ("10086", "来电者", "test-1795295795.0", "PJSIP/trunk-00000001", ["参数", "b"], {"line": "税务"})
    ]


async def test_each_helper_says_what_asterisk_answered() -> None:
    got: list[Any] = []

    async def route(call: AgiSession) -> None:
        got.append(await call.stream_file("welcome", "12"))
        got.append(await call.stream_file("welcome"))
        got.append(await call.full_variable("${CDR(src)}"))
        await call.set_variables({"CHANNEL(language)": "zh", "__IVR_LINE": "税务"})
        got.append((await call.execute("Playtones", "dial")).result)
        got.append(await call.command("CHANNEL", "STATUS", timeout_s=math.inf))
        for attempt in (
            call.execute("NoSuchApp"),
            call.stream_file("missing"),
            call.execute("Queue", "a,b"),
            call.set_variables({"A B": "x"}),
            call.command("NOOP", "x\ny"),
            call.command(),
        ):
            try:
                await attempt
            except (AgiError, UnsafeValue) as error:
                got.append(type(error))
        await call.hangup()
        assert call.hung_up

    replies = [
        b"200 result=49 endpos=4000\n",
        b"200 result=0 endpos=8000\n",
        b"200 result=1 (10086)\n",
        b"200 result=1\n",
        b"200 result=1\n",
        b"200 result=0\n",
        b"200 result=6\n",
        b"200 result=-2\n",
        b"200 result=-1 endpos=0\n",
        b"200 result=6\n",
        b"200 result=1\nHANGUP\n",
    ]
    async with serving(route) as server:
        lines = await play_asterisk(server.port, replies, hold_s=2)
        assert await eventually(lambda: len(got) == 11)
    assert got[:5] == ["1", "", "10086", "0", AgiReply(200, "6")]
    assert got[5:7] == [AgiCommandError, AgiCommandError] and got[7:] == [UnsafeValue] * 4
    words = [read_words(line.rstrip(b"\n")) for line in lines]
    assert words[1] == [b"STREAM", b"FILE", b"welcome", b""]
    assert words[3] == [b"SET", b"VARIABLE", b"CHANNEL(language)", b"zh"]


@pytest.mark.parametrize(
    "ending", [b"HANGUP\n", b"200 result=-1 endpos=0\nHANGUP\n", b"511 dead channel\n", None]
)
async def test_a_hangup_during_the_greeting_is_a_hangup_at_every_await(ending: bytes | None) -> None:
    got: list[Any] = []

    async def route(call: AgiSession) -> None:
        for doing in (lambda: call.stream_file("welcome"), lambda: call.get_data("menu", 3, 1), call.hangup):
            try:
                got.append(await doing())
            except AgiHangup as error:
                got.append(error)
        await call.get_variable("X")

    failures: list[Exception] = []
    async with serving(route, on_error=lambda _, error: failures.append(error)) as server:
        await play_asterisk(server.port, [] if ending is None else [ending])
        assert await eventually(lambda: len(got) == 3 and server.active == 0)
    # hangup() of a call that is over has nothing left to do; the last await ended the handler.
    assert [type(item) for item in got] == [AgiHangup, AgiHangup, type(None)]
    assert failures == []


async def test_without_sighup_a_failed_playback_is_still_told_from_a_hangup() -> None:
    got: list[Any] = []

    async def route(call: AgiSession) -> None:
        try:
            await call.stream_file("welcome")
        except AgiError as error:
            got.append(type(error))

    async with serving(route) as server:
        await play_asterisk(server.port, [b"200 result=-1 endpos=0\n", b"511 dead\n"])
        assert await eventually(lambda: got)
    assert got == [AgiHangup]


async def test_a_cancelled_command_leaves_its_reply_to_nobody() -> None:
    got: list[Any] = []

    async def route(call: AgiSession) -> None:
        for _ in range(2):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await call.stream_file("music")
        got.append(await call.get_variable("UNIQUEID"))
        got.append(await call.get_variable("NEXT"))

    async with serving(route) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request())
        assert (await reader.readline()).startswith(b"STREAM")
        await asyncio.sleep(0.3)
        # Asterisk still plays: nothing further may be written until it has answered.
        writer.write(b"200 result=0 endpos=1\n")
        assert await asyncio.wait_for(reader.readline(), 30) == b"GET VARIABLE UNIQUEID\n"
        writer.write(b"200 result=1 (1795.1)\n")
        assert await asyncio.wait_for(reader.readline(), 30) == b"GET VARIABLE NEXT\n"
        writer.write(b"200 result=0\n")
        assert await eventually(lambda: len(got) == 2)
        writer.close()
    assert got == ["1795.1", None]


async def test_two_commands_at_once_are_refused_rather_than_mixed() -> None:
    got: list[Any] = []

    async def route(call: AgiSession) -> None:
        got.extend(
            await asyncio.gather(call.get_variable("A"), call.get_variable("B"), return_exceptions=True)
        )

    async with serving(route) as server:
        await play_asterisk(server.port, [b"200 result=1 (a)\n"], hold_s=2)
        assert await eventually(lambda: got)
    assert got[0] == "a" and isinstance(got[1], RuntimeError)


async def test_a_reply_that_nobody_asked_for_answers_nothing() -> None:
    got: list[Any] = []

    async def route(call: AgiSession) -> None:
        got.append(await call.get_variable("A"))
        got.append(await call.get_variable("B"))

    async with serving(route) as server:
        # A value with a line break and a forged reply behind it.
        forged = b"200 result=1 (x)\n200 result=1 (forged)\n"
        await play_asterisk(server.port, [forged, b"200 result=1 (true)\n"], hold_s=2)
        assert await eventually(lambda: len(got) == 2)
    assert got == ["x", "true"]


@pytest.mark.parametrize(
    "visitor",
    [
        b"",
        b"GET / HTTP/1.0\r\n\r\n",
        b"\xff\xfe\x00",
        b"agi_network: yes\nagi_chan",
        b"agi_x: " + b"y" * 70_000,
    ],
)
async def test_a_visitor_who_is_no_call_costs_one_quiet_line(
    visitor: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "ivr")
    calls: list[str] = []
    async with serving(lambda call: calls.append(call.uniqueid)) as server:
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(visitor)
            writer.close()
        assert await eventually(lambda: len(caplog.records) >= 3)
        await play_asterisk(server.port, [], hold_s=2)
        assert await eventually(lambda: calls)
    assert len(caplog.records) <= 3 and all(r.levelno <= logging.INFO for r in caplog.records)
    assert len(calls) == 1


async def test_a_request_that_never_ends_is_cut_off() -> None:
    async with serving(lambda call: None, header_timeout_s=0.2) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        ended = asyncio.ensure_future(reader.read())
        for byte in b"agi_network: yes\nagi_network_script: ivr\n" * 100:
            if ended.done():
                break
            with contextlib.suppress(ConnectionError):
                writer.write(bytes([byte]))
            await asyncio.sleep(0.01)
        assert ended.done()
        with contextlib.suppress(ConnectionError):
            ended.result()
        writer.close()


async def test_a_faulty_handler_lets_the_dialplan_go_on_and_the_server_too() -> None:
    told: list[tuple[str, Exception]] = []

    async def route(call: AgiSession) -> None:
        await call.command("NOOP")
        raise ValueError("a fault in reception")

    def on_error(call: AgiSession, error: Exception) -> None:
        told.append((call.uniqueid, error))
        raise KeyError("a fault in the listener")

    async with serving(route, on_error=on_error) as server:
        for number in range(1, 4):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(request())
            assert await reader.readline() == b"NOOP\n"
            writer.write(b"200 result=0\n")
            assert await asyncio.wait_for(reader.read(), 30) == b""
            writer.close()
            assert len(told) == number and isinstance(told[-1][1], ValueError)
        assert await eventually(lambda: server.active == 0)


async def test_a_call_for_an_unknown_route_goes_on_in_the_dialplan(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(lambda call: None) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request("nope"))
        assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()
    assert "unknown route 'nope'" in caplog.text


async def test_a_reply_that_never_comes_closes_the_conversation_and_says_timeout() -> None:
    got: list[Any] = []

    async def route(call: AgiSession) -> None:
        await call.command("NOOP")
        for _ in range(2):
            try:
                await call.command("NOOP", timeout_s=0.1)
            except AgiTimeout as error:
                got.append(error)

    async with serving(route) as server:
        await play_asterisk(server.port, [b"200 result=0\n", b""], hold_s=3)
        assert await eventually(lambda: len(got) == 2)


async def test_closing_waits_for_calls_and_then_cuts_them() -> None:
    ended: list[str] = []

    async def route(call: AgiSession) -> None:
        try:
            await call.command("NOOP")
            await asyncio.sleep(0.1 if call.args[1] == "short" else 60)
            ended.append("finished")
        except asyncio.CancelledError:
            ended.append("cut")
            raise

    server = FastAgiServer({"ivr": route}, port=0)
    await server.start()
    port = server.port
    heads = [request(), request().replace(b"agi_arg_2: b", b"agi_arg_2: short")]
    clients = [
        asyncio.ensure_future(play_asterisk(port, [b"200 result=0\n"], head=h, hold_s=5)) for h in heads
    ]
    assert await eventually(lambda: server.active == 2)
    await server.close(0.5)
    assert sorted(ended) == ["cut", "finished"] and server.active == 0
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", port)
    await asyncio.gather(*clients)


def test_a_hundred_calls_at_once_under_uvloop_get_their_own_answers() -> None:
    async def scenario() -> None:
        wrong: list[str] = []

        async def route(call: AgiSession) -> None:
            for _ in range(5):
                if await call.get_variable("NAME") != call.caller_name:
                    wrong.append(call.caller_name)

        async with serving(route) as server:
            names = [f"来电者{number}" for number in range(100)]
            await asyncio.gather(
                *(
                    play_asterisk(
                        server.port, [f"200 result=1 ({n})\n".encode()] * 5, head=request(name=n), hold_s=5
                    )
                    for n in names
                )
            )
            assert await eventually(lambda: server.active == 0)
        assert wrong == []

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())


async def test_a_key_and_a_few_words_are_taken_from_the_caller() -> None:
    got: list[Any] = []

    async def route(call: AgiSession) -> None:
        got.append(await call.wait_for_digit(3.0))
        got.append(await call.wait_for_digit(0.5))
        for _ in range(3):
            got.append(await call.record_file("/said/1", limit_s=6.0, silence_s=2))
        try:
            await call.record_file("/nowhere/1", limit_s=6, silence_s=2)
        except AgiError as error:
            got.append(type(error))
        try:
            await call.wait_for_digit(1)
        except AgiError as error:
            got.append(type(error))

    replies = [
        b"200 result=42\n",
        b"200 result=0\n",
        b"200 result=0 (timeout) endpos=48000\n",
        b"200 result=35 (dtmf) endpos=8000\n",
        b"200 result=0 (timeout) endpos=16000\n",
        b"200 result=-1 (writefile)\n",
        b"200 result=6\n",
        b"200 result=-1\nHANGUP\n",
    ]
    async with serving(route) as server:
        lines = await play_asterisk(server.port, replies, hold_s=2)
        assert await eventually(lambda: len(got) == 7)
    assert got == ["*", "", "", "#", "", AgiCommandError, AgiHangup]
    words = [read_words(line.rstrip(b"\n")) for line in lines]
    assert words[0] == [b"WAIT", b"FOR", b"DIGIT", b"3000"]
    assert words[2] == [b"RECORD", b"FILE", b"/said/1", b"wav", b"0123456789*#", b"6000", b"s=2"]
