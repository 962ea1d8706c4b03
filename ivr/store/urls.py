"""What is wrong with the URL of a database before anybody connects with it.

No sentence here may hold a part of the URL that could be a password: a password with ``@``, ``:`` or
``/`` in it is taken apart in the wrong place, and its pieces then stand where a host or a port should be.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

EXAMPLE = "postgresql+asyncpg://USER:PASSWORD@HOST/DATABASE"
_ENCODE = (
    "in a password write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23 and % as %25",
    "密码中的 @ 写作 %40、: 写作 %3A、/ 写作 %2F、? 写作 %3F、# 写作 %23、% 写作 %25",  # half-width kept
)
_ASYNC = {"postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
_WRITABLE = ("primary", "read-write")
_SESSION = (*_WRITABLE, "any", "standby", "prefer-standby", "read-only")
_SSL = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_ASYNCPG = (
    "host", "port", "user", "password", "database", "ssl", "target_session_attrs", "passfile", "service",
    "servicefile", "krbsrvname", "gsslib", "prepared_statement_cache_size",
)  # fmt: skip
"""What asyncpg and SQLAlchemy take from a URL as text (asyncpg 0.32, ``connect()``)."""
_MANY = re.compile(r"[\w.-]+(:\d+)?(,[\w.-]+(:\d+)?)+")
"""Several hosts as in libpq's URL, which SQLAlchemy does not read."""
_SQLITE_HEAD = b"SQLite format 3\0"


class Wrong(NamedTuple):
    """What is wrong and how to mend it, in both languages; goes on after the setting's name."""

    en: str
    zh: str


def wrong_with(text: str, environment: Mapping[str, str] = os.environ) -> list[Wrong]:
    """Return what is wrong with a URL; nothing where a connection may be tried.

    Args:
        text: the URL; empty is another's business.
        environment: where PostgreSQL's own variables are looked up.
    """
    if (
        place := _MANY.fullmatch(re.split("[/?]", text.partition("://")[2].rpartition("@")[2])[0])
    ) is not None:
        words = [word.partition(":") for word in place.group().split(",")]
        return [_several([host for host, _, _ in words], [port or "5432" for _, _, port in words])]
    try:
        url = make_url(text)
    except (SQLAlchemyError, ValueError):
        return [
            Wrong(
                f"is no URL; write {EXAMPLE}; {_ENCODE[0]}.",
                f"不是有效的 URL；请写 {EXAMPLE}；{_ENCODE[1]}。",
            )
        ]
    backend, _, driver = url.drivername.partition("+")
    if (fault := _driver(backend, driver)) is not None:
        return [fault]
    if backend == "sqlite":
        return list(_sqlite(url))
    if url.drivername == "postgresql+asyncpg" and (found := list(_postgresql(url, environment))):
        return found
    try:
        create_async_engine(url)
    except (SQLAlchemyError, ImportError, ValueError, TypeError):
        return [
            Wrong(
                f"cannot be used; write {EXAMPLE}; {_ENCODE[0]}.", f"无法使用；请写 {EXAMPLE}；{_ENCODE[1]}。"
            )
        ]
    return []


def _driver(backend: str, driver: str) -> Wrong | None:
    if (right := _ASYNC.get(backend)) and f"{backend}+{driver}" != right:
        if backend == "postgresql" and driver == "psycopg" and importlib.util.find_spec("psycopg"):
            return None
        return Wrong(
            f"must begin with {right}:// (an asynchronous driver).", f"应以 {right}:// 开头（异步驱动）。"
        )
    if right:
        return None
    try:
        dialect = make_url(f"{backend}+{driver}://" if driver else f"{backend}://").get_dialect()
        if dialect.is_async and dialect.import_dbapi() is not None:
            return None
    except (SQLAlchemyError, ImportError, ValueError):
        pass
    return Wrong(
        f"names a kind of database that cannot be used here; write {EXAMPLE}, or leave it empty for SQLite.",
        f"所写的数据库类型无法使用；请写 {EXAMPLE}，留空则用 SQLite。",
    )


# -- SQLite --------------------------------------------------------------------------------------
def _sqlite(url: URL) -> Iterator[Wrong]:
    name = url.database or ""
    if name in ("", ":memory:") or name.startswith("file:") or "uri" in url.query:
        yield Wrong(
            "names no file, so every ticket would be lost; write sqlite+aiosqlite:////absolute/path, or leave it empty.",
            "没有写文件，工单会全部丢失；请写 sqlite+aiosqlite:////绝对路径，或留空。",
        )
        return
    path = Path(name)
    if not path.is_absolute():
        yield Wrong(
            f"names a file relative to the working folder; write sqlite+aiosqlite:///{path.absolute()}.",
            f"写的是相对路径；请写 sqlite+aiosqlite:///{path.absolute()}。",
        )
        return
    try:
        yield from _sqlite_file(path)
    except OSError as error:
        why = error.strerror or str(error)
        yield Wrong(f"names {path}, which cannot be read ({why}).", f"所写的 {path} 无法读取（{why}）。")


def _sqlite_file(path: Path) -> Iterator[Wrong]:
    folder = path.parent
    if path.is_dir():
        yield Wrong(
            f"names a folder, {path}; write the path of a file.", f"写的是目录 {path}；请写文件路径。"
        )
    elif path.exists():
        with path.open("rb") as file:
            head = file.read(len(_SQLITE_HEAD))
        if head and head != _SQLITE_HEAD:
            yield Wrong(
                f"names {path}, which is no SQLite database; choose another file.",
                f"所写的 {path} 不是 SQLite 数据库；请另选文件。",
            )
    elif not folder.is_dir():
        yield Wrong(
            f"names a file in {folder}, which is no folder; make it first.",
            f"所写文件的目录 {folder} 不存在；请先建立。",
        )
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield Wrong(
            f"names a file in {folder}, where this user may not write; mend its owner or mode.",
            f"当前用户无权写入 {folder}；请检查属主和权限。",
        )


# -- PostgreSQL ----------------------------------------------------------------------------------
def _postgresql(url: URL, environment: Mapping[str, str]) -> Iterator[Wrong]:
    hosts = _hosts(url) or [host for host in environment.get("PGHOST", "").split(",") if host]
    if any("@" in host for host in hosts):
        yield Wrong(f"has more than one @; {_ENCODE[0]}.", f"含有多个 @；{_ENCODE[1]}。")
        return
    if not all(port.isdecimal() and 0 < int(port) < 65536 for port in _ports(url)):
        yield Wrong("names a port that is none; write 1 to 65535.", "中的端口无效；请写 1 至 65535。")
    for key in url.query:
        if key not in _ASYNCPG:
            yield _option(key)
    yield from _one_of(url, "ssl", _SSL)
    yield from _one_of(url, "target_session_attrs", _SESSION)
    wanted = _text(url, "target_session_attrs") or environment.get("PGTARGETSESSIONATTRS", "any")
    if wanted in _WRITABLE or wanted not in _SESSION:
        return
    if len(hosts) > 1:
        yield _several(hosts, _ports(url))
    elif wanted != "any":
        yield Wrong(
            f"asks for a server that is {wanted}; the hotline writes: use primary, or leave it out.",
            f"要求 {wanted} 服务器；热线需要写入：请用 primary，或去掉该项。",
        )


def _option(key: str) -> Wrong:
    known = _ASYNCPG[5:]
    if key == "sslmode":
        return Wrong("has the option sslmode; asyncpg calls it ssl.", "中的选项 sslmode 应写作 ssl。")
    return Wrong(
        f"has an option that asyncpg does not take from a URL: {key}; there are: {', '.join(known)}.",
        f"中的选项 {key} 无法使用；可用的有：{'、'.join(known)}。",
    )


def _one_of(url: URL, key: str, allowed: Sequence[str]) -> Iterator[Wrong]:
    if key in url.query and _text(url, key) not in allowed:
        yield Wrong(
            f"has no usable {key}; write one of {', '.join(allowed)}.",
            f"中的 {key} 无效；请写 {'、'.join(allowed)} 之一。",
        )


def _text(url: URL, key: str) -> str:
    value = url.query.get(key, "")
    return value if isinstance(value, str) else ",".join(value)


def _hosts(url: URL) -> list[str]:
    words = _text(url, "host").split(",") if "host" in url.query else [url.host or ""]
    return [word.partition(":")[0] if word.count(":") == 1 else word for word in words if word]


def _ports(url: URL) -> list[str]:
    """Return every port, each as it is written."""
    if "port" in url.query:
        return _text(url, "port").split(",")
    words = [word.partition(":")[2] for word in _text(url, "host").split(",") if word.count(":") == 1]
    return words or ([str(url.port)] if url.port is not None else [])


def _several(hosts: Sequence[str], ports: Sequence[str]) -> Wrong:
    given = list(ports) if len(ports) == len(hosts) else (list(ports) or ["5432"])[:1] * len(hosts)
    query = "&".join(f"host={host}:{port}" for host, port in zip(hosts, given, strict=True))
    right = f"postgresql+asyncpg://USER:PASSWORD@/DATABASE?{query}&target_session_attrs=primary"
    return Wrong(
        f"names several servers, one of which may only be read; write {right}.",
        f"写了多台服务器，其中可能有只读的；请写 {right}。",
    )
