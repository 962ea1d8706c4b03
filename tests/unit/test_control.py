"""The line between the `ivr` command and the engine: one answer or one clear refusal."""

from __future__ import annotations

import asyncio
import socket
import stat
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ivr.api.socket import ControlServer, EngineAway, Refused, ask
from ivr.errors import HotlineError


class Taken(HotlineError):
    code = "seating"


async def _echo(request: Mapping[str, Any]) -> Any:
    return dict(request)


async def _refuse(_: Mapping[str, Any]) -> Any:
    raise Taken("seat 01 is taken.", "01 号座席已有人。")


async def _crash(_: Mapping[str, Any]) -> Any:
    raise ZeroDivisionError("oops")


async def _missing(request: Mapping[str, Any]) -> Any:
    return request["seat"]


async def _big(_: Mapping[str, Any]) -> Any:
    return ["工单" * 100] * 5000


async def _hang(_: Mapping[str, Any]) -> Any:
    await asyncio.sleep(3600)


ANSWERS = {"echo": _echo, "refuse": _refuse, "crash": _crash, "missing": _missing, "big": _big, "hang": _hang}


@pytest.fixture(params=["short", "long"])
async def folder(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Path]:
    place = tmp_path / "run" if request.param == "short" else tmp_path / ("深" * 60) / ("x" * 120) / "run"
    server = ControlServer(place, ANSWERS)
    await server.start()
    yield place
    await server.close()


async def asked(folder: Path, what: str, **values: Any) -> Any:
    return await asyncio.to_thread(ask, folder, what, 10.0, **values)


async def test_a_command_gets_its_answer_whatever_the_length_of_the_path(folder: Path) -> None:
    assert await asked(folder, "echo", name="张三", n=[1, None]) == {"name": "张三", "n": [1, None]}


async def test_an_answer_of_some_megabytes_arrives_whole(folder: Path) -> None:
    assert await asked(folder, "big") == ["工单" * 100] * 5000


async def test_a_refusal_arrives_in_the_engine_s_own_words(folder: Path) -> None:
    with pytest.raises(Refused) as refused:
        await asked(folder, "refuse")
    assert (refused.value.code, refused.value.sentence, refused.value.zh) == (
        "seating",
        "seat 01 is taken.",
        "01 号座席已有人。",
    )


@pytest.mark.parametrize(
    ("what", "code"), [("no_such_thing", "request"), ("missing", "request"), ("crash", "internal")]
)
async def test_a_bad_request_and_a_fault_inside_are_refusals_and_the_engine_goes_on(
    folder: Path, what: str, code: str
) -> None:
    with pytest.raises(Refused) as refused:
        await asked(folder, what)
    assert refused.value.code == code
    assert await asked(folder, "echo") == {}


async def test_only_the_engine_s_owner_can_ask(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    mode = (folder / "engine.sock").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


@pytest.mark.parametrize(
    "raw", [b"", b"\n", b"junk\n", b"[]\n", b"17\n", b"{}\n", b'{"what": []}\n', b"half", b"\xff\n"]
)
async def test_junk_on_the_line_does_not_stop_the_engine(folder: Path, raw: bytes) -> None:
    def send() -> None:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(_short(folder))
            line.sendall(raw)
            line.shutdown(socket.SHUT_WR)
            line.settimeout(10)
            while line.recv(4096):
                pass

    await asyncio.to_thread(send)
    assert await asked(folder, "echo") == {}


def _short(folder: Path) -> str:
    """A way to a socket whose path is too long: a link beside the temporary folder."""
    base = next(parent for parent in folder.parents if parent.name.startswith("test_"))
    link = base / "l"
    if not link.is_symlink():
        link.symlink_to(folder)
    return str(link / "engine.sock")


async def test_a_command_that_is_interrupted_does_not_stop_the_engine(folder: Path) -> None:
    with pytest.raises(EngineAway):
        await asyncio.to_thread(ask, folder, "hang", 0.1)
    assert await asked(folder, "echo") == {}


async def test_without_an_engine_the_command_says_how_to_start_it(tmp_path: Path) -> None:
    for place in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(EngineAway, match="ivr up") as away:
            ask(place, "echo")
        assert away.value.retry
    dead = socket.socket(socket.AF_UNIX)  # a socket left by a killed engine
    dead.bind(str(tmp_path / "engine.sock"))
    dead.close()
    with pytest.raises(EngineAway):
        ask(tmp_path, "echo")
    server = ControlServer(tmp_path, ANSWERS)
    await server.start()
    assert await asked(tmp_path, "echo") == {}
    await server.close()
    with pytest.raises(EngineAway):
        ask(tmp_path, "echo")
    assert not (tmp_path / "engine.sock").exists()
