"""Keeps Asterisk and the engine running: ``python -m ivr.engine.supervisor``.

Either may die and is started again; neither takes the other with it.  Callers who talk go on
talking while the engine is away, because Asterisk is nobody's child.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ivr.api import socket as control
from ivr.asterisk.facts import sip_capture
from ivr.asterisk.install.installation import Installation
from ivr.asterisk.install.instance import Instance, port_owner
from ivr.asterisk.mends.media_proof import Media
from ivr.engine import media, mending
from ivr.engine.upkeep.asterisk import HUNG_S, AsteriskProcess
from ivr.engine.upkeep.engine import EngineProcess, Limits
from ivr.engine.upkeep.lock import HomeLock
from ivr.engine.upkeep.notes import Notes
from ivr.errors import HotlineError
from ivr.home.judging.door import admitted
from ivr.home.links import unwritable
from ivr.home.logs import start_logging
from ivr.home.settings import Settings
from ivr.host import last_words, processes
from ivr.host.home_watch import HomeGone, HomeWatch
from ivr.host.private import keep_private
from ivr.rollout import staging as deployment
from ivr.rollout.prepare import keys_for
from ivr.rollout.start import bring_in, take_up

log = logging.getLogger(__name__)

LOOK_S = 0.1
RETRY_S = 2.0


class PortTaken(HotlineError):
    """A port we need belongs to somebody else."""

    code = "port_taken"


class Supervisor:
    """Runs one instance.

    Args:
        settings: where things are.
        progress: told of steps that take time.
        warn: told, in English and in Chinese, of what a person must know.
        chosen: called once it stands which configuration runs.
        limits: how long the engine may be silent.
        hung_s: seconds of silence after which Asterisk is ended.
    """

    def __init__(
        self,
        settings: Settings,
        progress: Callable[[str], None],
        *,
        warn: Callable[[str, str], None] | None = None,
        chosen: Callable[[], None] = lambda: None,
        limits: Limits | None = None,
        hung_s: float = HUNG_S,
    ) -> None:
        self._settings = settings
        self._progress = progress
        self._warn = warn or (lambda english, _: progress(english))
        self._chosen = chosen
        self._hung_s = hung_s
        self._stopping = False
        self._not_before = 0.0
        self._notes = Notes(settings.pids)
        self._engine = EngineProcess(settings, self._notes, limits)
        self._asterisk: AsteriskProcess | None = None

    def run(self) -> None:
        """Run until SIGTERM or SIGINT.

        Raises:
            HotlineError: it could not be started, or its home is gone; what was started is ended.
        """
        keep_private()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a closed terminal ends no call
        self._settings.pids.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._settings.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._settings.logs.mkdir(parents=True, exist_ok=True)
        lock = HomeLock(self._settings)
        home = HomeWatch(self._settings.home)
        taken_over = False
        try:
            self._engine.stop_stranger()
            _refuse_second_engine(self._settings)
            self._start_asterisk()
            while not self._stopping:
                self._end_without_home(home)
                taken_over = self._is_taken_over(lock)
                self._look_calmly()
                time.sleep(LOOK_S)
            if self._asterisk is not None:
                with contextlib.suppress(HotlineError):
                    control.ask(self._settings.run, "end_calls", timeout_s=3)
        except HomeGone:
            self._stopping = True  # Asterisk ends too: its records and recordings lie there
            raise
        finally:
            self._end(keep_asterisk=taken_over)
            lock.release()
            home.close()

    def _end(self, *, keep_asterisk: bool) -> None:
        """End what was started; an Asterisk that was found running goes on if the start failed: people talk on it."""
        ended = {"the engine": self._engine.stop()}
        asterisk = self._asterisk
        if asterisk is not None and not keep_asterisk and (self._stopping or not asterisk.admitted):
            ended["Asterisk"] = asterisk.stop()
        for name in (name for name, gone in ended.items() if not gone):
            log.error("%s could not be ended", name)
        if self._stopping and not keep_asterisk and all(ended.values()):
            sip_capture.forget(self._settings.run)

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _end_without_home(self, home: HomeWatch) -> None:
        why, zh = home.look(time.monotonic())
        if why:
            raise HomeGone(f"{why}: everything that ran there is ended.", f"{zh}：已停止其中运行的全部程序。")

    def _is_taken_over(self, lock: HomeLock) -> bool:
        why, _ = lock.look(time.monotonic())
        if why:
            log.error("%s: this one ends", why)
            self._stopping = True
        return bool(why)

    def _start_asterisk(self) -> None:
        settings = self._settings
        found = (
            None
            if settings.external_asterisk
            else Instance.laid_out(settings.asterisk_home, settings.run, settings.pids).process()
        )
        ports = [("IVR_AGI_PORT", "tcp", settings.agi_port)]
        if settings.external_asterisk:
            book = take_up(settings, None, self._progress)
            self._chosen()
            deployment.render_pieces(settings, book, keys_for(settings, book))
            check_free(ports)
            self._look_at_media()
            return
        instance = deployment.instance_of(settings, deployment.find_asterisk(settings, self._progress))
        if found is None:
            ports += [("IVR_SIP_PORT", "udp", settings.sip_port), ("IVR_AMI_PORT", "tcp", settings.ami_port)]
            if settings.sip_tcp:
                ports.append(("IVR_SIP_PORT", "tcp", settings.sip_port))
        check_free(ports)
        self._look_at_media(instance.installation, found)
        if found is not None:
            bring_in(settings)
        book = deployment.running_book(settings) if found else take_up(settings, instance, self._progress)
        self._chosen()
        self._asterisk = asterisk = AsteriskProcess(
            instance,
            ({settings.sip_port}, {settings.ami_port, *([settings.sip_port] if settings.sip_tcp else [])}),
            notes=self._notes,
            vouched=self._engine.vouches_for_asterisk,
            hung_s=self._hung_s,
        )
        self._engine.start()  # it boots beside Asterisk and waits for it
        if found is not None:
            log.info("an Asterisk of ours is running and is kept")
            asterisk.keep(found)
            return
        deployment.prepare(settings, book, keys_for(settings, book), instance, self._progress)
        self._progress(f"starting Asterisk {instance.installation.version}")
        asterisk.boot()

    def _look_at_media(self, ours: Installation | None = None, kept: processes.Process | None = None) -> None:
        """Say so if Asterisk drops voices; a copy of ours that is not mended yet is mended before it starts."""
        settings = self._settings
        verdict = (
            mending.mend_ours(settings, ours, self._progress, media.START_S)
            if ours is not None
            else media.examine_city(settings, self._progress, media.START_S)
        )
        told = media.note(settings, verdict, kept)
        if told is not None and (told.dropped or told.verdict.media is not Media.CARRIED):
            self._warn(*media.sentence(settings, told))

    def _look_calmly(self) -> None:
        """Look after both; a full disk or a fork that fails is waited out, people are talking."""
        if time.monotonic() < self._not_before:
            return
        try:
            self._engine.look()
            if self._asterisk is not None:
                self._asterisk.look()
        except OSError as error:
            log.error("%s", error)
            self._not_before = time.monotonic() + RETRY_S


def _refuse_second_engine(settings: Settings) -> None:
    """Start nothing on a database that another hotline uses.

    Raises:
        HotlineError: which one.
    """
    from ivr.engine.ownership import refuse_if_taken  # loads SQLAlchemy, which nothing else here needs

    refuse_if_taken(settings)


def check_free(ports: Sequence[tuple[str, str, int]]) -> None:
    """Check that ports, each with its setting and kind, are free.

    Raises:
        PortTaken: with the port, its owner and the setting to change.
    """
    for setting, kind, port in ports:
        owner = port_owner(port, kind)
        if owner is not None:
            raise PortTaken(
                f"{kind} port {port} is taken by {owner}: end that program or set {setting} to another port.",
                f"{kind} 端口 {port} 已被 {owner} 占用：请结束该程序，或用 {setting} 换一个端口。",
            )


def main() -> int:
    """Run the supervisor; its log is ``supervisor.log``."""
    keep_private()
    try:
        settings = admitted()
        start_logging(settings.logs, "supervisor")
        Supervisor(settings, log.info).run()
    except (HotlineError, OSError) as problem:
        error = problem if isinstance(problem, HotlineError) else unwritable(problem)
        log.error("%s", error.sentence)
        sys.stderr.write(last_words.spoken(error))
        return 1
    return 0


def spawn(settings: Settings) -> subprocess.Popen[bytes]:
    """Start a supervisor apart from the terminal."""
    settings.logs.mkdir(parents=True, exist_ok=True)
    output: Path = settings.logs / "supervisor.out"
    with output.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "ivr.engine.supervisor"],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


if __name__ == "__main__":
    sys.exit(main())
