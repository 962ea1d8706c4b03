"""The two that are compared under load: the whole hotline, and a bare dialplan on the same Asterisk."""

from __future__ import annotations

import contextlib
import random
import socket
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from ivr.asterisk.install.instance import Instance
from ivr.asterisk.install.rendering import MODULES, render
from ivr.home.secrets import open_keys
from ivr.home.settings import Settings
from ivr.home.settings import load as load_settings
from ivr.hotline.files.reading import load as load_book
from ivr.rollout import staging as deployment
from ivr.speech.prompts import SHIPPED, PromptBook
from tests.asterisk.hotline import Hotline, free_tcp_port, running
from tools.phones import Phones, free_udp_port

BARE_DIALPLAN = """\
[ivr-from-trunk]
exten => _X!,1,Answer(0,i)
 same => n,Playback({greeting})
 same => n,Queue({queue},c)
 same => n,Hangup()

[ivr-from-110]
exten => _X!,1,Hangup()

[ivr-from-seat]
exten => _X!,1,Hangup()
"""


@dataclass
class Subject:
    """One of the two: its phones, its processes by name, its Asterisk."""

    name: str
    phones: Phones
    processes: dict[str, list[psutil.Process]]
    asterisk: Instance

    def calls_processed(self) -> int:
        """Return how many calls Asterisk says it has had."""
        for line in self.asterisk.command("core show calls").splitlines():
            if "processed" in line:
                return int(line.split()[0])
        return -1


GREETINGS_S = {"two-second": 2.0, "half-second": 0.5, "shipped": 60.0}
"""How much of the shipped greeting is played, at most, by the name of the scenario."""


def greet_with(config: Path, scenario: str) -> float:
    """Make both instances greet with the beginning of the shipped greeting; return its seconds.

    Both play the file of the hotline's own configuration, which is opened anew for each call.
    """
    own = config / "prompts/P001.wav"
    with wave.open(str(SHIPPED / "zh/P001.wav")) as shipped:
        frames = min(shipped.getnframes(), int(GREETINGS_S[scenario] * shipped.getframerate()))
        shape, sound = shipped.getparams(), shipped.readframes(frames)
    with wave.open(str(own), "wb") as played:
        played.setparams(shape)
        played.writeframes(sound)
    return float(frames / shape.framerate)


def wide_rtp(width: int = 8000) -> str:
    """Return a block of free RTP ports for some thousand calls, away from the kernel's own."""
    while True:
        first = random.randrange(10000, 32000 - width, 2)
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", first))
            return f"{first}-{first + width}"


@contextlib.contextmanager
def whole(folder: Path, **extra: str) -> Iterator[tuple[Hotline, Subject]]:
    """Run the whole hotline with a greeting of its own; stopped at the end, whatever happens."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {"IVR_RTP_PORTS": wide_rtp(), "IVR_DATABASE_URL": "", **extra}
    with running(folder, quick=True, prepare=lambda _: None, **environment) as hotline:
        settings = load_settings(home=hotline.home)
        installation = deployment.find_asterisk(settings, lambda _: None)
        instance = Instance(installation, settings.asterisk_home, settings.run)
        yield hotline, Subject("hotline", hotline.phones, _named(hotline), instance)


def _named(hotline: Hotline) -> dict[str, list[psutil.Process]]:
    """Sort an instance's processes by what they do."""
    named: dict[str, list[psutil.Process]] = {"Asterisk": [], "engine": [], "supervisor": [], "speech": []}
    for process in hotline.processes():
        words = " ".join(process.cmdline())
        for mark, name in (
            ("ivr.engine.serve", "engine"),
            ("ivr.engine.supervisor", "supervisor"),
            ("ivr.speech", "speech"),
            ("asterisk.conf", "Asterisk"),
        ):
            if mark in words:
                named[name].append(process)
                break
    return named


@contextlib.contextmanager
def bare(folder: Path, config: Path) -> Iterator[Subject]:
    """Run Asterisk alone with the bare dialplan; stopped at the end, whatever happens.

    Args:
        folder: for its files.
        config: the hotline's configuration folder, for the same greeting, queues and trunk.
    """
    home = folder / "home"
    settings = load_settings(
        home=home,
        config=config,
        recordings=folder / "recordings",
        sip_port=free_udp_port(),
        ami_port=free_tcp_port(),
        agi_port=free_tcp_port(),
        rtp_ports=wide_rtp(),
    )
    instance = _laid_out(settings.asterisk_home, settings)
    phones = Phones(settings.sip_port, folder / "phones")
    try:
        pid = instance.start()
        instance.wait_booted()
        instance.check_ports({settings.sip_port}, set())
        yield Subject("bare dialplan", phones, {"Asterisk": [psutil.Process(pid)]}, instance)
    finally:
        phones.close()
        instance.stop()


def _laid_out(home: Path, settings: Settings) -> Instance:
    """Render our configuration and take out of it what a bare dialplan does not have."""
    settings.home.mkdir(parents=True, exist_ok=True)
    book = load_book(settings.config)
    keys = open_keys(settings.home, deployment.sip_users(book), [person.number for person in book.operators])
    installation = deployment.find_asterisk(settings, lambda line: print(line, flush=True))
    instance = deployment.instance_of(settings, installation)
    etc = home / "etc"
    modules = installation.modules
    places = {
        "home": instance.home,
        "run": instance.run,
        "modules": modules,
        "module_names": [name for name in MODULES if (modules / f"{name}.so").exists()],
    }
    values = deployment.context(settings, book, keys, places)
    render(deployment.TEMPLATES, etc, values)
    greeting = PromptBook(settings.config / "prompts").recording(book.greeting).with_suffix("")
    dialplan = BARE_DIALPLAN.format(greeting=greeting, queue=book.general_queue.id)
    (etc / "ivr12345/extensions.conf").write_text(dialplan)
    (etc / "cdr.conf").write_text("[general]\nenable = no\n")
    (etc / "cel.conf").write_text("[general]\nenable = no\n")
    manager = (etc / "manager.conf").read_text().replace("enabled = yes", "enabled = no")
    (etc / "manager.conf").write_text(manager)
    return instance
