"""Things break at three in the morning; callers do not notice and tickets are right afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.asterisk.hotline import SPEECH, Hotline, rtp_range, running, wait_for

pytestmark = pytest.mark.asterisk


def test_callers_go_on_talking_when_the_engine_is_killed(own_hotline: Hotline) -> None:
    hotline = own_hotline
    hotline.man("01", "1001", sound=SPEECH / "social_card.wav")
    number = "15400000001"
    caller = hotline.phones.caller(
        number=number, before_ms=2000, sound=SPEECH / "power_cut.wav", after_ms=4000
    )
    wait_for(lambda: hotline.call_state(number) == "talking", why="they talk")
    killed = hotline.kill("engine")
    assert caller.wait() == 0, "the caller was cut off: " + caller.errors()
    hotline.wait_live()
    assert hotline.pid("engine") != killed
    ticket = hotline.transcribed(number)
    assert ticket["outcome"] == "answered"
    assert (ticket["seat"], ticket["operator"]) == ("01", "1001")
    assert ticket["talk_s"] > 3
    assert len(ticket["recordings"]) == 1
    assert ticket["transcript"]["text"]
    assert sum(t["call_id"] == ticket["call_id"] for t in hotline.tickets()) == 1
    seat = next(row for row in hotline.engine("seats") if row["seat"] == "01")
    assert seat["operator"] == "1001", "who sat where is remembered"
    assert seat["state"] in ("wrap_up", "ready"), "the talk is wrapped up"


def test_a_call_while_the_engine_is_away_is_greeted_queued_answered_and_has_its_ticket(
    own_hotline: Hotline,
) -> None:
    hotline = own_hotline
    hotline.man("01", "1001", talk_ms=1500)
    # the engine is kept down: the supervisor is held still, the engine killed
    supervisor = int((hotline.home / "run/supervisor.pid").read_text())
    engine = hotline.pid("engine")
    os.kill(supervisor, signal.SIGSTOP)
    os.kill(engine, signal.SIGKILL)
    number = "15400000002"
    caller = hotline.phones.caller(number=number, dialled="12315", stays=True)
    assert caller.wait() == 0, caller.errors()
    notes = list((hotline.home / "spool").glob("*.json"))
    assert len(notes) == 1, "the AGI script left a note"
    os.kill(supervisor, signal.SIGCONT)
    hotline.wait_live()
    ticket = hotline.transcribed(number)
    assert ticket["source"] == "reconciled"
    assert ticket["outcome"] == "answered"
    assert ticket["line_id"] == "market_12315"
    assert (ticket["seat"], ticket["operator"]) == ("01", "1001")
    times = {event["kind"]: event["at"] for event in ticket["events"]}
    assert times["call_started"] <= times["greeted"] <= times["queued"], "told by the detail record"
    assert [event["kind"] for event in ticket["events"]].count("greeted") == 1
    assert not list((hotline.home / "spool").glob("*.json"))


def test_a_frozen_engine_keeps_nobody_from_the_queue(own_hotline: Hotline) -> None:
    hotline = own_hotline
    hotline.man("01", "1001", talk_ms=1000)
    engine = hotline.kill("engine", signal.SIGSTOP)
    number = "15400000003"
    try:
        caller = hotline.phones.caller(number=number, stays=True)
        assert caller.wait() == 0, "nobody took the caller over: " + caller.errors()
    finally:
        with contextlib.suppress(ProcessLookupError):  # it was ended for its silence meanwhile
            os.kill(engine, signal.SIGCONT)
    ticket = hotline.ticket_of(number)
    assert ticket["outcome"] == "answered"
    assert sum(t["call_id"] == ticket["call_id"] for t in hotline.tickets()) == 1
    wait_for(
        lambda: [event["kind"] for event in hotline.ticket_of(number)["events"]].count("greeted") == 1,
        why="the moment of the answer is known, heard late or told by the detail record",
    )


def test_a_database_locked_for_ten_seconds_delays_no_caller_and_loses_nothing(own_hotline: Hotline) -> None:
    hotline = own_hotline
    hotline.man("01", "1001", talk_ms=1000)
    lock = sqlite3.connect(hotline.home / "hotline.sqlite3", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    number = "15400000004"
    locked_at = time.monotonic()
    caller = hotline.phones.caller(number=number, stays=True)
    assert caller.wait() == 0, "the caller had to wait for the database"
    wait_for(lambda: hotline.parts()["database"]["state"] == "down", why="the trouble is shown")
    time.sleep(max(0.0, 10 - (time.monotonic() - locked_at)))
    lock.execute("ROLLBACK")
    lock.close()
    ticket = hotline.transcribed(number)
    assert ticket["outcome"] == "answered"
    assert ticket["source"] == "live"
    hotline.wait_live()


def test_asterisk_restarted_under_the_engine_ends_calls_in_the_tickets_and_keeps_the_seats(
    own_hotline: Hotline,
) -> None:
    hotline = own_hotline
    hotline.man("01", "1001")
    hotline.engine("pause", seat="01", reason="meal")
    cut = hotline.phones.caller(number="15400000005", stays=True)
    wait_for(lambda: hotline.call_state("15400000005") == "waiting", why="the caller waits")
    killed = hotline.kill("asterisk")
    hotline.wait_live()
    assert hotline.pid("asterisk") != killed
    ticket = hotline.ticket_of("15400000005")
    assert ticket["outcome"] == "failed"
    seat = next(row for row in hotline.engine("seats") if row["seat"] == "01")
    assert (seat["operator"], seat["state"], seat["reason"]) == ("1001", "paused", "meal")
    cut.stop()
    members = subprocess_output(hotline, "queue show q_general")
    assert "seat01" in members
    assert "paused" in members
    hotline.engine("resume", seat="01")
    caller = hotline.phones.caller(number="15400000006", stays=True)
    wait_for(lambda: hotline.call_state("15400000006") == "talking", why="they talk")
    assert caller.hang_up() == 0, caller.errors()
    assert hotline.ticket_of("15400000006")["outcome"] == "answered"


def subprocess_output(hotline: Hotline, line: str) -> str:
    from ivr.home.settings import load
    from ivr.rollout import staging as deployment

    settings = load(home=hotline.home)
    installation = deployment.find_asterisk(settings, print)
    return deployment.instance_of(settings, installation).command(line)


@contextlib.contextmanager
def tiny_disk(folder: Path, size: str = "64k") -> Iterator[Path]:
    """Mount a disk of 64 KiB, or of another size."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "none", str(folder)],
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip("mounting a small disk needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def test_a_full_disk_ends_the_recording_and_not_the_call(tmp_path: Path) -> None:
    with (
        tiny_disk(tmp_path / "small") as disk,
        running(tmp_path, quick=True, IVR_RECORDINGS=str(disk)) as hotline,
    ):
        hotline.man("01", "1001", sound=SPEECH / "phone_number.wav")
        number = "15400000007"
        caller = hotline.phones.caller(
            number=number, before_ms=1500, sound=SPEECH / "bus_late.wav", after_ms=300
        )
        assert caller.wait() == 0, caller.errors()
        assert hotline.ticket_of(number)["outcome"] == "answered"

        def told() -> list[str]:
            events = hotline.ticket_of(number)["events"]
            return [event["reason"] for event in events if event["kind"] == "recording_failed"]

        reasons = wait_for(told, why="the ticket says that the recording failed")
        assert "recording" in reasons[0].lower()


def test_a_full_disk_and_a_killed_engine_cost_no_ticket(tmp_path: Path) -> None:
    """Recordings, logs, journal, database and Asterisk's own records all lie on a disk that is full."""
    with (
        tiny_disk(tmp_path / "home", "40m") as disk,
        running(tmp_path, quick=True, IVR_RECORDINGS=str(disk / "recordings")) as hotline,
    ):
        others = disk / "others"
        with contextlib.suppress(OSError), others.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        calls = hotline.phones.caller(number="154[call_number]0000", after_ms=3000, calls=9, rate=3)
        assert calls.wait() == 0, calls.errors()
        wait_for(lambda: hotline.run("status").returncode == 1, why="the trouble is shown")
        assert "full" in hotline.parts()["database"]["reason"]
        hotline.kill("engine")
        others.unlink()
        hotline.wait_live()
        wait_for(
            lambda: len(rows := hotline.tickets()) == 9 and all(row["outcome"] for row in rows),
            why=lambda: f"{_unfinished(hotline.tickets())}\n{hotline.logs()}",
        )
        alarms = [alarm["alarm"] for alarm in hotline.engine("alarms")]
        assert "disk_full" in alarms, alarms


@pytest.mark.parametrize("kind", ["missing", "broken"])
def test_without_a_speech_model_calls_are_answered_and_tickets_say_so(tmp_path: Path, kind: str) -> None:
    model = tmp_path / "model"
    if kind == "broken":
        (model / "am").mkdir(parents=True)
        (model / "am/final.mdl").write_bytes(b"not a model")
    hotline = Hotline(tmp_path, quick=True, IVR_VOSK_MODEL=str(model))
    try:
        done = hotline.run("up", "--detach")
        assert done.returncode == 1
        assert "speech" in done.stderr
        assert str(model) in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        hotline.man("01", "1001", sound=SPEECH / "social_card.wav", talk_ms=500)
        number = "15400000008"
        assert hotline.phones.caller(number=number, stays=True).wait() == 0
        ticket = hotline.transcribed(number)
        assert ticket["outcome"] == "answered"
        assert len(ticket["recordings"]) == 1
        assert ticket["transcript"]["status"] == "failed"
        assert str(model) in ticket["transcript"]["reason"]
    finally:
        hotline.down()


def test_a_torn_journal_line_and_a_broken_note_are_set_aside(own_hotline: Hotline) -> None:
    hotline = own_hotline
    hotline.run("down")
    segments = sorted((hotline.home / "journal").glob("*.jsonl"))
    with segments[-1].open("ab") as file:
        file.write(b'{"stream":"a1-1.1","at":1795')
    (hotline.home / "spool/half.json").write_text('{"call_id": "x"')
    hotline.up()
    number = "15400000009"
    assert hotline.phones.caller(number=number, after_ms=800).wait() == 0
    assert hotline.ticket_of(number)["outcome"] == "abandoned"
    wait_for(lambda: (hotline.home / "spool/half.broken").exists(), why="the note is set aside")


def test_a_database_file_that_was_deleted_is_made_anew_and_no_later_ticket_is_lost(
    own_hotline: Hotline,
) -> None:
    hotline = own_hotline
    engine = hotline.pid("engine")
    for file in hotline.home.glob("hotline.sqlite3*"):
        file.unlink()
    number = "15400000012"
    assert hotline.phones.caller(number=number, after_ms=1500).wait() == 0
    wait_for(lambda: (hotline.home / "hotline.sqlite3").exists(), why="there is a database again")
    hotline.wait_live()
    assert hotline.pid("engine") != engine
    assert "was deleted or replaced" in (hotline.home / "log/engine.log").read_text(encoding="utf-8")
    ticket = hotline.ticket_of(number)
    assert ticket["outcome"] == "abandoned"
    assert sum(t["call_id"] == ticket["call_id"] for t in hotline.tickets()) == 1


def test_a_killed_supervisor_leaves_callers_talking_and_the_next_start_takes_over(
    own_hotline: Hotline,
) -> None:
    hotline = own_hotline
    hotline.man("01", "1001")
    number = "15400000010"
    caller = hotline.phones.caller(number=number, stays=True)
    wait_for(lambda: hotline.call_state(number) == "talking", why="they talk")
    asterisk = hotline.pid("asterisk")
    os.kill(int((hotline.home / "run/supervisor.pid").read_text()), signal.SIGKILL)
    hotline.up()
    assert hotline.pid("asterisk") == asterisk, "Asterisk was kept"
    assert caller.hang_up() == 0, caller.errors()
    assert hotline.ticket_of(number)["outcome"] == "answered"


def _unfinished(tickets: list[dict[str, Any]]) -> str:
    """Say how many tickets there are, and what is known of those that are not finished."""
    rows = [
        (row["call_id"], [event["kind"] for event in row["events"]]) for row in tickets if not row["outcome"]
    ]
    return f"{len(tickets)} tickets, {len(rows)} not finished: {rows[:5]}"


def test_five_hundred_calls_with_the_engine_killed_twice_leave_exactly_five_hundred_tickets(
    tmp_path: Path,
) -> None:
    with running(
        tmp_path, quick=True, IVR_RTP_PORTS=rtp_range(4000)
    ) as hotline:  # on a busy machine all at once
        calls = hotline.phones.caller(number="154[call_number]0000", after_ms=1500, calls=500, rate=20)
        for so_many in (100, 250):
            wait_for(lambda: len(hotline.tickets()) >= so_many, 120, lambda: hotline.logs())  # noqa: B023
            hotline.kill("engine")
        assert calls.wait(240) == 0, calls.errors()
        hotline.wait_live()
        wait_for(
            lambda: len(rows := hotline.tickets()) >= 500 and all(row["outcome"] for row in rows),
            120,
            lambda: (
                f"{_unfinished(hotline.tickets())}\n{hotline.cli('core show channels concise')}\n{hotline.logs()}"
            ),
        )
        hotline.engine("reconcile")  # once more, and it adds nothing
        listed = json.loads(hotline.run("tickets", "list", "--json").stdout)
        assert len(listed) == 500
        assert len({ticket["call_id"] for ticket in listed}) == 500
        assert len({ticket["ticket_no"] for ticket in listed}) == 500
        assert all(ticket["parent_no"] is None for ticket in listed)
    shutil.rmtree(hotline.home / "log", ignore_errors=True)
