"""What the supervisor makes of an engine that ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ivr.engine.upkeep.engine import STEADY_S, EngineProcess
from ivr.engine.upkeep.notes import Notes
from ivr.errors import HotlineError
from ivr.home.settings import load
from ivr.host import last_words

REFUSAL = HotlineError("one thing is wrong.\nanother is, too.", "有一处错误。\n还有一处。")


def engine_that(tmp_path: Path, ends: str) -> EngineProcess:
    """Return an engine that started long ago and whose process runs ``ends``."""
    settings = load(home=tmp_path)
    for folder in (settings.run, settings.logs):
        folder.mkdir(parents=True, exist_ok=True)
    engine = EngineProcess(settings, Notes(settings.pids))
    with (settings.logs / "engine.out").open("ab") as output:
        engine._process = subprocess.Popen([sys.executable, "-c", ends], stdout=output, stdin=subprocess.PIPE)
    engine._started -= 10 * STEADY_S
    return engine


def ended(engine: EngineProcess) -> None:
    process = engine._process
    assert process is not None
    process.communicate(b"\n")


def refuses() -> str:
    return f"import sys; sys.stdin.readline(); sys.stdout.write({last_words.spoken(REFUSAL)!r}); sys.exit(2)"


def test_an_engine_that_took_long_to_refuse_its_settings_is_not_started_for_ever(tmp_path: Path) -> None:
    engine = engine_that(tmp_path, refuses())
    engine.look()
    ended(engine)
    with pytest.raises(HotlineError) as told:
        engine.look()
    assert (told.value.sentence, told.value.zh) == (REFUSAL.sentence, REFUSAL.zh)


def test_an_engine_that_once_answered_is_started_again_whatever_it_says(tmp_path: Path) -> None:
    engine = engine_that(tmp_path, refuses())
    engine._asking.answered = True
    engine.look()
    ended(engine)
    engine.look()


def test_the_last_words_of_a_process_are_heard_whole_and_those_of_a_crash_too() -> None:
    assert last_words.heard("older\n" + last_words.spoken(REFUSAL)) == (REFUSAL.sentence, REFUSAL.zh)
    assert last_words.heard("Traceback\nValueError: x\n") == ("ValueError: x", "ValueError: x")
    assert all(last_words.heard(""))
    assert last_words.heard("[1]\n") == ("[1]", "[1]")
