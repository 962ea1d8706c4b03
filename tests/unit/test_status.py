"""``ivr status``: why a part is away, also while no engine answers."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from click.testing import CliRunner

from ivr import __version__
from ivr.api.requests import Answers
from ivr.asterisk.ami.link import LinkState
from ivr.cli.main import main
from ivr.cli.parts import PARTS, other_version, parts_of
from ivr.engine.engine import Engine
from ivr.home.settings import load
from ivr.speech.transcriber import Transcriber

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


_CHINESE = re.compile(r"[\u4e00-\u9fff]")


def test_why_a_part_is_away_is_told_in_chinese_too(tmp_path: Path) -> None:
    settings = load(home=tmp_path)
    settings.run.mkdir()
    for supervised in (False, True):
        with (settings.run / "supervisor.pid").open("w") as lock:
            if supervised:
                fcntl.flock(lock, fcntl.LOCK_EX)
            for name, part in parts_of(settings).items():
                assert _CHINESE.search(part["reason_zh"]), (name, part)
                assert not _CHINESE.search(part["reason"]), (name, part)
    environment = {"IVR_HOME": str(tmp_path), "IVR_CONFIG": str(SHIPPED)}
    for language, word in (("zh", "没有运行"), ("en", "it does not run")):
        done = CliRunner().invoke(main, ["status"], env=environment | {"IVR_LANGUAGE": language})
        assert done.exit_code == 1
        assert word in done.stdout


@pytest.mark.parametrize("state", [LinkState.LIVE, LinkState.SYNCING, LinkState.DOWN])
async def test_why_a_part_of_a_running_engine_is_away_is_told_in_chinese_too(state: LinkState) -> None:
    link = SimpleNamespace(state=state, late=True, lag_s=1.5, reason="it sleeps", reason_zh="休眠中")
    engine = SimpleNamespace(
        link=link,
        memory=SimpleNamespace(trouble="it is full", trouble_zh="磁盘已满"),
        transcriber=SimpleNamespace(status=Transcriber(Path("none")).status),
        asterisk_version="22",
        fastagi=SimpleNamespace(port=1),
    )
    parts = await Answers(cast(Engine, engine)).status({})
    for name in ("ami", "database", "speech"):
        assert parts[name]["reason"], name
        assert _CHINESE.search(parts[name]["reason_zh"]), name
    for name in ("engine", "fastagi"):
        assert parts[name]["reason"] == parts[name]["reason_zh"] == ""


@pytest.mark.parametrize(
    ("version", "words"), [(None, "an older version"), ("9.9.9", "version 9.9.9"), (__version__, "")]
)
def test_who_looks_at_an_engine_of_another_version_is_told_what_to_do(
    version: str | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {name: {"state": "live", "reason": "", "pid": 1} for name in PARTS}
    told["engine"] |= {"version": version} if version else {}
    monkeypatch.setattr("ivr.cli.parts.ask", lambda *_, **__: told)
    parts = parts_of(load(home=tmp_path))
    why = other_version(parts)
    assert (why is None) is (not words)
    assert parts["engine"]["state"] == "live"
    if why is not None:
        assert words in why[0]
        assert all("ivr down" in sentence and "ivr up" in sentence for sentence in why)
        assert parts["engine"]["reason_zh"] == why[1]
        assert _CHINESE.search(why[1])


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
    monkeypatch.setattr("ivr.api.socket.os.open", closed)
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
