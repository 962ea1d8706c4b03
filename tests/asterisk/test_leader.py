"""The shift leader, the star key and callbacks on a real Asterisk: who may look in, and who is never lost."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.asterisk.three_parties import TONES, C, Hall, O, T, hall, wait_for
from tools.phones.tone_phone import TonePhone, until

pytestmark = pytest.mark.asterisk
L = 2500.0
"""The shift leader's tone, in Hz."""
STAR = 2
"""The place of 120 among the helpers: here * leads to 120."""


def edit(path: Path, **changes: Any) -> None:
    """Change values at the top of a file."""
    document = yaml.safe_load(path.read_text(encoding="utf-8")) | changes
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hall, TonePhone]]:
    """Three seats, wrap-up of half a minute, * leads to 120, callbacks go to a telephone of ours."""
    citizen = TonePhone(0, C, ("127.0.0.1", 0), name="citizen")

    def prepare(config: Path) -> None:
        queues = yaml.safe_load((config / "queues.yaml").read_text(encoding="utf-8"))["queues"]
        queues[0]["wrap_up_s"] = 30
        edit(config / "queues.yaml", queues=queues)
        edit(config / "reception.yaml", star_number="120")
        destinations = yaml.safe_load((config / "trunks.yaml").read_text(encoding="utf-8"))["destinations"]
        edit(
            config / "trunks.yaml",
            destinations=destinations | {"callback": [f"sip:127.0.0.1:{citizen.port}"]},
        )

    with hall(tmp_path_factory.mktemp("leader"), 3, 2, prepare=prepare) as instance:
        citizen.server = instance.server
        try:
            yield instance, citizen
        finally:
            citizen.close()


@pytest.fixture
def place(shared: tuple[Hall, TonePhone]) -> Hall:
    """The hall with every operator ready."""
    instance, _ = shared
    for row in instance.hotline.engine("seats"):
        if row["state"] == "wrap_up":
            instance.hotline.engine("resume", seat=row["seat"])
    return instance


def state_of(place: Hall, seat: str) -> str:
    """Return what a seat does."""
    return next(str(row["state"]) for row in place.hotline.engine("seats") if row["seat"] == seat)


def noted(place: Hall, stream: str) -> list[dict[str, Any]]:
    """Return what was noted about a seat."""
    return [event["data"] for event in place.hotline.journal(stream) if event["kind"] == "listen_refused"]


def test_somebody_who_may_lead_but_does_not_lead_now_hears_no_call(place: Hall) -> None:
    scene = place.scene(0)
    leads = place.leader_seat()
    talks = next(seat for seat, phone in place.operators.items() if phone is scene.operator)
    mine = next(seat for seat in place.operators if seat not in (leads, talks))
    phone = TonePhone(0, T, place.server, name="not the leader")
    phone.call(f"*17{talks}", f"seat{mine}", login=(f"seat{mine}", place.password(mine)))
    assert until(lambda: phone.up), "the code is not answered"
    assert until(lambda: not phone.up), "nobody sees them off"
    heard = [phone.heard_share(tone, phone.answered_at, phone.ended_at) for tone in (C, O)]
    assert min(heard) < 0.5, f"caller and operator were heard: {heard}"  # a prompt has some of every tone
    scene.hear(caller={O}, operator={C})
    scene.close()
    phone.close()
    (refused,) = noted(place, f"seat:{mine}")
    assert refused["how"] == "barge" and "does not lead this shift" in refused["reason"]


def test_who_is_relieved_wraps_up_and_the_recording_goes_on_with_the_leader(place: Hall) -> None:
    mine = place.leader_seat()
    place.hotline.engine("pause", seat=mine, reason="1")
    scene = place.scene(0)
    place.hotline.engine("resume", seat=mine)
    theirs = next(seat for seat, phone in place.operators.items() if phone is scene.operator)
    leader = TonePhone(0, T, place.server, name="leader")
    leader.call(f"*18{theirs}", f"seat{mine}", login=(f"seat{mine}", place.password(mine)))
    assert until(lambda: scene.caller.hears(TONES) == {T} and leader.hears(TONES) == {C}), scene.hears()
    wait_for(lambda: state_of(place, theirs) == "wrap_up" or None, why="who was relieved wraps up")
    assert state_of(place, mine) not in ("wrap_up", "ready"), "the leader talks"
    talked_from = time.monotonic()
    time.sleep(3.0)  # longer than a recording needs to be closed
    scene.close()
    talked_s = time.monotonic() - talked_from
    leader.close()
    ticket = place.hotline.transcribed(scene.number)
    closed = [event for event in ticket["events"] if event["kind"] == "recording_closed"]
    main = next(event for event in closed if not event.get("track"))
    assert main["seconds"] > talked_s * 0.8, "the part with the leader is missing"
    assert not [event for event in ticket["events"] if event["kind"] == "recording_failed"]
    wait_for(lambda: state_of(place, mine) == "wrap_up" or None, why="the leader wraps up too")


def test_the_leader_who_speaks_with_both_is_heard_by_all_of_a_room_and_goes_with_the_others(
    place: Hall,
) -> None:
    tones = (*TONES, L)
    mine = place.leader_seat()
    place.hotline.engine("pause", seat=mine, reason="1")
    scene = place.scene(0)
    theirs = next(seat for seat, phone in place.operators.items() if phone is scene.operator)
    scene.to("three_way")
    leader = TonePhone(0, L, place.server, name="leader")
    leader.call(f"*17{theirs}", f"seat{mine}", login=(f"seat{mine}", place.password(mine)))

    def hear(**expected: set[float]) -> None:
        phones = {"caller": scene.caller, "operator": scene.operator, "third": scene.third, "leader": leader}

        def seen() -> dict[str, set[float]]:
            return {name: phone.hears(tones) for name, phone in phones.items() if phone.up}

        assert until(lambda: seen() == expected), seen()

    hear(caller={O, T, L}, operator={C, T, L}, third={C, O, L}, leader={C, O, T})
    scene.operator.hang_up()
    scene.reach("handed_off")
    hear(caller={T, L}, third={C, L}, leader={C, T})
    leader.hang_up()
    hear(caller={T}, third={C})
    assert until(lambda: leader.status == 200 and not leader.up)
    leader.call(f"*17{theirs}", f"seat{mine}", login=(f"seat{mine}", place.password(mine)))
    hear(caller={T, L}, third={C, L}, leader={C, T})
    scene.third.hang_up()
    assert until(lambda: not scene.caller.up and not leader.up), "somebody is left in the room"
    leader.close()
    scene.close()
    place.hotline.engine("resume", seat=mine)


def test_the_talk_with_a_department_that_comes_after_the_operator_has_gone_is_recorded(place: Hall) -> None:
    scene = place.scene(0)
    scene.third.behaviour = "ring"
    scene.ask("start", to=scene.target)
    scene.reach("inviting")
    scene.operator.hang_up()
    scene.reach("awaited")
    time.sleep(1.5)  # music, of which nothing is recorded
    scene.third.answer()
    assert until(lambda: scene.third.up)
    scene.third.press("1")
    scene.hear(caller={T}, third={C})
    talked_from = time.monotonic()
    time.sleep(2.0)
    scene.close()
    talked_s = time.monotonic() - talked_from
    ticket = place.hotline.transcribed(scene.number)
    closed = [event for event in ticket["events"] if event["kind"] == "recording_closed"]
    main = next(event for event in closed if not event.get("track"))
    # the operator talked for an instant, so all of it is the department's; a busy machine's telephones lose some
    assert main["seconds"] > talked_s / 2, (
        f"of {talked_s:.2f} s with the department {main['seconds']} s are left"
    )
    assert ticket["outcome"] == "handed_off"


def press_star(place: Hall, number: str, after_s: float) -> TonePhone:
    """Call and press * so soon after the answer; return when help has heard the caller and they help."""
    helper = place.helpers[STAR]
    assert until(lambda: not helper.up), "help is still busy with the call before"
    helper.invites.clear()
    phone = TonePhone(0, C, place.server, name=f"star after {after_s} s")
    phone.call("12345", number)
    assert until(lambda: phone.up), "nobody answers"
    time.sleep(after_s)
    phone.press("*", gap_s=0)
    heard = until(lambda: phone.hears(TONES) == {T} and helper.hears(TONES) == {C})
    facts = (
        f"{after_s} s: {len(helper.invites)} calls; caller {phone.hears(TONES)}, help {helper.hears(TONES)}"
    )
    recorded = heard and until(lambda: bool(_help_track_bytes(place, helper)))  # nobody hangs up that soon
    phone.close()
    assert heard, facts
    assert recorded, f"{after_s} s: nothing is recorded"
    return phone


def _help_track_bytes(place: Hall, helper: TonePhone) -> int:
    """Return the length of what is recorded of the call that helps now."""
    found = re.search(r"X-IVR-Call: (\S+)", helper.invites[-1][1])
    assert found is not None, "help is told which call it is"
    tracks = place.hotline.recordings.rglob(f"{found.group(1)}-help.raw")
    return sum(track.stat().st_size for track in tracks)


def test_a_star_in_the_first_moment_reaches_the_citys_number_and_both_are_heard(place: Hall) -> None:
    for n in range(8):
        press_star(place, f"1549993200{n}", 0.0)
    tickets = [place.hotline.ticket_of(f"1549993200{n}") for n in range(8)]
    assert {ticket["outcome"] for ticket in tickets} == {"handed_off"}
    assert {event["target"] for event in tickets[0]["events"] if event["kind"] == "handed_off"} == {"120"}
    assert all(ticket["talk_s"] is not None for ticket in tickets)
    for n in range(2):  # also the second one
        ticket = place.hotline.transcribed(f"1549993200{n}")
        sides = [recording["sides"] for recording in ticket["recordings"]]
        assert sides == [["caller", "third"]], ticket["events"]


@pytest.mark.parametrize("after_s", [0.0, 0.2])
def test_a_star_in_the_greeting_is_heard_while_the_engine_is_away(place: Hall, after_s: float) -> None:
    engine = place.hotline.pid("engine")
    number = f"154999330{int(after_s * 10):02d}"
    os.kill(engine, signal.SIGSTOP)
    try:
        press_star(place, number, after_s)
    finally:
        os.kill(engine, signal.SIGCONT)
    assert place.hotline.ticket_of(number)["outcome"] == "handed_off"


def test_the_leader_listens_to_a_callback_too(place: Hall, shared: tuple[Hall, TonePhone]) -> None:
    citizen, number = shared[1], "13812349876"
    leads = place.leader_seat()
    seats = sorted(place.operators, key=lambda seat: seat == leads)  # the leader's last
    for seat in seats:
        place.hotline.engine("pause", seat=seat, reason="1")
    caller = TonePhone(0, C, place.server, name="gives up")
    caller.call("12345", number)
    assert until(lambda: place.hotline.waiting() == 1)
    time.sleep(5.5)  # from five seconds on a missed call is called back
    caller.close()
    wait_for(lambda: place.hotline.call_state(number) == "callback", why="the callback is noted")
    place.hotline.engine("resume", seat=seats[0])
    operator = place.operators[seats[0]]
    assert until(lambda: citizen.hears(TONES) == {O} and operator.hears(TONES) == {C}), (
        f"citizen {citizen.up} {citizen.hears(TONES)}, operator {operator.up} {operator.hears(TONES)}"
    )
    leader = TonePhone(0, T, place.server, name="leader")
    leader.call(f"*15{seats[0]}", f"seat{leads}", login=(f"seat{leads}", place.password(leads)))
    assert until(lambda: leader.hears(TONES) == {C, O}), f"the leader hears {leader.hears(TONES)}"
    leader.close()
    citizen.hang_up()
    for seat in seats[1:]:
        place.hotline.engine("resume", seat=seat)
    assert place.hotline.ticket_of(number)["outcome"] == "answered"


def test_targets_without_a_way_are_marked_in_the_list_of_codes(place: Hall) -> None:
    ways = {row["target"]: row["routes"] for row in place.hotline.engine("transfer_targets")}
    assert (ways["119"], ways["120"], ways["subcenter:tax_12366"]) == (2, 1, 0)
    shown = place.hotline.run("transfer", "targets").stdout.splitlines()
    marked = [line for line in shown if "no usable route" in line]
    assert any("subcenter:tax_12366" in line for line in marked)
    assert not any(line.split()[1] == "120" for line in marked)
