"""Which configuration runs after a start of everything, when nothing runs yet.

What administrators wrote is taken up if it is new to us and has no fault.  A folder that has not
changed since the last `ivr apply` or `--undo` is not taken up again, so that what was undone does
not come back by itself; and one that is broken does not keep the hotline from starting.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ivr.asterisk.install.instance import Instance
from ivr.errors import HotlineError
from ivr.home.links import named_by, point
from ivr.home.settings import Settings
from ivr.hotline.book import HotlineBook
from ivr.rollout import staging as deployment
from ivr.rollout.changes import compare
from ivr.rollout.history import Change
from ivr.rollout.prepare import (
    book_of,
    forget_interrupted,
    history_of,
    keys_for,
    only_one,
    point_to,
    versions_of,
)
from ivr.rollout.states import ApplyEvent, ApplyState
from ivr.rollout.versions import Reading, Version, fingerprint, read, seen

_LEGACY = "0" * 16
_DECIDED = (ApplyState.VERIFIED, ApplyState.ROLLED_BACK)


def take_up(settings: Settings, instance: Instance | None, progress: Callable[[str], None]) -> HotlineBook:
    """Return the configuration to start with, proved and pointed to.

    Args:
        settings: where things are.
        instance: our Asterisk, which does not run; None where the city runs its own.
        progress: told of what takes time, and of a folder that cannot be used.

    Raises:
        HotlineError: what administrators wrote has a fault and nothing ever ran.
    """
    with only_one(settings):
        bring_in(settings)
        newest = history_of(settings).newest()
        if settings.external_asterisk and newest is not None and newest.open:
            forget_interrupted(settings)
            return deployment.running_book(settings)  # the city's Asterisk runs: the engine asks it
        settle_without_asterisk(settings)
        running = versions_of(settings).running()
        if running is not None and is_decided(settings):
            return book_of(running)
        try:
            return _adopt(settings, instance, running, progress)
        except HotlineError as error:
            if running is None:
                raise
            progress(f"{error.sentence}\nversion {running.number}, which ran before, goes on.")
            return book_of(running)


def is_decided(settings: Settings) -> bool:
    """Tell whether the folder is as it was when somebody last decided what runs."""
    decided = [change for change in history_of(settings).changes() if change.state in _DECIDED]
    return bool(decided) and decided[-1].seen == seen(settings.config)


def is_running(settings: Settings) -> bool:
    """Tell whether what stands in the folder is the version that runs.

    Raises:
        HotlineError: the folder has a fault.
    """
    running = versions_of(settings).running()
    return running is not None and running.fingerprint == fingerprint(read(settings.config).files)


def _adopt(
    settings: Settings, instance: Instance | None, running: Version | None, progress: Callable[[str], None]
) -> HotlineBook:
    reading = read(settings.config)
    if running is not None and running.fingerprint == fingerprint(reading.files):
        return reading.book
    change = _begin(settings, reading, running)
    history = history_of(settings)
    try:
        keys = keys_for(settings, reading.book)
        name = deployment.stage(settings, reading.book, keys, instance, progress)
        former = named_by(deployment.etc(settings))
        history.step(change.id, ApplyEvent.PROVED, time.time(), rendered=name, former_rendered=former)
        point_to(settings, change.version, name)
    except HotlineError as error:
        history.step(change.id, ApplyEvent.REFUSED, time.time(), why=error.sentence, why_zh=error.zh)
        point_to(settings, change.former, "")
        raise
    history.step(change.id, ApplyEvent.SWAPPED, time.time())
    if instance is not None or running is None:  # else the engine asks the Asterisk that runs
        history.step(change.id, ApplyEvent.VERIFIED, time.time())
    return reading.book


def _begin(settings: Settings, reading: Reading, running: Version | None) -> Change:
    folder, now = str(settings.config), time.time()
    version = versions_of(settings).keep(
        reading.files, {"at": now, "by": "ivr up", "folder": folder, "comment": ""}
    )
    old = book_of(running) if running else None
    return history_of(settings).begin(
        Change(
            0, version.number, running.number if running else 0, ApplyState.TAKEN, now, "ivr up", folder,
            version.fingerprint, "start", changes=compare(old, reading.book),
        )
    )  # fmt: skip


def settle_without_asterisk(settings: Settings) -> None:
    """Put the former version back after a change that was cut short, while no Asterisk runs that could be asked."""
    change = history_of(settings).newest()
    if change is None or not change.open:
        return
    if change.state is ApplyState.TAKEN:
        forget_interrupted(settings)
        return
    history, why, zh = (
        history_of(settings),
        "everything stopped before it was verified",
        "核对之前系统已全部停止",
    )
    point_to(settings, change.former, change.former_rendered)
    if change.state is not ApplyState.ROLLING_BACK:
        history.step(change.id, ApplyEvent.FAILED, time.time(), why=why, why_zh=zh)
    history.step(
        change.id, ApplyEvent.RESTORED, time.time(), why=change.why or why, why_zh=change.why_zh or zh
    )


def bring_in(settings: Settings) -> None:
    """Make a version of what ran before there were versions, and links of its folders."""
    pointer, etc = settings.running_config, deployment.etc(settings)
    if etc.is_dir() and not etc.is_symlink():
        aside = deployment.rendered(settings, _LEGACY)
        aside.parent.mkdir(parents=True, exist_ok=True)
        if not aside.exists():
            etc.rename(aside)
        point(etc, aside)
    if pointer.is_dir() and not pointer.is_symlink():
        reading, now = read(pointer), time.time()
        facts = {"at": now, "by": "ivr up", "folder": str(pointer), "comment": ""}
        version = versions_of(settings).keep(reading.files, facts)
        history_of(settings).begin(
            Change(0, version.number, 0, ApplyState.VERIFIED, now, "ivr up", str(pointer), how="start")
        )
        versions_of(settings).point_to(version.number)
