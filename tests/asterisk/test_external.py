"""The city runs its own Asterisk; the hotline attaches to it and survives a cut line."""

from __future__ import annotations

import contextlib
import selectors
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr import deployment
from ivr.asterisk.instance import Instance
from ivr.asterisk.rendering import render
from ivr.hotline.files import load as load_book
from ivr.keys import open_keys
from ivr.settings import load as load_settings
from tests.asterisk.hotline import Hotline, free_tcp_port, wait_for

pytestmark = pytest.mark.asterisk


class CutLine:
    """A TCP line to a port that can be cut: nothing passes, nothing is closed, new calls hang."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._cut = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def cut(self, seconds: float) -> None:
        """Cut the line for a while."""
        self._cut.set()
        time.sleep(seconds)
        self._cut.clear()

    def close(self) -> None:
        """End."""
        self._over.set()
        self._thread.join(5)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]

    def _run(self) -> None:
        while not self._over.is_set():
            if self._cut.is_set():
                time.sleep(0.05)
                continue
            for key, _ in self._selector.select(0.05):
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._pass(key)

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        try:
            far = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            near.close()
            return
        self._selector.register(near, selectors.EVENT_READ, far)
        self._selector.register(far, selectors.EVENT_READ, near)

    def _pass(self, key: selectors.SelectorKey) -> None:
        near: socket.socket = key.fileobj  # type: ignore[assignment]
        far: socket.socket = key.data
        try:
            data = near.recv(65536)
            if data:
                far.sendall(data)
                return
        except OSError:
            pass
        for end in (near, far):
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(end)
            end.close()


def city_asterisk(folder: Path, sip_port: int, ami_port: int) -> Instance:
    """Lay out an Asterisk that knows nothing of us, with transports, a manager and its own modules."""
    settings = load_settings(
        home=folder / "unused", sip_port=sip_port, ami_port=ami_port, rtp_ports="33000-33400"
    )
    installation = deployment.find_asterisk(settings, print)
    city = Instance(installation, folder / "city", folder / "city-run")
    book = load_book(settings.config)
    keys = open_keys(settings.home, deployment.sip_users(book), [])
    values = deployment.context(settings, book, keys, deployment._folders(city))
    render(deployment.TEMPLATES, city.home / "etc", values)
    shutil.rmtree(city.home / "etc/ivr12345")
    for path in (city.home / "etc").glob("*.conf"):
        lines = [line for line in path.read_text().splitlines() if not line.startswith("#include ivr12345")]
        path.write_text("\n".join(lines) + "\n")
    (city.home / "etc/cel.conf").write_text("[general]\nenable = no\n")
    return city


@pytest.fixture
def attached(tmp_path: Path) -> Iterator[tuple[Hotline, CutLine, Instance]]:
    """A hotline attached to a city's Asterisk over a line that can be cut."""
    ami_port = free_tcp_port()
    line = CutLine(ami_port)
    hotline = Hotline(
        tmp_path, quick=True, IVR_ASTERISK="external", IVR_AMI_PORT=str(line.port),
        IVR_ASTERISK_LOGS=str(tmp_path / "city/log"),
    )  # fmt: skip
    city = city_asterisk(tmp_path, hotline.sip_port, ami_port)
    try:
        printed = hotline.run("asterisk", "include")
        assert "#include" in printed.stdout, printed.stderr
        done = hotline.run("asterisk", "include", "--install", str(city.home / "etc"))
        assert done.returncode == 0, done.stderr
        before = {path.name: path.read_text() for path in (city.home / "etc").glob("*.conf")}
        hotline.run("asterisk", "include", "--install", str(city.home / "etc"))
        assert before == {path.name: path.read_text() for path in (city.home / "etc").glob("*.conf")}
        city.start()
        city.wait_booted()
        hotline.up()
        yield hotline, line, city
    finally:
        hotline.down()
        city.stop()
        line.close()


def test_a_minute_without_the_manager_under_load_loses_no_ticket(
    attached: tuple[Hotline, CutLine, Instance],
) -> None:
    hotline, line, _ = attached
    assert hotline.parts()["asterisk"]["state"] == "live"
    sitting = {f"{n:02}": f"10{n:02}" for n in range(1, 7)}
    for seat, operator in sitting.items():
        hotline.man(seat, operator, ring_ms=0)
    calls = hotline.phones.caller(number="134[call_number]0000", after_ms=4000, calls=350, rate=5)
    time.sleep(4)
    line.cut(60)
    assert calls.wait(60) == 0, calls.errors()
    hotline.wait_live(30)
    wait_for(
        lambda: len(hotline.tickets()) == 350 and all(t["outcome"] for t in hotline.tickets()),
        40,
        hotline.logs(),
    )
    tickets = hotline.tickets()
    assert len({ticket["call_id"] for ticket in tickets}) == 350
    answered = [ticket for ticket in tickets if ticket["outcome"] == "answered"]
    assert len(answered) >= 15, "the seats answered all the while"
    assert all(sitting[ticket["seat"]] == ticket["operator"] for ticket in answered)
    rows = hotline.engine("seats")
    assert {row["seat"]: row["operator"] for row in rows if row["operator"]} == sitting


def test_a_change_reaches_the_city_s_asterisk_without_a_restart(
    attached: tuple[Hotline, CutLine, Instance],
) -> None:
    hotline, _, city = attached
    waiting = hotline.phones.caller(number="15400008001", after_ms=60_000)
    wait_for(lambda: hotline.waiting() == 1, 20, hotline.logs())
    config = Path(hotline.environment["IVR_CONFIG"])
    with (config / "queues.yaml").open("a", encoding="utf-8") as file:
        file.write("  - {id: q_townhall, name: 新队列, strategy: random}\n")
    done = hotline.run("apply")
    assert done.returncode == 0, done.stderr
    assert "'random' strategy" in city.command("queue show q_townhall")
    assert hotline.waiting() == 1
    assert waiting.process.poll() is None
    pid = city.pid()
    done = hotline.run("apply", "--undo")
    assert done.returncode == 0, done.stderr
    assert "q_townhall" not in city.command("queue show")

    # a city's Asterisk that includes our files no more is not called changed
    waiting.stop()
    city.command("channel request hangup all")
    queues = city.home / "etc/queues.conf"
    text = queues.read_text()
    queues.write_text("\n".join(row for row in text.splitlines() if not row.startswith("#include")) + "\n")
    with (config / "queues.yaml").open("a", encoding="utf-8") as file:
        file.write("  - {id: q_later, name: 新队列}\n")
    done = hotline.run("apply")
    assert done.returncode == 1
    assert "is absent" in done.stderr
    queues.write_text(text)
    assert city.pid() == pid
