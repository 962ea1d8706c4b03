"""Whether the Asterisk of this hotline carries media that begin anew: found out, told, and kept for the engine."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shutil
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import psutil

from ivr.alarms.board import Fault
from ivr.asterisk.install import installation as installations
from ivr.asterisk.install.installation import Installation
from ivr.asterisk.install.instance import port_pid
from ivr.asterisk.mends.media_proof import Media
from ivr.asterisk.mends.media_restart import Verdict, Workshop, examine, seen, writable
from ivr.errors import HotlineError
from ivr.home.settings import Settings
from ivr.host import processes

log = logging.getLogger(__name__)

ASTERISK_PATCHED = "asterisk_patched"
SETUP_S = 60.0
"""Patience at set-up, where nobody waits for a call, for each step of the proof (seconds)."""
START_S = 8.0
"""The same at a start, which it must not hold up."""
_LOOK_S = 3.0
_LOOK_AGAIN_S = 30.0
"""Seconds between looks for a city's Asterisk that is not seen: each goes through all ports."""
_NOTE = "media.json"
_STORE = "media.json"
_PAGE = "docs/decisions/media-that-begin-anew.md"

Progress = Callable[[str], None]


class Board(Protocol):
    """The board of alarms."""

    def judge(self, faults: Iterable[Fault], judged: Collection[str]) -> None:
        """Raise and clear by what is wrong now."""


@dataclass(frozen=True)
class Told:
    """What is known of the Asterisk that runs.

    Attributes:
        verdict: what was found.
        old: the process that still runs the program as it was before it was mended; None: none does.
    """

    verdict: Verdict
    old: processes.Process | None = None

    @property
    def dropped(self) -> bool:
        """Whether voices are dropped now."""
        return self.verdict.media is Media.DROPPED or (self.old is not None and self.old.alive)


def examine_ours(settings: Settings, found: Installation, progress: Progress, patience_s: float) -> Verdict:
    """Find out about an Asterisk that this hotline starts, and mend it if it is the one we unpacked."""
    return examine(found, _workshop(settings, _our_program(settings), patience_s), progress)


def look(settings: Settings) -> Told | None:
    """Return what is known of the Asterisk that would be used, without starting one; None: nothing is."""
    try:
        found = (
            _city_program(settings)
            if settings.external_asterisk
            else installations.find(settings.asterisk, settings.asterisk_root, lambda _: None, unpack=False)
        )
        verdict = seen(_workshop(settings, None, 0.0).store, found) if found else None
    except (HotlineError, OSError):
        return None
    return Told(verdict) if verdict else None


def is_ours(settings: Settings, found: Installation) -> bool:
    """Tell whether an Asterisk is the one we unpacked."""
    return Path(found.command[-1]).resolve() == _our_program(settings)


def _our_program(settings: Settings) -> Path:
    return installations.program_in(settings.asterisk_root).resolve()


def examine_city(settings: Settings, progress: Progress, patience_s: float) -> Verdict | None:
    """Find out about the city's own Asterisk, by a throwaway one of the same program; None where it is not seen.

    Nothing is asked of the one that runs, and nothing of it is mended.
    """
    found = _city_program(settings)
    return examine(found, _workshop(settings, None, patience_s), progress) if found else None


def _workshop(settings: Settings, ours: Path | None, patience_s: float) -> Workshop:
    root = settings.asterisk_root
    shared = root.with_name(f"{root.name}.{_STORE}")
    store = shared if writable(root.parent) or shared.exists() else settings.home / _STORE
    run = settings.run
    return Workshop(
        store, settings.asterisk_home.with_name("asterisk-media"), run.with_name(f"{run.name}-media"), ours, patience_s
    )  # fmt: skip


def _city_process(settings: Settings) -> tuple[processes.Process, tuple[str, ...]] | None:
    """Return what has the city's SIP port or its manager's and how it was started, if it is an Asterisk seen from here."""
    for port, kind in ((settings.sip_port, "udp"), (settings.ami_port, "tcp")):
        pid = port_pid(port, kind)
        process = processes.of(pid) if pid else None
        if process and (words := installations.words_of(processes.arguments(process.pid))):
            return process, words
    return None


def _city_program(settings: Settings) -> Installation | None:
    seen = _city_process(settings)
    installed = shutil.which("asterisk")
    return (installations.run_by(seen[1]) if seen else None) or (
        installations.run_by((installed,)) if installed else None
    )


# -- the note ----------------------------------------------------------------------------------
def note(settings: Settings, verdict: Verdict | None, kept: processes.Process | None = None) -> Told | None:
    """Keep for the engine what was found; ``kept`` is an Asterisk of ours that was running before.

    Returns:
        What holds for the one that runs; None where nothing is known.
    """
    if verdict is None:
        (settings.pids / _NOTE).unlink(missing_ok=True)
        return None
    old = kept if kept is not None and verdict.mended and _older(kept, Path(verdict.program)) else None
    row = {"verdict": asdict(verdict), "old": asdict(old) if old else None}
    with contextlib.suppress(OSError):  # a full disk: the alarm is missing, not the hotline
        settings.pids.mkdir(parents=True, exist_ok=True, mode=0o700)
        processes.note(settings.pids / _NOTE, json.dumps(row))
    return Told(verdict, old)


def noted(settings: Settings) -> Told | None:
    """Return what the supervisor found, None where nothing is known."""
    try:
        row = json.loads((settings.pids / _NOTE).read_text(encoding="utf-8"))
        return Told(Verdict.of(row["verdict"]), processes.Process(**row["old"]) if row["old"] else None)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _older(process: processes.Process, program: Path) -> bool:
    try:
        return psutil.Process(process.pid).create_time() < program.stat().st_mtime
    except (psutil.Error, OSError):
        return False


# -- sentences ---------------------------------------------------------------------------------
def sentence(settings: Settings, told: Told) -> tuple[str, str]:
    """Return what to say, in English and in Chinese."""
    verdict = told.verdict
    name = f"Asterisk {verdict.version}"
    if told.dropped:
        what, zh = _remedy(settings, told)
        return (
            f"{name} ({verdict.program}) drops the voice of a party whose media begin anew in a talk, as after hold and "
            f"resume: others may not hear them and the recording may lack them; {what}.",
            f"{name}（{verdict.program}）会丢弃通话中重新开始的媒体流（如保持后恢复）：其他人可能听不到该方，"
            f"录音中也可能缺少该方；{zh}。",
        )
    if verdict.media is Media.UNKNOWN:
        return (
            f"whether {name} carries a voice whose media begin anew could not be proved: {verdict.why}; see {_PAGE}.",
            f"无法验证 {name} 是否会丢弃通话中重新开始的媒体流：{verdict.why_zh}；详见 {_PAGE}。",
        )
    mended = " (our copy, mended)" if verdict.mended else ""
    zh = "；已修正本机解包的副本" if verdict.mended else ""
    return (
        f"{name}{mended}: a voice whose media begin anew in a talk is heard; a call proved it.",
        f"{name}：通话中重新开始的媒体流可正常收听，已通过呼叫验证{zh}。",
    )


def _remedy(settings: Settings, told: Told) -> tuple[str, str]:
    if told.old is not None:
        return (
            "the program is mended by now, but the one that runs was started before: at an hour with few calls "
            "`ivr down`, then `ivr up`",
            "程序已修正，但正在运行的实例在此之前启动：请在来电少时先 ivr down，再 ivr up",
        )
    if settings.external_asterisk:
        return (
            f"install one without Debian's patch 2016_opus_plc and restart it, see {_PAGE}",
            f"请安装不含 Debian 补丁 2016_opus_plc 的版本并重启，详见 {_PAGE}",
        )
    if Path(told.verdict.program) != _our_program(settings):
        return (
            f"set IVR_ASTERISK={installations.UNPACKED} and run `ivr setup`: the copy it unpacks is mended, see {_PAGE}",
            f"请设置 IVR_ASTERISK={installations.UNPACKED} 并运行 ivr setup：其解包的副本会被修正，详见 {_PAGE}",
        )
    if not told.verdict.why:
        return "our copy is not mended yet: run `ivr setup`", "本机副本尚未修正：请运行 ivr setup"
    return (
        f"our copy could not be mended ({told.verdict.why}): run `ivr setup` as the owner of {settings.asterisk_root}, "
        f"then `ivr down` and `ivr up`; see {_PAGE}",
        f"本机副本未能修正（{told.verdict.why_zh}）：请以 {settings.asterisk_root} 的属主运行 ivr setup，"
        f"再 ivr down、ivr up；详见 {_PAGE}",
    )


class MediaWatch:
    """Raises the alarm while the Asterisk that runs drops voices.

    Args:
        settings: where things are.
        board: where faults are judged.
    """

    def __init__(self, settings: Settings, board: Board) -> None:
        self._settings = settings
        self._board = board
        self._city: processes.Process | None = None
        self._not_before = 0.0
        self._told: Told | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except (OSError, psutil.Error) as error:  # what cannot be seen must not end the engine
                log.warning("whether media that begin anew are heard is not known: %s", error)
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> None:
        """Look once; a city's own program is proved in a thread, once, and nobody waits for it."""
        if self._settings.external_asterisk:
            await asyncio.to_thread(self._look_at_city)
        else:
            self._told = noted(self._settings)
        faults = []
        if self._told is not None and self._told.dropped:
            faults.append(
                Fault(ASTERISK_PATCHED, "asterisk", *sentence(self._settings, self._told), gone_s=0.0)
            )
        self._board.judge(faults, {ASTERISK_PATCHED})

    def _look_at_city(self) -> None:
        if (self._city is not None and self._city.alive) or time.monotonic() < self._not_before:
            return
        self._not_before = time.monotonic() + _LOOK_AGAIN_S
        seen = _city_process(self._settings)
        self._city = seen[0] if seen else None
        if (
            self._city is not None
            and (verdict := examine_city(self._settings, log.info, START_S)) is not None
        ):
            self._told = Told(verdict)
            log.info("%s", sentence(self._settings, self._told)[0])
