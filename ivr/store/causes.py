"""Why a database did not do what it was asked, and what the administrator can do about it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from ivr.errors import HotlineError


class StoreAway(HotlineError):
    """The database cannot be used at this moment; nothing was changed."""

    code = "database_away"
    retry = True


class _Advice(NamedTuple):
    """What is wrong and what mends it, in both languages; ``{cause}`` is the database's own word."""

    english: str
    chinese: str


_SILENT = _Advice("the database does not answer: nothing comes from it", "数据库没有响应：没有任何应答")
_DAMAGED = _Advice(
    "the database does not answer: it is damaged ({cause}); stop the hotline, keep the folder `journal`, "
    "mend or restore the database as the administrator's guide tells, and start again",
    "数据库没有响应：数据库已损坏（{cause}）；请停止热线，保留 journal 目录，按管理员手册修复或恢复数据库后再启动",
)
_FULL = _Advice(
    "the database does not answer: its disk is full ({cause}); make room",
    "数据库没有响应：其磁盘已满（{cause}）；请清理空间",
)
_READ_ONLY = _Advice(
    "the database does not answer: it may only be read ({cause}); let it be written again, or name the server that may",
    "数据库没有响应：数据库只读（{cause}）；请恢复写入权限，或改连可写的服务器",
)
_CROWDED = _Advice(
    "the database does not answer: it has no connection left for us ({cause}); end others or raise max_connections",
    "数据库没有响应：没有空闲连接（{cause}）；请断开其他程序，或调大 max_connections",
)
_STRANGER = _Advice(
    "the database does not answer: it does not let us in ({cause}); mend user and password in IVR_DATABASE_URL",
    "数据库没有响应：拒绝登录（{cause}）；请修改 IVR_DATABASE_URL 中的用户和密码",
)
_EMPTY = _Advice(
    "the database does not answer: its tables are missing ({cause}); restore it, "
    "or begin an empty one with `ivr down` and `ivr up`",
    "数据库没有响应：缺少数据表（{cause}）；请恢复备份，或用 ivr down、ivr up 从空库开始",
)
_OTHER = _Advice("the database does not answer: {cause}", "数据库没有响应：{cause}")

_SQLITE = {
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
}
"""By SQLite's primary result code (https://www.sqlite.org/rescode.html)."""

_POSTGRESQL = {
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
    "53100": _FULL,
    "25006": _READ_ONLY,
    "53300": _CROWDED,
    "28000": _STRANGER,
    "28P01": _STRANGER,
    "42P01": _EMPTY,
    "3F000": _EMPTY,
}
"""By SQLSTATE (PostgreSQL's manual, appendix A)."""


def away(error: BaseException) -> StoreAway:
    """Tell in one sentence why the database did not do what it was asked."""
    advice = _advice(error)
    lines = str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__]
    cause = lines[0].removeprefix("<class 'asyncpg.exceptions.").strip()
    return StoreAway(
        f"{advice.english.format(cause=cause)}; calls go on and are written down as soon as it does.",
        f"{advice.chinese.format(cause=cause)}；通话不受影响，恢复后自动补记。",
    )


def is_read_only(error: BaseException) -> bool:
    """Tell whether SQLite refuses because its file could only be opened for reading."""
    return any(_sqlite_code(link) == sqlite3.SQLITE_READONLY for link in _chain(error))


def _advice(error: BaseException) -> _Advice:
    for link in _chain(error):
        if isinstance(link, TimeoutError | asyncio.CancelledError):
            return _SILENT
        if advice := _POSTGRESQL.get(getattr(link, "sqlstate", None) or ""):
            return advice
        code = _sqlite_code(link)
        if advice := _SQLITE.get(code):
            return advice
        if code == sqlite3.SQLITE_ERROR and "no such table" in str(link):
            return _EMPTY
    return _OTHER


def _sqlite_code(error: BaseException) -> int:
    return int(getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error with what it was made of: the driver's own error is somewhere in there."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = getattr(error, "orig", None) or error.__cause__
