"""``ivr status`` while no engine answers."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from ivr.cli import main
from ivr.commands.parts import parts_of
from ivr.settings import load

SHIPPED = Path(__file__).parents[2] / "queues"


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


def test_a_state_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environment = {"IVR_HOME": str(tmp_path / "file"), "IVR_LANGUAGE": "en", "IVR_CONFIG": str(SHIPPED)}
    for words in (["up"], ["up", "--detach"], ["down"], ["setup"]):
        done = CliRunner().invoke(main, words, env=environment)
        assert done.exit_code == 1 or words == ["down"], done.output
        assert isinstance(done.exception, SystemExit | None), f"{words}: {done.exception!r}"
        assert words == ["down"] or f"{tmp_path}/file" in done.stderr


def test_who_may_not_look_is_told_whose_hotline_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    settings = load(home=tmp_path)
    monkeypatch.setattr("ivr.control.os.open", closed)
    reason = parts_of(settings)["engine"]["reason"]
    assert "another user" in reason
    assert "ivr up" not in reason


@pytest.mark.parametrize("words", [["tickets", "list"], ["down"], ["lines", "list"]])
def test_a_command_of_another_user_says_so(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IVR_HOME", str(tmp_path))
    monkeypatch.setenv("IVR_LANGUAGE", "en")
    for name in ("open", "is_dir", "exists"):
        plain = getattr(Path, name)

        def closed(
            self: Path, *rest: object, _plain: Callable[..., object] = plain, **more: object
        ) -> object:
            if self.is_relative_to(tmp_path):
                raise PermissionError(13, "Permission denied", str(self))
            return _plain(self, *rest, **more)

        monkeypatch.setattr(Path, name, closed)
    done = CliRunner().invoke(main, words)
    assert isinstance(done.exception, SystemExit), done.exception
    assert (done.exit_code, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert "the user who runs the hotline" in done.stderr


@pytest.fixture(autouse=True)
def _own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IVR_ASTERISK", raising=False)
