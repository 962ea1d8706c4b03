"""Three parties on a real Asterisk: who hears whom, whoever hangs up whenever, engine or no engine."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from ivr.rollout.transfer_values import TAKE_S
from tests.asterisk.three_parties import TONES, C, Hall, O, Scene, T, hall, moment, wait_for
from tools.phones.tone_phone import TonePhone, until

pytestmark = pytest.mark.asterisk
SCENES = 6


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """A hotline with seats, departments and emergency services, all of them singing."""
    with hall(tmp_path_factory.mktemp("hall"), SCENES, SCENES) as instance:
        instance.man(1, first=24)
        yield instance


@dataclass(frozen=True)
class Case:
    """Somebody hangs up in a state; then who hears what, and what the ticket says."""

    state: str
    who: str
    then: str
    outcome: str
    emergency: bool = False

    @property
    def name(self) -> str:
        return f"{'emergency ' if self.emergency else ''}{self.state}"


HANDED, BACK, OVER = "caller + third", "caller + operator", "over"
CASES = (
    Case("inviting", "caller", OVER, "answered"),
    Case("inviting", "operator", HANDED, "handed_off"),
    Case("inviting", "third", BACK, "answered"),
    Case("asking", "caller", OVER, "answered"),
    Case("asking", "operator", HANDED, "handed_off"),
    Case("asking", "third", BACK, "answered"),
    Case("consulting", "caller", OVER, "answered"),
    Case("consulting", "operator", HANDED, "handed_off"),
    Case("consulting", "third", BACK, "answered"),
    Case("three_way", "caller", OVER, "answered"),
    Case("three_way", "operator", HANDED, "handed_off"),
    Case("three_way", "third", BACK, "answered"),
    Case("handed_off", "caller", OVER, "handed_off"),
    Case("handed_off", "third", OVER, "handed_off"),
    Case("together", "caller", OVER, "answered"),
    Case("together", "operator", OVER, "answered"),
    Case("calling_help", "caller", OVER, "answered", True),
    Case("calling_help", "operator", HANDED, "handed_off", True),
    Case("calling_help", "third", BACK, "answered", True),
    Case("three_way", "caller", OVER, "answered", True),
    Case("three_way", "operator", HANDED, "handed_off", True),
    Case("three_way", "third", BACK, "answered", True),
)
HEARD: dict[str, dict[str, set[float]]] = {
    HANDED: {"caller": {T}, "third": {C}},
    BACK: {"caller": {O}, "operator": {C}},
    OVER: {},
}


def play(scene: Scene, case: Case) -> str:
    """Play one case; return what is wrong, empty when all is right."""
    try:
        scene.to(case.state)
        {"caller": scene.caller, "operator": scene.operator, "third": scene.third}[case.who].hang_up()
        if case.who == "operator" and case.state in ("inviting", "asking", "calling_help"):
            scene.reach(
                {"calling_help": "awaited_help"}.get(
                    case.state, f"awaited{'_asking' * (case.state == 'asking')}"
                )
            )
            assert until(lambda: scene.caller.up and not scene.caller.hears(TONES)), "the caller hears music"
            scene.third.answer()
            if case.state != "calling_help":
                scene.reach("awaited_asking")  # a key before the question is nobody's answer
                scene.third.press("1")
        scene.expect(HEARD[case.then])
        return ""
    except AssertionError as error:
        return str(error).splitlines()[0]
    finally:
        scene.close()


def test_whoever_hangs_up_in_whatever_state_the_caller_is_never_left_alone(
    place: Hall, capsys: pytest.CaptureFixture[str]
) -> None:
    ordinary = [case for case in CASES if not case.emergency]
    urgent = [case for case in CASES if case.emergency]
    results: dict[Case, tuple[str, str]] = {}

    def work(lane: int) -> None:
        mine = ordinary[lane :: SCENES - 2] if lane < SCENES - 2 else urgent[lane - SCENES + 2 :: 2]
        for case in mine:
            # 120 and 122 have one route each
            scene = place.scene(helper=lane - SCENES + 4) if case.emergency else place.scene(lane)
            fault = play(scene, case)
            results[case] = (fault, scene.number)

    began = time.monotonic()
    with ThreadPoolExecutor(SCENES) as pool:
        list(pool.map(work, range(SCENES)))
    rows, faults = [], []
    for case in CASES:
        fault, number = results[case]
        outcome = place.hotline.ticket_of(number)["outcome"]
        ok = not fault and outcome == case.outcome
        rows.append(
            f"| {case.name} | {case.who} | {case.then} | {outcome} | {'yes' if ok else fault or 'NO'} |"
        )
        faults += [] if ok else [rows[-1]]
    with capsys.disabled():
        print(
            f"\n\n| in this state | hangs up | then | ticket | as it should |   ({time.monotonic() - began:.0f} s)"
        )
        print("|---|---|---|---|---|\n" + "\n".join(rows))
    assert not faults, "\n".join(faults) + place.hotline.logs()[-3000:]


@pytest.mark.parametrize(
    ("answer", "reason"), [("486", "busy"), ("603", "refused"), ("488", "congestion"), ("404", "wrong")]
)
def test_a_department_that_does_not_answer_gives_the_caller_back_at_once(
    place: Hall, answer: str, reason: str
) -> None:
    scene = place.scene(0)
    scene.third.behaviour = answer
    scene.ask("start", to=scene.target)
    scene.reach("together")
    scene.hear(caller={O}, operator={C})
    scene.close()
    refused = next(event for event in scene.ticket()["events"] if event["kind"] == "third_refused")
    assert refused["reason"] == reason


def test_a_department_that_rings_and_rings_gives_the_caller_back_after_twenty_five_seconds(
    place: Hall,
) -> None:
    scene = place.scene(1)
    scene.third.behaviour = "silent"
    scene.ask("start", to=scene.target)
    scene.reach("together")
    assert moment(scene, "third_refused") >= moment(scene, "transfer_wanted") + 25.0
    scene.close()


def test_an_operator_does_everything_by_keys_alone(place: Hall) -> None:
    scene = place.scene(2)
    code = next(
        row["keys"] for row in place.hotline.engine("transfer_targets") if row["target"] == scene.target
    )
    scene.operator.press(code)
    assert until(lambda: bool(scene.third.invites)), "it does not ring"
    scene.operator.press(code)  # twice: refused, and nothing is disturbed
    scene.third.press("1")
    scene.hear(operator={T}, third={O}, caller=set())
    scene.operator.press("*2")
    scene.hear(caller={O, T}, operator={C, T}, third={C, O})
    scene.operator.press("*4")
    scene.hear(caller={O}, operator={C}, third={C, O})
    scene.operator.press("*4")
    scene.hear(caller={O, T}, operator={C, T}, third={C, O})
    scene.operator.press("*3")
    scene.hear(caller={O}, operator={C})
    assert len(scene.third.invites) == 1
    scene.close()


def test_help_joins_caller_and_operator_at_once_and_knows_who_calls(place: Hall) -> None:
    scene = place.scene(helper=0)
    scene.third.behaviour = "ring"
    second = place.helpers[1]
    second.behaviour = "answer"
    second.invites.clear()
    scene.operator.press("*19")
    assert until(lambda: bool(scene.third.invites))
    invite = scene.third.invites[0][1]
    assert f"X-IVR-Call: {scene.call_id}" in invite and "X-IVR-Dialled: 12345" in invite
    assert f"<sip:{scene.number}@" in invite, "help sees who calls"
    scene.hear(caller={O}, operator={C})
    assert until(lambda: bool(second.invites)), "after ten seconds the next route is called"
    scene.third = second
    scene.hear(caller={O, T}, operator={C, T}, third={C, O})
    scene.close()
    second.hang_up()


def test_a_department_never_sees_the_callers_number(place: Hall) -> None:
    scene = place.scene(3)
    scene.to("consulting")
    assert scene.number not in scene.third.invites[0][1]
    scene.close()


def star(place: Hall, number: str, after_s: float, stopped: int = 0) -> TonePhone:
    """A caller presses * so many seconds after the answer; ``stopped``: the engine's pid, stopped before."""
    helper = place.helpers[1]
    assert until(lambda: not helper.up), "help is still busy with the call before"
    helper.invites.clear()
    phone = TonePhone(0, C, place.server, name="star")
    phone.call("12345", number)
    assert until(lambda: phone.up)
    time.sleep(after_s)
    if stopped:
        os.kill(stopped, signal.SIGSTOP)
    phone.press("*")
    return phone


def test_the_star_key_reaches_help_in_greeting_queue_and_talk_even_with_a_dead_engine(place: Hall) -> None:
    scene = place.scene(helper=1)
    scene.caller.press("*")
    scene.hear(caller={O, T}, operator={C, T}, third={C, O})
    scene.close()
    seats = list(place.operators)
    for seat in seats:
        place.hotline.unman(seat)
    engine, helper = place.hotline.pid("engine"), place.helpers[1]
    try:
        for n, (after_s, stopped) in enumerate(((0.2, 0), (1.5, 0), (1.5, engine))):
            phone = star(place, f"1549999100{n}", after_s, stopped)
            heard = until(lambda: phone.hears(TONES) == {T} and helper.hears(TONES) == {C})  # noqa: B023
            facts = (n, len(helper.invites), phone.hears(TONES), helper.hears(TONES), helper.up)
            phone.close()
            assert heard, facts
    finally:
        os.kill(engine, signal.SIGCONT)
        for seat in seats:
            place.hotline.engine("login", seat=seat, operator=f"10{seat}")
    assert {place.hotline.ticket_of(f"1549999100{n}")["outcome"] for n in range(3)} == {"handed_off"}


def journalled(place: Hall, mask: str, kind: str) -> bool:
    """Tell whether something is in the journal of the newest call of a number."""
    events = place.hotline.journal()
    calls = [e["stream"] for e in events if (e["data"].get("caller") or {}).get("mask") == mask]
    return bool(calls) and any(e["stream"] == calls[-1] and e["kind"] == kind for e in events)


def test_help_that_nobody_answers_sends_the_caller_to_the_head_of_the_queue(place: Hall) -> None:
    seats = list(place.operators)
    for seat in seats:
        place.hotline.unman(seat)
    place.helpers[1].behaviour = "486"
    number = "15499991009"
    first = TonePhone(0, C, place.server, name="waits already")
    first.call("12345", "15499991010")
    assert until(lambda: place.hotline.waiting() == 1)
    phone = star(place, number, 1.5)
    try:
        wait_for(lambda: journalled(place, "154****1009", "emergency_failed"), why="help did not answer")
        wait_for(lambda: place.hotline.waiting() == 2 or None, why="the caller is in the queue again")
        place.hotline.engine("login", seat="01", operator="1001")
        wait_for(lambda: place.talking(number), why="an operator answers whoever called help first")
        assert not place.talking("15499991010")
    finally:
        phone.close()
        first.close()
        place.operators["01"].hang_up()
        for seat in seats[1:]:
            place.hotline.engine("login", seat=seat, operator=f"10{seat}")
    kinds = [event["kind"] for event in place.hotline.ticket_of(number)["events"]]
    assert "emergency_failed" in kinds


def test_an_expert_who_takes_the_call_is_one_of_three(place: Hall) -> None:
    scene = place.scene(4)
    scene.third = place.operators["24"]
    scene.third.hertz, before = T, scene.third.hertz
    scene.ask("start", to="expert:q_social")
    assert until(lambda: scene.third.up), "the expert's phone does not ring"
    scene.reach("asking")
    scene.third.press("1")
    scene.reach("consulting")
    scene.ask("complete")
    scene.reach("three_way")
    scene.close()
    scene.third.hertz = before
    place.hotline.unman("24")
    scene = place.scene(4)
    with pytest.raises(Exception, match="nobody can answer"):
        scene.ask("start", to="expert:q_social")
    scene.hear(caller={O}, operator={C})
    scene.close()


def test_each_party_of_a_room_has_a_track_of_its_own(place: Hall) -> None:
    scene = place.scene(5)
    scene.to("three_way")
    time.sleep(1.0)
    scene.close()
    ticket = wait_for(lambda: _settled(scene), why="the transcript")
    sides = [tuple(recording["sides"]) for recording in ticket["recordings"]]
    assert sides[0] == ("caller", "operator")
    assert sorted(sides[1:]) == [("operator",), ("third",)], "both come into the room at the same moment"
    assert all(recording["from_s"] >= 0 for recording in ticket["recordings"][1:])
    assert not [event for event in ticket["events"] if event["kind"] == "recording_failed"]
    legs = place.hotline.ask("calls", "show", scene.call_id)["legs"]
    assert [leg["role"] for leg in legs] == ["caller", "operator", "third"]
    assert legs[2]["target"] == scene.target


def _settled(scene: Scene) -> dict[str, Any] | None:
    ticket = scene.ticket()
    return ticket if ticket["transcript"]["status"] in ("done", "failed") else None


def test_a_shift_leader_listens_whispers_speaks_and_takes_over(place: Hall) -> None:
    mine = place.leader_seat()
    place.hotline.engine("pause", seat=mine, reason="1")  # the call is somebody else's
    scene = place.scene(0)
    place.hotline.engine("resume", seat=mine)
    seat = next(seat for seat, phone in place.operators.items() if phone is scene.operator)
    password = place.password(mine)
    leader = TonePhone(0, T, place.server, name="leader")

    def dial(code: str) -> None:
        leader.call(f"{code}{seat}", f"seat{mine}", login=(f"seat{mine}", password))
        assert until(lambda: leader.up), f"{code} is not answered"

    steps: tuple[tuple[str, dict[str, set[float]]], ...] = (
        ("*15", {"caller": {O}, "operator": {C}}),
        ("*16", {"caller": {O}, "operator": {C, T}}),
        ("*17", {"caller": {O, T}, "operator": {C, T}}),
    )
    for code, heard in steps:
        dial(code)
        assert until(lambda: leader.hears(TONES) == {C, O}), f"{code}: {leader.hears(TONES)}"
        assert until(
            lambda: {"caller": scene.caller.hears(TONES), "operator": scene.operator.hears(TONES)} == heard  # noqa: B023
        ), f"{code}: {scene.hears()}"
        leader.hang_up()
        scene.hear(caller={O}, operator={C})
    dial("*18")
    assert until(lambda: scene.caller.hears(TONES) == {T} and leader.hears(TONES) == {C}), scene.hears()
    assert until(lambda: not scene.operator.up)
    scene.close()
    leader.close()
    kinds = [event["kind"] for event in scene.ticket()["events"]]
    assert kinds.count("listened") == 4 and "taken_over" in kinds
    assert scene.ticket()["seat"] == mine


def test_rooms_go_on_through_a_kill_of_the_engine_and_the_deadlines_still_hold(place: Hall) -> None:
    states = ("inviting", "asking", "consulting", "three_way", "handed_off")
    scenes = {state: place.scene(n) for n, state in enumerate(states)}
    for state, scene in scenes.items():  # the one that rings is the first
        scene.to(state)
    place.hotline.kill("engine")
    talking: Callable[[], bool] = lambda: (  # noqa: E731
        scenes["three_way"].hears() == {"caller": {O, T}, "operator": {C, T}, "third": {C, O}}
        and scenes["consulting"].hears() == {"caller": set(), "operator": {T}, "third": {O}}
        and scenes["handed_off"].hears() == {"caller": {T}, "third": {C}}
    )
    assert until(talking), "the rooms go on while the engine is dead"
    scenes["consulting"].third.hang_up()  # nobody hears this but Asterisk
    place.hotline.wait_live()
    restarted = time.time()
    for state in ("three_way", "handed_off"):
        assert scenes[state].state() == state
    scenes["consulting"].hear(caller={O}, operator={C})
    asking = scenes["asking"]
    asking.third.press("1")
    assert until(lambda: asking.state() in ("consulting", "together")), asking.state()
    if asking.state() == "together":  # so busy a machine: the question was over first
        assert moment(asking, "third_refused") >= moment(asking, "third_answered") + TAKE_S
    scenes["three_way"].operator.hang_up()
    scenes["three_way"].reach("handed_off")
    scenes["inviting"].reach("together")
    rang = moment(scenes["inviting"], "transfer_wanted")
    assert rang + 25.0 <= moment(scenes["inviting"], "third_refused") < restarted + 25.0, (
        "the deadline counts from the ringing, not from the restart"
    )
    for scene in scenes.values():
        scene.close()
    assert scenes["handed_off"].ticket()["outcome"] == "handed_off"
