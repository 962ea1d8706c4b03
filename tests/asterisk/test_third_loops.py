"""A call never goes back to where it came from, nor to ourselves; and an emergency goes before a department.

SIPp is at every end, see ``sipp_hall.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.asterisk.hotline import Hotline, wait_for
from tests.asterisk.sipp_hall import Scene, SippHall, sipp_hall
from tools.phones.handled import Handled
from tools.phones.sipp import kept_udp_port
from tools.phones.tone_phone import until

pytestmark = pytest.mark.asterisk
TAX, TAX_NUMBER = "subcenter:tax_12366", "12366"
SELF, SELF_NAMED, SELF_HELP = "unit:dept_05", "unit:dept_06", "122"
ELSEWHERE = kept_udp_port()
TOGETHER, THREE = {"caller", "operator"}, {"caller", "operator", "third"}


def ways(hotline: Hotline) -> dict[str, list[str]]:
    """Return a sub-centre that diverts its calls to us, and destinations that lead back to ourselves."""
    own = hotline.sip_port
    return {
        TAX: [f"sip:{TAX_NUMBER}@127.0.0.1:{ELSEWHERE}"],
        SELF: [f"sip:12345@127.0.0.1:{own}"],
        SELF_NAMED: [f"sip:12345@localhost:{own}", f"sip:12345@127.0.0.2:{own}"],
        SELF_HELP: [f"sip:12345@127.0.0.1:{own}"],
    }


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SippHall]:
    folder: Path = tmp_path_factory.mktemp("loops")
    with sipp_hall(folder, 2, ways) as place:
        yield place


@pytest.fixture(scope="module")
def police(hall: SippHall) -> list[Handled]:
    """110's telephones: they would answer if they were called."""
    return [hall.hotline.phones.called(port) for port in hall.targets["110"].ports]


def refused(scene: Scene, reason: str, count: int) -> None:
    """Wait until so many refusals are in the journal, all for one reason, and nothing else has changed."""
    wait_for(lambda: scene.refusals() == count, why=f"refusal {count}")
    reasons = [event["reason"] for event in scene.events() if event["kind"] == "transfer_refused"]
    assert reasons == [reason] * count
    assert (scene.state(), scene.company()) == ("idle", TOGETHER)


def command(scene: Scene, target: str) -> str:
    """Try ``ivr transfer start``; return what it says."""
    done = scene.hall.hotline.run("transfer", "start", "--call", scene.call_id, "--to", target)
    assert done.returncode == 1, done.stdout
    return done.stderr


def from_110(hall: SippHall) -> dict[str, str]:
    return {"user": "from-110", "password": hall.passwords()["from-110"]}


def test_a_call_that_110_diverted_is_not_sent_back_by_command_by_keys_or_by_the_caller(
    hall: SippHall, police: list[Handled]
) -> None:
    scene = hall.scene(**from_110(hall))
    assert "not sent back" in command(scene, "110")
    refused(scene, "loop", 1)
    scene.dial("110")
    refused(scene, "loop", 2)
    scene.caller.press("*")
    refused(scene, "loop", 3)
    scene.put(hall.targets["119"].ports[0], "answers")
    scene.dial("119")
    scene.reach("three_way")
    scene.expect_company(THREE)
    scene.close()
    ticket = scene.ticket()
    assert (ticket["source"], ticket["outcome"]) == ("110_diversion", "answered")
    assert not [phone for phone in police if phone.happened("invited")]


def test_a_caller_from_110_who_presses_star_while_waiting_stays_in_the_queue_and_is_answered(
    hall: SippHall, police: list[Handled]
) -> None:
    for seat in ("01", "02"):
        wait_for(lambda: all(row["state"] != "talking" for row in hall.hotline.engine("seats")))
        hall.hotline.unman(seat)
    number = hall.number()
    citizen = hall.hotline.phones.calling(number=hall.number())
    caller = hall.hotline.phones.calling(number=number, **from_110(hall))
    wait_for(lambda: hall.hotline.waiting() == 2, why="both wait")
    rows = hall.hotline.engine("open_calls")
    call_id = next(row["call_id"] for row in rows if row["caller"].endswith(number[-4:]))
    noted = {"kind": "transfer_refused", "target": "110", "reason": "loop", "by": "caller"}

    def pressed() -> bool:
        caller.press("*")  # the queue misses a key between two recordings
        return until(lambda: noted in hall.events(call_id), 1.5)

    wait_for(pressed, why="the star key leads to no loop")
    wait_for(lambda: hall.hotline.waiting() == 2, why="they wait again")
    hall.hotline.engine("login", seat="01", operator="1101")
    row = wait_for(lambda: hall.talking(number), why="an operator answers whoever pressed * first")
    scene = Scene(hall, caller, row, number)
    scene.expect_company(TOGETHER)
    citizen.hang_up()
    assert citizen.wait() == 0, citizen.running.errors()
    hall.hotline.engine("login", seat="02", operator="1102")
    scene.close()
    assert scene.ticket()["outcome"] == "answered"
    assert not [phone for phone in police if phone.happened("invited")]


@pytest.mark.parametrize(
    "header",
    [
        f"Diversion: <sip:{TAX_NUMBER}@10.0.0.9>;reason=unconditional",
        f"History-Info: <sip:{TAX_NUMBER}@10.0.0.9>;index=1, <sip:12345@10.0.0.9>;index=1.1",
    ],
    ids=["Diversion", "History-Info"],
)
def test_a_call_that_a_sub_centre_diverted_is_not_sent_back_there(hall: SippHall, header: str) -> None:
    centre = hall.hotline.phones.called(ELSEWHERE)
    scene = hall.scene(headers=header)
    assert "not sent back" in command(scene, TAX)
    scene.dial(TAX)
    refused(scene, "loop", 2)
    other = next(name for name in hall.targets if name.startswith("subcenter:"))
    scene.put(hall.targets[other].ports[0], "answers")
    scene.dial(other)
    scene.reach("asking")
    scene.third.press("2")
    scene.reach("together")
    scene.expect_company(TOGETHER)
    scene.close()
    centre.stop()
    assert not centre.happened("invited")


def test_a_destination_that_is_ourselves_is_never_dialled(hall: SippHall) -> None:
    scene = hall.scene()
    for target in (SELF, SELF_NAMED):
        assert "destination" in command(scene, target)
    refused(scene, "wrong", 2)
    scene.dial(SELF_HELP)
    wait_for(lambda: any(event.get("target") == SELF_HELP for event in scene.events()), why="help")
    scene.reach("together")
    scene.expect_company(TOGETHER)
    assert len(hall.hotline.engine("open_calls")) == 1, "we have not called ourselves"
    scene.close()
    assert scene.reasons() == ("wrong", "wrong", "wrong")


@pytest.mark.parametrize(
    ("state", "company"),
    [("inviting", {"operator"}), ("consulting", {"operator", "third"}), ("three_way", THREE)],
)
def test_an_emergency_takes_the_place_of_a_department(hall: SippHall, state: str, company: set[str]) -> None:
    scene = hall.scene()
    centre = next(name for name in hall.targets if name.startswith("subcenter:"))
    scene.put(hall.targets[centre].ports[0], "rings" if state == "inviting" else "answers")
    scene.dial(centre)
    if state != "inviting":
        scene.reach("asking")
        scene.third.press("1")
        scene.reach("consulting")
    if state == "three_way":
        scene.operator.press("*2")
    scene.reach(state)
    scene.expect_company(company, "operator")
    scene.put(hall.targets["119"].ports[0], "answers")
    scene.dial("119")
    wait_for(lambda: scene.third.happened("up"), why="119 answers")
    scene.reach("three_way")
    scene.expect_company(THREE)
    assert scene.thirds[0].wait() == 0, "the department has gone"
    scene.close()
