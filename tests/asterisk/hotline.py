"""A whole hotline for a test: its own state folder, ports, Asterisk, engine and phones."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import wave
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import psutil

from ivr.api import socket as control
from ivr.api.views import Views
from ivr.asterisk.install.lint import free_port
from ivr.errors import HotlineError
from ivr.events.event import Event
from ivr.events.payloads.reading import faults
from ivr.home.settings import load as load_settings
from ivr.rollout import staging as deployment
from ivr.store.causes import StoreAway
from ivr.store.store import Store
from ivr.tickets.numbers import take
from tests.watcher import watch
from tools.phones import Phones, free_udp_port
from tools.phones.patience import PATIENCE_S

T = TypeVar("T")
IVR = Path(sys.executable).with_name("ivr")
PROJECT = Path(__file__).resolve().parents[2]
SPEECH = PROJECT / "tests/data/speech"


def free_tcp_port() -> int:
    """Return a TCP port nobody holds right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def rtp_range(width: int = 800) -> str:
    """Return a block of ports for RTP, room for some 250 callers, away from the ports the kernel gives out."""
    first = random.randrange(10000, 32000 - width, 2)
    return f"{first}-{first + width}"


def wait_for(
    what: Callable[[], T | None], limit_s: float = PATIENCE_S, why: str | Callable[[], str] = ""
) -> T:
    """Wait until ``what`` returns something true; ``why`` is asked only if it does not.

    An engine that is being started again, or a database that is slow, is asked again.
    """
    deadline = time.monotonic() + limit_s
    while True:
        try:
            found, fault = what(), ""
        except HotlineError as error:
            if not error.retry:
                raise
            found, fault = None, f" ({error.sentence})"
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {limit_s} s: {(why() if callable(why) else why) or what}{fault}"
            )
        time.sleep(0.05)


def quick_city(folder: Path, greeting_s: float = 0.5) -> Path:
    """Return a configuration with a greeting of its own, short: tests have no time for courtesy."""
    config = folder / "queues"
    shutil.copytree(PROJECT / "queues", config)
    queues = (config / "queues.yaml").read_text(encoding="utf-8")  # ... nor for wrapping up
    queues = re.sub(r"(?m)^    wrap_up_s:.*$", "", queues).replace("    name:", "    wrap_up_s: 0\n    name:")
    (config / "queues.yaml").write_text(queues, encoding="utf-8")
    (config / "prompts").mkdir(exist_ok=True)
    with wave.open(str(config / "prompts/P001.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\x00\x10\x00\xf0" * int(4000 * greeting_s))
    return config


class Hotline:
    """One instance under a folder; ``extra`` are more settings."""

    program = IVR

    def __init__(self, folder: Path, *, quick: bool = False, **extra: str) -> None:
        self.folder = folder
        config = quick_city(folder) if quick else PROJECT / "queues"
        self.home = folder / "home"
        self.recordings = folder / "recordings"
        self.sip_port = free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("IVR_")},
            "IVR_HOME": str(self.home),
            "IVR_CONFIG": str(config),
            "IVR_RECORDINGS": str(self.recordings),
            "IVR_SIP_PORT": str(self.sip_port),
            "IVR_AMI_PORT": str(free_tcp_port()),
            "IVR_AGI_PORT": str(free_tcp_port()),
            "IVR_RTP_PORTS": rtp_range(),
            "IVR_LANGUAGE": "en",
            "IVR_STRICT_RTP": "yes",  # as on a network: phones of other tests may have had the same port
            "IVR_SURVEY": "no",  # most tests end a call when the operator does
            **extra,
        }
        self.phones = Phones(self.sip_port, folder / "phones")
        self._watcher: subprocess.Popen[bytes] | None = None

    # -- the command ---------------------------------------------------------------------------
    def run(self, *words: str, timeout_s: float = 180.0) -> subprocess.CompletedProcess[str]:
        """Run ``ivr`` with these words."""
        if words[:1] == ("up",):
            self.watch()
        return subprocess.run(
            [str(self.program), *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            cwd=self.folder,
            check=False,
        )

    def watch(self) -> None:
        """Have everything ended that runs here should the test's process be killed."""
        if self._watcher is None:
            self._watcher = watch(self.folder)

    def ask(self, *words: str) -> Any:
        """Run ``ivr … --json`` and return the document."""
        done = self.run(*words, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def up(self) -> None:
        """Start and wait until all parts are live."""
        done = self.run("up", "--detach")
        assert done.returncode == 0, done.stderr + self.logs()

    def down(self) -> None:
        """Stop everything and leave nothing running."""
        self.phones.close()
        self.run("down")
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.wait()
            self._watcher = None

    def processes(self) -> list[psutil.Process]:
        """Return every process that still belongs to this instance."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                if process.environ().get("IVR_HOME") == str(self.home) or str(self.home) in " ".join(
                    process.cmdline()
                ):
                    found.append(process)
        return found

    def cli(self, line: str) -> str:
        """Run a command of this instance's Asterisk."""
        settings = load_settings(home=self.home)
        installation = deployment.find_asterisk(settings, print)
        return deployment.instance_of(settings, installation).command(line)

    def logs(self) -> str:
        """Return the ends of all logs."""
        texts = []
        for path in [*sorted(self.home.glob("log/*")), self.home / "asterisk/log/messages.log"]:
            if path.is_file():
                texts.append(f"== {path.name}\n{path.read_text(errors='replace')[-3000:]}")
        return "\n".join(texts)

    # -- parts ---------------------------------------------------------------------------------
    def parts(self) -> dict[str, dict[str, Any]]:
        """Return ``ivr status``."""
        parts: dict[str, dict[str, Any]] = self.ask("status")["parts"]
        return parts

    def pid(self, part: str) -> int:
        """Return a part's process id."""
        pid = self.parts()[part]["pid"]
        assert isinstance(pid, int), f"{part} does not run"
        return pid

    def kill(self, part: str, number: int = signal.SIGKILL) -> int:
        """Send a part's process a signal."""
        pid = self.pid(part)
        os.kill(pid, number)
        return pid

    def wait_live(self, limit_s: float = PATIENCE_S) -> None:
        """Wait until all parts are live again."""
        wait_for(
            lambda: self.run("status").returncode == 0,
            limit_s,
            lambda: "all parts live" + self.logs()[-2000:],
        )

    # -- people --------------------------------------------------------------------------------
    def man(self, seat: str = "01", operator: str = "1001", **phone: Any) -> int:
        """Put a phone and an operator on a seat; return the phone's port."""
        entry = next(row for row in self.engine("seats") if row["seat"] == seat)
        password = json.loads((self.home / "secrets.json").read_text())["sip"][entry["username"]]
        port = free_udp_port()
        self.phones.register({entry["username"]: password}, {entry["username"]: port})
        self.phones.seat(port, **phone)
        if entry["operator"] is None:
            self.engine("login", seat=seat, operator=operator)
        return port

    def unman(self, seat: str = "01") -> None:
        """Log the operator out."""
        self.engine("logout", seat=seat)

    # -- what was written ----------------------------------------------------------------------
    def stored(self, work: Callable[[Store, Views], Awaitable[T]]) -> T:
        """Read the database as the command does, without the time a process takes to start."""
        url = self.environment.get("IVR_DATABASE_URL") or f"sqlite+aiosqlite:///{self.home}/hotline.sqlite3"

        async def run() -> T:
            store = Store(url, "511100", take, read_only=True)
            try:
                return await work(store, Views(ZoneInfo("Asia/Shanghai"), self.recordings))
            finally:
                await store.close()

        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return asyncio.run(run())
            except StoreAway:  # a busy machine makes a database slow
                if time.monotonic() > deadline:
                    raise

    def tickets(self) -> list[dict[str, Any]]:
        """Return all tickets, as ``ivr tickets list --json`` does."""

        async def work(store: Store, views: Views) -> list[dict[str, Any]]:
            rows = await store.tickets()
            events = await store.events([row["call_id"] for row in rows])
            return [views.ticket(row, events[row["call_id"]]) for row in rows]

        return self.stored(work)

    def journal(self, stream: str = "") -> list[dict[str, Any]]:
        """Return what was journalled so far, of one stream or of all; a line being written is left out."""
        lines = b"".join(path.read_bytes() for path in sorted((self.home / "journal").iterdir())).split(b"\n")
        whole = [json.loads(line) for line in lines if line.strip().endswith(b"}")]
        events = [line for line in whole if line["kind"] != "ticket_numbers"]
        return [event for event in events if stream in ("", event["stream"])]

    def uncatalogued(self) -> list[str]:
        """Return what is wrong with the events that were journalled, by ``ivr/events/payloads``."""
        found: list[str] = []
        for path in sorted((self.home / "journal").glob("*")):
            for line in path.read_bytes().splitlines() if path.is_file() else ():
                with contextlib.suppress(ValueError):  # a line that was cut, or numbers of tickets
                    found += faults(Event.from_line(line))
        return sorted(set(found))

    def journal_of(self, number: str) -> list[dict[str, Any]]:
        """Return the events of the newest call of a caller, as the journal has them."""

        async def work(store: Store, _: Views) -> list[str]:
            return [row["call_id"] for row in await store.calls() if row["caller_mask"].endswith(number[-4:])]

        calls = self.stored(work)
        return self.journal(calls[0]) if calls else []

    def engine(self, what: str, **values: Any) -> Any:
        """Ask the running engine, as the command does."""
        run = Path(self.environment["IVR_HOME"]) / "run"
        return control.ask(run, what, **values)

    def ticket_of(self, number: str, limit_s: float = PATIENCE_S) -> dict[str, Any]:
        """Wait for the finished ticket of a caller, known by the last four digits."""

        def finished() -> dict[str, Any] | None:
            for ticket in self.tickets():
                if ticket["caller"].endswith(number[-4:]) and ticket["outcome"]:
                    return ticket
            return None

        return wait_for(finished, limit_s, lambda: f"a finished ticket of {number}\n{self.logs()}")

    def transcribed(self, number: str, limit_s: float = PATIENCE_S) -> dict[str, Any]:
        """Wait for the ticket of a caller with its transcript settled."""

        def settled() -> dict[str, Any] | None:
            ticket = self.ticket_of(number)
            return ticket if ticket["transcript"]["status"] in ("done", "failed") else None

        return wait_for(settled, limit_s, lambda: f"a transcript for {number}\n{self.logs()}")

    def waiting(self) -> int:
        """Return how many callers wait in the general queue."""
        count: int = self.engine("queues")[0]["waiting"]
        return count

    def call_state(self, number: str) -> str | None:
        """Return the state of the newest call of a caller."""

        async def work(store: Store, _: Views) -> list[dict[str, Any]]:
            return await store.calls()

        rows = self.stored(work)
        return next((str(row["state"]) for row in rows if row["caller_mask"].endswith(number[-4:])), None)


@contextlib.contextmanager
def running(
    folder: Path,
    *,
    quick: bool = False,
    prepare: Callable[[Hotline], None] = lambda _: None,
    **extra: str,
) -> Iterator[Hotline]:
    """Run a hotline and leave nothing behind; ``prepare`` may change its files before the start."""
    hotline = Hotline(folder, quick=quick, **extra)
    try:
        prepare(hotline)
        hotline.up()
        yield hotline
        wrong = hotline.uncatalogued()
        assert not wrong, f"the journal says what the catalogue of events does not know: {wrong}"
    finally:
        hotline.down()
        left = hotline.processes()
        shutil.rmtree(hotline.recordings, ignore_errors=True)
        assert not left, f"still running: {left}"
