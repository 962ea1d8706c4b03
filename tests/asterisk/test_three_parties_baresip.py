"""An operator on baresip, an ordinary softphone: keys are RFC 4733 events, sound is sound.

Caller and department are phones that sing (``tools/phones/tone_phone.py``), so that it is measured who hears whom.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.asterisk.hotline import wait_for
from tests.asterisk.sipp_hall import SippHall, sipp_hall
from tools.phones.baresip import Baresip, baresip_program
from tools.phones.sipp import kept_udp_port
from tools.phones.tone_phone import TonePhone, until

pytestmark = pytest.mark.asterisk
CALLER, OPERATOR, THIRD = 400, 900, 1600
TONES = (CALLER, OPERATOR, THIRD)
SEAT, NUMBER = "01", "1101"


@dataclass
class Room:
    """One call with its phones."""

    hall: SippHall
    softphone: Baresip
    caller: TonePhone
    third: TonePhone
    target: str
    call_id: str
    number: str

    def state(self) -> str:
        return str(self.hall.hotline.engine("transfer_state", call=self.call_id)["state"])

    def reach(self, state: str) -> None:
        assert until(lambda: self.state() == state), f"{self.state()}, not {state}: {self.told()}"

    def hear(self, caller: set[int], third: set[int]) -> None:
        """Wait until caller and department hear these."""
        wanted = (set(map(float, caller)), set(map(float, third)))
        heard: list[tuple[set[float], set[float]]] = []

        def so() -> bool:
            heard.append((set(self.caller.hears(TONES)), set(self.third.hears(TONES))))
            return heard[-1] == wanted

        assert until(so), f"heard {heard[-1]}, not {wanted}: {self.told()}"

    def told(self) -> str:
        return self.softphone.said()[-1500:]


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SippHall]:
    baresip_program()
    folder: Path = tmp_path_factory.mktemp("baresip")
    with sipp_hall(folder, 0) as place:
        yield place


@pytest.fixture
def room(hall: SippHall, tmp_path: Path) -> Iterator[Room]:
    """Let a caller talk to an operator on baresip; a department has a telephone."""
    server = ("127.0.0.1", hall.hotline.sip_port)
    target = next(name for name in hall.targets if name.startswith("subcenter:"))
    third = TonePhone(hall.targets[target].ports[0], THIRD, server, name="department")
    caller = TonePhone(0, CALLER, server, name="caller")
    user, ports = f"seat{SEAT}", (kept_udp_port(), kept_udp_port())
    softphone = Baresip(tmp_path / "baresip", user, hall.passwords()[user], server, ports, OPERATOR)
    try:
        wait_for(lambda: _registered(hall) or None, why=f"baresip is registered\n{softphone.log}")
        hall.hotline.engine("login", seat=SEAT, operator=NUMBER)
        number = hall.number()
        caller.call("12345", number)
        row = wait_for(lambda: hall.talking(number), why="the softphone answers")
        room = Room(hall, softphone, caller, third, target, row["call_id"], number)
        room.hear({OPERATOR}, set())
        yield room
    finally:
        caller.close()
        third.close()
        softphone.close()
        hall.hotline.unman(SEAT)


def _registered(hall: SippHall) -> bool:
    rows = hall.hotline.engine("seats")
    return any(row["seat"] == SEAT and row["registered"] for row in rows)


def test_an_operator_on_baresip_brings_a_department_in_mutes_it_and_lets_it_go(room: Room) -> None:
    room.softphone.press(room.hall.codes[room.target])
    room.reach("asking")
    room.third.press("1")
    room.reach("consulting")
    room.hear(set(), {OPERATOR})
    room.softphone.press("*2")
    room.reach("three_way")
    room.hear({OPERATOR, THIRD}, {CALLER, OPERATOR})
    room.softphone.press("*4")
    room.hear({OPERATOR}, {CALLER, OPERATOR})
    room.softphone.press("*4")
    room.hear({OPERATOR, THIRD}, {CALLER, OPERATOR})
    room.softphone.press("*3")
    room.reach("together")
    room.hear({OPERATOR}, set())
    assert not room.third.up
    room.caller.hang_up()
    assert room.hall.hotline.ticket_of(room.number)["outcome"] == "answered"


def test_an_operator_on_baresip_hangs_up_and_the_other_two_go_on(room: Room) -> None:
    room.softphone.press(room.hall.codes[room.target])
    room.reach("asking")
    room.third.press("1")
    room.reach("consulting")
    room.softphone.press("*2")
    room.reach("three_way")
    room.softphone.hang_up()
    room.reach("handed_off")
    room.hear({THIRD}, {CALLER})
    room.third.hang_up()
    assert until(lambda: not room.caller.up), "nobody is left to talk to"
    assert room.hall.hotline.ticket_of(room.number)["outcome"] == "handed_off"


def test_a_department_on_baresip_takes_with_a_key_and_speaks_and_hangs_up(room: Room, tmp_path: Path) -> None:
    target = "unit:dept_01"
    ports = (room.hall.targets[target].ports[0], kept_udp_port())
    department = Baresip(tmp_path / "unit", "1", "-", room.caller.server, ports, THIRD, registers=False)
    try:
        wait_for(lambda: "is ready" in department.said() or None, why="baresip is ready")
        room.softphone.press(room.hall.codes[target])
        room.reach("asking")
        department.press("1")
        room.reach("consulting")
        room.softphone.press("*2")
        room.reach("three_way")
        room.hear({OPERATOR, THIRD}, set())
        department.hang_up()
        room.reach("together")
        room.hear({OPERATOR}, set())
    finally:
        department.close()


def test_an_operator_on_baresip_calls_119_with_three_keys(room: Room) -> None:
    server = room.caller.server
    helper = TonePhone(room.hall.targets["119"].ports[0], THIRD, server, name="119")
    try:
        room.softphone.press("*19")
        assert until(lambda: helper.up), room.told()
        room.reach("three_way")
        expected = {float(CALLER), float(OPERATOR)}
        assert until(lambda: set(helper.hears(TONES)) == expected), helper.hears(TONES)
        room.hear({OPERATOR, THIRD}, set())
    finally:
        helper.close()
