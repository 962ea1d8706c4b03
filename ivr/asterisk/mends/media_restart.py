"""Whether an Asterisk carries media that begin anew: asked once of each program, and mended where the program is ours.

A party's RTP may begin anew in a talk with a lower sequence number: after hold and resume, or where a gateway takes
over.  Debian's Asterisk then drops that voice (docs/decisions/media-that-begin-anew.md).  What was found is kept beside
the unpacked Asterisk, by the program's identity, so that a warm start asks nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ivr.asterisk.install.installation import Installation
from ivr.asterisk.install.instance import Instance
from ivr.asterisk.mends import translator
from ivr.asterisk.mends.media_proof import Media, Unproved, prove
from ivr.asterisk.mends.translator import Code

_REMEMBERED = 20
_MENDED = ".mended"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Verdict:
    """What is known of one program.

    Attributes:
        media: what becomes of a voice whose media begin anew.
        program: its path.
        version: for example ``22.10.1``.
        mended: whether the check was taken out of it.
        why: why it is not known, or could not be mended, in English; ``why_zh`` in Chinese.
    """

    media: Media
    program: str
    version: str
    mended: bool = False
    why: str = ""
    why_zh: str = ""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Verdict:
        """Return what was kept.

        Raises:
            KeyError, TypeError, ValueError: another version of the program kept it.
        """
        return cls(**{**row, "media": Media(row["media"])})


@dataclass(frozen=True)
class Workshop:
    """Where programs are proved, and what is known of them.

    Attributes:
        store: the file of what is known; its lock lies beside it.
        home: a folder for throwaway instances.
        run: a folder for their sockets, with a short path.
        ours: the program that may be mended: the one we unpacked; None: none.
        patience_s: seconds for each step of a proof.
    """

    store: Path
    home: Path
    run: Path
    ours: Path | None
    patience_s: float


def known(store: Path, installation: Installation) -> Verdict | None:
    """Return what was found out about a program as it stands there now, None where nothing was."""
    try:
        row = _read(store).get(_identity(installation))
        return Verdict.of(row) if row else None
    except (OSError, TypeError, ValueError, KeyError):
        return None


def seen(store: Path, installation: Installation) -> Verdict | None:
    """Return what is known without a call: what was found out before, else what the code tells; None: nothing."""
    before = known(store, installation)
    if before is None and translator.look(_program(installation)) is Code.DROPS:
        return Verdict(Media.DROPPED, str(_program(installation)), installation.version)
    return before


def examine(installation: Installation, shop: Workshop, progress: Progress) -> Verdict:
    """Find out about a program, by a call, and mend it where it is ours; nothing is done twice.

    Args:
        installation: the program.
        shop: where.
        progress: told of what takes time.

    Returns:
        What was found; never raises for what could not be done.
    """
    if (before := known(shop.store, installation)) is not None:
        return before
    try:
        with _alone(shop.store, 2 * shop.patience_s):  # of two set-ups at a time one waits, and finds it done
            if (before := known(shop.store, installation)) is not None:
                return before
            verdict, final = _examined(installation, shop, progress)
            if final:
                _keep(shop.store, installation, verdict)
    except OSError as error:
        where = error.filename or shop.home
        english, chinese = f"{where}: {error.strerror or error}", f"{where}：{error.strerror or error}"
        return _by_code(installation, english, chinese)
    return verdict


def _examined(installation: Installation, shop: Workshop, progress: Progress) -> tuple[Verdict, bool]:
    """Return the verdict, and whether it will be the same the next time."""
    program = _program(installation)
    code = translator.look(program)
    if code is Code.DROPS and program == shop.ours:
        progress(
            f"Asterisk {installation.version}: Debian's check that drops media which begin anew is taken out"
        )
        return _mended(installation, program, shop)
    progress(f"Asterisk {installation.version}: a call shows whether media that begin anew are heard")
    try:
        media = prove(_throwaway(installation, shop), shop.patience_s)
    except Unproved as error:
        return _by_code(installation, error.sentence, error.zh), not error.retry
    return Verdict(media, str(program), installation.version, code is Code.MENDED), True


def _mended(installation: Installation, program: Path, shop: Workshop) -> tuple[Verdict, bool]:
    """Put a mended copy in the program's place, by rename, once a call has proved it; processes keep what they have."""
    copy = program.with_name(program.name + _MENDED)
    try:
        if not translator.mend(program, copy):
            return _by_code(installation, "its code changed meanwhile", "程序已被改动"), False
        candidate = replace(installation, command=(*installation.command[:-1], str(copy)))
        if prove(_throwaway(candidate, shop), shop.patience_s) is not Media.CARRIED:
            return _by_code(installation, "the mended copy drops it too", "修正后的副本仍会丢弃"), True
        copy.replace(program)
    except Unproved as error:
        why, zh = (
            f"the mended copy could not be proved: {error.sentence}",
            f"无法验证修正后的副本：{error.zh}",
        )
        return _by_code(installation, why, zh), False
    finally:
        copy.unlink(missing_ok=True)
    return Verdict(Media.CARRIED, str(program), installation.version, mended=True), True


def _by_code(installation: Installation, why: str, why_zh: str) -> Verdict:
    """Return what the code alone tells: that it drops; never that it is sound."""
    program = _program(installation)
    media = Media.DROPPED if translator.look(program) is Code.DROPS else Media.UNKNOWN
    return Verdict(media, str(program), installation.version, why=why, why_zh=why_zh)


def _throwaway(installation: Installation, shop: Workshop) -> Instance:
    shop.home.parent.mkdir(parents=True, exist_ok=True)
    return Instance(installation, shop.home, shop.run)


def _program(installation: Installation) -> Path:
    return Path(installation.command[-1]).resolve()


def _identity(installation: Installation) -> str:
    program = _program(installation)
    found = program.stat()
    return f"{program}:{found.st_size}:{found.st_mtime_ns}:{installation.version}"


# -- what is known -----------------------------------------------------------------------------
def _read(store: Path) -> dict[str, dict[str, Any]]:
    try:
        rows = json.loads(store.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return rows if isinstance(rows, dict) else {}


def _keep(store: Path, installation: Installation, verdict: Verdict) -> None:
    """Write what was found; called alone, and replaced whole."""
    rows = _read(store)
    identity = _identity(installation)
    rows.pop(identity, None)
    rows = dict(list(rows.items())[1 - _REMEMBERED :]) | {identity: asdict(verdict)}
    fresh = store.with_name(store.name + ".new")
    fresh.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
    fresh.chmod(0o644)  # all hotlines of a machine share it
    fresh.replace(store)


@contextlib.contextmanager
def _alone(store: Path, patience_s: float) -> Iterator[None]:
    """Be the only one who proves and mends.

    Raises:
        OSError: the folder cannot be written, or somebody else is at it for too long.
    """
    store.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + patience_s
    with store.with_name(store.name + ".lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise OSError(error.errno, "another set-up is at it", lock.name) from error
                time.sleep(0.05)
        yield


def writable(folder: Path) -> bool:
    """Tell whether what is found can be kept in a folder, which may have to be made."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return os.access(folder, os.W_OK)
