"""A seat's phone is unplugged: no caller rings there, and whoever talks to it is not left alone."""

from __future__ import annotations

import os
import signal
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.asterisk.floor import CALLER, FIRST, SECOND, Floor
from tests.asterisk.hotline import Hotline, quick_city, running, wait_for
from tests.asterisk.three_parties import LINES, configure
from tools.phones import free_udp_port
from tools.phones.tone_phone import TonePhone, until

pytestmark = pytest.mark.asterisk

THIRD_PORT, CITIZEN_PORT, HELP_PORT = free_udp_port(), free_udp_port(), free_udp_port()
CHECK_S = 4
NOTICED_S = 3.0 * CHECK_S + 10.0
"""A question every 4 s, 3 s for the answer, and a machine that is busy with other things."""


def unplug(phone: TonePhone) -> None:
    """Take the plug out: nothing is said any more, not even goodbye."""
    phone._closed = True


def kinds_of(floor: Floor, number: str) -> list[str]:
    return [event["kind"] for event in floor.hotline.journal_of(number)]


def kinds(ticket: dict[str, Any]) -> list[str]:
    return [event["kind"] for event in ticket["events"]]


@pytest.fixture(scope="module")
def hotline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    folder: Path = tmp_path_factory.mktemp("unplugged")
    config = quick_city(folder)
    ways = {
        f"subcenter:{LINES[0]}": [f"sip:1@127.0.0.1:{THIRD_PORT}"],
        "119": [f"sip:119@127.0.0.1:{HELP_PORT}"],
    }
    configure(config, ways | {"callback": [f"sip:127.0.0.1:{CITIZEN_PORT}"]})
    check = str(CHECK_S)
    with running(folder, IVR_CONFIG=str(config), IVR_PHONE_CHECK_S=check, IVR_SURVEY="yes") as one:
        yield one


@pytest.fixture
def floor(hotline: Hotline) -> Iterator[Floor]:
    place = Floor(hotline)
    yield place
    place.clear()


def test_a_caller_who_is_not_heard_any_more_is_told_of_until_they_are_heard_again(floor: Floor) -> None:
    first = floor.man("01", FIRST)
    caller, number = floor.call()
    floor.hears(caller, FIRST, "they talk")
    up: Callable[[], set[str]] = lambda: {row["alarm"] for row in floor.hotline.engine("alarms")}  # noqa: E731
    wait_for(lambda: "side_silent" not in up(), 180.0, "what was before is over")
    caller.suppresses = True
    wait_for(lambda: "side_silent" in up(), why="the leader is told")
    assert caller.up and first.up
    caller.suppresses = False
    wait_for(lambda: "side_silent" not in up(), why="they are heard again")
    caller.hang_up()
    noted = [kind for kind in kinds(floor.hotline.ticket_of(number)) if kind.startswith("side_")]
    assert noted == ["side_silent", "side_heard_again"]


def test_no_caller_is_sent_to_an_unplugged_phone_and_it_rings_again_once_it_is_back(floor: Floor) -> None:
    first = floor.man("01", FIRST)
    port = first.port
    unplug(first)
    wait_for(lambda: not floor.row("01")["registered"], NOTICED_S, "the seats' list tells it")
    assert floor.row("01")["state"] == "ready", "the operator is still logged in"
    floor.man("02", SECOND)
    caller, number = floor.call()
    floor.hears(caller, SECOND, "somebody whose phone is there answers")
    caller.hang_up()
    ticket = floor.hotline.ticket_of(number)
    rung = [event["seat"] for event in ticket["events"] if event["kind"] == "seat_ringing"]
    assert rung == ["02"]

    floor.hotline.unman("02")
    first._sip.close()
    floor.man("01", FIRST, port)
    back, _ = floor.call()
    floor.hears(back, FIRST, "the phone rings again")


def test_who_talks_to_a_phone_that_is_unplugged_goes_to_the_head_of_the_queue(floor: Floor) -> None:
    first = floor.man("01", FIRST)
    caller, number = floor.call()
    floor.hears(caller, FIRST, "they talk")
    unplug(first)
    wait_for(lambda: floor.hotline.call_state(number) == "waiting", NOTICED_S, "the caller waits again")
    assert caller.up, "the caller was not hung up"
    later, late = floor.call()
    wait_for(lambda: floor.hotline.call_state(late) == "waiting", why="somebody else comes")
    floor.man("02", SECOND)
    floor.hears(caller, SECOND, "who was there before is served before")
    assert not later.hears((SECOND,))
    caller.hang_up()
    ticket = floor.hotline.transcribed(number)
    gone = [event["side"] for event in ticket["events"] if event["kind"] == "side_gone"]
    assert "operator" in gone, kinds(ticket)
    assert kinds(ticket).count("answered") == 2, kinds(ticket)
    assert (ticket["outcome"], ticket["seat"]) == ("answered", "02")
    assert [Path(one["path"]).name[-9:] for one in ticket["recordings"]][1:] == ["part1.wav"]


def test_after_a_consultation_too_the_caller_of_an_unplugged_phone_is_not_sent_away(floor: Floor) -> None:
    first = floor.man("01", FIRST)
    third = floor.phone(SECOND, THIRD_PORT)
    caller, number = floor.call()
    floor.hears(caller, FIRST, "they talk")
    call_id = next(row["call_id"] for row in floor.hotline.engine("open_calls"))

    def reached(state: str) -> bool:
        return bool(floor.hotline.engine("transfer_state", call=call_id)["state"] == state)

    floor.hotline.engine("transfer", call=call_id, step="start", to=f"subcenter:{LINES[0]}")
    assert until(lambda: third.up), "the third party answers"
    third.press("1")
    assert until(lambda: reached("consulting"))
    floor.hotline.engine("transfer", call=call_id, step="cancel")
    assert until(lambda: reached("together"))
    floor.hears(caller, FIRST, "they talk again, in the room")
    unplug(first)
    wait_for(lambda: floor.hotline.call_state(number) == "waiting", NOTICED_S, "the caller waits again")
    assert caller.up
    floor.man("02", SECOND)
    floor.hears(caller, SECOND, "somebody else answers")


def test_a_softphone_that_is_started_again_in_a_talk_gives_the_caller_back(floor: Floor) -> None:
    first = floor.man("01", FIRST)
    caller, number = floor.call()
    floor.hears(caller, FIRST, "they talk")
    unplug(first)  # the program is gone without a word, and registers again from another port
    floor.man("01", SECOND)
    floor.hears(caller, SECOND, "the operator has them back")
    caller.hang_up()
    ticket = floor.hotline.ticket_of(number)
    assert kinds(ticket).count("answered") == 2, kinds(ticket)
    assert "surveyed" not in kinds(ticket)
    assert "side_silent" in {row["alarm"] for row in floor.hotline.engine("alarms")}


@pytest.mark.parametrize("hesitates_ms", [0, 3000])
def test_a_phone_that_is_started_again_at_the_same_address_says_that_the_call_is_lost(
    floor: Floor, hesitates_ms: int
) -> None:
    phones, port = floor.hotline.phones, free_udp_port()
    before = phones.restarted(port)
    floor.sit("01", port)
    caller, number = floor.call()
    wait_for(lambda: floor.hotline.call_state(number) == "talking", why="they talk")
    before.stop()
    after = phones.restarted(port, hesitates_ms=hesitates_ms)
    wait_for(
        lambda: kinds_of(floor, number).count("answered") == 2,
        why=lambda: f"{kinds_of(floor, number)} {floor.hotline.logs()}",
    )
    assert caller.up, "the caller was not hung up"
    caller.hang_up()
    ticket = floor.hotline.ticket_of(number)
    gone = [event["side"] for event in ticket["events"] if event["kind"] == "side_gone"]
    assert "operator" in gone, kinds(ticket)
    assert "surveyed" not in kinds(ticket)
    after.stop()


@pytest.mark.parametrize("who", ["caller", "operator", "third"])
def test_whose_packets_bring_no_sound_is_told_of_until_they_do_and_nobody_is_cut_off(
    floor: Floor, who: str
) -> None:
    phones = {"operator": floor.man("01", FIRST), "third": floor.phone(SECOND, HELP_PORT)}
    phones["caller"], number = floor.call()
    floor.hears(phones["caller"], FIRST, "they talk")
    call_id = next(row["call_id"] for row in floor.hotline.engine("open_calls"))
    if who == "third":
        floor.hotline.engine("transfer", call=call_id, step="start", to="119")
        assert until(lambda: SECOND in phones["caller"].hears((SECOND,))), "119 is there"
    voice, phones[who].hertz = phones[who].hertz, 0.0
    told: Callable[[], list[str]] = lambda: [  # noqa: E731
        row["sentence"] for row in floor.hotline.engine("alarms") if row["about"] == call_id
    ]
    wait_for(lambda: any("without any sound" in text for text in told()), why=lambda: f"{told()}")
    phones[who].hertz = voice
    wait_for(lambda: not told(), why="they are heard again")
    assert phones["caller"].up and phones["operator"].up, "nobody is cut off"
    phones["caller"].hang_up()
    ticket = floor.hotline.ticket_of(number)
    heard = [
        (e["kind"], e["side"]) for e in ticket["events"] if e["kind"] in ("side_silent", "side_heard_again")
    ]
    assert heard == [("side_silent", who), ("side_heard_again", who)]


def test_help_that_dies_after_the_operator_left_gives_the_caller_back(floor: Floor) -> None:
    first, help_ = floor.man("01", FIRST), floor.phone(SECOND, HELP_PORT)
    caller, number = floor.call()
    floor.hears(caller, FIRST, "they talk")
    call_id = next(row["call_id"] for row in floor.hotline.engine("open_calls"))
    floor.hotline.engine("transfer", call=call_id, step="start", to="119")
    assert until(lambda: SECOND in caller.hears((SECOND,))), "119 is there"
    first.hang_up()
    wait_for(lambda: floor.hotline.call_state(number) == "handed_off", why="the operator has left")
    wait_for(lambda: help_.hears((CALLER,)) == {CALLER}, why="they talk")
    wait_for(lambda: help_.asked_at_home, why="it is known to answer at its address")
    unplug(help_)
    floor.hears(caller, FIRST, "the caller has company again")
    caller.hang_up()
    ticket = floor.hotline.ticket_of(number)
    gone = [event["side"] for event in ticket["events"] if event["kind"] == "side_gone"]
    assert "third" in gone, kinds(ticket)


def test_a_talk_in_which_both_suppress_silence_is_recorded_as_long_as_it_was(floor: Floor) -> None:
    first = floor.man("01", FIRST)
    caller, number = floor.call()
    floor.hears(caller, FIRST, "they talk")
    time.sleep(2.0)
    caller.suppresses = first.suppresses = True
    time.sleep(7.0)  # what is recorded of it is the matter of this test
    caller.suppresses = first.suppresses = False
    floor.hears(caller, FIRST, "they talk again")
    caller.hang_up()
    ticket = floor.hotline.transcribed(number)
    assert "recording_failed" not in kinds(ticket)
    (recording,) = ticket["recordings"]
    with wave.open(str(Path(floor.hotline.environment["IVR_RECORDINGS"]) / recording["path"])) as sound:
        seconds = sound.getnframes() / sound.getframerate()
    assert abs(seconds - ticket["talk_s"]) < 3.0, (seconds, ticket["talk_s"])


def test_a_citizen_who_was_called_back_from_an_unplugged_phone_comes_to_somebody_else(floor: Floor) -> None:
    number = "13812345678"
    citizen, caller = floor.phone(CALLER, CITIZEN_PORT), floor.phone(CALLER)
    caller.call("12345", number)
    wait_for(lambda: floor.hotline.waiting() == 1, why="they wait")
    time.sleep(5.5)  # from five seconds on a missed call is called back
    caller.hang_up()
    wait_for(lambda: floor.hotline.call_state(number) == "callback", why="the callback is noted")
    first = floor.man("01", FIRST)
    floor.hears(citizen, FIRST, "they are called back")
    unplug(first)
    wait_for(lambda: floor.hotline.call_state(number) == "waiting", NOTICED_S, "the citizen waits")
    assert citizen.up, "the citizen was not hung up"
    second = floor.man("02", SECOND)
    floor.hears(citizen, SECOND, "somebody else answers")
    second.hang_up()
    wait_for(lambda: floor.hotline.call_state(number) == "surveying", why="they are asked how it was")
    citizen.press("0")
    floor.hears(citizen, SECOND, "0 leads to a person, as after any call")
    citizen.hang_up()
    ticket = floor.hotline.transcribed(number)
    assert kinds(ticket).count("answered") == 2, kinds(ticket)
    assert (ticket["outcome"], ticket["seat"]) == ("answered", "02")
    names = [Path(one["path"]).name for one in ticket["recordings"]]
    assert [name.partition("-callback1")[2] for name in names] == [".wav", "-part1.wav", "-part2.wav"]


def test_without_the_engine_asterisk_itself_brings_the_caller_to_somebody_else(floor: Floor) -> None:
    first = floor.man("01", FIRST)
    caller, number = floor.call()
    floor.hears(caller, FIRST, "they talk")
    floor.man("02", SECOND)
    supervisor = int((floor.hotline.home / "run/supervisor.pid").read_text())
    engine = floor.hotline.pid("engine")
    os.kill(supervisor, signal.SIGSTOP)
    os.kill(engine, signal.SIGKILL)
    try:
        unplug(first)
        floor.hears(caller, SECOND, "somebody else answers")
    finally:
        os.kill(supervisor, signal.SIGCONT)
    floor.hotline.wait_live()
    caller.hang_up()
    assert floor.hotline.ticket_of(number)["outcome"] == "answered"


def test_an_operator_who_hangs_up_is_followed_by_the_survey_as_ever(floor: Floor) -> None:
    first = floor.man("01", FIRST)
    caller, number = floor.call()
    floor.hears(caller, FIRST, "they talk")
    first.hang_up()
    wait_for(lambda: floor.hotline.call_state(number) == "surveying", why="the caller is asked how it was")
    caller.hang_up()
