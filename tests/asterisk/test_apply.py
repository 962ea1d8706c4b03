"""A changed configuration comes into service while people talk and wait, or nothing changes at all."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ivr.asterisk.install.instance import Instance
from ivr.cli.apply import Steps, switch
from ivr.home.settings import load as load_settings
from ivr.rollout import staging as deployment
from ivr.rollout.prepare import history_of, only_one, take
from ivr.rollout.states import ApplyState
from ivr.speech.prompts import wav_seconds
from tests.asterisk.hotline import Hotline, rtp_range, running, wait_for

pytestmark = pytest.mark.asterisk

WAITING = 200
NEW_LINE = "  - {id: test_line, number: '0000-7777', name: 试验热线, department: 试验局, merge_mode: whole}\n"
NEW_QUEUE = "  - {id: q_new, name: 新队列, strategy: random}\n"
NEW_OPERATOR = "  - {number: '1999', name: 新话务员, queues: [q_general, q_new]}\n"
GUEST = "  - {number: '1900', name: 临时话务员, queues: [q_general]}\n"
"""An operator whom no roster names, so that they can go."""


def add_guest(hotline: Hotline) -> None:
    write(hotline, "operators.yaml", GUEST)


@pytest.fixture(scope="module")
def hotline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    """A hotline that can be changed, with room for many callers."""
    folder = tmp_path_factory.mktemp("apply")
    with running(folder, quick=True, prepare=add_guest, IVR_RTP_PORTS=rtp_range(1200)) as instance:
        yield instance


def config(hotline: Hotline) -> Path:
    return Path(hotline.environment["IVR_CONFIG"])


def write(hotline: Hotline, file: str, added: str = "", *, old: str = "", new: str = "") -> None:
    """Edit a file of the administrators' folder."""
    path = config(hotline) / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    text = text.replace(old, new) if old else text
    if file == "queues.yaml":  # the first one is the general one
        text = text.rstrip("\n") + "\n" + added
    else:
        head = f"\n{path.stem}:\n"
        assert head in text
        text = text.replace(head, head + added, 1)
    path.write_text(text, encoding="utf-8")


def asterisk(hotline: Hotline, command: str) -> str:
    """Run a command in Asterisk's own console."""
    settings = load_settings(home=hotline.home)
    installation = deployment.find_asterisk(settings, print, unpack=False)
    return Instance(installation, settings.asterisk_home, settings.run).command(command)


def order(hotline: Hotline) -> list[str]:
    """Return the channels that wait in the general queue, the first one first."""
    return re.findall(r"^\s+\d+\. (\S+) \(wait", asterisk(hotline, "queue show q_general"), re.MULTILINE)


def history(hotline: Hotline) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = hotline.ask("apply", "--history")
    return rows


def runs(hotline: Hotline) -> int:
    """Return the version that runs, as the history says."""
    return next(int(row["version"]) for row in history(hotline) if row["running"])


def test_people_who_talk_and_wait_notice_nothing(hotline: Hotline) -> None:
    hotline.man("01", "1900", ring_ms=0)
    talking = hotline.phones.caller(number="15400009001", after_ms=120_000)
    wait_for(lambda: hotline.call_state("15400009001") == "talking", why=hotline.logs)
    hotline.phones.caller(number="134[call_number]0000", after_ms=120_000, calls=WAITING, rate=40)
    wait_for(lambda: hotline.waiting() == WAITING, 60, "callers wait")
    before = order(hotline)
    assert len(set(before)) == WAITING

    write(hotline, "lines.yaml", NEW_LINE)
    write(hotline, "queues.yaml", NEW_QUEUE)
    write(hotline, "operators.yaml", NEW_OPERATOR)
    done = hotline.run("apply", "--json", "--by", "李四", "--comment", "加线")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["result"], told["by"], told["comment"]) == ("verified", "李四", "加线")
    assert told["changes"]["lines"]["added"] == ["test_line"]
    assert order(hotline) == before, "everybody kept their place, nobody was lost"
    assert hotline.call_state("15400009001") == "talking"
    assert talking.process.poll() is None

    # what is new works at once
    assert {row["queue"] for row in hotline.engine("queues")} >= {"q_general", "q_new"}
    assert len(json.loads((hotline.home / "secrets.json").read_text())["pins"]["1999"]) == 6
    hotline.engine("login", seat="02", operator="1999")
    wait_for(
        lambda: "1999" in asterisk(hotline, "queue show q_new"), why="the new operator serves the new queue"
    )
    hotline.engine("logout", seat="02")
    caller = hotline.phones.caller(dialled="00007777", number="15400009002", after_ms=600)
    assert caller.wait() == 0, caller.errors()
    assert hotline.ticket_of("15400009002")["line_id"] == "test_line"

    # a queue with people in it cannot go, a broken file is refused, and both change nothing
    count, version, before = len(history(hotline)), runs(hotline), order(hotline)
    broken = hotline.folder / "broken"
    broken.mkdir()
    for path in config(hotline).glob("*.yaml"):
        (broken / path.name).write_bytes(path.read_bytes())
    (broken / "operators.yaml").write_text("operators: [\n")
    done = hotline.run("apply", str(broken))
    assert done.returncode == 1
    assert "operators.yaml" in done.stderr
    assert len(history(hotline)) == count
    for path in config(hotline).glob(
        "*.yaml"
    ):  # all is right in it, but the queue of those who wait has another name
        (broken / path.name).write_bytes(path.read_bytes().replace(b"q_general", b"q_renamed"))
    done = hotline.run("apply", str(broken))
    assert done.returncode == 1
    assert "q_general" in done.stderr
    assert f"{WAITING}" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert (runs(hotline), order(hotline)) == (version, before)

    # an operator who is gone talks on, and leaves the seat after the call
    write(hotline, "operators.yaml", old=GUEST)
    done = hotline.run("apply")
    assert done.returncode == 0, done.stderr
    assert hotline.call_state("15400009001") == "talking"
    assert hotline.engine("seats")[0]["operator"] == "1900"
    assert order(hotline) == before
    hotline.phones.close()
    asterisk(hotline, "channel request hangup all")
    wait_for(lambda: hotline.waiting() == 0, why="everybody has hung up")
    wait_for(lambda: hotline.engine("seats")[0]["operator"] is None, why="the seat is free")


def test_an_asterisk_that_differs_is_put_back(hotline: Hotline) -> None:
    version, dialplan = runs(hotline), asterisk(hotline, "dialplan show ivr-numbers")
    write(hotline, "queues.yaml", old="strategy: rrmemory ", new="strategy: leastrecent ")
    asterisk(hotline, "dialplan add extension 999,1,NoOp() into ivr-numbers")
    done = hotline.run("apply")
    assert done.returncode == 1
    assert "foreign" in done.stderr
    assert "999" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert runs(hotline) == version
    assert history(hotline)[0]["result"] == "rolled_back"
    assert "999" in history(hotline)[0]["why"]
    assert "'rrmemory' strategy" in asterisk(hotline, "queue show q_general")
    asterisk(hotline, "dialplan remove extension 999@ivr-numbers")
    assert asterisk(hotline, "dialplan show ivr-numbers") == dialplan

    # the same again: refused while somebody else is at it, done afterwards
    with only_one(load_settings(home=hotline.home)):
        second = hotline.run("apply")
    assert second.returncode == 1
    assert "another" in second.stderr
    assert hotline.run("apply").returncode == 0
    assert "'leastrecent' strategy" in asterisk(hotline, "queue show q_general")
    done = hotline.run("apply")
    assert done.returncode == 0
    assert "nothing changed" in done.stdout


def test_undo_brings_the_version_before_and_the_history_tells_all(hotline: Hotline) -> None:
    version, before = runs(hotline), len(history(hotline))
    done = hotline.run("apply", "--undo", "--by", "王五")
    assert done.returncode == 0, done.stderr
    rows = history(hotline)
    assert len(rows) == before + 1
    assert (rows[0]["how"], rows[0]["by"], rows[0]["result"]) == ("undo", "王五", "verified")
    assert rows[0]["version"] < version
    assert rows[0]["changes"]["queues"]["changed"] == ["q_general"]
    assert "'rrmemory' strategy" in asterisk(hotline, "queue show q_general")
    hotline.run("down")
    hotline.up()
    assert runs(hotline) == rows[0]["version"], "what was undone does not come back at a start"
    assert "'rrmemory' strategy" in asterisk(hotline, "queue show q_general")


def test_an_engine_killed_between_swap_and_verify_finishes_after_the_start(
    hotline: Hotline, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in hotline.environment.items():
        if name.startswith("IVR_"):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(hotline.folder)
    settings = load_settings()
    write(hotline, "queues.yaml", NEW_QUEUE.replace("q_new", "q_third"))
    engine, pid = hotline.pid("engine"), hotline.pid("asterisk")
    with only_one(settings), ThreadPoolExecutor(1) as command:
        prepared = take(settings, config(hotline), "李四", lambda *_: None)
        assert prepared is not None
        os.kill(pid, signal.SIGSTOP)  # Asterisk hears and answers nothing: the change stands in the middle
        try:
            done = command.submit(switch, settings, prepared.change, Steps(quiet=True))
            number = prepared.change.id
            wait_for(
                lambda: history_of(settings).change(number).state is ApplyState.SWAPPED, why=hotline.logs
            )
            os.kill(engine, signal.SIGKILL)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert done.result(90).state is ApplyState.VERIFIED, "the command waits for the outcome"
    hotline.wait_live()
    [newest, *_] = history(hotline)
    assert (newest["result"], newest["running"]) == ("verified", True)
    assert "finished after the engine started again" in newest["why"]
    assert "q_third" in asterisk(hotline, "queue show")
    assert "q_third" in {row["queue"] for row in hotline.engine("queues")}
    assert hotline.run("apply").stdout.count("nothing changed") == 1


def test_an_imported_recording_is_what_asterisk_plays_at_once_and_an_undo_brings_the_former_back(
    hotline: Hotline,
) -> None:
    played = load_settings(home=hotline.home).asterisk_home / "announcements/P062.wav"
    assert str(played.with_suffix("")) in asterisk(hotline, "dialplan show"), "Asterisk plays it by itself"
    before, version = played.read_bytes(), runs(hotline)
    done = hotline.run("prompts", "import", "P062", str(config(hotline) / "prompts/P001.wav"))
    assert done.returncode == 0, done.stderr
    own = config(hotline) / "prompts/P062.wav"
    assert wav_seconds(played) == wav_seconds(own)
    assert played.read_bytes() != before
    assert history(hotline)[0]["how"] == "prompts"
    done = hotline.run("apply", "--undo")
    assert done.returncode == 0, done.stderr
    assert (played.read_bytes(), own.exists(), runs(hotline)) == (before, False, version)
