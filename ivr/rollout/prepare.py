"""Everything that can be done about a changed configuration before anything that runs is touched.

Reading, checking, copying, rendering and proving are slow, so the command does them in its own
process; the engine is asked only for the switch.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ivr.asterisk.install.instance import Instance
from ivr.errors import HotlineError
from ivr.home.links import named_by, point
from ivr.home.secrets import Keys, open_keys
from ivr.home.settings import Settings
from ivr.hotline.book import HotlineBook
from ivr.hotline.files.reading import load as load_book
from ivr.rollout import staging as deployment
from ivr.rollout.changes import AT_A_START, compare
from ivr.rollout.history import Change, History
from ivr.rollout.retention import forget_old, parent_of
from ivr.rollout.states import ApplyEvent, ApplyRefused, ApplyState
from ivr.rollout.versions import Reader, Version, Versions, fingerprint, read, seen

Tell = Callable[[str, str], object]
"""Told of each step, in English and in Chinese."""


@dataclass(frozen=True)
class Prepared:
    """A change that only waits for the switch, with the book that runs and the one that is to run."""

    change: Change
    old: HotlineBook | None
    new: HotlineBook


def history_of(settings: Settings) -> History:
    """Return the history of this home."""
    return History(settings.versions)


def versions_of(settings: Settings) -> Versions:
    """Return the versions of this home."""
    return Versions(settings.versions, settings.running_config)


def book_of(version: Version) -> HotlineBook:
    """Read a version's book."""
    return load_book(version.config)


@contextlib.contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """Hold the lock of changes.

    Raises:
        ApplyRefused: somebody else holds it.
    """
    settings.versions.mkdir(parents=True, exist_ok=True)
    with (settings.versions / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ApplyRefused(
                "another `ivr apply` is going on; wait for its end and look at `ivr apply --history`.",
                "另一个 ivr apply 正在进行;请等它结束后查看 ivr apply --history。",
                retry=True,
            ) from error
        yield


def place_fingerprint(settings: Settings) -> str:
    """Return a fingerprint of the settings that stand in Asterisk's files.

    A command in a shell without the hotline's settings would otherwise move ports and folders.
    """
    values = settings.model_dump(mode="json", exclude={"config", "language", "vosk_model", "database_url"})
    return fingerprint({name: repr(value).encode() for name, value in values.items()})


def take(
    settings: Settings,
    folder: Path,
    by: str,
    tell: Tell,
    *,
    comment: str = "",
    live: bool = True,
    reader: Reader | None = None,
) -> Prepared | None:
    """Read, check, copy, render and prove a folder; None when it is what runs already.

    Raises:
        HotlineError: the folder or Asterisk's files made from it have a fault.
    """
    tell(f"reading and checking {folder}", f"读取并检查 {folder}")
    reading = reader(folder) if reader else read(folder, deployment.own_address(settings))
    versions, history = versions_of(settings), history_of(settings)
    forget_interrupted(settings)
    running = versions.running()
    old = _running_book(settings)
    if running is not None and running.fingerprint == fingerprint(reading.files):
        return None
    if live and old is not None:
        refuse_what_needs_a_start(old, reading.book)
    changes = compare(old, reading.book)
    facts = {"at": time.time(), "by": by, "folder": str(folder), "comment": comment}
    version = versions.keep(reading.files, facts)
    forget_old(versions, history.changes(), time.time())
    tell(f"copied as version {version.number}", f"已存为版本 {version.number}")
    begun = history.begin(
        Change(
            0, version.number, running.number if running else 0, ApplyState.TAKEN, time.time(),
            by, str(folder), seen(settings.config), "apply", comment, changes=changes,
        )
    )  # fmt: skip
    prepared = prove(settings, begun, reading.book, tell)
    return Prepared(prepared, old, reading.book)


def take_back(settings: Settings, by: str, tell: Tell) -> Prepared:
    """Prepare the version that ran before the present one came.

    Raises:
        ApplyRefused: there is none.
    """
    forget_interrupted(settings)
    versions, history = versions_of(settings), history_of(settings)
    running = versions.running()
    former = parent_of(running.number if running else 0, history.changes())
    if running is None or former == 0:
        raise ApplyRefused(
            "there is no earlier version to go back to; look at `ivr apply --history`.",
            "没有更早的版本可以恢复;请查看 ivr apply --history。",
        )
    version = versions.version(former)
    old, book = book_of(running), book_of(version)
    tell(
        f"going back from version {running.number} to {former}",
        f"从版本 {running.number} 恢复到版本 {former}",
    )
    begun = history.begin(
        Change(
            0, former, running.number, ApplyState.TAKEN, time.time(), by, str(version.config),
            seen(settings.config), "undo", changes=compare(old, book),
        )
    )  # fmt: skip
    return Prepared(prove(settings, begun, book, tell), old, book)


def refuse_what_needs_a_start(old: HotlineBook, new: HotlineBook) -> None:
    """Refuse a change of what is built in where tickets are numbered.

    Raises:
        ApplyRefused: with the names.
    """
    names = [name for name in AT_A_START if getattr(old, name) != getattr(new, name)]
    if names:
        said = ", ".join(names)
        raise ApplyRefused(
            f"hotline.yaml: {said} can change only while nothing runs: `ivr down`, `ivr apply`, `ivr up`.",
            f"hotline.yaml:{said} 只能在停机时更改:请依次运行 ivr down、ivr apply、ivr up。",
        )


def prove(settings: Settings, change: Change, book: HotlineBook, tell: Tell) -> Change:
    """Render and prove a change that was taken.

    Raises:
        HotlineError: a fault; the change is refused.
    """
    history = history_of(settings)
    try:
        tell("rendering and proving Asterisk's files", "生成并验证 Asterisk 配置")
        name = deployment.stage(settings, book, keys_for(settings, book), _instance(settings), lambda _: None)
    except HotlineError as error:
        history.step(change.id, ApplyEvent.REFUSED, time.time(), why=error.sentence, why_zh=error.zh)
        raise
    former = named_by(deployment.etc(settings))
    return history.step(change.id, ApplyEvent.PROVED, time.time(), rendered=name, former_rendered=former)


def keys_for(settings: Settings, book: HotlineBook) -> Keys:
    """Return the secrets, with those made that the book's seats and operators still lack."""
    return open_keys(settings.home, deployment.sip_users(book), [person.number for person in book.operators])


def _instance(settings: Settings) -> Instance | None:
    if settings.external_asterisk:
        return None
    installation = deployment.find_asterisk(settings, lambda _: None, unpack=False)
    return deployment.instance_of(settings, installation)


def _running_book(settings: Settings) -> HotlineBook | None:
    return deployment.running_book(settings) if settings.running_config.is_dir() else None


def point_to(settings: Settings, version: int, rendered: str) -> None:
    """Let both pointers name a version: the configuration and Asterisk's files.

    Raises:
        PointerError: a link cannot be written.
    """
    if rendered:
        point(deployment.etc(settings), deployment.rendered(settings, rendered))
    versions_of(settings).point_to(version)


def forget_interrupted(settings: Settings) -> None:
    """Close a change whose command was killed before anything was touched; call it with the lock held."""
    history = history_of(settings)
    newest = history.newest()
    if newest is not None and newest.state in (ApplyState.TAKEN, ApplyState.PREPARED):
        why, zh = "it was interrupted before the switch", "在切换之前被中断"
        history.step(newest.id, ApplyEvent.REFUSED, time.time(), why=why, why_zh=zh)


def refuse_unsettled(settings: Settings) -> None:
    """Let nobody begin a change while one before it is not over: the newest is what a start looks at.

    Raises:
        ApplyRefused: with its number.
    """
    newest = history_of(settings).newest()
    if newest is not None and newest.state in (ApplyState.SWAPPED, ApplyState.ROLLING_BACK):
        raise ApplyRefused(
            f"change {newest.id} is not settled yet; try again when Asterisk and the engine answer (`ivr status`).",
            f"第 {newest.id} 次变更尚未完成;请在 Asterisk 和引擎恢复响应后(ivr status)重试。",
            retry=True,
        )


def owner() -> str:
    """Return who runs this command, where nobody said another name."""
    with contextlib.suppress(OSError, KeyError):
        return os.environ.get("SUDO_USER") or getpass.getuser()
    return f"uid {os.getuid()}"
