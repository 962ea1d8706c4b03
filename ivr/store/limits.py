"""How long a database may take to answer.

A frozen server answers nothing and refuses nothing: whoever asks it would wait for ever, and so would
whoever then rolls back or closes.  Here each statement has a limit, and a connection that ran into it is
given up without another word to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

ANSWER_S = 5.0
"""Seconds for one answer; a connection must be there within as many."""
SLOW_S = 60.0
"""Seconds for a statement that reads whole tables, on a connection that answered a moment ago."""
MIGRATION_S = 3600.0
CLOSE_S = 1.0


class Patience:
    """The limits of one engine's statements.

    Args:
        engine: what is asked; its broken connections are no longer closed politely.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._asked: dict[asyncio.Timeout, float] = {}
        engine.sync_engine.dialect.do_terminate = self._give_up  # type: ignore[assignment,method-assign]
        event.listen(engine.sync_engine, "before_cursor_execute", self._asks)

    @property
    def silent_s(self) -> float:
        """For how many seconds the database has owed the answer to something short."""
        now = time.monotonic()
        return now - min(self._asked.values(), default=now)

    @contextlib.asynccontextmanager
    async def connected(
        self, *, writing: bool = False, limit_s: float | None = None
    ) -> AsyncIterator[AsyncConnection]:
        """Lend a connection with a transaction that is committed at the end.

        Args:
            writing: whether SQLite's lock is taken at the start.
            limit_s: seconds for each statement; ``ANSWER_S`` unless told.

        Raises:
            TimeoutError: an answer did not come.
        """
        async with asyncio.timeout(ANSWER_S) as limit:
            self._asked[limit] = time.monotonic()
            try:
                connection = await self._begun({"writing": writing, "limit": limit})
                try:
                    if limit_s is not None:
                        await connection.execution_options(limit_s=limit_s)
                        del self._asked[limit]
                    yield connection
                    await connection.commit()
                finally:  # one that was given up is closed already
                    await connection.close()
            finally:
                self._asked.pop(limit, None)

    async def _begun(self, options: dict[str, Any]) -> AsyncConnection:
        """Return a connection that has just answered; one that died in the pool is replaced once."""
        for again in (True, False):
            connection = await self._engine.connect()
            try:
                await connection.execution_options(**options)
                await connection.begin()
                if self._engine.dialect.name != "sqlite":
                    await connection.exec_driver_sql("SELECT 1")
            except BaseException as error:
                await connection.close()
                if again and isinstance(error, DBAPIError) and error.connection_invalidated:
                    continue
                raise
            return connection
        raise AssertionError("not reached")

    async def close(self) -> None:
        """Let go of every connection; of those that do not answer too."""
        closing = asyncio.ensure_future(self._engine.dispose())
        _, late = await asyncio.wait({closing}, timeout=CLOSE_S)
        if late:
            closing.cancel()  # nobody waits for what it still does

    def _asks(self, connection: sa.Connection, *_: object) -> None:
        options = connection.get_execution_options()
        limit: asyncio.Timeout | None = options.get("limit")
        if limit is None or limit.expired():
            return
        limit.reschedule(asyncio.get_running_loop().time() + options.get("limit_s", ANSWER_S))
        if limit in self._asked:
            self._asked[limit] = time.monotonic()

    def _give_up(self, connection: Any) -> None:
        """End a broken connection at once: an ordinary end would wait for the server, or for the disk."""
        driver = connection.driver_connection
        if self._engine.dialect.name == "sqlite":
            if (file := driver._connection) is not None:
                file.interrupt()
                driver._tx.put_nowait((None, file.let_go))
            driver.stop()
        else:
            driver.terminate()
