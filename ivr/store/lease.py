"""One engine a database: who may write into it now, and until when.

Two engines on one database would close each other's calls and seat two operators on one seat.  The owner
renews a row of the table ``leases``; the time in it is the database's own, so that no two machines' clocks
are compared.  Beside it a file is locked, which the system lets go of when the engine dies: an engine that
was killed starts again at once.  With SQLite that file lies beside the database and decides alone.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import HotlineError
from ivr.events.event import FIRST_NODE
from ivr.store import tables as t

LEASE_S = 15.0
"""Seconds after its last sign for which an owner counts as alive."""
_NAME = "engine"
_CLOCKS = {
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) AS double precision)",
}
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class LeaseHeld(HotlineError):
    """Another engine writes into this database."""

    code = "database_taken"


class LeaseLost(LeaseHeld):
    """Another engine took the database over while we did not answer."""

    code = "database_lost"
    retry = True


class LeaseWaits(HotlineError):
    """It must first be found out whether the database is still ours."""

    code = "database_waits"
    retry = True


class FileLock:
    """A file that one process at a time holds, for as long as it lives.

    Args:
        path: the file; made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Take it, or keep it; tell whether it is ours.

        Raises:
            LeaseWaits: the file cannot be made or opened.
        """
        if self._descriptor is not None and self._is_there(self._descriptor):
            return True
        self.release()
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            cause = error.strerror or str(error)
            raise LeaseWaits(
                f"{self._path} cannot be locked ({cause}); it is tried again.",
                f"无法锁定 {self._path}（{cause}）；将自动重试。",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def _is_there(self, descriptor: int) -> bool:
        """Tell whether what we hold is what others find: somebody may have tidied up."""
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except OSError:
            return False

    def release(self) -> None:
        """Let go of it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def identity(self) -> str:
        """Which file it is, on which machine, since which boot: a copy of the folder has another."""
        try:
            found = self._path.stat()
            return f"{_BOOT.read_text().strip()}:{found.st_dev}:{found.st_ino}"
        except OSError:
            return ""


@dataclass
class Claim:
    """An engine's claim to a database.

    Args:
        instance: the id of the hotline; a copied state folder has the same.
        home: the state folder.
        database_file: SQLite's file, None for a server.
        node: the machine of the hotline; each node has a lease of its own.
    """

    instance: str
    home: Path
    database_file: Path | None = None
    node: str = FIRST_NODE
    token: str = field(default_factory=lambda: secrets.token_hex(12))
    term: int | None = None
    """Counts owners; the number of ours, None before we had it."""

    def __post_init__(self) -> None:
        self._name = f"{_NAME}{_of_node(self.node)}"
        self._home_lock = FileLock(self.home / "engine.lock")
        self._file_lock = (
            FileLock(Path(f"{self.database_file.resolve()}{_of_node(self.node)}.lock"))
            if self.database_file
            else None
        )

    async def take(self, connection: AsyncConnection) -> None:
        """Take the lease or renew it, within a transaction.

        Raises:
            LeaseHeld: another engine has it.
            LeaseLost: another engine got it after us.
        """
        alone = self._home_lock.take()
        row = await _row(connection, self._name)
        ours = row is not None and row["token"] == self.token
        now = await _now(connection)
        if row is not None and not ours:
            if self.term is not None and row["term"] > self.term:
                raise self._lost(row)
            if self._lives(row, now, alone):
                raise self._refused(row)
        if self._file_lock is not None and not self._file_lock.take():
            raise self._refused(row)
        if not ours:
            self.term = max(row["term"] if row else 0, self.term or 0) + 1
        values = {
            "token": self.token,
            "term": self.term,
            "instance": self.instance,
            "host": socket.gethostname(),
            "home": str(self.home),
            "place": self._home_lock.identity,
            "pid": os.getpid(),
            "since": row["since"] if row is not None and ours else now,
            "until": now + LEASE_S,
        }
        if row is None:
            await connection.execute(sa.insert(t.leases).values(name=self._name, **values))
        else:
            await connection.execute(
                sa.update(t.leases).where(t.leases.c.name == self._name).values(**values)
            )

    async def require(self, connection: AsyncConnection) -> None:
        """Let the transaction go on only while the lease is ours; nobody takes it before the end of it.

        Raises:
            LeaseWaits: it is not; the next renewal finds out why.
        """
        query = sa.select(t.leases.c.token).where(t.leases.c.name == self._name).with_for_update(read=True)
        if await connection.scalar(query) != self.token:
            raise LeaseWaits(
                "the database is not ours at this moment: it is asked whether another engine has it.",
                "数据库此刻不属于本引擎：正在确认是否已被另一引擎接管。",
            )

    async def look(self, connection: AsyncConnection) -> None:
        """See whether another engine has the database, and change nothing.

        Raises:
            LeaseHeld: it does.
        """
        if not await connection.run_sync(lambda sync: sa.inspect(sync).has_table(t.leases.name)):
            return
        row = await _row(connection, self._name, lock=False)
        now = await _now(connection)
        if row is not None and row["token"] != self.token and self._lives(row, now, self._home_lock.take()):
            raise self._refused(row)

    async def give_back(self, connection: AsyncConnection) -> None:
        """Let go of the lease at once, for whoever comes next."""
        ours = (t.leases.c.name == self._name) & (t.leases.c.token == self.token)
        await connection.execute(sa.update(t.leases).where(ours).values(token="", until=0.0))

    def release(self) -> None:
        """Let go of the files."""
        self._home_lock.release()
        if self._file_lock is not None:
            self._file_lock.release()

    def _lives(self, row: dict[str, Any], now: float, alone: bool) -> bool:
        """Tell whether the owner of a row may still write."""
        if self._file_lock is not None:
            return not self._file_lock.take()
        before_us = alone and bool(row["place"]) and row["place"] == self._home_lock.identity
        return bool(row["token"]) and row["until"] > now and not before_us

    def _refused(self, row: dict[str, Any] | None) -> LeaseHeld:
        english, chinese = _who(row)
        again = ""
        if self._file_lock is None:
            again = f", or {LEASE_S:.0f} s after it died"
        return (LeaseHeld if self.term is None else LeaseLost)(
            f"this database belongs to another hotline that runs: {english}. Stop that one first{again}, "
            "set IVR_NODE to a node of its own if it is another machine of the same hotline, "
            "or IVR_DATABASE_URL to a database of its own.",
            f"该数据库正由另一热线使用：{chinese}。请先停止那一个"
            + (f"（若其已崩溃，{LEASE_S:.0f} 秒后即可启动）" if again else "")
            + "，若两台机器同属一个热线，请用 IVR_NODE 另设节点，否则用 IVR_DATABASE_URL 另设数据库。",
        )

    def _lost(self, row: dict[str, Any]) -> LeaseLost:
        english, chinese = _who(row)
        return LeaseLost(
            f"this engine did not answer for a while and another took its database over: {english}; it ends.",
            f"本引擎曾停顿，数据库已被另一引擎接管：{chinese}；本引擎即将退出。",
        )


def _of_node(node: str) -> str:
    """Return what tells a node's lease from the first one's, which hotlines on one machine have always had."""
    return "" if node == FIRST_NODE else f".{node}"


async def _now(connection: AsyncConnection) -> float:
    clock = sa.literal_column(_CLOCKS[connection.dialect.name], sa.Double)
    now: float = (await connection.execute(sa.select(clock))).scalar_one()
    return now


async def _row(connection: AsyncConnection, name: str, *, lock: bool = True) -> dict[str, Any] | None:
    query = sa.select(t.leases).where(t.leases.c.name == name)
    found = (await connection.execute(query.with_for_update() if lock else query)).mappings().first()
    return dict(found) if found is not None else None


def _who(row: dict[str, Any] | None) -> tuple[str, str]:
    """Return who an owner is, in both languages."""
    if row is None or not row["home"]:
        return "it has just been started", "刚刚启动"
    since = datetime.fromtimestamp(row["since"]).astimezone().isoformat(" ", "seconds")
    place = f"{row['home']} on {row['host']}"
    return (
        f"{place} (process {row['pid']}, since {since})",
        f"{row['host']} 上的 {row['home']}（进程 {row['pid']}，自 {since} 起）",
    )
