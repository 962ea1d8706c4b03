"""Three parties in a callback, on a real Asterisk: a citizen who was called back has everything a caller has."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.asterisk.callbacks import Callbacks, CallbackScene, callbacks
from tests.asterisk.three_parties import TONES, C, O, T
from tools.phones.tone_phone import TonePhone, until

pytestmark = pytest.mark.asterisk
ALL_THREE = {"caller": {O, T}, "operator": {C, T}, "third": {C, O}}
HANDED: dict[str, set[float]] = {"caller": {T}, "third": {C}}
BACK: dict[str, set[float]] = {"caller": {O}, "operator": {C}}
OVER: dict[str, set[float]] = {}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callbacks]:
    with callbacks(tmp_path_factory.mktemp("callbacks")) as instance:
        instance.give_up(12)
        yield instance


def kinds(ticket: dict[str, Any]) -> list[str]:
    return [event["kind"] for event in ticket["events"]]


def one_ticket(place: Callbacks, scene: CallbackScene) -> dict[str, Any]:
    """Return the finished ticket of a call, of which there is one."""
    ticket = scene.ticket()
    assert sum(row["call_id"] == scene.call_id for row in place.hall.hotline.tickets()) == 1
    return ticket


def test_an_operator_of_a_callback_brings_help_in_by_keys_and_may_leave(place: Callbacks) -> None:
    scene = place.scene(helper=0)
    scene.operator.press("*19")
    scene.expect(ALL_THREE)
    invite = scene.third.invites[0][1]
    assert f"<sip:{scene.number}@" in invite, "help sees who it is"
    assert f"X-IVR-Call: {scene.call_id}" in invite
    time.sleep(1.5)  # something to record
    scene.operator.hang_up()
    scene.reach("handed_off")
    scene.expect(HANDED)
    scene.caller.hang_up()
    scene.expect(OVER)
    ticket = one_ticket(place, scene)
    assert (ticket["outcome"], ticket["seat"]) == ("handed_off", "01"), kinds(ticket)
    ticket = place.hall.hotline.transcribed(scene.number)
    sides = [recording["sides"] for recording in ticket["recordings"]]
    assert sorted(map(str, sides)) == ["['caller', 'operator']", "['operator']", "['third']"], sides
    folder = Path(ticket["recordings"][0]["path"]).parent
    assert not list(folder.glob(f"{scene.call_id}-*spare*")), "nothing is left over"
    shown = place.hall.hotline.ask("calls", "show", scene.call_id)
    legs = [leg["role"] for leg in shown["legs"]]
    assert legs == ["caller", "caller", "operator", "third"], str(shown)


@pytest.mark.parametrize("by", ["operator", "citizen"])
def test_each_of_the_two_may_hang_up_while_help_is_called(place: Callbacks, by: str) -> None:
    scene = place.scene(helper=2)
    scene.third.behaviour = "ring"
    scene.operator.press("*12")
    scene.reach("calling_help")
    scene.expect(BACK)
    if by == "citizen":
        scene.caller.hang_up()
        scene.expect(OVER)
        assert one_ticket(place, scene)["outcome"] == "answered"
        return
    scene.operator.hang_up()
    scene.reach("awaited_help")
    assert until(lambda: scene.caller.up and not scene.caller.hears(TONES)), "the citizen waits"
    scene.third.answer()
    scene.expect(HANDED)
    scene.caller.hang_up()
    assert one_ticket(place, scene)["outcome"] == "handed_off"


def test_a_citizen_who_was_called_back_reaches_help_with_the_star_key(place: Callbacks) -> None:
    scene = place.scene(helper=1)
    scene.caller.press("*")
    scene.expect(ALL_THREE)
    scene.third.hang_up()
    scene.expect(BACK)
    scene.operator.hang_up()
    scene.expect(OVER)
    wanted = next(e for e in one_ticket(place, scene)["events"] if e["kind"] == "emergency_wanted")
    assert (wanted["target"], wanted["by"]) == ("110", "caller")


def test_every_code_of_an_ordinary_call_works_in_a_callback(place: Callbacks) -> None:
    scene = place.scene(0)
    targets = place.hall.hotline.engine("transfer_targets")
    scene.operator.press(next(row["keys"] for row in targets if row["target"] == scene.target))
    assert until(lambda: scene.third.up), "the department rings"
    assert until(lambda: not scene.caller.hears(TONES)), "the citizen hears music"
    scene.third.press("1")
    scene.hear(operator={T}, third={O}, caller=set())
    scene.operator.press("*2")
    scene.expect(ALL_THREE)
    scene.operator.press("*4")
    scene.hear(caller={O}, operator={C}, third={C, O})
    scene.operator.press("*4")
    scene.expect(ALL_THREE)
    scene.operator.press("*3")
    scene.expect(BACK)
    scene.caller.hang_up()
    scene.expect(OVER)
    assert one_ticket(place, scene)["outcome"] == "answered"


def test_a_citizen_whose_department_says_no_after_the_operator_went_waits_like_a_caller(
    place: Callbacks,
) -> None:
    scene = place.scene(1)
    scene.third.behaviour = "ring"
    scene.ask("start", to=scene.target)
    scene.reach("inviting")
    scene.operator.hang_up()
    scene.reach("awaited")
    scene.third.hang_up()  # refuses
    scene.reach("idle")
    hotline = place.hall.hotline
    assert until(lambda: hotline.call_state(scene.number) == "waiting"), hotline.call_state(scene.number)
    hotline.engine("resume", seat="02")
    second = place.hall.operators["02"]
    assert until(lambda: scene.caller.hears(TONES) == {O} and second.hears(TONES) == {C})
    hotline.engine("pause", seat="02", reason="1")
    scene.operator, scene.third = second, place.hall.helpers[3]
    scene.third.behaviour = "answer"
    scene.operator.press("*13")
    scene.expect(ALL_THREE)
    scene.caller.hang_up()
    scene.expect(OVER)
    ticket = one_ticket(place, scene)
    assert (ticket["outcome"], ticket["seat"]) == ("answered", "02"), kinds(ticket)
    parts = [Path(one["path"]).name for one in hotline.transcribed(scene.number)["recordings"]]
    assert any(name.endswith("callback1-part1.wav") for name in parts), parts


@pytest.mark.parametrize("state", ["inviting", "three_way", "handed_off"])
def test_a_restart_of_the_engine_finds_the_room_of_a_callback_again(place: Callbacks, state: str) -> None:
    scene = place.scene(0)
    scene.to(state)
    place.hall.hotline.kill("engine")
    place.hall.hotline.wait_live()
    assert scene.state() == state
    if state == "inviting":
        scene.third.answer()
        assert until(lambda: scene.third.up)
        scene.third.press("1")
        scene.hear(operator={T}, third={O}, caller=set())
        scene.ask("complete")
    if state != "handed_off":
        scene.expect(ALL_THREE)
        scene.ask("leave")
        scene.reach("handed_off")
    scene.expect(HANDED)
    scene.caller.hang_up()
    scene.expect(OVER)
    assert one_ticket(place, scene)["outcome"] == "handed_off"


@pytest.mark.parametrize("goes", ["caller", "operator"])
def test_with_the_engine_dead_nobody_stays_alone_in_the_room_of_a_callback(
    place: Callbacks, goes: str
) -> None:
    scene = place.scene(0)
    scene.to("three_way")
    hotline = place.hall.hotline
    supervisor = int((hotline.home / "run/supervisor.pid").read_text())
    os.kill(supervisor, signal.SIGSTOP)
    os.kill(hotline.pid("engine"), signal.SIGKILL)
    try:
        (scene.caller if goes == "caller" else scene.operator).hang_up()
        scene.expect(OVER if goes == "caller" else HANDED)
        scene.third.hang_up()
        assert until(lambda: not scene.caller.up), "the citizen is left in an empty room"
    finally:
        os.kill(supervisor, signal.SIGCONT)
    hotline.wait_live()
    assert one_ticket(place, scene)["outcome"] in ("answered", "handed_off")


def test_the_shift_leader_takes_a_callback_over(place: Callbacks) -> None:
    mine = place.hall.leader_seat()
    seat = next(seat for seat in place.hall.operators if seat != mine)
    scene = place.scene(0, seat=seat)
    leader = TonePhone(0, T, place.hall.server, name="leader")
    leader.call(f"*18{seat}", f"seat{mine}", login=(f"seat{mine}", place.hall.password(mine)))
    assert until(lambda: scene.caller.hears(TONES) == {T} and leader.hears(TONES) == {C}), scene.hears()
    assert until(lambda: not scene.operator.up), "who was relieved is free"
    leader.close()
    assert until(lambda: not scene.caller.up)
    assert "taken_over" in kinds(one_ticket(place, scene))
