"""Three parties when the wire to Asterisk breaks, lies or Asterisk dies: nobody is left alone, nobody is lost."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ivr.errors import HotlineError
from tests.asterisk.city import CutLine, attached_to_a_city
from tests.asterisk.hotline import Hotline, wait_for
from tests.asterisk.three_parties import C, Hall, O, T, hall, moment
from tools.phones.tone_phone import until

pytestmark = pytest.mark.asterisk
ALL_THREE = {"caller": {O, T}, "operator": {C, T}, "third": {C, O}}
AS_BEFORE = {"caller": {O}, "operator": {C}}


class Place(NamedTuple):
    """Everybody, and the line between the engine and Asterisk."""

    hall: Hall
    line: CutLine


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    lines: list[CutLine] = []

    @contextlib.contextmanager
    def opened(folder: Path, **settings: str) -> Iterator[Hotline]:
        with attached_to_a_city(folder, **settings) as (hotline, line, _):
            lines.append(line)
            yield hotline

    with hall(tmp_path_factory.mktemp("faults"), 4, 3, opened) as instance:
        yield Place(instance, lines[0])


def story(hotline: Hotline, call_id: str) -> str:
    """Return what happened to a call, in one line."""
    events = hotline.ask("calls", "show", call_id)["events"]
    return " ".join(f"{event['at'][17:23]} {event['kind']} {event.get('reason', '')}" for event in events)


def codes(place: Hall) -> dict[str, str]:
    """Return the keys of each target."""
    return {row["target"]: row["keys"] for row in place.hotline.engine("transfer_targets")}


def test_an_operator_whose_code_is_still_at_work_is_not_cut_off(place: Place) -> None:
    hotline = place.hall.hotline
    for (
        command
    ) in (  # a slow machine: the subroutine of the code goes on for a while after the engine heard of it
        "dialplan remove extension read@ivr-keys 6",
        "dialplan add extension read,6,Set(IVR_N=$[0${IVR_N}+1]) into ivr-keys",
        "dialplan add extension read,7,GotoIf($[${IVR_N}<2000]?6) into ivr-keys",
        "dialplan add extension read,8,Return() into ivr-keys",
    ):
        hotline.cli(command)
    try:
        scene = place.hall.scene(0)
        scene.operator.press(codes(place.hall)[scene.target])
        assert until(lambda: bool(scene.third.invites)), "the target rings all the same"
        assert until(lambda: scene.third.up)
        scene.third.press("1")
        scene.hear(caller=set(), operator={T}, third={O})
        scene.close()
    finally:
        hotline.cli("dialplan reload")


@pytest.mark.parametrize("action", ["Originate", "Redirect"])
def test_a_line_cut_between_calling_and_leading_leaves_caller_and_operator_together(
    place: Place, action: str
) -> None:
    scene = place.hall.scene(1)
    scene.third.behaviour = "ring"
    place.line.break_at(action)
    scene.ask("start", to=scene.target)
    assert place.line.broken.wait(), f"no {action} was sent"
    place.hall.hotline.wait_live()
    assert scene.caller.up and scene.operator.up
    if scene.third.invites:
        scene.third.answer()
        assert until(lambda: scene.third.up)
        scene.third.press("1")
        scene.hear(caller=set(), operator={T}, third={O})
        scene.ask("complete")
        scene.expect(ALL_THREE)
    else:
        scene.reach("together")
        scene.expect(AS_BEFORE)
    scene.close()


def test_an_emergency_route_that_is_queued_and_never_called_gives_way_to_the_next(place: Place) -> None:
    scene = place.hall.scene(helper=0)
    second = place.hall.helpers[1]
    second.behaviour = "answer"
    second.invites.clear()
    lied = place.line.lied["Originate"]
    place.line.lie("Originate")
    scene.ask("start", to="119")
    assert until(lambda: place.line.lied["Originate"] > lied)
    scene.hear(caller={O}, operator={C})
    assert until(lambda: bool(second.invites)), "the next route is called"
    assert moment(scene, "next_route") >= moment(scene, "emergency_wanted") + 10.0
    scene.third = second
    scene.expect(ALL_THREE)
    scene.close()
    second.hang_up()


@pytest.mark.parametrize("lies", [1, 2])
def test_a_redirect_that_is_done_only_in_words_is_given_again(place: Place, lies: int) -> None:
    scene = place.hall.scene(2)
    place.line.lie("Redirect", lies)
    scene.ask("start", to=scene.target)
    assert until(lambda: scene.third.up)
    scene.third.press("1")
    scene.hear(caller=set(), operator={T}, third={O})
    place.line.lie("Redirect", lies)
    scene.ask("complete")
    scene.expect(ALL_THREE)
    scene.close()


def test_redirects_that_are_never_done_leave_everybody_where_they_were(place: Place) -> None:
    scene = place.hall.scene(0)
    place.line.lie("Redirect", 100)
    try:
        scene.ask("start", to=scene.target)
        scene.reach("together")
        scene.expect(AS_BEFORE)
    finally:
        place.line.lie("Redirect", 0)
    scene.ask("start", to=scene.target)
    assert until(lambda: scene.third.up)
    scene.third.press("1")
    scene.hear(caller=set(), operator={T}, third={O})
    scene.close()


def test_a_kill_while_a_party_is_on_the_way_loses_nobody(place: Place) -> None:
    """Joining, returning and delivering last milliseconds: a lie holds them until the engine is dead."""
    hotline, scenes = place.hall.hotline, [place.hall.scene(n) for n in range(3)]
    joining, returning, delivering = scenes
    for scene in scenes:
        scene.to("consulting")
    place.line.lie("Redirect", 3)
    joining.ask("complete")
    returning.ask("cancel")
    delivering.operator.hang_up()
    assert until(lambda: place.line.lied["Redirect"] >= 3 or all(s.state() != "consulting" for s in scenes))
    hotline.kill("engine")
    place.line.lie("Redirect", 0)
    hotline.wait_live()
    joining.expect(ALL_THREE)
    returning.expect(AS_BEFORE)
    delivering.expect({"caller": {T}, "third": {C}})
    for scene in scenes:
        scene.caller.hang_up()
    assert until(lambda: not any(scene.operator.up or scene.third.up for scene in scenes))
    outcomes = [scene.ticket()["outcome"] for scene in scenes]
    assert outcomes == ["answered", "answered", "handed_off"]


def test_who_waits_for_an_answer_still_gets_it_after_a_kill(place: Place) -> None:
    hotline = place.hall.hotline
    scenes = {
        "awaited": place.hall.scene(0),
        "awaited_asking": place.hall.scene(1),
        "awaited_help": place.hall.scene(helper=3),
        "calling_help": place.hall.scene(helper=2),
    }  # help has 10 s to answer, so it is called last
    before = {"awaited_help": "calling_help", "awaited": "inviting", "awaited_asking": "asking"}
    for state, scene in scenes.items():
        scene.to(before.get(state, state))
        if state in before:
            scene.operator.hang_up()
        scene.reach(state)
    hotline.kill("engine")

    def found_again() -> bool:
        with contextlib.suppress(HotlineError):
            return all(scene.state() == state or too_late(state) for state, scene in scenes.items())
        return False

    def too_late(state: str) -> bool:
        """Tell whether the engine took longer than help may ring: then the caller has been told what to dial."""
        return state == "calling_help" and "emergency_failed" in story(hotline, scenes[state].call_id)

    assert until(found_again), [story(hotline, scene.call_id) for scene in scenes.values()]
    assert all(scene.caller.up for scene in scenes.values())
    awaited = {state: scene for state, scene in reversed(scenes.items()) if not too_late(state)}
    for state, scene in awaited.items():
        scene.third.answer()
        assert until(lambda: scene.third.up)  # noqa: B023
        if "help" not in state:
            scene.third.press("1")
    for state, scene in awaited.items():
        scene.expect({"caller": {T}, "third": {C}} if state in before else ALL_THREE)
    for scene in scenes.values():
        scene.close()


def test_when_asterisk_dies_the_tickets_say_how_far_each_call_got(tmp_path: Path) -> None:
    states = ("inviting", "consulting", "three_way", "handed_off")
    with hall(tmp_path, 4, 4) as instance:
        scenes = [instance.scene(n) for n in range(4)]
        for scene, state in zip(scenes, states, strict=True):
            scene.to(state)
        instance.hotline.kill("asterisk")
        instance.hotline.wait_live()
        tickets = [scene.ticket() for scene in scenes]
        kinds = [[event["kind"] for event in ticket["events"]] for ticket in tickets]
        assert [ticket["outcome"] for ticket in tickets] == ["answered", "answered", "answered", "handed_off"]
        last = {
            "inviting": "third_ringing",
            "consulting": "third_accepted",
            "three_way": "three_way",
            "handed_off": "operator_left",
        }
        for state, heard in zip(states, kinds, strict=True):
            assert last[state] in heard, (state, heard)
        legs = instance.hotline.ask("calls", "show", scenes[2].call_id)["legs"]
        assert all(leg["left_at"] for leg in legs), legs
        fresh = wait_for(
            lambda: instance.scene(0) if instance.hotline.run("status").returncode == 0 else None
        )
        fresh.close()
        instance.hotline.wait_live()
