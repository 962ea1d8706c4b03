"""Seats and people on a real Asterisk: wrap-up, pauses, overflow, modes, shifts."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ivr.api.socket import Refused
from ivr.home.settings import load
from ivr.rollout import staging as deployment
from tests.asterisk.hotline import Hotline, wait_for
from tools.phones.patience import PATIENCE_S

pytestmark = pytest.mark.asterisk

WRAP_UP_S = 5
OVERFLOW_S = 3
OTHERS = (1016, 1017, 1018)
ALL_DAY = [{"id": "all_day", "start": "00:00", "end": "00:00", "min": 1, "crew": ["1001", "1002"]}]


def write_people(config: Path, shifts: list[dict[str, Any]]) -> None:
    """Write two queues that help each other; 1001, 1004 and 1005 may lead, 1003 knows the market only."""
    queues = [
        {"id": "q_general", "name": "综合受理", "overflow_to": "q_market"},
        {"id": "q_market", "name": "市场监管", "kind": "expert", "hours": "always"},
    ]
    same = {"ring_s": 5, "wrap_up_s": WRAP_UP_S, "overflow_after_s": OVERFLOW_S}
    operators = [
        {
            "number": str(number),
            "name": f"话务员{number}",
            "queues": ["q_market" if number == 1003 else "q_general"],
            "leads": number in (1001, 1004, 1005, *OTHERS),
        }
        for number in range(1001, 1019)
    ]
    crews = {shift["id"]: {"leader": shift["crew"][0], "operators": shift["crew"]} for shift in shifts}
    times = [
        {
            "id": shift["id"],
            "name": shift["id"],
            "start": shift["start"],
            "end": shift["end"],
            "min_on_duty": shift["min"],
        }
        for shift in shifts
    ]
    # Nobody works two shifts running, so the crews of the tests have every other day off.
    off = {
        shift["id"]: {"leader": str(who), "operators": [str(who)]}
        for shift, who in zip(shifts, OTHERS, strict=False)
    }
    today = datetime.now(ZoneInfo("Asia/Shanghai")).date().isoformat()
    roster = {"rest_h": 1, "cycle": {"from": today, "days": [crews, off]}, "days": {}}
    lines = re.sub(r"(?m)^    queue:.*\n", "", (config / "lines.yaml").read_text(encoding="utf-8"))
    (config / "lines.yaml").write_text(lines, encoding="utf-8")
    for name, content in (
        ("queues", {"queues": [queue | same for queue in queues]}),
        ("operators", {"operators": operators}),
        ("shifts", {"shifts": times}),
        ("roster", roster),
    ):
        text = json.dumps(content, ensure_ascii=False)  # JSON is YAML, and quotes its times
        (config / f"{name}.yaml").write_text(text, encoding="utf-8")


class Floor:
    """A hotline with shifts, and what its tests ask again and again."""

    def __init__(self, hotline: Hotline) -> None:
        self.hotline = hotline
        self.engine = hotline.engine

    def seat(self, seat: str) -> dict[str, Any]:
        row: dict[str, Any] = next(row for row in self.engine("seats") if row["seat"] == seat)
        return row

    def wait_state(self, seat: str, state: str, limit_s: float = PATIENCE_S) -> dict[str, Any]:
        def there() -> dict[str, Any] | None:
            row = self.seat(seat)
            return row if row["state"] == state else None

        return wait_for(there, limit_s, lambda: f"seat {seat} {state}\n{self.hotline.logs()}")

    def talk(self, number: str) -> None:
        """A whole short call; the caller hangs up once they talk."""
        caller = self.hotline.phones.caller(number=number, stays=True)
        self.answered(number)
        assert caller.hang_up() == 0, caller.errors()

    def answered(self, number: str, limit_s: float = PATIENCE_S) -> None:
        wait_for(
            lambda: self.hotline.call_state(number) == "talking",
            limit_s,
            lambda: number + self.hotline.logs(),
        )

    def restart_engine(self) -> None:
        self.hotline.kill("engine")
        self.hotline.wait_live()

    def clear(self) -> None:
        """Everybody goes home and every phone is put away."""
        hang_up_all(self.hotline)
        self.hotline.phones.close()
        self.hotline.phones.running.clear()
        for row in self.engine("seats"):
            if row["operator"] is not None:
                self.engine("logout", seat=row["seat"])
        wait_for(lambda: self.hotline.waiting() == 0, why="nobody waits any more")


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    folder = tmp_path_factory.mktemp("people")
    hotline = Hotline(folder, quick=True)
    write_people(folder / "queues", ALL_DAY)
    try:
        hotline.up()
        yield Floor(hotline)
    finally:
        hotline.down()


@pytest.fixture(autouse=True)
def _clean(floor: Floor) -> Iterator[None]:
    yield
    floor.clear()


def seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def answered_at(ticket: dict[str, Any]) -> float:
    return next(seconds(event["at"]) for event in ticket["events"] if event["kind"] == "answered")


def rung_at(ticket: dict[str, Any]) -> float:
    return next(seconds(event["at"]) for event in ticket["events"] if event["kind"] == "seat_ringing")


def test_no_call_rings_while_the_operator_wraps_up_and_the_next_one_does_after_it(floor: Floor) -> None:
    floor.hotline.man("01", "1001", ring_ms=0)
    first = floor.hotline.phones.caller(number="15500000101", stays=True)
    floor.answered("15500000101")
    second = floor.hotline.phones.caller(number="15500000102", stays=True)
    assert first.hang_up() == 0
    row = floor.wait_state("01", "wrap_up")
    assert row["wrap_up_left_s"] <= WRAP_UP_S
    floor.answered("15500000102")
    hang_up_all(floor.hotline)
    assert second.wait() == 0
    ended = floor.hotline.ticket_of("15500000101")
    left = max(seconds(event["at"]) for event in ended["events"] if event["kind"] == "operator_left")
    waited = floor.hotline.ticket_of("15500000102")
    assert waited["outcome"] == "answered"
    assert rung_at(waited) - left > WRAP_UP_S - 0.5


def test_the_operator_ends_the_wrap_up_early_and_the_next_call_rings_at_once(floor: Floor) -> None:
    floor.hotline.man("01", "1001", ring_ms=0)
    floor.talk("15500000111")
    floor.wait_state("01", "wrap_up")
    waiting = floor.hotline.phones.caller(number="15500000112", stays=True)
    wait_for(lambda: floor.hotline.waiting() == 1, why="the next caller waits")
    floor.engine("resume", seat="01")
    resumed = time.time()
    floor.answered("15500000112")
    assert waiting.hang_up() == 0
    ticket = floor.hotline.ticket_of("15500000112")
    assert ticket["outcome"] == "answered"
    assert rung_at(ticket) - resumed < WRAP_UP_S / 2


def test_a_kill_of_the_engine_and_a_restart_of_asterisk_take_no_second_of_wrap_up_and_no_pause(
    floor: Floor,
) -> None:
    hotline = floor.hotline
    hotline.man("01", "1001", ring_ms=0)
    floor.engine("login", seat="02", operator="1004")
    floor.engine("pause", seat="02", reason="meal")
    floor.talk("15500000121")
    floor.wait_state("01", "wrap_up")
    ended = time.time()
    waiting = hotline.phones.caller(number="15500000122", stays=True)
    floor.restart_engine()
    row = floor.seat("01")
    if time.time() < ended + WRAP_UP_S - 1.5:
        assert row["state"] == "wrap_up"
        assert row["wrap_up_left_s"] <= ended + WRAP_UP_S - time.time() + 1
    assert (floor.seat("02")["state"], floor.seat("02")["reason"]) == ("paused", "meal")
    floor.answered("15500000122")
    hang_up_all(hotline)
    assert waiting.wait() == 0
    ticket = hotline.ticket_of("15500000122")
    assert rung_at(ticket) - ended > WRAP_UP_S - 1.5
    floor.wait_state("01", "wrap_up")
    left = time.time()
    hotline.kill("asterisk")
    hotline.wait_live()
    members = wait_for(lambda: shown_members(hotline), why="members are back")
    assert members["seat02"] == "meal"
    if time.time() < left + WRAP_UP_S - 1.5:
        assert members["seat01"] == "wrap_up"
    floor.wait_state("01", "ready")
    wait_for(lambda: shown_members(hotline)["seat01"] == "", why="calls come again")


def asterisk(hotline: Hotline, command: str) -> str:
    """Ask Asterisk's own console."""
    settings = load(home=hotline.home)
    return deployment.instance_of(settings, deployment.find_asterisk(settings, print)).command(command)


def hang_up_all(hotline: Hotline) -> None:
    """End every call."""
    asterisk(hotline, "channel request hangup all")


def shown_members(hotline: Hotline) -> dict[str, str]:
    """Return why each member of the general queue is paused, as Asterisk itself tells it; empty for ready."""
    found = {}
    for line in asterisk(hotline, "queue show q_general").splitlines():
        if "PJSIP/seat" in line:
            seat = line.partition("PJSIP/")[2][:6]
            found[seat] = line.partition("(paused:")[2].partition(" ")[0]
    return found


def test_helpers_ring_after_the_wait_and_in_an_emergency_at_once(floor: Floor) -> None:
    hotline = floor.hotline
    hotline.man("03", "1003", ring_ms=0)
    floor.engine("login", seat="01", operator="1001")
    floor.engine("pause", seat="01", reason="rest")
    floor.talk("15500000131")
    late = hotline.ticket_of("15500000131")
    assert (late["seat"], late["queue"]) == ("03", "q_general")
    assert late["waited_s"] > OVERFLOW_S - 1
    floor.engine("resume", seat="03")
    assert floor.engine("set_mode", mode="emergency", by="1001", event="暴雨", fact="")["mode"] == "emergency"
    floor.talk("15500000132")
    assert hotline.ticket_of("15500000132")["waited_s"] < OVERFLOW_S - 1
    floor.engine("set_mode", mode="regular", by="1001")


def dial(hotline: Hotline, seat: str, code: str, keys: str = "") -> None:
    """Dial a star code on a seat's phone and hear it out."""
    user = f"seat{seat}"
    password = json.loads((hotline.home / "secrets.json").read_text())["sip"][user]
    phone = hotline.phones.caller(
        dialled=code, number=user, user=user, password=password, keys=keys, stays=True
    )
    assert phone.wait() == 0, phone.errors()


def pin_of(hotline: Hotline, operator: str) -> str:
    pin: str = json.loads((hotline.home / "secrets.json").read_text())["pins"][operator]
    return pin


def test_the_leader_sets_the_mode_by_command_and_by_phone_and_nobody_else_does(floor: Floor) -> None:
    hotline = floor.hotline
    floor.engine("login", seat="01", operator="1001")
    floor.engine("login", seat="04", operator="1002")
    with pytest.raises(Refused, match="ask the shift leader, 1001"):
        floor.engine("set_mode", mode="emergency", by="1002")
    dial(hotline, "04", "*143", pin_of(hotline, "1002"))
    assert floor.engine("mode")["mode"] == "regular"
    dial(hotline, "01", "*143", pin_of(hotline, "1001"))
    now = floor.engine("mode")
    assert (now["mode"], now["by"], now["leader"], now["acting"]) == ("emergency", "1001", "1001", False)
    floor.restart_engine()
    assert wait_for(lambda: floor.engine("mode"))["mode"] == "emergency"
    assert hotline.run("mode", "set", "holiday", "--by", "1002").returncode == 1
    done = hotline.run("mode", "set", "regular", "--by", "1001")
    assert done.returncode == 0, done.stderr
    assert "mode regular, set by 1001" in done.stdout


def test_an_expert_queue_where_nobody_is_left_gives_its_callers_back_to_their_place(floor: Floor) -> None:
    hotline = floor.hotline
    floor.engine("login", seat="03", operator="1003")
    floor.engine("pause", seat="03", reason="rest")
    asterisk(hotline, "dialplan add extension 1,1,Queue,q_market into ivr-test-market")
    early = hotline.phones.caller(number="15500000141", after_ms=110_000)
    wait_for(lambda: hotline.waiting() == 1, why="the first waits")
    channel = next(
        line.split("!")[0]
        for line in asterisk(hotline, "core show channels concise").splitlines()
        if "Queue" in line
    )
    asterisk(hotline, f"channel redirect {channel} ivr-test-market,1,1")
    wait_for(lambda: floor.engine("queues")[1]["waiting"] == 1, why="the expert queue has the first")
    later = hotline.phones.caller(number="15500000142", after_ms=110_000)
    wait_for(lambda: hotline.waiting() == 1, why="a later caller waits in the general queue")
    floor.engine("logout", seat="03")
    wait_for(lambda: hotline.waiting() == 2, why=lambda: "both are in the general queue" + hotline.logs())
    order = [
        line.split()[1]
        for line in asterisk(hotline, "queue show q_general").splitlines()
        if "wait:" in line and "PJSIP/trunk" in line
    ]
    assert order[0] == channel, "who waited longer stands first"
    hotline.man("01", "1001", ring_ms=0)
    floor.answered("15500000141")
    assert hotline.call_state("15500000142") == "waiting"
    early.stop()
    later.stop()
    hang_up_all(hotline)
    ticket = hotline.ticket_of("15500000141")
    assert ticket["queue"] == "q_general"
    back = next(event for event in ticket["events"] if event["kind"] == "back_to_general_queue")
    assert (back["from"], back["why"]) == ("q_market", "nobody is logged in")
    hotline.ticket_of("15500000142")


def test_a_change_of_shifts_disturbs_neither_who_talks_nor_who_waits_nor_who_stays(floor: Floor) -> None:
    hotline = floor.hotline
    change = datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(seconds=80)  # a shift begins with a minute
    ends = change.strftime("%H:%M")
    shifts = [
        {"id": "old", "start": "00:00", "end": ends, "min": 1, "crew": ["1001", "1002"]},
        {"id": "new", "start": ends, "end": "00:00", "min": 1, "crew": ["1004", "1006"]},
    ]
    write_people(hotline.folder / "queues", shifts)
    assert hotline.run("apply").returncode == 0
    hotline.man("01", "1001", ring_ms=0)
    floor.engine("login", seat="02", operator="1004")  # the next leader comes before the shift begins
    floor.engine("pause", seat="02", reason="training")
    talking = hotline.phones.caller(number="15500000151", after_ms=110_000)
    floor.answered("15500000151")
    waiting = hotline.phones.caller(number="15500000152", after_ms=110_000)
    wait_for(lambda: hotline.waiting() == 1, why="somebody waits")
    assert floor.engine("mode")["leader"] == "1001", "the change comes later"
    wait_for(lambda: floor.engine("mode")["leader"] == "1004", 90, "the new leader leads")
    time.sleep(3.5)  # a look at the floor lies between
    assert hotline.call_state("15500000151") == "talking"
    assert hotline.waiting() == 1
    rows = {row["seat"]: row for row in floor.engine("seats")}
    assert (rows["01"]["operator"], rows["02"]["operator"]) == ("1001", "1004")
    assert not rows["01"]["may_leave"], "a caller waits"
    talking.stop()
    waiting.stop()
    hang_up_all(hotline)
    write_people(hotline.folder / "queues", ALL_DAY)
    assert hotline.run("apply").returncode == 0


def test_what_needs_a_person_is_shown_by_the_status_and_as_alarms(floor: Floor) -> None:
    def up() -> set[str]:
        return {row["alarm"] for row in floor.hotline.ask("alarms")}

    wait_for(lambda: "nobody_logged_in" in up(), 100, "nobody is logged in")
    assert floor.hotline.ask("status")["alarms"]
    assert "nobody is logged in" in floor.hotline.run("alarms").stdout
    floor.hotline.man("01", "1001", ring_ms=0)
    wait_for(lambda: "nobody_logged_in" not in up(), 60, "the alarm is off the board again")


def test_no_call_rings_in_the_instant_before_the_engine_has_heard_of_the_end(floor: Floor) -> None:
    """The engine is frozen when the talk ends: Asterisk's own wrap-up keeps the next caller away."""
    hotline = floor.hotline
    hotline.man("01", "1001", ring_ms=0)
    first = hotline.phones.caller(number="15500000161", stays=True)
    floor.answered("15500000161")
    talking = next(
        line.split("!")[0]
        for line in asterisk(hotline, "core show channels concise").splitlines()
        if line.startswith("PJSIP/trunk")
    )
    second = hotline.phones.caller(number="15500000162", stays=True)
    wait_for(lambda: hotline.waiting() == 1, why="the next caller waits")
    engine = hotline.kill("engine", signal.SIGSTOP)
    try:
        asterisk(hotline, f"channel request hangup {talking}")
        ended = time.time()
        while time.time() < ended + WRAP_UP_S - 2:
            queue = asterisk(hotline, "queue show q_general")
            assert "PJSIP/seat01" in queue
            assert "Ringing" not in queue
            assert "paused:" not in queue, "the engine could not say it"
    finally:
        os.kill(engine, signal.SIGCONT)
    floor.answered("15500000162")
    hang_up_all(hotline)
    assert first.wait() == 0
    assert second.wait() == 0
    assert rung_at(hotline.ticket_of("15500000162")) - ended > WRAP_UP_S - 1.5
