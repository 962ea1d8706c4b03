"""Three parties with SIPp at every end: a caller on the trunk, a registered seat, 119 that answers, 120 that is busy.

Who hears whom is measured in ``test_three_parties.py`` by phones that send tones; SIPp cannot do that.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.asterisk.hotline import Hotline, running, wait_for
from tools.phones import Running
from tools.phones.sipp import free_udp_port

pytestmark = pytest.mark.asterisk


@pytest.fixture(scope="module")
def hotline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    answers, busy = free_udp_port(), free_udp_port()

    def prepare(hotline: Hotline) -> None:
        path = Path(hotline.environment["IVR_CONFIG"]) / "trunks.yaml"
        trunks = yaml.safe_load(path.read_text(encoding="utf-8"))
        trunks["destinations"] = {
            "119": [f"sip:119@127.0.0.1:{answers}"],
            "120": [f"sip:120@127.0.0.1:{busy}"],
        }
        path.write_text(yaml.safe_dump(trunks, allow_unicode=True), encoding="utf-8")

    with running(tmp_path_factory.mktemp("three"), quick=True, prepare=prepare) as place:
        place.phones.seat(answers)
        place.phones.busy(busy)
        place.man("01", "1001", ring_ms=0)
        yield place


def talking(hotline: Hotline, number: str) -> tuple[str, Running]:
    """Let somebody call and reach the operator; return the call's id and the phone."""
    phone = hotline.phones.caller(number=number, stays=True)
    wait_for(lambda: hotline.call_state(number) == "talking", why=hotline.logs)
    calls: list[dict[str, Any]] = hotline.ask("calls", "list")
    return next(str(call["call_id"]) for call in calls if call["state"] == "talking"), phone


def test_an_operator_hands_a_caller_to_119_and_leaves(hotline: Hotline) -> None:
    number = "15400005101"
    call, phone = talking(hotline, number)
    done = hotline.run("transfer", "start", "--call", call, "--to", "119")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: hotline.call_state(number) == "three_way", why=hotline.logs)
    assert hotline.run("transfer", "leave", "--call", call).returncode == 0
    wait_for(lambda: hotline.call_state(number) == "handed_off", why=hotline.logs)
    assert phone.hang_up() == 0, phone.errors()
    ticket = hotline.ticket_of(number)
    assert ticket["outcome"] == "handed_off"
    legs = hotline.ask("calls", "show", call)["legs"]
    assert {leg["role"] for leg in legs} == {"caller", "operator", "third"}
    left = {leg["role"]: leg["left_at"] for leg in legs}
    assert left["operator"] < left["caller"], "the caller talked on when the operator had left"


def test_when_120_is_busy_the_caller_is_still_with_the_operator(hotline: Hotline) -> None:
    number = "15400005102"
    wait_for(lambda: hotline.engine("seats")[0]["state"] == "ready", why="the operator is free again")
    call, phone = talking(hotline, number)
    assert hotline.run("transfer", "start", "--call", call, "--to", "120").returncode == 0
    wait_for(lambda: hotline.engine("transfer_state", call=call)["state"] == "together", why=hotline.logs)
    assert hotline.call_state(number) == "talking"
    assert phone.hang_up() == 0, phone.errors()
    ticket = hotline.ticket_of(number)
    assert ticket["outcome"] == "answered"
    assert "emergency_failed" in [event["kind"] for event in ticket["events"]]
