"""Turn settings, the hotline book and the secrets into Asterisk's files, and prove them.

A new configuration is rendered, linted and booted in a throwaway instance before the real one
sees it.  What was proved once is known by its hash and not proved again.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from ivr.asterisk import installation as installations
from ivr.asterisk import lint
from ivr.asterisk.instance import Instance
from ivr.asterisk.rendering import AMI_EVENTS, MODULES, render
from ivr.calls import announcements, callbacks
from ivr.hotline.book import HotlineBook
from ivr.hotline.files import load as load_book
from ivr.keys import Keys
from ivr.settings import Settings
from ivr.speech.numbers import write_numbers
from ivr.speech.prompts import PromptBook

PACKAGE = Path(__file__).resolve().parent
PROJECT = PACKAGE.parent
TEMPLATES = PROJECT / "asterisk_conf"
PROMPTS = PACKAGE / "speech/prompts"
AWAY_SCRIPT = PROJECT / "agi_scripts/reception_away.py"
PRIORITY_110 = 30
RECEPTION_LIMIT_S = 8

Progress = Callable[[str], None]


def greeting_path(settings: Settings, book: HotlineBook) -> Path:
    """Return the greeting without extension: the city's own recording, else the shipped one."""
    return prompt_path(settings, book.greeting)


def prompt_path(settings: Settings, name: str) -> Path:
    """Return a recording without extension: the city's own, else the shipped one."""
    own = settings.config / "prompts" / f"{name}.wav"
    return (own if own.exists() else PROMPTS / "zh" / f"{name}.wav").with_suffix("")


WAITING_PROMPTS = ("P012", "P021", "P022", "P023", "P042", "P062", "beep", *(f"S02{n}" for n in range(8)))
"""What Asterisk plays by itself to those who wait."""


def _waiting(settings: Settings, book: HotlineBook) -> dict[str, object]:
    """Return the values of what a caller lives through in a queue."""
    sounds = settings.asterisk_home / "data/sounds/zh"
    prompt = {name: prompt_path(settings, name) for name in WAITING_PROMPTS}
    prompt[announcements.SILENCE] = sounds / "silence"
    offered = callbacks.offered(book.trunks)
    return {
        "prompt": prompt,
        "callback_offered": offered,
        "survey": settings.survey,
        "priorities": book.priorities,
        "announce_every_s": announcements.EVERY_S,
        "announcements": {
            queue.id: announcements.slots(queue.callback_after_s, offered=offered) for queue in book.queues
        },
        "queue_gap": "",
    }


def context(
    settings: Settings, book: HotlineBook, keys: Keys, instance: Mapping[str, object]
) -> dict[str, object]:
    """Collect the values of all templates."""
    return {
        "system_name": keys.instance,  # several hotlines on one database: no two calls share an id
        "ami_bind": "127.0.0.1",
        "ami_port": settings.ami_port,
        "ami_user": settings.ami_user,
        "ami_secret": settings.ami_secret or keys.ami,
        "ami_permit": "",
        "ami_events": AMI_EVENTS,
        "bind": settings.bind,
        "sip_port": settings.sip_port,
        "media_address": "" if settings.bind in ("0.0.0.0", "::") else settings.bind,
        "rtp_first": settings.rtp_ports[0],
        "rtp_last": settings.rtp_ports[1],
        "agi_host": "127.0.0.1",
        "agi_key": keys.agi,
        "agi_port": settings.agi_port,
        "trunk_addresses": book.trunks.addresses,
        "from_110_username": book.trunks.from_110_username,
        "from_110_password": keys.sip[book.trunks.from_110_username],
        "priority_110": PRIORITY_110,
        "seats": [
            {
                "username": seat.username,
                "extension": seat.extension,
                "name": f"座席{seat.id}",
                "password": keys.sip[seat.username],
            }
            for seat in book.seats
        ],
        "queues": book.queues,
        "general_queue": book.general_queue.id,
        "number": book.number,
        "numbers": book.answered,
        "timezone": book.timezone,
        "recordings": settings.recordings,
        "moh": PROMPTS / "moh",
        "greeting": greeting_path(settings, book),
        "seat_failed": PROMPTS / "zh/S010",
        "reception_limit_s": RECEPTION_LIMIT_S,
        "away_script": settings.asterisk_home / "agi-bin/reception-away",
        **_waiting(settings, book),
        **instance,
    }


def sip_users(book: HotlineBook) -> list[str]:
    """Return every SIP user that needs a password."""
    return [*(seat.username for seat in book.seats), book.trunks.from_110_username]


def adopt(settings: Settings) -> HotlineBook:
    """Check what administrators wrote and make it the running configuration.

    The engine only ever reads the copy made here: a file that is broken while the hotline runs
    cannot break it, whatever has to be started again.

    Raises:
        ConfigurationError: nothing was changed.
    """
    book = load_book(settings.config)
    fresh = settings.running_config.with_name("running.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for path in settings.config.glob("*.yaml"):
        shutil.copyfile(path, fresh / path.name)
    shutil.rmtree(settings.running_config, ignore_errors=True)
    fresh.rename(settings.running_config)
    return book


def running_book(settings: Settings) -> HotlineBook:
    """Return the running configuration; where nothing ever ran, what administrators wrote."""
    return load_book(settings.running_config if settings.running_config.is_dir() else settings.config)


def find_asterisk(
    settings: Settings, progress: Progress, *, unpack: bool = True
) -> installations.Installation:
    """Find or unpack the Asterisk to run."""
    return installations.find(settings.asterisk, settings.asterisk_root, progress, unpack=unpack)


def instance_of(settings: Settings, installation: installations.Installation) -> Instance:
    """Return this home's Asterisk instance."""
    return Instance(installation, settings.asterisk_home, settings.run)


def prepare(
    settings: Settings, book: HotlineBook, keys: Keys, instance: Instance, progress: Progress
) -> None:
    """Render the files of ``instance``, proving them first if they are new.

    Raises:
        HotlineError: rendering, lint or the throwaway boot found a fault; nothing was changed.
    """
    folders = _folders(instance)
    candidate = instance.home / "etc.new"
    shutil.rmtree(candidate, ignore_errors=True)
    digest = render(TEMPLATES, candidate, context(settings, book, keys, folders))
    digest += instance.installation.version
    write_numbers(PromptBook(settings.config / "prompts"), instance.home / "data/sounds/zh")
    proof = instance.home / "etc.proved"
    if not (proof.exists() and proof.read_text() == digest and (instance.home / "etc").exists()):
        progress("proving the Asterisk configuration in a throwaway instance")
        prove(settings, book, keys, instance.installation)
        shutil.rmtree(instance.home / "etc", ignore_errors=True)
        candidate.rename(instance.home / "etc")
        proof.write_text(digest)
    shutil.rmtree(candidate, ignore_errors=True)
    write_away_script(settings)


def render_pieces(settings: Settings, book: HotlineBook, keys: Keys) -> Path:
    """Render what a city's own Asterisk includes; return the folder."""
    target = settings.asterisk_home / "etc"
    write_numbers(PromptBook(settings.config / "prompts"), settings.asterisk_home / "data/sounds/zh")
    render(TEMPLATES, target, context(settings, book, keys, {}), pieces_only=True)
    write_away_script(settings)
    return target / "ivr12345"


def _folders(instance: Instance) -> dict[str, object]:
    modules = instance.installation.modules
    present = [name for name in MODULES if (modules / f"{name}.so").exists()]  # older versions have fewer
    # before version 21 Queue had one more argument, the macro
    gap = "," if installations.major(instance.installation.version) < 21 else ""
    folders = {"home": instance.home, "run": instance.run, "modules": modules, "module_names": present}
    return {**folders, "queue_gap": gap}


def prove(
    settings: Settings, book: HotlineBook, keys: Keys, installation: installations.Installation
) -> None:
    """Boot the configuration beside the running one, on ports of its own, and lint it.

    Raises:
        LintError: names every fault found.
    """
    home = settings.asterisk_home.with_name("asterisk-proof")
    throwaway = Instance(installation, home, settings.run.with_name(settings.run.name + "-proof"))
    throwaway.stop()
    throwaway.remove()
    ports = {"sip_port": lint.free_port(), "ami_port": lint.free_port(), **_folders(throwaway)}
    render(TEMPLATES, home / "etc", context(settings, book, keys, ports))
    try:
        throwaway.start()
        throwaway.wait_booted()
        lint.inspect(throwaway)
    finally:
        throwaway.stop()
    throwaway.remove()


def write_away_script(settings: Settings) -> None:
    """Write the wrapper by which Asterisk starts our AGI script with our Python."""
    wrapper = settings.asterisk_home / "agi-bin/reception-away"
    wrapper.parent.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, str(AWAY_SCRIPT), str(settings.spool)]
    quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
    text = f'#!/bin/sh\nexec {quoted} "$@"\n'
    if not wrapper.exists() or wrapper.read_text() != text:
        wrapper.write_text(text)
        wrapper.chmod(0o700)
