"""Third parties as they are: each answers, is busy, silent, refuses, hangs up at each step; then who talks with whom.

SIPp is at every end: the caller on the trunk, the registered operator who keys ``*1`` and a code, the
third party.  Who shares a bridge with the caller is Asterisk's own word.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from ivr.transfers.states import TransferState
from tests.asterisk.hotline import wait_for
from tests.asterisk.sipp_hall import LINES, Scene, SippHall, sipp_hall

pytestmark = pytest.mark.asterisk
LANES = 9
BACK, THREE, HANDED, OVER = "caller + operator", "all three", "caller + third", "over"
CONSULT = "operator + third"
COMPANY = {
    BACK: {"caller", "operator"},
    THREE: {"caller", "operator", "third"},
    HANDED: {"caller", "third"},
    CONSULT: {"operator", "third"},
    OVER: set(),
}
TAKES = "asking t:1 consulting"
JOINS = f"{TAKES} o:*2 three_way"


@dataclass(frozen=True)
class Row:
    """What the phones of a target do, what people do then, and what comes of it.

    ``phones`` stand in the order they are called.  ``acts`` are states to wait for, and who presses
    what: ``t`` the third party, ``o`` the operator, ``c`` the caller.
    """

    target: str
    phones: tuple[str, ...]
    acts: str
    then: str
    reasons: tuple[str, ...] = ()
    outcome: str = "answered"
    late: tuple[str, ...] = ()
    """What is told instead where the machine is so busy that the phone has rung long enough before the key came."""

    @property
    def name(self) -> str:
        return f"{self.target}: {' / '.join(self.phones)} | {self.acts}"


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SippHall]:
    folder: Path = tmp_path_factory.mktemp("behaviours")
    with sipp_hall(folder, LANES) as place:
        yield place


CENTRE, UNIT, EXPERT, SEAT = "subcenter", "unit", "expert", "seat"
ABSENT = f"subcenter:{LINES[5]}"
LATE = ("no_answer", "busy", "refused")
ROWS = (
    # the slow ones first: nobody answers, until a deadline
    Row(EXPERT, ("rings always",), "together", BACK, ("no_answer",)),
    Row(CENTRE, ("answers",), "asking together", BACK, ("unheeded",)),
    Row(CENTRE, ("silent",), "together", BACK, ("no_answer",)),
    Row(CENTRE, ("nobody",), "together", BACK, ("no_answer",)),
    Row(SEAT, ("rings",), "together", BACK, ("no_answer",)),
    Row(EXPERT, ("busy always",), "together", BACK, ("no_answer",)),
    Row(UNIT, ("silent", "busy", "rings, refuses", "answers"), JOINS, THREE, LATE),
    Row("119", ("silent", "answers"), "three_way", THREE, ("no_answer",)),
    Row("120", ("rings", "silent"), "together", BACK, ("no_answer", "no_answer")),
    # a unit: each way fails in another manner
    Row(UNIT, ("busy", "wrong", "refuses", "answers"), TAKES, CONSULT, ("busy", "wrong", "refused")),
    Row(UNIT, ("busy", "no codec", "wrong", "refuses"), "together", BACK, ("busy", "congestion", "wrong", "refused")),
    Row(UNIT, ("answers",), "asking t:2 together", BACK, ("refused",)),
    Row(UNIT, ("busy", "answers"), "asking t:bye together", BACK, ("busy", "refused")),
    Row(UNIT, ("answers",), f"{JOINS} o:bye handed_off", HANDED, (), "handed_off"),
    # a sub-centre: everything that can happen on its one way
    Row(CENTRE, ("busy",), "together", BACK, ("busy",)),
    Row(CENTRE, ("refuses",), "together", BACK, ("refused",)),
    Row(CENTRE, ("rings, refuses",), "together", BACK, ("refused",)),
    Row(CENTRE, ("wrong",), "together", BACK, ("wrong",)),
    Row(CENTRE, ("no codec",), "together", BACK, ("congestion",)),
    Row(CENTRE, ("foreign codec",), "together", BACK, ("congestion",)),
    Row(CENTRE, ("answers",), "asking t:2 together", BACK, ("refused",)),
    Row(CENTRE, ("answers",), "asking t:bye together", BACK, ("refused",)),
    Row(CENTRE, ("answers",), f"{TAKES} t:bye together", BACK),
    Row(CENTRE, ("answers",), f"{JOINS} t:bye together", BACK),
    Row(CENTRE, ("answers",), f"{JOINS} o:bye handed_off t:bye", OVER, (), "handed_off"),
    Row(CENTRE, ("rings, answers",), "inviting o:bye awaited_asking t:1 handed_off", HANDED, (), "handed_off"),
    Row(CENTRE, ("answers",), f"{JOINS} o:bye handed_off", HANDED, (), "handed_off"),
    Row(CENTRE, ("answers",), f"{TAKES} o:bye handed_off", HANDED, (), "handed_off"),
    Row(CENTRE, ("answers",), f"{TAKES} t:refer o:*2 three_way t:refer", THREE),
    Row(CENTRE, ("answers",), f"{TAKES} t:hold t:back o:*2 three_way t:hold t:back", THREE),
    Row(CENTRE, ("answers",), f"{JOINS} o:*4 o:*4 o:*3 together", BACK),
    # keys at the wrong moment, and somebody wanted twice or besides
    Row(CENTRE, ("rings long, answers",), "inviting o:same asking t:1 consulting", CONSULT, ("occupied",)),
    Row(CENTRE, ("rings long, answers",), "inviting o:other asking t:1 consulting", CONSULT, ("occupied",)),
    Row(CENTRE, ("answers",), f"{JOINS} o:other t:bye together", BACK, ("occupied",)),
    Row(CENTRE, ("rings",), "inviting o:*2 o:*4 inviting o:*3 together", BACK, late=("no_answer",)),
    Row(CENTRE, ("answers",), "asking o:*2 asking o:*3 together", BACK),
    Row(CENTRE, ("answers",), f"{TAKES} o:*3 together", BACK),
    Row(CENTRE, ("rings",), "inviting c:bye", OVER),
    # an expert, and a seat
    Row(EXPERT, ("answers",), JOINS, THREE),
    Row(EXPERT, ("answers",), "asking t:2 together", BACK, ("refused",)),
    Row(EXPERT, ("answers",), "asking t:bye together", BACK, ("refused",)),
    Row(EXPERT, ("answers",), f"{JOINS} t:bye together", BACK),
    Row(EXPERT, ("answers",), f"{JOINS} o:bye handed_off", HANDED, (), "handed_off"),
    Row(SEAT, ("busy",), "together", BACK, ("busy",)),
    Row(SEAT, ("refuses",), "together", BACK, ("refused",)),
    Row(SEAT, ("answers",), "asking t:2 together", BACK, ("refused",)),
    Row(SEAT, ("answers",), f"{JOINS} o:bye handed_off t:bye", OVER, (), "handed_off"),
    # help: nobody is asked for a key, and the second way follows the first
    Row("110", ("answers",), "three_way", THREE),
    Row("110", ("busy", "answers"), "three_way", THREE, ("busy",)),
    Row("110", ("refuses", "wrong"), "together", BACK, ("refused", "wrong")),
    Row("119", ("foreign codec", "answers"), "three_way", THREE, ("congestion",)),
    Row("119", ("answers",), "three_way t:bye together", BACK),
    Row("122", ("answers",), "three_way o:bye handed_off", HANDED, (), "handed_off"),
    Row("122", ("answers",), "three_way t:refer t:hold t:back", THREE),
    Row("122", ("no codec", "busy"), "together", BACK, ("congestion", "busy")),
)  # fmt: skip


def act(scene: Scene, word: str, target: str) -> None:
    """Do what one word of a row says."""
    if word in TransferState.__members__.values():
        scene.reach(word)
        return
    who, _, what = word.partition(":")
    phone = {"t": scene.third, "o": scene.operator, "c": scene.caller}[who]
    if what == "bye":
        phone.hang_up()
    elif what == "hold":
        phone.hold()
    elif what == "back":
        phone.hold("sendrecv")
    elif what in ("same", "other"):
        scene.expect_company({"operator"} if scene.state() == "inviting" else COMPANY[THREE], "operator")
        refusals = scene.refusals()
        other = next(name for name in scene.hall.targets if name.startswith("subcenter:") and name != target)
        scene.dial(target if what == "same" else other)
        wait_for(lambda: scene.refusals() > refusals, why="the refusal")
    elif what == "refer":
        phone.transfer_on(f"sip:12345@127.0.0.1:{scene.hall.hotline.sip_port}")
    else:
        if who == "o":  # its keys mean something in the room
            wait_for(lambda: scene.company("operator") not in (set(), COMPANY[BACK]), why="the room")
        phone.press(what)


def play(hall: SippHall, row: Row) -> tuple[str, str]:
    """Play one row; return what is wrong with it, empty when nothing is, and the ticket's outcome."""
    with ExitStack() as stack:
        names = [name for name in hall.targets if name.partition(":")[0] == row.target]
        if "nobody" in row.phones:  # an INVITE nobody heeds comes again for 32 s (Timer B): to no later phone
            names = [ABSENT]
        elif ABSENT in names:
            names.remove(ABSENT)
        free = next((name for name in names if hall.targets[name].lock.acquire(blocking=False)), None)
        if free is None:
            hall.targets[names[0]].lock.acquire()
            free = names[0]
        target = hall.targets[free]
        stack.callback(target.lock.release)
        leader = hall.targets["leader"]
        if len(row.phones) > len(target.ports):
            stack.enter_context(leader.lock)
        scene = hall.scene()
        try:
            for port, does in zip((*target.ports, *leader.ports), row.phones, strict=False):
                scene.put(port, does)
            scene.dial(free)
            for word in row.acts.split():
                act(scene, word, free)
            scene.expect_company(COMPANY[row.then], "operator" if row.then == CONSULT else "caller")
            scene.close()
            reasons = scene.reasons()
            fault = "" if reasons in (row.reasons, row.late or row.reasons) else f"told {reasons}"
        except (AssertionError, RuntimeError) as error:
            whole = " / ".join(
                filter(None, map(str.strip, str(error).splitlines()))
            )  # SIPp's words are many lines
            fault = f"{whole}; {scene.story()}"
            scene.abandon()
        return fault, str(scene.ticket()["outcome"])


def test_whatever_a_third_party_does_the_caller_keeps_company(
    hall: SippHall, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(LANES) as pool:
        results = list(pool.map(lambda row: play(hall, row), ROWS))
    lines, faults = [], []
    for row, (fault, outcome) in zip(ROWS, results, strict=True):
        fault = fault or ("" if outcome == row.outcome else f"the ticket says {outcome}")
        cells = (row.target, " / ".join(row.phones), row.acts, row.then, ", ".join(row.reasons), outcome)
        lines.append(f"| {' | '.join(cells)} | {fault or 'yes'} |")
        faults += [lines[-1]] if fault else []
    with capsys.disabled():
        print(
            f"\n\n| target | phones | then | together | told | ticket | as it should |   ({time.monotonic() - began:.0f} s)"
        )
        print("|---" * 7 + "|\n" + "\n".join(lines))
    assert not faults, "\n".join(faults) + hall.hotline.logs()[-3000:]
