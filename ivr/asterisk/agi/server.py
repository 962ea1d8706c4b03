"""FastAGI server: Asterisk asks what to do with a call, a handler answers with commands.

One TCP connection is one call.  A handler sees a conversation that fails loudly: after the
hangup every await raises ``AgiHangup``; a command that Asterisk refuses raises
``AgiCommandError``; replies never shift.  A connection that is not a call (a port probe,
garbage, half a request) costs one line in the log.  Whatever happens to a session, the server
goes on, and the closed socket lets the dialplan go on without us.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import cast

from ivr.asterisk.agi.codec import AgiParser, AgiReply, AgiRequest, Hangup
from ivr.asterisk.agi.session import (
    AgiCommandError,
    AgiError,
    AgiHangup,
    AgiSession,
    AgiTimeout,
)

__all__ = [
    "AgiCommandError",
    "AgiError",
    "AgiHangup",
    "AgiReply",
    "AgiSession",
    "AgiTimeout",
    "FastAgiServer",
    "Handler",
]

log = logging.getLogger(__name__)

Handler = Callable[[AgiSession], Awaitable[None] | None]
"""What a route does; a plain function is welcome where nothing is to be awaited."""


class FastAgiServer:
    """Listens for Asterisk's ``AGI(agi://host:port/route?query,arg…)``.

    Args:
        routes: handler by path, without a leading slash; looked up for each call, so a
            mapping that changes is followed.
        host: address to listen on.
        port: port to listen on; 0 takes a free one, see :attr:`port`.
        header_timeout_s: seconds from the connection to the end of the request.
        command_timeout_s: seconds one command may take unless it says otherwise.
        on_error: told of every exception of a handler but a hangup; logged without it.
    """

    def __init__(
        self,
        routes: Mapping[str, Handler],
        *,
        host: str = "127.0.0.1",
        port: int = 4573,
        header_timeout_s: float = 5.0,
        command_timeout_s: float = 60.0,
        on_error: Callable[[AgiSession, Exception], None] | None = None,
    ) -> None:
        self.routes = routes
        self.host = host
        self.header_timeout_s = header_timeout_s
        self.command_timeout_s = command_timeout_s
        self._wanted_port = port
        self._on_error = on_error
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    async def start(self) -> None:
        """Bind and listen.

        Raises:
            OSError: the port is taken.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self, loop), self.host, self._wanted_port, backlog=1024
        )

    @property
    def port(self) -> int:
        """The port listened on."""
        if self._server is None or not self._server.sockets:
            return self._wanted_port
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def active(self) -> int:
        """Calls whose handler is running."""
        return sum(connection.task is not None for connection in self._connections)

    async def close(self, grace_s: float = 5.0) -> None:
        """Stop listening, let running handlers end within ``grace_s`` seconds, then cut them."""
        if self._server is not None:
            self._server.close()
        tasks = {connection.task for connection in self._connections if connection.task is not None}
        if tasks and grace_s > 0:
            await asyncio.wait(tasks, timeout=grace_s)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)
        for connection in list(self._connections):
            connection.abort("the server is closing")
        if self._server is not None:
            await self._server.wait_closed()

    # -- used by connections ---------------------------------------------------------------
    def note_opened(self, connection: _Connection) -> None:
        """Count a connection."""
        self._connections.add(connection)

    def note_closed(self, connection: _Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)

    def report(self, session: AgiSession, error: Exception) -> None:
        """Tell of a handler that failed; the caller goes on in the dialplan."""
        if self._on_error is None:
            log.error("AGI handler for %r failed", session.script, exc_info=error)
            return
        try:
            self._on_error(session, error)
        except Exception:
            log.exception("on_error failed while told of %r", error)


class _Connection(asyncio.Protocol):
    """One connection, from the accept to the close."""

    __slots__ = ("_loop", "_parser", "_server", "_session", "_timer", "_told", "_transport", "task")

    def __init__(self, server: FastAgiServer, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self._parser = AgiParser()
        self._session: AgiSession | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._told = False
        """Whether the log has its one line about this connection."""
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it
        self._server.note_opened(self)
        self._timer = self._loop.call_later(
            self._server.header_timeout_s, self.abort, "no whole AGI request in time"
        )

    def data_received(self, data: bytes) -> None:
        for item in self._parser.feed(data):
            session = self._session
            if session is not None:
                if isinstance(item, AgiReply):
                    session.note_reply(item)
                elif isinstance(item, Hangup):
                    session.note_hangup()
            elif isinstance(item, AgiRequest):
                self._begin(item)
        if self._parser.error is not None:
            self.abort(self._parser.error.sentence)

    def _begin(self, request: AgiRequest) -> None:
        assert self._transport is not None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        handler = self._server.routes.get(request.script)
        if handler is None:
            self._told = True
            log.warning("AGI request for unknown route %r; the dialplan goes on", request.script)
            self._transport.close()
            return
        self._session = AgiSession(request, self._transport, self._loop, self._server.command_timeout_s)
        self.task = self._loop.create_task(self._serve(handler, self._session))

    async def _serve(self, handler: Handler, session: AgiSession) -> None:
        try:
            if (doing := handler(session)) is not None:
                await doing
        except AgiHangup:
            log.debug("caller of %s hung up", session.uniqueid)
        except Exception as error:  # noqa: BLE001  # told to on_error, logged without one
            self._server.report(session, error)
        finally:
            session.finish()
            self.task = None

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.note_closed(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._session is not None:
            self._session.note_hangup()
        elif not self._told:
            log.debug("AGI connection closed before its request")

    def abort(self, why: str) -> None:
        """Close at once; a session that still runs sees a hangup."""
        if self._transport is not None and not self._transport.is_closing():
            self._told = True
            log.info("AGI connection closed: %s", why)
            self._transport.abort()
