"""A city's own Asterisk, and the line to its manager, which a test can cut or make lie."""

from __future__ import annotations

import contextlib
import selectors
import shutil
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ivr.asterisk.install.instance import Instance
from ivr.asterisk.install.rendering import render
from ivr.home.secrets import open_keys
from ivr.home.settings import load as load_settings
from ivr.hotline.files.reading import load as load_book
from ivr.rollout import staging as deployment
from tests.asterisk.hotline import Hotline, free_tcp_port

_END = b"\r\n\r\n"


class CutLine:
    """A TCP line to a manager that can be cut: nothing passes, nothing is closed, new calls hang.

    Actions can also be done away with one by one: ``lie`` answers in Asterisk's place that all is
    well, ``break_at`` closes the line in place of an action.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._cut = threading.Event()
        self._over = threading.Event()
        self._lies: Counter[str] = Counter()
        self._break_at = ""
        self._halves: dict[socket.socket, bytes] = {}
        self.seen: Counter[str] = Counter()
        """How often each action came by."""
        self.lied: Counter[str] = Counter()
        """How often each action was answered and not passed on."""
        self.broken = threading.Event()
        """Set once the line was closed in place of an action."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def cut(self, seconds: float) -> None:
        """Cut the line for a while."""
        self._cut.set()
        time.sleep(seconds)
        self._cut.clear()

    def lie(self, action: str, times: int = 1) -> None:
        """Answer an action with success and do nothing, so often."""
        self._lies[action] = times

    def break_at(self, action: str) -> None:
        """Close the line in place of the next such action."""
        self.broken.clear()
        self._break_at = action

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
        self._selector.register(near, selectors.EVENT_READ, (far, True))
        self._selector.register(far, selectors.EVENT_READ, (near, False))

    def _pass(self, key: selectors.SelectorKey) -> None:
        near: socket.socket = key.fileobj  # type: ignore[assignment]
        far, asks = key.data
        try:
            data = near.recv(65536)
            if data and (not asks or self._ask(near, far, data)):
                if not asks:
                    far.sendall(data)
                return
        except OSError:
            pass
        for end in (near, far):
            self._halves.pop(end, None)
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(end)
            end.close()

    def _ask(self, near: socket.socket, far: socket.socket, data: bytes) -> bool:
        """Pass whole actions on; return whether the line still stands."""
        *whole, rest = (self._halves.get(near, b"") + data).split(_END)
        self._halves[near] = rest
        for action in whole:
            headers = dict(line.split(": ", 1) for line in action.decode().split("\r\n") if ": " in line)
            name = headers.get("Action", "")
            self.seen[name] += 1
            if name == self._break_at:
                self._break_at = ""
                self.broken.set()
                return False
            if self._lies[name] > 0:
                self._lies[name] -= 1
                self.lied[name] += 1
                said = f"Response: Success\r\nActionID: {headers.get('ActionID', '')}\r\nMessage: {name} successfully queued"
                near.sendall(said.encode() + _END)
            else:
                far.sendall(action + _END)
        return True


def city_asterisk(folder: Path, sip_port: int, ami_port: int, rtp_ports: str = "33000-33400") -> Instance:
    """Lay out an Asterisk that knows nothing of us, with transports, a manager and its own modules."""
    settings = load_settings(
        home=folder / "unused", sip_port=sip_port, ami_port=ami_port, rtp_ports=rtp_ports
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


@contextlib.contextmanager
def attached_to_a_city(folder: Path, **settings: str) -> Iterator[tuple[Hotline, CutLine, Instance]]:
    """Run a hotline attached to a city's Asterisk over a line that can be cut; leave nothing behind."""
    ami_port = free_tcp_port()
    line = CutLine(ami_port)
    hotline = Hotline(
        folder, quick="IVR_CONFIG" not in settings, IVR_ASTERISK="external", IVR_AMI_PORT=str(line.port),
        IVR_ASTERISK_LOGS=str(folder / "city/log"), **settings,
    )  # fmt: skip
    city = city_asterisk(folder, hotline.sip_port, ami_port, hotline.environment["IVR_RTP_PORTS"])
    try:
        done = hotline.run("asterisk", "include", "--install", str(city.home / "etc"))
        assert done.returncode == 0, done.stderr
        city.start()
        city.wait_booted()
        hotline.up()
        yield hotline, line, city
    finally:
        hotline.down()
        city.stop()
        line.close()
