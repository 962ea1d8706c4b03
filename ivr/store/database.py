"""The connection to SQLite or PostgreSQL: one writer, many readers.

SQLite runs in WAL mode; the writer takes the lock at the start of its transaction, so that it
never fails half-way, and waits for it only a bounded time.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ivr.errors import HotlineError
from ivr.store.limits import ANSWER_S, MIGRATION_S
from ivr.store.sqlite_file import SqliteFile

BUSY_TIMEOUT_MS = 1000


class DatabaseUrlWrong(HotlineError):
    """The URL names no database we can open."""

    code = "database_url"


class DatabaseFileLost(HotlineError):
    """The file of the database is no longer the one that was opened."""

    code = "database_file_lost"
    retry = True


FAILURES = (SQLAlchemyError, OSError, TimeoutError)
"""What a database may throw at us when it is away."""


def file_identity(engine: AsyncEngine) -> tuple[int, int] | None:
    """Return which file (device, inode) stands where SQLite's database should be; None where there is none.

    An open connection goes on writing into a file that was deleted or replaced, and nobody would ever read it.
    """
    name = engine.url.database
    if engine.dialect.name != "sqlite" or not name or name == ":memory:":
        return None
    try:
        found = Path(name).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def open_engine(url: str, *, read_only: bool = False) -> AsyncEngine:
    """Open an engine.

    Args:
        url: any SQLAlchemy async URL; ``sqlite+aiosqlite`` and ``postgresql+asyncpg`` are tested.
        read_only: for commands that only look, beside a running engine.
    """
    options: dict[str, Any] = {"json_serializer": _json, "json_deserializer": orjson.loads}
    if url.startswith("sqlite"):
        options["connect_args"] = {"timeout": BUSY_TIMEOUT_MS / 1000, "factory": SqliteFile}
    else:
        options |= {"pool_size": 3, "pool_recycle": 1800, "connect_args": _postgresql_limits(url)}
    try:
        engine = create_async_engine(url, **options)
    except (SQLAlchemyError, ImportError, ValueError) as error:
        raise DatabaseUrlWrong(  # what the library says may hold a piece of the password
            "IVR_DATABASE_URL cannot be used; write for example "
            "postgresql+asyncpg://user:password@host/database, or leave it empty for SQLite.",
            "IVR_DATABASE_URL 无法使用；例如写 postgresql+asyncpg://用户:密码@主机/库名，留空则用 SQLite。",
        ) from error
    if engine.dialect.name == "sqlite":
        _tune_sqlite(engine, read_only=read_only)
    return engine


def _postgresql_limits(url: str) -> dict[str, float]:
    """Return asyncpg's own limits: of several hosts each gets its share of the time, a silent first one too."""
    hosts = max(1, sum(len(host.split(",")) for host in re.findall(r"[?&]host=([^&]+)", url)))
    return {"timeout": ANSWER_S / hosts, "command_timeout": MIGRATION_S}


def _tune_sqlite(engine: AsyncEngine, *, read_only: bool) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy begins, not the driver
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        if not read_only:
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=NORMAL")  # the journal file is fsynced before
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        writing = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
