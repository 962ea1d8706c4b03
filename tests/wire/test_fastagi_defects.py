"""Each defect of panoramisk's FastAGI: shown on the library as published, absent from ours."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from panoramisk import fast_agi

from ivr.asterisk.agi.server import (
    AgiCommandError,
    AgiHangup,
    AgiReply,
    AgiSession,
    AgiTimeout,
    FastAgiServer,
)
from tests.wire.wire_kit import eventually, play_asterisk, read_words, request, run_published

Route = Callable[[Any], Awaitable[None]]


@pytest.fixture(autouse=True)
def quiet_library(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "panoramisk")


@contextlib.asynccontextmanager
async def published(route: Route) -> AsyncIterator[int]:
    app = fast_agi.Application(loop=asyncio.get_running_loop())
    app.add_route("ivr", route)
    server = await asyncio.start_server(app.handler, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@contextlib.asynccontextmanager
async def ours(route: Route, **options: Any) -> AsyncIterator[int]:
    server = FastAgiServer({"ivr": route}, port=0, **options)
    await server.start()
    yield server.port
    await server.close(0.5)


def asking(words: list[str], outcomes: list[Any]) -> Route:
    """Build a route for panoramisk that notes what each command came to."""

    async def route(call: Any) -> None:
        for word in words:
            try:
                outcomes.append(await call.send_command(word))
            except Exception as error:
                outcomes.append(error)
                raise

    return route


def asking_us(words: list[str], outcomes: list[Any]) -> Route:
    """Build the same route for our server; it goes on after an error, as a handler may."""

    async def route(call: AgiSession) -> None:
        for word in words:
            try:
                outcomes.append(await call.command(*word.split()))
            except (AgiHangup, AgiTimeout, AgiCommandError) as error:
                outcomes.append(error)

    return route


PROBED = """
import asyncio
from panoramisk import fast_agi
async def main():
    app = fast_agi.Application(loop=asyncio.get_running_loop())
    server = await asyncio.start_server(app.handler, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    await asyncio.sleep(0.2)
    print("ALIVE", flush=True)
asyncio.run(main())
"""


async def test_a_port_probe_does_not_stop_the_hotline() -> None:
    frozen = await asyncio.to_thread(run_published, PROBED, 1.5)
    assert frozen.startswith("FROZEN") and "ALIVE" not in frozen

    outcomes: list[Any] = []
    async with ours(asking_us(["NOOP"], outcomes)) as port:
        for _ in range(20):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
        await play_asterisk(port, [b"200 result=0\n"])
        assert await eventually(lambda: outcomes)
    assert outcomes == [AgiReply(200, "0")]


async def test_a_hangup_does_not_shift_the_replies() -> None:
    words = ["STREAM FILE hello x", "GET VARIABLE UNIQUEID", "NOOP"]
    replies = [b"HANGUP\n200 result=0 endpos=4242\n", b"200 result=1 (1795.1)\n", b"200 result=0\n"]

    outcomes: list[Any] = []
    async with published(asking(words, outcomes)) as port:
        await play_asterisk(port, replies)
        await eventually(lambda: len(outcomes) == 3, 1)
    # The reply to the first command answers the second.
    assert outcomes[0]["error"] == "AGIResultHangup" and outcomes[1]["endpos"][0] == "4242"

    outcomes = []
    async with ours(asking_us(words, outcomes)) as port:
        await play_asterisk(port, replies)
        assert await eventually(lambda: len(outcomes) == 3)
    assert all(isinstance(outcome, AgiHangup) for outcome in outcomes)


async def test_a_misspelt_command_does_not_shift_the_replies() -> None:
    words = ["SAY NUMBER", "GET VARIABLE UNIQUEID"]
    usage = b"520-Invalid command syntax.  Proper usage follows:\nSay a given number.\nLine 2.\n\n"
    replies = [usage + b"520 End of proper usage.\n", b"200 result=1 (1795.1)\n"]

    outcomes: list[Any] = []
    async with published(asking(words, outcomes)) as port:
        await play_asterisk(port, replies)
        await eventually(lambda: len(outcomes) == 2, 1)
    assert outcomes[0]["error"] == "AGIUsageError"
    assert not isinstance(outcomes[1], dict) or "1795.1" not in str(outcomes[1].get("result"))

    outcomes = []
    async with ours(asking_us(words, outcomes)) as port:
        await play_asterisk(port, replies)
        assert await eventually(lambda: len(outcomes) == 2)
    assert isinstance(outcomes[0], AgiCommandError) and outcomes[0].status == 520
    assert "Line 2." in outcomes[0].sentence
    assert outcomes[1] == AgiReply(200, "1", "1795.1")


async def test_a_caller_whose_line_breaks_is_a_hangup_not_a_crash() -> None:
    outcomes: list[Any] = []
    async with published(asking(["NOOP", "NOOP"], outcomes)) as port:
        await play_asterisk(port, [b"200 result=0\n"])
        await eventually(lambda: len(outcomes) == 2, 1)
    assert isinstance(outcomes[1], ValueError)

    outcomes = []
    async with ours(asking_us(["NOOP", "NOOP"], outcomes)) as port:
        await play_asterisk(port, [b"200 result=0\n"])
        assert await eventually(lambda: len(outcomes) == 2)
    assert isinstance(outcomes[1], AgiHangup)


async def test_a_caller_named_hangup_has_not_hung_up() -> None:
    outcomes: list[Any] = []
    async with published(asking(["GET VARIABLE NAME"], outcomes)) as port:
        await play_asterisk(port, [b"200 result=1 (hangup)\n"])
        await eventually(lambda: outcomes, 1)
    assert outcomes[0]["error"] == "AGIResultHangup"

    values: list[str | None] = []

    async def route(call: AgiSession) -> None:
        values.append(await call.get_variable("NAME"))
        values.append(await call.get_variable("NEXT"))

    async with ours(route) as port:
        await play_asterisk(port, [b"200 result=1 (hangup)\n", b"200 result=0\n"])
        assert await eventually(lambda: len(values) == 2)
    assert values == ["hangup", None]


async def test_a_caller_who_presses_nothing_is_seen_to_press_nothing() -> None:
    outcomes: list[Any] = []
    async with published(asking(["GET DATA menu 3000 1"], outcomes)) as port:
        await play_asterisk(port, [b"200 result= (timeout)\n"])
        await eventually(lambda: outcomes, 1)
    assert "timeout" not in str(outcomes[0]["result"][1])

    pressed: list[tuple[str, bool]] = []

    async def route(call: AgiSession) -> None:
        pressed.append(await call.get_data("menu", 3, 1))
        pressed.append(await call.get_data("menu", 3, 2))
        pressed.append(await call.get_data("menu", 3, 2))

    async with ours(route) as port:
        lines = await play_asterisk(
            port, [b"200 result= (timeout)\n", b"200 result=1 (timeout)\n", b"200 result=12\n"]
        )
        assert await eventually(lambda: len(pressed) == 3)
    assert pressed == [("", True), ("1", True), ("12", False)]
    assert lines[0] == b"GET DATA menu 3000 1\n"


@pytest.mark.parametrize("encoding", ["gbk", "gb18030"])
async def test_a_name_from_an_old_exchange_does_not_cost_the_call(encoding: str) -> None:
    head = request(name="张三丰").decode().encode(encoding)
    outcomes: list[Any] = []
    async with published(asking(["NOOP"], outcomes)) as port:
        assert await play_asterisk(port, [b"200 result=0\n"], head=head) == []
    assert outcomes == []

    seen: list[Any] = []

    async def route(call: AgiSession) -> None:
        seen.extend([call.caller_name, call.raw["agi_calleridname"], call.args])

    async with ours(route) as port:
        await play_asterisk(port, [], head=head, hold_s=2)
        assert await eventually(lambda: seen)
    assert seen == ["张三丰", "张三丰".encode(encoding), ["参数", "b"]]


async def test_a_route_may_be_a_plain_function() -> None:
    with pytest.raises(AttributeError, match="coroutine"):
        fast_agi.Application(loop=asyncio.get_running_loop()).add_route("ivr", lambda call: None)

    seen: list[str] = []
    server = FastAgiServer({"ivr": lambda call: seen.append(call.uniqueid)}, port=0)
    await server.start()
    await play_asterisk(server.port, [], hold_s=2)
    assert await eventually(lambda: seen == ["test-1795295795.0"])
    await server.close(0)


async def test_a_quote_in_a_name_is_not_a_second_command() -> None:
    name = 'x" y\nHANGUP'
    outcomes: list[Any] = []
    async with published(asking([f'SET VARIABLE NAME "{name}"'], outcomes)) as port:
        lines = await play_asterisk(port, [b"200 result=1\n", b"200 result=1\n"])
    assert lines[1].startswith(b"HANGUP")

    async def route(call: AgiSession) -> None:
        await call.set_variables({"NAME": name, "PLAIN": 'a,"b"\\c ${D}'})

    async with ours(route) as port:
        lines = await play_asterisk(port, [b"200 result=1\n", b"200 result=1\n", b""])
    assert [read_words(line.rstrip(b"\n")) for line in lines] == [
        [b"SET", b"VARIABLE", b"NAME", b'x" y HANGUP'],
        [b"SET", b"VARIABLE", b"PLAIN", b'a,"b"\\c ${D}'],
    ]


async def test_a_command_without_reply_does_not_hold_the_call_for_ever() -> None:
    outcomes: list[Any] = []
    async with published(asking(["NOOP"], outcomes)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request())
        assert await asyncio.wait_for(reader.readline(), 30) == b"NOOP\n"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(), 0.5)
        assert outcomes == []
        writer.close()

    outcomes = []
    async with ours(asking_us(["NOOP", "NOOP"], outcomes), command_timeout_s=0.2) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request())
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 30) == b"NOOP\n"
        assert await eventually(lambda: len(outcomes) == 2)
        writer.close()
    assert all(isinstance(outcome, AgiTimeout) for outcome in outcomes)
