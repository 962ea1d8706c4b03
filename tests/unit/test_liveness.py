"""Who did not answer, for how long, and what is done about it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ivr.alarms.board import Alarms
from ivr.api import questions
from ivr.api.questions import Asking, Outcome, Question
from ivr.asterisk.install.instance import Instance
from ivr.engine.liveness import ASTERISK_AWAY, ENGINE_HUNG, RAN_WELL_S, Hang, Liveness
from ivr.engine.upkeep import asterisk as asterisk_upkeep
from ivr.engine.upkeep import engine as engine_upkeep
from ivr.engine.upkeep.asterisk import AsteriskProcess
from ivr.engine.upkeep.engine import EngineProcess, Limits
from ivr.engine.upkeep.notes import Notes
from ivr.errors import HotlineError
from ivr.home.settings import load as load_settings
from ivr.host import processes
from ivr.host.home_watch import LOOKS, HomeWatch
from ivr.host.silence import Silence
from tools.phones.patience import PATIENCE_S

STEP_S = 0.25


# -- silence ------------------------------------------------------------------------------------
def test_silence_counts_only_while_we_ran_ourselves() -> None:
    silence = Silence()
    silence.look(0.0, silent=True)
    assert silence.look(0.5, silent=True) == 0.5
    assert silence.look(75.5, silent=True) == 1.0, "the machine was suspended, or we were not run"
    assert silence.look(75.6, silent=True) == pytest.approx(1.1)
    assert silence.look(75.7, silent=False) == 0.0
    assert silence.look(75.9, silent=True) == pytest.approx(0.2)


class Told(Question):
    """A question whose outcome the test decides."""

    def __init__(self, outcome: Callable[[], Outcome], answer: bytes = b"{}") -> None:
        super().__init__(Path(), "")
        self._outcome, self.answer = outcome, answer

    def look(self) -> Outcome:
        return self._outcome()


def silent_after(asking: Asking, seconds: float, since: float = 0.0) -> float:
    silent_s = 0.0
    for step in range(int(seconds / STEP_S) + 1):
        silent_s = asking.look(since + step * STEP_S)
    return silent_s


def test_only_an_answer_ends_a_silence() -> None:
    outcome = Outcome.WAITING
    asking = Asking(lambda: Told(lambda: outcome))
    assert silent_after(asking, 20) == 20
    assert not asking.answered
    outcome = Outcome.ANSWERED
    assert silent_after(asking, 20, since=20) == 0
    assert asking.answered
    outcome = Outcome.NOBODY
    assert silent_after(asking, 20, since=40) == pytest.approx(18, abs=1)


def test_an_answer_of_a_stranger_is_none() -> None:
    asking = Asking(lambda: Told(lambda: Outcome.ANSWERED), lambda _: False)
    assert silent_after(asking, 20) == 20


def test_who_has_no_socket_to_be_asked_on_is_not_called_silent() -> None:
    asking = Asking(lambda: Told(lambda: Outcome.NOBODY), nobody_is_silence=False)
    asking.look(0.0)
    assert silent_after(asking, 60) <= STEP_S


# -- the supervisor -----------------------------------------------------------------------------
class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: Any) -> None:
        self.now = 1000.0
        fake = SimpleNamespace(monotonic=lambda: self.now, sleep=lambda _: None, time=lambda: 1.8e9)
        monkeypatch.setattr(module, "time", fake)


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch) -> list[Outcome]:
    """What becomes of every question, to engine and Asterisk."""
    now = [Outcome.WAITING]
    last: list[EngineProcess] = []

    def to_engine(_: Path) -> Question:
        pid = last[0]._process.pid if last and last[0]._process else 0
        return Told(lambda: now[0], json.dumps({"answer": {"pid": pid, "asterisk": False}}).encode())

    monkeypatch.setattr(questions, "to_engine", to_engine)
    monkeypatch.setattr(questions, "to_asterisk", lambda _: Told(lambda: now[0]))
    plain = EngineProcess.start

    def start(self: EngineProcess) -> None:
        last[:] = [self]
        plain(self)

    monkeypatch.setattr(EngineProcess, "start", start)
    return now


@pytest.fixture
def engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: list[Outcome]
) -> Iterator[tuple[EngineProcess, Clock]]:
    """An engine that only waits, under a clock of the test's."""
    settings = load_settings(home=tmp_path)
    for folder in (settings.pids, settings.logs):
        folder.mkdir()
    waiting = tmp_path / "waiting"
    waiting.mkdir()
    (waiting / "waits.py").write_text("import sys, time; print(*sys.argv[1:], flush=True); time.sleep(600)\n")
    monkeypatch.setenv("PYTHONPATH", str(waiting))
    monkeypatch.setattr(engine_upkeep, "MODULE", "waits")
    clock = Clock(monkeypatch, engine_upkeep)
    process = EngineProcess(settings, Notes(settings.pids), Limits(start_s=100.0))
    process.start()
    yield process, clock
    process.stop()


def pid_of(engine: EngineProcess) -> int:
    assert engine._process is not None
    return engine._process.pid


def look_for(engine: EngineProcess, clock: Clock, seconds: float) -> None:
    for _ in range(int(seconds / STEP_S)):
        clock.now += STEP_S
        engine.look()


def ended(engine: EngineProcess, clock: Clock, pid: int) -> bool:
    """Tell whether an engine was ended for its silence, and another started."""
    process = processes.of(pid)
    if process is not None and not process.gone_within(20):
        return False
    for _ in range(3):
        clock.now += STEP_S
        engine.look()
    return pid_of(engine) != pid


def test_an_engine_that_has_answered_has_ten_seconds_for_the_next_answer(
    engine: tuple[EngineProcess, Clock], outcome: list[Outcome], tmp_path: Path
) -> None:
    process, clock = engine
    pid = pid_of(process)
    outcome[0] = Outcome.ANSWERED
    look_for(process, clock, 60)
    outcome[0] = Outcome.WAITING
    look_for(process, clock, 10)
    assert pid_of(process) == pid
    look_for(process, clock, 4)
    assert ended(process, clock, pid)
    assert "--after-hang" in arguments_of(pid_of(process)), "the next one is told"


_WRITES = (
    "import faulthandler, signal, time; faulthandler.register(signal.SIGUSR2); print('ready', flush=True); "
)
_SLEEPS = "time.sleep(600)\n"


@pytest.mark.parametrize(
    ("before", "words", "words_zh"),
    [
        (None, "log/engine.out has where it stood", "见 log/engine.out"),
        (signal.SIGSTOP, "stopped (SIGSTOP)", "暂停"),
    ],
)
def test_the_alarm_points_to_where_a_hung_engine_stood_only_if_it_could_write_that(
    before: signal.Signals | None,
    words: str,
    words_zh: str,
    engine: tuple[EngineProcess, Clock],
    outcome: list[Outcome],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process, clock = engine
    monkeypatch.setattr("ivr.engine.upkeep.engine.time.sleep", time.sleep)
    monkeypatch.setattr(engine_upkeep, "TRACE_TRIES", int(PATIENCE_S / 0.05))
    (tmp_path / "waiting/waits.py").write_text(_WRITES + _SLEEPS)
    process.stop()
    process.start()
    pid = pid_of(process)
    wait_until(lambda: process._output.read_text() not in ("", "\n"))
    if before is not None:
        os.kill(pid, before)
        wait_until(lambda: processes.state(pid) == "T")
    look_for(process, clock, 105)
    assert ended(process, clock, pid)
    told = arguments_of(pid_of(process))
    hang = Hang.told_in(told[told.index("--after-hang") :])
    assert hang is not None
    fault = hang.fault()
    assert words in fault.sentence
    assert words_zh in fault.sentence_zh
    if before is not None:
        assert "engine.out" not in fault.sentence + fault.sentence_zh
        assert "silent since" in fault.sentence


def test_an_engine_told_of_a_hang_by_an_older_supervisor_tells_it_too() -> None:
    hang = Hang.told_in(["--after-hang", "1800000000.000", "10.2"])
    assert hang == Hang(1.8e9, 10.2)
    assert hang is not None
    for state in "TtDRS?Z":
        fault = Hang(1.8e9, 10.2, state).fault()
        assert "engine.out" not in fault.sentence + fault.sentence_zh


def wait_until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def arguments_of(pid: int) -> list[str]:
    return processes.arguments(pid)


def test_an_engine_that_still_boots_is_given_its_time(
    engine: tuple[EngineProcess, Clock], outcome: list[Outcome]
) -> None:
    process, clock = engine
    pid = pid_of(process)
    look_for(process, clock, 95)
    assert processes.of(pid) is not None
    look_for(process, clock, 10)
    assert ended(process, clock, pid)


def test_a_supervisor_that_was_not_run_ends_no_engine(
    engine: tuple[EngineProcess, Clock], outcome: list[Outcome]
) -> None:
    process, clock = engine
    pid = pid_of(process)
    outcome[0] = Outcome.ANSWERED
    look_for(process, clock, 10)
    outcome[0] = Outcome.WAITING
    for _ in range(15):
        clock.now += 75.0
        process.look()
    assert processes.of(pid) is not None


def test_the_alarm_is_handed_on_until_an_engine_has_run_and_answered(
    engine: tuple[EngineProcess, Clock], outcome: list[Outcome]
) -> None:
    process, clock = engine
    pid = pid_of(process)
    look_for(process, clock, 105)
    assert ended(process, clock, pid)
    first = pid_of(process)
    os.kill(first, 9)  # it died before it could tell
    assert ended(process, clock, first)
    second = pid_of(process)
    assert "--after-hang" in arguments_of(second)
    outcome[0] = Outcome.ANSWERED
    look_for(process, clock, 40)
    os.kill(second, 9)
    assert ended(process, clock, second)
    assert "--after-hang" not in arguments_of(pid_of(process))


def test_an_engine_that_cannot_run_ends_the_start_however_long_it_took_to_say_so(
    engine: tuple[EngineProcess, Clock], outcome: list[Outcome]
) -> None:
    process, clock = engine
    look_for(process, clock, 60)  # a busy machine
    assert process._process is not None
    process._process.kill()
    process._process.wait()
    process._process.returncode = 2  # as ivr.engine.serve ends when starting again makes no sense
    with pytest.raises(HotlineError):
        process.look()


def test_an_engine_that_has_answered_once_is_started_again_for_ever(
    engine: tuple[EngineProcess, Clock], outcome: list[Outcome]
) -> None:
    process, clock = engine
    outcome[0] = Outcome.ANSWERED
    look_for(process, clock, 1)
    first = pid_of(process)
    assert process._process is not None
    process._process.kill()
    process._process.wait()
    process._process.returncode = 2
    process.look()
    clock.now += engine_upkeep.REFUSED_RETRY_S
    process.look()
    assert pid_of(process) != first


def test_the_engine_s_pid_is_noted_once_the_disk_has_room(
    engine: tuple[EngineProcess, Clock], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    process, clock = engine
    with monkeypatch.context() as patch:

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(processes, "note", full)
        process.start()
        look_for(process, clock, 1)
    first = pid_of(process)
    look_for(process, clock, 1)
    assert processes.noted_pid(tmp_path / "run/engine.pid") == first


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Instance]:
    """An Asterisk that only waits."""
    (tmp_path / "run").mkdir()
    instance = Instance.laid_out(tmp_path / "asterisk", tmp_path / "run")
    instance.lay_out()
    with subprocess.Popen(
        [sys.executable, "-c", "input()", "-C", str(instance.config)],
        stdin=subprocess.PIPE,
        env=processes.marked(tmp_path, "asterisk"),
    ) as process:
        processes.note(tmp_path / "run/asterisk-process.pid", str(process.pid))
        yield instance
        process.kill()


def upkeep_of(
    instance: Instance, monkeypatch: pytest.MonkeyPatch, *, vouched: bool = False
) -> AsteriskProcess:
    monkeypatch.setattr(Instance, "wait_booted", lambda _: None)
    monkeypatch.setattr(Instance, "check_ports", lambda *_: None)
    upkeep = AsteriskProcess(
        instance, (set(), set()), notes=Notes(instance.run), vouched=lambda _: vouched, hung_s=60.0
    )
    process = instance.process()
    assert process is not None
    upkeep.keep(process)
    return upkeep


def look_until_ready(upkeep: AsteriskProcess, clock: Clock, instance: Instance) -> bool:
    for _ in range(400):
        clock.now += STEP_S
        upkeep.look()
        if instance.ready:
            return True
    return False


def test_an_asterisk_that_could_not_be_marked_on_a_full_disk_counts_as_live_once_there_is_room(
    running: Instance, monkeypatch: pytest.MonkeyPatch, outcome: list[Outcome]
) -> None:
    outcome[0] = Outcome.ANSWERED
    clock = Clock(monkeypatch, asterisk_upkeep)
    with monkeypatch.context() as patch:

        def full(_: Instance) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(Instance, "mark_ready", full)
        upkeep = upkeep_of(running, monkeypatch)
        assert upkeep._boot is not None
        upkeep._boot.result(20)
        for _ in range(40):
            clock.now += STEP_S
            upkeep.look()
    assert look_until_ready(upkeep, clock, running)


@pytest.mark.parametrize(("vouched", "ends"), [(False, True), (True, False)])
def test_an_asterisk_is_ended_only_if_neither_console_nor_manager_answers_for_long(
    running: Instance,
    monkeypatch: pytest.MonkeyPatch,
    outcome: list[Outcome],
    vouched: bool,
    ends: bool,
) -> None:
    running.mark_ready()
    clock = Clock(monkeypatch, asterisk_upkeep)
    upkeep = upkeep_of(running, monkeypatch, vouched=vouched)
    process = running.process()
    assert process is not None
    for _ in range(int(59 / STEP_S)):
        clock.now += STEP_S
        upkeep.look()
    assert process.alive
    for _ in range(int(2 / STEP_S)):
        clock.now += STEP_S
        if process.alive:
            upkeep.look()
    assert process.alive is not ends


# -- the engine ---------------------------------------------------------------------------------
class Asterisk:
    def __init__(self) -> None:
        self.live, self.reason, self.reason_zh = True, "heartbeat lost", "心跳丢失"


def board() -> Alarms:
    return Alarms(lambda _: None, lambda: 1.8e9)


def watched(liveness: Liveness, seconds: int, since: float = 0.0) -> None:
    for second in range(seconds):
        liveness.judge(since + second, ran_s=since + second)


def up(alarms: Alarms) -> list[str]:
    return [alarm.alarm for alarm in alarms.active]


def test_half_a_minute_without_asterisk_is_an_alarm_until_it_is_back(tmp_path: Path) -> None:
    link, alarms = Asterisk(), board()
    liveness = Liveness(link, alarms, tmp_path)
    watched(liveness, 10)
    link.live = False
    watched(liveness, 26, since=10)
    assert up(alarms) == []
    watched(liveness, 4, since=36)
    [alarm] = alarms.active
    assert alarm.alarm == ASTERISK_AWAY
    assert "heartbeat lost" in alarm.sentence
    assert "心跳丢失" in alarm.sentence_zh


def test_a_suspended_machine_is_no_alarm_about_asterisk(tmp_path: Path) -> None:
    link, alarms = Asterisk(), board()
    liveness = Liveness(link, alarms, tmp_path)
    link.live = False
    for second in range(10):
        liveness.judge(second * 3600.0, ran_s=0.0)
    assert up(alarms) == []


def test_a_hang_is_told_at_once_and_for_some_minutes_unless_a_person_has_seen_it(tmp_path: Path) -> None:
    hang = Hang.told_in(Hang(1.8e9, 10.2).arguments())
    assert hang is not None
    alarms = board()
    liveness = Liveness(Asterisk(), alarms, tmp_path, hang)
    liveness.begin()
    [alarm] = alarms.active
    assert alarm.alarm == ENGINE_HUNG
    assert "10 s" in alarm.sentence
    watched(liveness, int(RAN_WELL_S))
    assert up(alarms) == [ENGINE_HUNG]
    watched(liveness, 2, since=RAN_WELL_S)
    assert up(alarms) == []

    alarms = board()
    liveness = Liveness(Asterisk(), alarms, tmp_path, hang)
    liveness.begin()
    alarms.clear(ENGINE_HUNG, "engine")
    watched(liveness, 10)
    assert up(alarms) == [], "a person took it off the board"


def test_an_engine_after_the_next_one_ends_the_alarm_too(tmp_path: Path) -> None:
    alarms = board()
    alarms.raise_(ENGINE_HUNG, "engine", "remembered", "记得")
    watched(Liveness(Asterisk(), alarms, tmp_path, Hang.told_in([])), int(RAN_WELL_S) + 2)
    assert up(alarms) == []


# -- the home -----------------------------------------------------------------------------------
def looked(home: HomeWatch, times: int, since: float = 0.0) -> str:
    return next((why for n in range(times) if (why := home.look(since + n * 10.0)[0])), "")


def test_a_home_that_was_deleted_is_gone_at_once_and_one_that_was_moved_after_some_looks(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").mkdir()
    deleted = HomeWatch(tmp_path / "a")
    assert looked(deleted, 3) == ""
    shutil.rmtree(tmp_path / "a")
    (tmp_path / "a").mkdir()  # by chance with the same inode
    assert "was deleted" in looked(deleted, 1, since=100)
    deleted.close()
    moved = HomeWatch(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert looked(moved, LOOKS - 1) == ""
    moved.close()
    moved = HomeWatch(tmp_path / "b")
    (tmp_path / "b").rename(tmp_path / "c")
    (tmp_path / "b").mkdir()
    assert "moved away or replaced" in looked(moved, LOOKS)
    moved.close()


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
def test_a_disk_that_does_not_answer_is_no_home_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    home = HomeWatch(tmp_path)

    def broken(*_: object, **__: object) -> os.stat_result:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "stat", broken)
    assert looked(home, 50) == ""
    home.close()


def test_a_disk_that_was_away_for_a_moment_is_forgiven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = HomeWatch(tmp_path)
    plain = Path.stat
    for round_ in range(3):
        with monkeypatch.context() as patch:

            def unmounted(*_: object, **__: object) -> os.stat_result:
                raise FileNotFoundError

            patch.setattr(Path, "stat", unmounted)
            assert all(home.look(round_ * 1000.0 + n * 10)[0] == "" for n in range(LOOKS - 1))
        assert Path.stat is plain
        assert home.look(round_ * 1000.0 + 500.0) == ("", "")
    home.close()
