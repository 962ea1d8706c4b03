"""More callers than a small range of ports holds: seats ring all the same, help is reached, nobody is lost unseen."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ivr.cli.refused import newest_refused
from tests.asterisk.hotline import Hotline, rtp_range, running, wait_for
from tests.asterisk.test_strange_callers import from_110
from tests.asterisk.three_parties import configure
from tools.phones.ear import Ear
from tools.phones.sipp import Running
from tools.phones.tone_phone import TonePhone, until

pytestmark = pytest.mark.asterisk
PAIRS = 20
POLICE = 1600.0


class Crowd:
    """A hotline with 20 pairs of ports, whose places for callers are all taken."""

    def __init__(self, hotline: Hotline, police: TonePhone) -> None:
        self.hotline = hotline
        self.police = police
        self.limit: int = self.capacity()["limit"]
        self.waiting: list[TonePhone] = []
        self.fill()

    def capacity(self) -> dict[str, Any]:
        """Return ``capacity`` of ``ivr status``."""
        found: dict[str, Any] = self.hotline.engine("capacity")["capacity"]
        return found

    def fill(self) -> None:
        """Let callers come until no more are let in."""
        for phone in self.waiting:
            phone.close()
        wait_for(lambda: self.capacity()["callers"] == 0, why="those who were there have gone")
        self.waiting = [self.phone(f"154100000{n:02d}") for n in range(self.limit)]
        wait_for(lambda: self.hotline.waiting() == self.limit, why="they wait")

    def phone(self, number: str) -> TonePhone:
        """Let somebody call."""
        phone = TonePhone(0, 400.0, ("127.0.0.1", self.hotline.sip_port))
        phone.call("12345", number)
        return phone

    def refused(self, suffix: str) -> list[dict[str, Any]]:
        """Return the records of refused calls from numbers that end so."""
        rows = self.hotline.stored(newest_refused)
        return [row for row in rows if row["caller"].endswith(suffix)]

    def told(self) -> int:
        """Return how many callers hear now why they are not let in."""
        return self.hotline.cli("group show channels").count("told")

    def flood(self) -> Running:
        """Let 20 callers a second call, who are all refused."""
        return self.hotline.phones.caller(number="15499990000", calls=2000, rate=20, stays=True)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    police = TonePhone(0, POLICE, ("127.0.0.1", 0))

    def prepare(hotline: Hotline) -> None:
        config = Path(hotline.environment["IVR_CONFIG"])
        configure(config, {"110": [f"sip:110@127.0.0.1:{police.port}"]})
        police.server = ("127.0.0.1", hotline.sip_port)

    folder = tmp_path_factory.mktemp("crowd")
    small = {"IVR_RTP_PORTS": rtp_range(2 * PAIRS - 1), "IVR_UNATTENDED_S": "3600"}
    with running(folder, quick=True, prepare=prepare, **small) as hotline:
        place = Crowd(hotline, police)
        yield place
        for phone in (*place.waiting, police):
            phone.close()


def test_who_is_not_let_in_hears_why(crowd: Crowd) -> None:
    sound = crowd.hotline.home / "asterisk/announcements/S040.wav"
    with Ear() as ear:
        caller = crowd.hotline.phones.caller(number="15420000001", stays=True, ear=ear.port)
        assert caller.wait(60) == 0, caller.errors()
        assert ear.find(sound) is not None, "the announcement was heard"
    assert crowd.hotline.waiting() == crowd.limit, "those who wait go on waiting"


def test_of_more_than_can_hear_why_the_carrier_is_told(crowd: Crowd) -> None:
    wait_for(lambda: crowd.told() == 0, why="nobody hears the announcement")
    phones = [crowd.phone(f"1542000000{n}") for n in range(2, 6)]
    wait_for(lambda: all(phone.status for phone in phones), why="each has an answer")
    answers = {phone.status for phone in phones}
    for phone in phones:
        phone.close()
    assert answers == {200, 503}


def test_each_call_that_was_not_let_in_is_a_record_with_its_number(crowd: Crowd) -> None:
    phone = crowd.phone("15420001234")
    wait_for(lambda: crowd.refused("1234"), why="the record")
    phone.close()
    listed = [
        row for row in crowd.hotline.ask("calls", "list", "--refused") if row["caller"].endswith("1234")
    ]
    assert len(listed) == 1
    assert listed[0].pop("call_id")
    assert listed[0].pop("at")
    assert listed[0] == {
        "caller": "154****1234",
        "dialled_number": "12345",
        "reason": "busy",
        "trunk": "trunk",
        "calls": 1,
    }
    assert "15420001234" not in (crowd.hotline.home / "hotline.sqlite3").read_bytes().decode("latin-1")
    assert "15420001234" in crowd.hotline.run("calls", "list", "--refused", "--full").stdout, "to call back"
    assert not [ticket for ticket in crowd.hotline.tickets() if ticket["caller"].endswith("1234")]


def test_a_number_that_is_not_ours_is_a_record_too(crowd: Crowd) -> None:
    before = crowd.hotline.engine("capacity")["refused"].get("unknown_number", 0)
    assert crowd.hotline.phones.refused(dialled="5551234", code=404, number="15420005678").wait() == 0
    assert crowd.hotline.phones.refused(dialled="s", code=404, number="15420005679").wait() == 0
    wait_for(lambda: crowd.refused("5679"), why="the record of a call to nothing at all")
    rows = wait_for(lambda: crowd.refused("5678"), why="the record")
    assert (rows[0]["reason"], rows[0]["dialled_number"]) == ("unknown_number", "5551234")
    assert crowd.hotline.engine("capacity")["refused"]["unknown_number"] == before + 2


def test_the_shift_leader_is_told_that_it_is_full_and_that_calls_are_refused(crowd: Crowd) -> None:
    crowd.phone("15420004321").close()

    def up() -> dict[str, dict[str, Any]]:
        return {alarm["alarm"]: alarm for alarm in crowd.hotline.engine("alarms")}

    wait_for(lambda: {"overloaded", "calls_refused"} <= up().keys(), why=lambda: str(up()))
    assert up()["calls_refused"]["counts"]["busy"]["trunk"] >= 1
    status = crowd.hotline.ask("status")
    assert status["capacity"]["callers"] == crowd.limit
    assert status["capacity"]["rtp_ports"] == 2 * PAIRS
    assert 2 * crowd.limit <= status["capacity"]["rtp_ports_used"] <= 2 * PAIRS
    for phone in crowd.waiting:
        phone.hang_up()
    wait_for(lambda: "overloaded" not in up(), why="it is cleared when they have gone")
    crowd.fill()


def test_while_processors_are_full_fewer_are_let_in_and_a_dead_engine_leaves_no_such_limit_behind(
    crowd: Crowd,
) -> None:
    crowd.waiting.pop().close()
    wait_for(lambda: crowd.capacity()["callers"] == crowd.limit - 1, why="a place is free")

    def let_in(callers: int, until_s: int) -> None:
        crowd.hotline.cli(f"dialplan set global IVR_STRAINED_LIMIT {callers}")
        crowd.hotline.cli(f"dialplan set global IVR_STRAINED_UNTIL {until_s}")

    let_in(crowd.limit - 1, int(time.time()) + 600)
    refused = crowd.phone("15420008801")
    wait_for(lambda: refused.status == 503, why="the free place is not given away")
    refused.close()
    wait_for(lambda: crowd.refused("8801"), why="the record")
    let_in(0, int(time.time()) - 1)
    crowd.waiting.append(crowd.phone("15420008802"))
    wait_for(lambda: crowd.capacity()["callers"] == crowd.limit, why="a limit that is over counts no more")


def test_while_callers_stream_in_seats_are_rung_and_help_and_110_get_through(crowd: Crowd) -> None:
    flood = crowd.flood()
    wait_for(lambda: crowd.refused("0000"), why="callers are refused")
    seats = [crowd.hotline.man(seat, operator) for seat, operator in (("01", "1001"), ("02", "1002"))]
    assert len(seats) == 2

    def talking() -> list[dict[str, Any]]:
        return [call for call in crowd.hotline.engine("open_calls") if call["state"] == "talking"]

    wait_for(lambda: len(talking()) == 2, why="two seats talk")
    ends = {call["caller"][-2:] for call in talking()}
    waiting = next(phone for n, phone in enumerate(crowd.waiting) if f"{n:02d}" not in ends)
    waiting.press("*")
    assert until(lambda: crowd.police.hears({400.0}) == {400.0}), "* reaches 110, and they hear the caller"
    assert until(lambda: waiting.hears({POLICE}) == {POLICE})
    flood.stop()


def test_110_is_let_in_although_it_is_full(crowd: Crowd) -> None:
    assert crowd.capacity()["callers"] == crowd.limit
    password = json.loads((crowd.hotline.home / "secrets.json").read_text())["sip"]["from-110"]
    from_110(crowd.hotline, password, "15420009110")
    wait_for(lambda: crowd.hotline.call_state("15420009110"), why="110's call is a call")
    assert not crowd.refused("9110")


def test_who_was_refused_while_the_engine_was_dead_is_counted_once(crowd: Crowd) -> None:
    crowd.hotline.kill("engine", signal.SIGKILL)
    phone = crowd.phone("15420007777")
    wait_for(lambda: phone.status, why="the caller is refused, or hears why")
    phone.close()
    crowd.hotline.wait_live()
    wait_for(lambda: crowd.refused("7777"), why="the record")
    crowd.hotline.kill("engine", signal.SIGKILL)
    crowd.hotline.wait_live()
    wait_for(lambda: crowd.hotline.engine("capacity")["refused"].get("busy"), why="counts survive")
    assert len(crowd.refused("7777")) == 1
