"""A caller without an operator, on a real Asterisk: the star key, the way back, and what help is told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.asterisk.callbacks import GIVES_UP_AFTER_S, Callbacks, callbacks
from tests.asterisk.three_parties import TONES, C, Scene, T
from tools.phones.tone_phone import TonePhone, until

pytestmark = pytest.mark.asterisk
POLICE = 1
"""The place of 110 among the helpers: here * leads to 110."""
SEAT = "01"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callbacks]:
    with callbacks(tmp_path_factory.mktemp("alone")) as instance:
        yield instance


def scene_of(place: Callbacks, kind: str) -> Scene:
    """Let somebody talk who called, or who was called back."""
    if kind == "callback":
        return place.scene(0)
    place.hall.hotline.engine("resume", seat=SEAT)
    scene = place.hall.scene(0)
    place.hall.hotline.engine("pause", seat=SEAT, reason="1")
    return scene


def journal(place: Callbacks, call_id: str) -> list[Any]:
    """Return kind and data of what was journalled of a call so far."""
    return [{"kind": event["kind"], **event["data"]} for event in place.hall.hotline.journal(call_id)]


@pytest.mark.parametrize("state", ["awaited", "handed_off"])
@pytest.mark.parametrize("kind", ["call", "callback"])
def test_a_caller_whose_operator_has_gone_reaches_help_with_the_star_key(
    place: Callbacks, kind: str, state: str
) -> None:
    scene, police = scene_of(place, kind), place.hall.helpers[POLICE]
    if state == "awaited":
        scene.to("inviting")
        scene.operator.hang_up()
        scene.reach("awaited")
    else:
        scene.to("handed_off")
    police.invites.clear()
    scene.caller.press("*")
    heard = until(lambda: scene.caller.hears(TONES) == {T} and police.hears(TONES) == {C})
    assert heard, f"{scene.state()}: {len(police.invites)} calls, caller {scene.caller.hears(TONES)}"
    assert until(lambda: not scene.third.up), "the department has gone"
    assert f"X-IVR-Call: {scene.call_id}" in police.invites[0][1]
    scene.caller.hang_up()
    assert until(lambda: not police.up), "help is left alone"
    scene.third.hang_up()
    ticket = scene.ticket()
    assert ticket["outcome"] == "handed_off"
    wanted = next(event for event in ticket["events"] if event["kind"] == "emergency_wanted")
    assert (wanted["target"], wanted["by"]) == ("110", "caller")


def test_after_help_that_did_not_answer_the_music_is_music_again(place: Callbacks) -> None:
    scene, police = scene_of(place, "call"), place.hall.helpers[POLICE]
    police.behaviour = "486"
    try:
        scene.ask("start", to="110")
        scene.reach("together")
    finally:
        police.behaviour = "answer"
    scene.to("inviting")
    shown = [
        line
        for line in place.hall.hotline.cli("core show channels concise").splitlines()
        if "WaitExten" in line
    ]
    assert shown and all("m(ivr12345)" in line for line in shown), shown
    scene.close()


def test_who_came_from_110_and_was_called_back_is_not_sent_there_by_the_star_key(place: Callbacks) -> None:
    hotline, police, number = place.hall.hotline, place.hall.helpers[POLICE], "13877770001"
    caller = TonePhone(0, C, place.hall.server, name="from 110")
    asserted, login = f"P-Asserted-Identity: <sip:{number}@127.0.0.1>", place.hall.password_of("from-110")
    caller.call("12345", "from-110", asserted, login=("from-110", login))
    assert until(lambda: hotline.waiting() == 1), "110's call does not wait"
    time.sleep(GIVES_UP_AFTER_S)
    caller.close()
    assert until(lambda: hotline.call_state(number) == "callback"), hotline.call_state(number)
    place.expect(number)
    scene = place.scene(0)
    police.invites.clear()
    scene.caller.press("*")
    noted = {"kind": "transfer_refused", "target": "110", "reason": "loop", "by": "caller"}
    assert until(lambda: noted in journal(place, scene.call_id)), "in the talk"
    scene.to("inviting")
    scene.operator.hang_up()
    scene.reach("awaited")
    scene.third.hang_up()  # refuses
    assert until(lambda: hotline.call_state(number) == "waiting")
    scene.caller.press("*")
    assert until(lambda: journal(place, scene.call_id).count(noted) == 2), "in the queue"
    assert until(lambda: hotline.waiting() == 1), "they wait again"
    scene.caller.hang_up()
    assert not police.invites, "110 has not got its own call back"
    assert scene.ticket()["source"] == "110_diversion"


def test_help_that_the_dialplan_calls_is_told_the_department_line(place: Callbacks) -> None:
    police = place.hall.helpers[POLICE]
    police.invites.clear()
    caller = TonePhone(0, C, place.hall.server, name="dials 12366")
    caller.call("12366", "15499990366")
    assert until(lambda: place.hall.hotline.waiting() == 1)
    caller.press("*")
    assert until(lambda: police.hears(TONES) == {C}), f"{len(police.invites)} calls"
    assert "X-IVR-Line: tax_12366" in police.invites[0][1]
    assert "X-IVR-Dialled: 12366" in police.invites[0][1]
    caller.close()
    assert until(lambda: not police.up)
