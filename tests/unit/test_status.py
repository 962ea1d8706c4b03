"""``ivr status`` while no engine answers."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from ivr.commands.process import parts_of
from ivr.settings import load


def test_an_engine_that_ends_again_and_again_is_not_to_be_started(tmp_path: Path) -> None:
    settings = load(home=tmp_path)
    assert "ivr up" in parts_of(settings)["engine"]["reason"]
    settings.run.mkdir()
    with (settings.run / "supervisor.pid").open("w") as lock:  # as the supervisor holds it
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name, part in parts_of(settings).items():
            assert part["state"] == "down"
            assert "ivr up" not in part["reason"], "it says that all is running already"
            assert name == "asterisk" or str(settings.logs / "engine.log") in part["reason"]


@pytest.fixture(autouse=True)
def _own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IVR_ASTERISK", raising=False)
