"""The line between the ``ivr`` command and a running engine: a Unix socket, one JSON line each way.

Only the user who runs the engine can open it (mode 0600 in a 0700 folder).  The path may be
longer than a socket address allows: both ends go through ``/proc/self/fd``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ivr.errors import HotlineError

log = logging.getLogger(__name__)

NAME = "engine.sock"
_LIMIT = 16 * 1024 * 1024

Answer = Callable[[Mapping[str, Any]], Awaitable[Any]]
Held = Callable[[Mapping[str, Any], Callable[[Mapping[str, Any]], Awaitable[None]]], Awaitable[None]]
"""Answers a request with many lines, until it or the reader ends."""


class EngineAway(HotlineError):
    """No engine answers for this state folder."""

    code = "engine_away"
    retry = True


class EngineSilent(EngineAway):
    """An engine is there and does not answer in time."""


class Refused(HotlineError):
    """The engine refused a request, in its own words."""

    def __init__(self, code: str, sentence: str, zh: str) -> None:
        super().__init__(sentence, zh)
        self.code = code


@contextlib.contextmanager
def short_path(folder: Path, name: str = NAME) -> Iterator[str]:
    """Return a path that a socket address can hold, however long the folder's is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)


def ask(folder: Path, what: str, timeout_s: float = 15.0, **values: Any) -> Any:
    """Send one request to the engine and return its answer.

    Args:
        folder: the run folder of the instance.
        what: the request's name.
        timeout_s: seconds to wait.
        values: plain JSON values.

    Raises:
        EngineAway: nobody answers.
        EngineSilent: somebody is there and does not answer in time.
        Refused: the engine said no.
    """
    try:
        with short_path(folder) as path, socket.socket(socket.AF_UNIX) as line:
            line.settimeout(timeout_s)
            line.connect(path)
            line.sendall(json.dumps({"what": what, **values}).encode() + b"\n")
            with line.makefile("rb") as answer:
                reply = json.loads(answer.readline(_LIMIT))
    except PermissionError as error:
        raise EngineAway(
            f"{folder} belongs to another user: run this as the user who runs the hotline.",
            f"{folder} 属于其他用户：请以运行热线的用户执行本命令。",
        ) from error
    except TimeoutError as error:
        raise EngineSilent(
            f"the engine did not answer within {timeout_s:.0f} s; see `ivr status`.",
            f"引擎在 {timeout_s:.0f} 秒内没有响应；请查看 ivr status。",
        ) from error
    except (OSError, ValueError) as error:
        raise EngineAway(
            "the engine does not answer; start it with `ivr up`.", "引擎没有响应；请用 ivr up 启动。"
        ) from error
    if "error" in reply:
        raise Refused(reply["error"]["code"], reply["error"]["sentence"], reply["error"]["zh"])
    return reply["answer"]


class ControlServer:
    """Answers the ``ivr`` command.

    Args:
        folder: the run folder.
        answers: a coroutine function by request name; HotlineError becomes a refusal.
        held: the requests whose connection is held, by name.
    """

    def __init__(
        self, folder: Path, answers: Mapping[str, Answer], held: Mapping[str, Held] | None = None
    ) -> None:
        self._folder = folder
        self._answers = answers
        self._held = held or {}
        self._holding: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; a socket left by a killed engine is replaced."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._folder / NAME).unlink(missing_ok=True)
        with short_path(self._folder) as path:
            self._server = await asyncio.start_unix_server(self._serve, path, limit=_LIMIT)
            Path(path).chmod(0o600)

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            for task in self._holding:
                task.cancel()
            (self._folder / NAME).unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            if line and (held := self._held_by(line)) is not None:
                await self._hold(line, held, reader, writer)
            elif line:
                await _send(writer, await self._reply(line))
        except (OSError, ValueError) as error:
            log.info("a command went away: %s", error)
        finally:
            writer.close()

    def _held_by(self, line: bytes) -> Held | None:
        with contextlib.suppress(ValueError, AttributeError):
            return self._held.get(json.loads(line).get("what"))
        return None

    async def _hold(
        self, line: bytes, held: Held, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer until the reader goes, which is all that is read of it."""
        telling = asyncio.ensure_future(self._tell(json.loads(line), held, writer))
        self._holding.add(telling)
        gone = asyncio.ensure_future(reader.read())
        try:
            await asyncio.wait({telling, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._holding.discard(telling)
            for task in (telling, gone):
                task.cancel()
            await asyncio.gather(telling, gone, return_exceptions=True)

    async def _tell(self, request: Mapping[str, Any], held: Held, writer: asyncio.StreamWriter) -> None:
        try:
            await held(request, lambda told: _send(writer, told))
        except HotlineError as error:
            await _send(writer, _refusal(error))
        except OSError as error:
            log.info("a reader went away: %s", error)
        except Exception:
            log.exception("a held request failed")

    async def _reply(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            answer = self._answers[request.pop("what")]
            return {"answer": await answer(request)}
        except HotlineError as error:
            return _refusal(error)
        except (KeyError, TypeError, ValueError) as error:
            return {
                "error": {"code": "request", "sentence": f"bad request: {error}", "zh": f"请求有误：{error}"}
            }
        except Exception as error:
            log.exception("a request failed")
            return {"error": {"code": "internal", "sentence": f"internal error: {error}", "zh": "内部错误"}}


def _refusal(error: HotlineError) -> dict[str, Any]:
    return {"error": {"code": error.code, "sentence": error.sentence, "zh": error.zh}}


async def _send(writer: asyncio.StreamWriter, told: Mapping[str, Any]) -> None:
    writer.write(json.dumps(told).encode() + b"\n")
    await writer.drain()


def follow(folder: Path, what: str = "subscribe", **values: Any) -> Iterator[dict[str, Any]]:
    """Send one request whose connection is held, and yield what is answered until the engine ends.

    Args:
        folder: the run folder of the instance.
        what: the request's name.
        values: plain JSON values; ``position`` where an earlier answer left off.

    Raises:
        EngineAway: nobody answers.
        Refused: the engine said no.
    """
    try:
        with short_path(folder) as path, socket.socket(socket.AF_UNIX) as line:
            line.connect(path)
            line.sendall(json.dumps({"what": what, **values}).encode() + b"\n")
            with line.makefile("rb") as answers:
                for answer in answers:
                    reply = json.loads(answer)
                    if "error" in reply:
                        raise Refused(
                            reply["error"]["code"], reply["error"]["sentence"], reply["error"]["zh"]
                        )
                    yield reply
    except (OSError, ValueError) as error:
        raise EngineAway(
            "the engine does not answer; start it with `ivr up`.", "引擎没有响应；请用 ivr up 启动。"
        ) from error
