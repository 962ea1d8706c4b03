"""What is told of an Asterisk that drops media which begin anew: to people, to the engine, and after a restart."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Collection, Iterable
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from ivr.alarms.board import Fault
from ivr.asterisk.install.installation import (
    Installation,
    InstallationError,
    find,
    program_in,
    run_by,
    words_of,
)
from ivr.asterisk.mends import media_restart
from ivr.asterisk.mends.media_proof import Media
from ivr.asterisk.mends.media_restart import Verdict
from ivr.cli.configuration import SHIPPED
from ivr.cli.main import main
from ivr.engine import media
from ivr.engine.media import MediaWatch, Told, note, noted, sentence
from ivr.home.settings import Settings, load
from ivr.host import processes

LOADER = "/x/usr/lib64/ld-linux-x86-64.so.2"


class Board:
    """Keeps what was judged."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def judge(self, faults: Iterable[Fault], judged: Collection[str]) -> None:
        """Keep it."""
        assert judged == {"asterisk_patched"}
        self.faults = list(faults)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A hotline of its own."""
    return load(home=tmp_path / "home", asterisk_root=tmp_path / "root", config=Path("queues"))


def verdict(settings: Settings, outcome: Media = Media.DROPPED, *, mended: bool = False) -> Verdict:
    """Return what was found of the unpacked Asterisk."""
    return Verdict(
        outcome, str(program_in(settings.asterisk_root).resolve()), "22.10.1", mended, "no call", "无呼叫"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["/usr/sbin/asterisk", "-f", "-U", "asterisk"], 1),
        ([LOADER, "--library-path", "/x/usr/lib", "/x/usr/sbin/asterisk", "-C", "a.conf"], 4),
        (["/usr/bin/python3", "-m", "pytest", "tests/asterisk"], 0),
        (["/usr/bin/vi", "/etc/asterisk"], 0),
        ([LOADER, "--library-path", "/x/usr/lib"], 0),
        ([], 0),
    ],
)
def test_only_an_asterisk_is_taken_for_one(arguments: list[str], words: int) -> None:
    assert words_of(arguments) == tuple(arguments[:words])


@pytest.mark.parametrize("words", [(), ("asterisk",), ("/nonexistent/asterisk",), ("/bin/true",)])
def test_a_program_that_cannot_be_run_from_here_is_not_judged(words: tuple[str, ...]) -> None:
    assert run_by(words) is None


def test_an_installed_asterisk_does_not_count_where_ours_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/asterisk"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\necho Asterisk 22.0.0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(InstallationError, match="none is unpacked"):
        find("unpacked", tmp_path / "root", print, unpack=False)
    assert not (tmp_path / "asked").exists()


def test_each_sentence_says_what_to_do_in_both_languages(settings: Settings) -> None:
    ours, other = verdict(settings), Verdict(Media.DROPPED, "/usr/sbin/asterisk", "22.5.0")
    running = Told(verdict(settings, Media.CARRIED, mended=True), processes.of(os.getpid()))
    for told, english, chinese in (
        (Told(ours), "our copy could not be mended (no call): run `ivr setup`", "本机副本未能修正（无呼叫）"),
        (Told(other), "set IVR_ASTERISK=unpacked and run `ivr setup`", "请设置 IVR_ASTERISK=unpacked"),
        (running, "`ivr down`, then `ivr up`", "先 ivr down，再 ivr up"),
    ):
        assert told.dropped
        en, zh = sentence(settings, told)
        assert "drops the voice" in en and english in en
        assert "会丢弃" in zh and chinese in zh
    city = settings.model_copy(update={"asterisk": "external"})
    assert "without Debian's patch 2016_opus_plc" in sentence(city, Told(other))[0]
    assert "could not be proved: no call" in sentence(settings, Told(verdict(settings, Media.UNKNOWN)))[0]
    assert "无法验证" in sentence(settings, Told(verdict(settings, Media.UNKNOWN)))[1]


def checked(settings: Settings, language: str, *words: str) -> str:
    """Return what ``ivr check`` says."""
    environment = {
        "IVR_HOME": str(settings.home),
        "IVR_ASTERISK_ROOT": str(settings.asterisk_root),
        "IVR_LANGUAGE": language,
    }
    done = CliRunner(env=environment).invoke(main, ["check", str(SHIPPED), *words])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize(
    ("found", "english", "chinese"),
    [
        (None, "not known yet: `ivr setup` finds out", "请运行 ivr setup 进行验证"),
        (Media.CARRIED, "is heard; a call proved it", "已通过呼叫验证"),
        (Media.DROPPED, "drops the voice", "会丢弃"),
        (Media.UNKNOWN, "could not be proved", "无法验证"),
    ],
)
def test_a_check_says_what_is_known_of_the_asterisk_that_would_be_used_and_starts_none(
    settings: Settings,
    found: Media | None,
    english: str,
    chinese: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = settings.home.parent / "asterisk"
    program.touch()
    installation = Installation((str(program),), program.parent, program.parent, "22.10.1")
    monkeypatch.setattr("ivr.asterisk.install.installation.find", lambda *_, **__: installation)
    if found is not None:
        known = Verdict(found, str(program), "22.10.1", why="no call", why_zh="无呼叫")
        media_restart._keep(settings.asterisk_root.with_name("root.media.json"), installation, known)
    assert english in checked(settings, "en")
    assert chinese in checked(settings, "zh")
    told = json.loads(checked(settings, "en", "--json"))["media"]
    assert told == (found and {"asterisk": "22.10.1", "program": str(program), "begin_anew": found.value})


def test_our_copy_that_is_not_mended_yet_is_told_by_its_code(settings: Settings) -> None:
    told = Told(Verdict(Media.DROPPED, str(program_in(settings.asterisk_root).resolve()), "22.10.1"))
    assert "not mended yet: run `ivr setup`" in sentence(settings, told)[0]
    assert "尚未修正" in sentence(settings, told)[1]


def test_the_engine_reads_what_the_supervisor_found(settings: Settings) -> None:
    assert noted(settings) is None
    found = verdict(settings)
    assert note(settings, found) == noted(settings) == Told(found)
    (settings.pids / "media.json").write_text('{"verdict": {"media": "of another version"}}')
    assert noted(settings) is None
    assert note(settings, found) == noted(settings)
    assert note(settings, None) is None
    assert noted(settings) is None


def test_the_alarm_goes_when_the_process_from_before_the_mend_has_ended(settings: Settings) -> None:
    board, program = Board(), program_in(settings.asterisk_root)
    program.parent.mkdir(parents=True)
    mended = verdict(settings, Media.CARRIED, mended=True)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        kept = processes.of(child.pid)
        program.touch()
        after = psutil.Process(child.pid).create_time() + 1
        os.utime(program, (after, after))
        told = note(settings, mended, kept)
        assert told is not None and told.old == kept
        asyncio.run(MediaWatch(settings, board).look())
        assert [fault.alarm for fault in board.faults] == ["asterisk_patched"]
        child.kill()
    asyncio.run(MediaWatch(settings, board).look())
    assert board.faults == []


def test_a_process_that_was_started_after_the_mend_is_no_old_one(settings: Settings) -> None:
    program = program_in(settings.asterisk_root)
    program.parent.mkdir(parents=True)
    program.touch()
    os.utime(program, (1, 1))
    told = note(settings, verdict(settings, Media.CARRIED, mended=True), processes.of(os.getpid()))
    assert told is not None and not told.dropped


def test_what_cannot_be_seen_does_not_end_the_engine(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        looked_again, looks = asyncio.Event(), 0

        def look(*_: object) -> None:
            nonlocal looks
            looks += 1
            if looks == 3:
                looked_again.set()
            raise psutil.AccessDenied(1)

        monkeypatch.setattr(media, "noted", look)
        watching = asyncio.create_task(MediaWatch(settings, Board()).run())
        waiting = asyncio.create_task(looked_again.wait())
        done, _ = await asyncio.wait((watching, waiting), return_when=asyncio.FIRST_COMPLETED)
        watching.cancel()
        assert watching not in done

    monkeypatch.setattr(media, "_LOOK_S", 0)
    asyncio.run(run())


@pytest.mark.parametrize("text", ["", "[]", "{", '{"x": 1}', "\xff"])
def test_a_damaged_store_knows_nothing(tmp_path: Path, text: str) -> None:
    program, store = tmp_path / "asterisk", tmp_path / "media.json"
    program.touch()
    store.write_text(text, encoding="latin-1")
    found = Installation((str(program),), tmp_path, tmp_path, "22.10.1")
    assert media_restart.known(store, found) is None
