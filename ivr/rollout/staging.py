"""Turn settings, the hotline book and the secrets into Asterisk's files, and prove them.

A new configuration is rendered, linted and booted in a throwaway instance before the real one
sees it.  What was proved once is known by its hash and not proved again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from ivr import shipped
from ivr.admission.capacity import Capacity, pairs_of
from ivr.admission.room import max_files, room
from ivr.asterisk import contract
from ivr.asterisk.facts.queue_events import RECEPTION_CONTEXTS
from ivr.asterisk.install import installation as installations
from ivr.asterisk.install import lint
from ivr.asterisk.install.instance import Instance
from ivr.asterisk.install.rendering import AMI_EVENTS, MODULES, render
from ivr.calls import callback as callbacks
from ivr.calls.reception import OUTSIDE_CITY
from ivr.home.links import named_by, point, sync_folder, unwritable
from ivr.home.secrets import Keys
from ivr.home.settings import Settings
from ivr.hotline.book import HotlineBook
from ivr.hotline.destinations import Own
from ivr.hotline.files.reading import load as load_book
from ivr.hotline.overflow import OVERFLOW_PENALTY, helper_of
from ivr.queueing import announcements as queue_announcements
from ivr.rollout.transfer_values import transfer_prompts, transfer_values
from ivr.speech import announcements as announcing
from ivr.speech.numbers import write_numbers
from ivr.speech.prompts import PromptBook

PACKAGE = Path(__file__).resolve().parents[1]
TEMPLATES = shipped.folder("asterisk_conf")
PROMPTS = PACKAGE / "speech/prompts"
AWAY_SCRIPT = shipped.folder("agi_scripts") / "reception_away.py"
RECEPTION_LIMIT_S = 8
MENU_LIMIT_S = 75  # the menu itself gives up earlier (ivr.calls.menu.MENU_S)
ANNOUNCEMENT_ROUNDS = 3  # of hold music, some 30 s each, until the announcement comes again
_PROVED = ".proved"
_REMEMBERED = 6

Progress = Callable[[str], None]


WAITING_PROMPTS = (
    "P012", "P021", "P022", "P023", "P042", "P062", "S031", "S040", "S057", "beep", *(f"S02{n}" for n in range(8)),
)  # fmt: skip
"""What Asterisk plays by itself to those who wait, or are not let in."""


def _waiting(settings: Settings, book: HotlineBook) -> dict[str, object]:
    """Return the values of what a caller lives through in a queue."""
    sounds = settings.asterisk_home / "data/sounds/zh"
    prompt = {name: announcement_folder(settings) / name for name in WAITING_PROMPTS}
    prompt[queue_announcements.SILENCE] = sounds / "silence"
    offered = callbacks.offered(book.trunks)
    return {
        "prompt": prompt,
        "callback_offered": offered,
        "survey": settings.survey,
        "priorities": book.priorities,
        "announce_every_s": queue_announcements.EVERY_S,
        "queue_announcements": {
            queue.id: queue_announcements.slots(queue.callback_after_s, offered=offered)
            for queue in book.queues
        },
        "queue_gap": "",
    }


PHONE_CHECK_S = 30
SILENT_CHECKS = 4
"""A phone that sends nothing in a talk for so many checks is hung up by Asterisk itself."""
HELD_CHECKS = 20
"""The same where the phone has put the caller on hold, and rightly sends nothing."""


def phone_check_s(settings: Settings, book: HotlineBook) -> int:
    """Return the seconds between two questions to a seat's phone whether it is there; 0: none.

    In lab mode phones are test programs, many of which answer no OPTIONS.
    """
    if settings.phone_check_s is not None:
        return settings.phone_check_s
    return 0 if book.trunks.lab else PHONE_CHECK_S


def _phones(settings: Settings, book: HotlineBook) -> dict[str, object]:
    check_s = phone_check_s(settings, book)
    return {
        "phone_check_s": check_s,
        "phone_silent_s": SILENT_CHECKS * check_s,
        "phone_held_s": HELD_CHECKS * check_s,
    }


TOLD_LIMIT_S = 30  # of a caller who hears why they are not let in; the sentence is over sooner


def room_of(settings: Settings, book: HotlineBook) -> Capacity:
    """Return how many callers are admitted; the file handles of a city's own Asterisk are not known."""
    files = None if settings.external_asterisk else max_files(pairs_of(*settings.rtp_ports))
    return room(settings.rtp_ports, book, files)


def _admission(settings: Settings, book: HotlineBook) -> dict[str, object]:
    held = room_of(settings, book)
    return {
        "caller_limit": held.callers,
        "told_limit": held.told,
        "told_limit_s": TOLD_LIMIT_S,
        "max_files": max_files(pairs_of(*settings.rtp_ports)),
    }


def announcements(book: HotlineBook) -> list[str]:
    """Return the prompts that callers may be told in the queue."""
    return sorted({OUTSIDE_CITY, *(spec.prompt for spec in book.modes.values() if spec.prompt)})


def announcement_folder(settings: Settings) -> Path:
    """Return where everything lies that Asterisk plays by itself, one file each."""
    return settings.asterisk_home / "announcements"


def played_by_asterisk(book: HotlineBook) -> announcing.Said:
    """Return what lies there: Asterisk's files never name a recording that a person may take away."""
    plain = (*WAITING_PROMPTS, "S010", book.greeting, *announcements(book))
    return {name: (name, {}) for name in plain} | transfer_prompts(book)


def write_announcements(settings: Settings, book: HotlineBook, prompts: PromptBook) -> None:
    """Write them; each is heard from now on."""
    announcing.write(prompts, played_by_asterisk(book), announcement_folder(settings))
    announcing.write_variants(prompts, queue_announcements.VARIANTS, announcement_folder(settings))


def context(
    settings: Settings, book: HotlineBook, keys: Keys, instance: Mapping[str, object]
) -> dict[str, object]:
    """Collect the values of all templates."""
    return {
        **contract.values(),
        "system_name": keys.instance,  # several hotlines on one database: no two calls share an id
        "ami_bind": "127.0.0.1",
        "ami_port": settings.ami_port,
        "ami_user": settings.ami_user,
        "ami_secret": settings.ami_secret or keys.ami,
        "ami_permit": "",
        "ami_events": AMI_EVENTS,
        "reception_contexts": RECEPTION_CONTEXTS,
        "bind": settings.bind,
        "sip_port": settings.sip_port,
        "sip_tcp": settings.sip_tcp,
        "strict_rtp": settings.keeps_to_first_media,
        "media_address": "" if settings.bind in ("0.0.0.0", "::") else settings.bind,
        "rtp_first": settings.rtp_ports[0],
        "rtp_last": settings.rtp_ports[1],
        "agi_host": "127.0.0.1",
        "agi_key": keys.agi,
        "agi_port": settings.agi_port,
        "trunk_addresses": book.trunks.addresses,
        "from_110_username": book.trunks.from_110_username,
        "reference_header": book.trunks.reference_header,
        "from_110_password": keys.sip[book.trunks.from_110_username],
        "priority_110": book.priorities.diversion_110,
        "seats": [
            {
                "username": seat.username,
                "extension": seat.extension,
                "name": f"座席{seat.id}",
                "password": keys.sip[seat.username],
            }
            for seat in book.seats
        ],
        "seat_digits": book.seat_digits,
        "queues": book.queues,
        "helped": [queue.id for queue in book.queues if helper_of(book, queue)],
        "overflow_penalty": OVERFLOW_PENALTY,
        "general_queue": book.general_queue.id,
        "number": book.number,
        "numbers": book.answered,
        "own_number_forms": [form for form in book.number_forms(book.number) if form != book.number],
        "callable_patterns": book.plan.diallable_patterns,
        "timezone": book.timezone,
        "recordings": settings.recordings,
        "moh": PROMPTS / "moh",
        "hold_music": PROMPTS / "moh/hold",
        "announcements": announcements(book),
        "announcement_folder": announcement_folder(settings),
        "announcement_rounds": ANNOUNCEMENT_ROUNDS,
        "greeting": announcement_folder(settings) / book.greeting,
        "seat_failed": announcement_folder(settings) / "S010",
        "reception_limit_s": RECEPTION_LIMIT_S,
        "menu_limit_s": MENU_LIMIT_S,
        "away_script": settings.asterisk_home / "agi-bin/reception-away",
        **transfer_values(book, announcement_folder(settings), own_address(settings)),
        **_waiting(settings, book),
        **_admission(settings, book),
        **_phones(settings, book),
        **instance,
    }


def own_address(settings: Settings) -> Own:
    """Return where our Asterisk takes calls: no destination may lead back there."""
    return Own(settings.bind, settings.sip_port)


def sip_users(book: HotlineBook) -> list[str]:
    """Return every SIP user that needs a password."""
    return [*(seat.username for seat in book.seats), book.trunks.from_110_username]


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
    return Instance(installation, settings.asterisk_home, settings.run, settings.pids)


def etc(settings: Settings) -> Path:
    """Return the link by which Asterisk, ours or the city's, finds the files that run."""
    return settings.asterisk_home / "etc"


def rendered(settings: Settings, name: str) -> Path:
    """Return the folder that :func:`stage` called ``name``."""
    return settings.asterisk_home / "rendered" / name


def stage(
    settings: Settings, book: HotlineBook, keys: Keys, instance: Instance | None, progress: Progress
) -> str:
    """Render Asterisk's files into a folder of their own, proving them first if they are new.

    Args:
        settings: where things are.
        book: the configuration.
        keys: the secrets.
        instance: our Asterisk; None: the pieces for a city's own, which cannot be proved here.
        progress: told of the proof.

    Returns:
        The folder's name; nothing that runs has changed.

    Raises:
        HotlineError: rendering, lint or the throwaway boot found a fault.
    """
    folders = _folders(instance) if instance else {}
    candidate = rendered(settings, f".{os.getpid()}.new")
    prompts = PromptBook(settings.config / "prompts")
    write_numbers(prompts, settings.asterisk_home / "data/sounds/zh")
    write_announcements(settings, book, prompts)
    shutil.rmtree(candidate, ignore_errors=True)
    try:
        digest = render(
            TEMPLATES, candidate, context(settings, book, keys, folders), pieces_only=instance is None
        )
        name = _name(digest, instance)
        target = rendered(settings, name)
        if not ((target / _PROVED).exists() and _same_files(candidate, target)):
            if instance is not None:
                progress("proving the Asterisk configuration in a throwaway instance")
                prove(settings, book, keys, instance.installation)
            (candidate / _PROVED).touch()
            shutil.rmtree(target, ignore_errors=True)
            candidate.rename(target)
            sync_folder(target.parent)
        os.utime(target)
        _forget_old(settings)
    except OSError as error:
        raise unwritable(error) from error
    finally:
        shutil.rmtree(candidate, ignore_errors=True)
    return name


def prepare(
    settings: Settings, book: HotlineBook, keys: Keys, instance: Instance | None, progress: Progress
) -> None:
    """Stage Asterisk's files and let them be those that run; for a start, when nothing runs.

    Raises:
        HotlineError: as :func:`stage`; nothing was changed.
    """
    name = stage(settings, book, keys, instance, progress)
    point(etc(settings), rendered(settings, name))
    write_away_script(settings)


def render_pieces(settings: Settings, book: HotlineBook, keys: Keys) -> Path:
    """Render what a city's own Asterisk includes; return the folder."""
    prepare(settings, book, keys, None, lambda _: None)
    return etc(settings) / "ivr12345"


def is_current(settings: Settings, book: HotlineBook, keys: Keys, instance: Instance) -> bool:
    """Tell whether our Asterisk runs what this version of the program makes of these settings."""
    with tempfile.TemporaryDirectory() as folder:
        digest = render(TEMPLATES, Path(folder), context(settings, book, keys, _folders(instance)))
    return named_by(etc(settings)) == _name(digest, instance)


def _name(digest: str, instance: Instance | None) -> str:
    digest += instance.installation.version if instance else ""
    return hashlib.sha256(digest.encode()).hexdigest()[:16]


def _same_files(one: Path, other: Path) -> bool:
    """Tell whether nobody edited what was rendered."""
    names = [path.relative_to(one) for path in one.rglob("*.conf")]
    return all((other / n).is_file() and (one / n).read_bytes() == (other / n).read_bytes() for n in names)


def _forget_old(settings: Settings) -> None:
    """Keep the newest rendered folders and the one that runs."""
    running = named_by(etc(settings))
    folders = [path for path in rendered(settings, "").glob("[0-9a-f]*") if path.name != running]
    for path in sorted(folders, key=lambda path: path.stat().st_mtime)[:-_REMEMBERED]:
        shutil.rmtree(path, ignore_errors=True)


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
    throwaway.stop(at_once=True)
    throwaway.remove()
    ports = {"sip_port": lint.free_port(), "ami_port": lint.free_port(), **_folders(throwaway)}
    render(TEMPLATES, home / "etc", context(settings, book, keys, ports))
    try:
        throwaway.start()
        throwaway.wait_booted()
        lint.inspect(throwaway)
    finally:
        throwaway.stop(at_once=True)
    throwaway.remove()


def write_away_script(settings: Settings) -> None:
    """Write the wrapper by which Asterisk starts our AGI script with our Python."""
    wrapper = settings.asterisk_home / "agi-bin/reception-away"
    wrapper.parent.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, str(AWAY_SCRIPT), str(settings.spool)]
    quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
    text = f'#!/bin/sh\nexec {quoted} "$@"\n'
    if not wrapper.exists() or wrapper.read_text() != text:
        fresh = wrapper.with_name(wrapper.name + ".new")  # on a full disk the one that is there stays whole
        fresh.write_text(text)
        fresh.chmod(0o700)
        fresh.replace(wrapper)
