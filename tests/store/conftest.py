"""A private PostgreSQL for these tests, and an empty database of either kind for each of them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil
import pytest

from ivr.store import limits
from ivr.store.store import Store
from ivr.tickets.numbers import take
from tests.watcher import watched

REGION = "511100"
_OPTIONS = ("listen_addresses=", "fsync=off", "shared_buffers=16MB", "max_connections=30", "autovacuum=off")


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine makes a database slow; only the tests of one that is away are in a hurry."""
    monkeypatch.setattr(limits, "ANSWER_S", 60.0)


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL that listens on a Unix socket in ``folder`` only."""

    folder: Path
    process: subprocess.Popen[bytes]

    def url(self, database: str) -> str:
        return f"postgresql+asyncpg://ivr@/{database}?host={self.folder}"

    async def execute(self, statement: str) -> None:
        connection = await asyncpg.connect(user="ivr", database="postgres", host=str(self.folder))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop every process of the server: it answers nothing and refuses nothing."""
        root = psutil.Process(self.process.pid)
        stopped = [root]
        root.suspend()  # first: it would start more
        for child in root.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.suspend()
                stopped.append(child)
        try:
            yield
        finally:
            for process in stopped:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()

    def folder_for_server(self, path: Path) -> Path:
        """Give a folder to the user the server runs as."""
        owner = (self.folder / "data").stat()
        os.chown(path, owner.st_uid, owner.st_gid)
        return path


def _binaries() -> Path | None:
    """The folder with initdb and postgres: on the path, else the newest that Debian installed."""
    found = shutil.which("postgres")
    folders = [Path(found).parent] if found else []
    folders += sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name), reverse=True
    )
    return next((f for f in folders if (f / "initdb").exists() and (f / "postgres").exists()), None)


def _as_a_user(folder: Path) -> list[str]:
    """What must stand before a command: PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return []
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        os.chown(folder, user.pw_uid, user.pw_gid)
        if shutil.which("setpriv"):
            return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        if shutil.which("runuser"):
            return ["runuser", "-u", name, "--"]
    pytest.skip("PostgreSQL does not run as root, and there is no other user to run it as")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    binaries = _binaries()
    if binaries is None:
        pytest.skip("there is no PostgreSQL on this machine (Debian: apt-get install postgresql)")
    # directly under /tmp: a socket's path is short, and another user may reach it
    folder = Path(tempfile.mkdtemp(prefix="ivr-pg-", dir="/tmp"))
    try:
        user = _as_a_user(folder)
        data, log = folder / "data", folder / "log"
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}
        subprocess.run(
            [
                *user,
                str(binaries / "initdb"),
                "-D",
                str(data),
                "-U",
                "ivr",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "-N",
            ],
            check=True,
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        options = [word for option in _OPTIONS for word in ("-c", option)]
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*user, str(binaries / "postgres"), "-D", str(data), "-k", str(folder), *options],
                cwd=folder,
                env=environment,
                stdout=out,
                stderr=out,
            )
        server = Server(folder, process)
        try:
            with watched(folder):
                _wait_until_it_answers(server, log)
                yield server
        finally:
            process.send_signal(signal.SIGQUIT)  # at once: nothing in it is worth keeping
            process.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_it_answers(server: Server, log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            asyncio.run(server.execute("SELECT 1"))
            return
        except (OSError, asyncpg.PostgresError):
            if server.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"PostgreSQL did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 MB."""
    yield from disk_of(12, tmp_path)


def disk_of(mega: int, beside: Path) -> Iterator[Path]:
    """Mount a small disk, and take it away."""
    folder = beside / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mega}m,mode=700", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small disk needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(disk: Path) -> Path:
    """Take all space that is left."""
    others = disk / "others"
    with contextlib.suppress(OSError), others.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return others


_numbers = itertools.count()


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'hotline.sqlite3'}"
        return
    server: Server = await asyncio.to_thread(request.getfixturevalue, "postgresql")
    name = f"hotline_{next(_numbers)}"
    await server.execute(f"CREATE DATABASE {name}")
    yield server.url(name)  # it goes with the server: dropping it would only wait for a checkpoint


OpenStore = Callable[..., Awaitable[Store]]


@pytest.fixture
async def open_store(url: str) -> AsyncIterator[OpenStore]:
    """Opens stores on the test's database, and closes them."""
    opened: list[Store] = []

    async def make(
        *, fresh: bool = True, tell: Callable[[Mapping[str, str]], object] = lambda _: None
    ) -> Store:
        store = Store(url, REGION, take, tell_numbers=tell)
        opened.append(store)
        if fresh:
            await store.open()
        return store

    yield make
    for store in opened:
        await store.close()


@pytest.fixture
async def store(open_store: OpenStore) -> Store:
    return await open_store()
