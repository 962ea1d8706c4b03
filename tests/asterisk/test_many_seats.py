"""A city of 300 seats on a real Asterisk: ids and star codes of three digits, and a change that costs its seat."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.asterisk.hotline import Hotline, wait_for
from tools.phones import free_udp_port

pytestmark = pytest.mark.asterisk

SEATS = 300
SEAT, OPERATOR = "300", "2300"


def write_city(hotline: Hotline) -> None:
    """Write seats 001 to 300, and as many people beside the shipped ones; each helps in every queue."""
    config = hotline.folder / "queues"
    seats = "".join(f"  - {{id: '{n:03}', extension: '{80000 + n}'}}\n" for n in range(1, SEATS + 1))
    (config / "seats.yaml").write_text(f"seats:\n{seats}", encoding="utf-8")
    with (config / "operators.yaml").open("a", encoding="utf-8") as file:
        for n in range(1, SEATS + 1):
            file.write(f"  - {{number: '{2000 + n}', name: 话务员{n}, queues: [q_general]}}\n")


@pytest.fixture(scope="module")
def hotline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    hotline = Hotline(tmp_path_factory.mktemp("many"), quick=True)
    write_city(hotline)
    try:
        hotline.up()
        for n in range(1, SEATS):
            hotline.engine("login", seat=f"{n:03}", operator=str(2000 + n))
        yield hotline
    finally:
        hotline.down()


def paused(hotline: Hotline, queue: str, seat: str = SEAT) -> bool | None:
    """Return whether Asterisk itself has a seat paused in a queue, None where it is no member."""
    rows = [row for row in hotline.cli(f"queue show {queue}").splitlines() if f"PJSIP/seat{seat}" in row]
    return "(paused" in rows[0] if rows else None


def queues(hotline: Hotline) -> list[str]:
    return [row["queue"] for row in hotline.engine("queues")]


def secret(hotline: Hotline, kind: str, whose: str) -> str:
    found: str = json.loads((hotline.home / "secrets.json").read_text())[kind][whose]
    return found


def dial(hotline: Hotline, code: str, keys: str = "") -> None:
    """Dial a star code on the seat's phone and hear it out."""
    user = f"seat{SEAT}"
    phone = hotline.phones.caller(
        dialled=code, number=user, user=user, password=secret(hotline, "sip", user), keys=keys, stays=True
    )
    assert phone.wait() == 0, phone.errors() + hotline.logs()


def test_a_city_of_three_hundred_seats_works_by_phone_like_one_of_twenty_four(hotline: Hotline) -> None:
    """Also right after all the others logged in: Asterisk takes calls while thousands of states are told."""
    port, user = free_udp_port(), f"seat{SEAT}"
    hotline.phones.register({user: secret(hotline, "sip", user)}, {user: port})
    hotline.phones.seat(port, ring_ms=0)
    dial(hotline, f"*11{OPERATOR}", secret(hotline, "pins", OPERATOR))
    everywhere = queues(hotline)
    assert [paused(hotline, queue) for queue in everywhere] == [False] * len(everywhere)
    caller = hotline.phones.caller(number="15500000301", stays=True)
    wait_for(lambda: hotline.call_state("15500000301") == "talking", why=hotline.logs)
    assert caller.hang_up() == 0, caller.errors()
    assert hotline.ticket_of("15500000301")["seat"] == SEAT

    dial(hotline, "*122")
    assert [paused(hotline, queue) for queue in everywhere] == [True] * len(everywhere)
    waiting = hotline.phones.caller(number="15500000302", stays=True)
    wait_for(lambda: hotline.waiting() == 1, why="the caller waits while the seat is paused")
    dial(hotline, "*13")
    wait_for(lambda: hotline.call_state("15500000302") == "talking", why=hotline.logs)
    assert waiting.hang_up() == 0, waiting.errors()
    assert hotline.ticket_of("15500000302")["seat"] == SEAT


def test_a_member_that_asterisk_lost_is_there_again_with_the_seat_s_next_change(hotline: Hotline) -> None:
    queue, seat = queues(hotline)[-1], "299"
    hotline.cli(f"queue remove member PJSIP/seat{seat} from {queue}")
    hotline.engine("pause", seat=seat, reason="2")
    assert paused(hotline, queue, seat) is True
    hotline.engine("resume", seat=seat)
    assert paused(hotline, queue, seat) is False
