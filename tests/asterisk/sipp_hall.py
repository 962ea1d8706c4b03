"""A hotline whose callers, operators and third parties are all SIPp softphones with buttons to push."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.asterisk.hotline import PROJECT, Hotline, rtp_range, running, wait_for
from tools.phones.handled import Handled
from tools.phones.patience import PATIENCE_S
from tools.phones.sipp import kept_udp_port

LINES = [
    line["id"]
    for line in yaml.safe_load((PROJECT / "queues/lines.yaml").read_text(encoding="utf-8"))["lines"]
]
NUMBERS = ("110", "119", "120", "122")
EXPERTS = ("q_expert_1", "q_expert_2", "q_expert_3")
EXPERT_SEATS = ("10", "11", "12")
PLAIN_SEATS = ("15", "16", "17")
LEADER_SEAT = "20"
STATUS = {
    "busy": "486 Busy Here",
    "refuses": "603 Decline",
    "rings, refuses": "603 Decline",
    "wrong": "404 Not Found",
    "no codec": "488 Not Acceptable Here",
}
ANSWERS = {"answers": 0, "foreign codec": 0, "rings, answers": 600, "rings long, answers": 2500}
"""Phones that answer, and the milliseconds they ring before."""


@dataclass(frozen=True)
class Target:
    """A third party: what it is called, and the SIP port of each way to it, in the order they are tried."""

    id: str
    ports: tuple[int, ...]
    lock: threading.Lock = field(default_factory=threading.Lock, compare=False)


class Scene:
    """One call: a caller who talks to an operator, and whoever is brought in."""

    def __init__(self, hall: SippHall, caller: Handled, row: dict[str, Any], number: str) -> None:
        self.hall = hall
        self.caller = caller
        self.call_id: str = row["call_id"]
        self.seat: str = row["seat"]
        self.operator = hall.operators[self.seat]
        self.number = number
        wait_for(self.operator.in_call, why="the operator's phone hears that it is in a call")
        self._operated = self.operator.in_call()
        self.thirds: list[Handled] = []
        self.tireless: list[Handled] = []

    @property
    def third(self) -> Handled:
        """The phone that was put down last: whoever answers."""
        return self.thirds[-1]

    def put(self, port: int, does: str) -> None:
        """Put a softphone on a port that does something with the one call it takes, or ``always`` with each."""
        phones = self.hall.hotline.phones
        calls = 0 if does.endswith(" always") else 1
        does = does.removesuffix(" always")
        if does in STATUS:
            ring_ms = 300 if does.startswith("rings") else 0
            phone = phones.refuses(port, STATUS[does], ring_ms=ring_ms, calls=calls)
        elif does in ("rings", "silent"):
            phone = phones.unanswered(port, rings=does == "rings", calls=calls)
        elif does in ANSWERS:
            foreign = does == "foreign codec"
            phone = phones.called(port, ring_ms=ANSWERS[does], calls=calls, foreign_codec=foreign)
        else:
            assert does == "nobody", does
            return
        (self.thirds if calls else self.tireless).append(phone)

    def dial(self, target: str) -> None:
        """Let the operator key a target."""
        self.operator.press(self.hall.codes[target])

    def state(self) -> str:
        """Return the state of the three-way side."""
        return str(self.hall.hotline.engine("transfer_state", call=self.call_id)["state"])

    def reach(self, state: str, limit_s: float = PATIENCE_S) -> None:
        """Wait for a state of the three-way side."""
        seen: dict[str, None] = {}

        def there() -> bool:
            seen[self.state()] = None
            return state in seen

        with _told(f"{state} was not reached", lambda: (list(seen), self.operator.running.errors())):
            wait_for(there, limit_s)

    def company(self, of: str = "caller") -> set[str]:
        """Return who shares a bridge with the caller or operator, as Asterisk's own list of channels says."""
        bridges: dict[str, str] = {}
        roles: dict[str, str] = {}
        mine = f"PJSIP/seat{self.seat}-"
        for name, bridge, unique in self._channels():
            bridges[name] = bridge
            roles[name] = "operator" if name.startswith(mine) else "third"
            roles[name] = "caller" if unique == self.call_id else roles[name]
        where = {bridges[name] for name, role in roles.items() if role == of} - {""}
        return {roles[name] for name, bridge in bridges.items() if bridge in where}

    def _channels(self) -> list[tuple[str, str, str]]:
        """Return every channel: its name, its bridge, its id."""
        lines = self.hall.hotline.cli("core show channels concise").splitlines()
        rows = [line.split("!") for line in lines]
        people = ("PJSIP/", "Local/q_expert")  # not what announces and whispers
        return [(row[0], row[-2], row[-1]) for row in rows if row[0].startswith(people)]

    def expect_company(self, who: set[str], of: str = "caller", limit_s: float = PATIENCE_S) -> None:
        """Wait until the caller, or somebody else, talks with exactly these."""
        seen: list[set[str]] = []

        def so() -> bool:
            seen.append(self.company(of))
            return seen[-1] == who

        with _told(f"{sorted(who)} should be together", lambda: (seen[-1:], self.complaints())):
            wait_for(so, limit_s)

    def complaints(self) -> list[str]:
        """Return the phones that gave a call up, with why: such a phone is nobody's company."""
        phones = [phone.running for phone in (self.caller, self.operator)]
        return [f"{phone.name}: {why}" for phone in phones if "Abort" in (why := phone.errors())]

    def ticket(self) -> dict[str, Any]:
        """Wait for the finished ticket."""
        return self.hall.hotline.ticket_of(self.number)

    def refusals(self) -> int:
        """Return how often somebody was not called at all, as the journal says."""
        return sum(event["kind"] == "transfer_refused" for event in self.events())

    def events(self) -> list[dict[str, Any]]:
        """Return kind and data of what was journalled of this call so far."""
        return self.hall.events(self.call_id)

    def reasons(self) -> tuple[str, ...]:
        """Return why third parties did not come, in the order that was journalled."""
        kinds = ("next_route", "third_refused", "emergency_failed", "transfer_refused", "help_route_tried")
        events = [event for event in self.ticket()["events"] if event["kind"] in kinds]
        return tuple(str(event["reason"]) for event in events if event.get("reason"))

    def story(self) -> str:
        """Return what was journalled and what the third parties' phones logged, for whoever reads of a fault."""
        kinds = [str(event["kind"]) for event in self.events()]
        logs = [
            f"{phone.running.name}: {' / '.join(phone.log())}" for phone in (*self.thirds, *self.tireless)
        ]
        return f"journal: {' '.join(kinds)}; {'; '.join(logs)}"

    def close(self) -> None:
        """Third party and caller hang up, and so does everybody; all phones must have done as they should."""
        if self.state() == "three_way":
            self.third.hang_up()
            self.reach("together")
        if not self.caller.happened("ended"):
            self.caller.hang_up()
        assert self.caller.wait() == 0, f"caller: {self.caller.running.errors()}"
        ups = len(self.operator.happened("up"))
        for phone in self.tireless:
            assert phone.happened("invited"), f"{phone.running.name} was not called"
            phone.stop()
        for phone in self.thirds:
            assert phone.wait() == 0, f"{phone.running.name}: {phone.running.errors()}"
        assert ups and not self.complaints(), self.complaints()

    def abandon(self) -> None:
        """After a fault: nobody stays behind to disturb the next call."""
        self.caller.stop()
        for phone in (*self.thirds, *self.tireless):
            phone.stop()
        for name, _, unique in self._channels():
            if unique == self.call_id or unique.startswith(f"{self.call_id}-t"):
                self.hall.hotline.cli(f"channel request hangup {name}")
        if self._operated not in self.operator.happened("ended"):
            self.operator.hang_up(self._operated)


@contextlib.contextmanager
def _told(what: str, seen: Any) -> Iterator[None]:
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{what}; seen: {seen()}") from error


class SippHall:
    """A hotline with softphones at every end."""

    def __init__(self, hotline: Hotline, targets: dict[str, Target]) -> None:
        self.hotline = hotline
        self.targets = targets
        self.operators: dict[str, Handled] = {}
        self.codes: dict[str, str] = {}
        self._numbers = iter(range(1, 999))

    def passwords(self) -> dict[str, str]:
        """Return the SIP passwords by user."""
        secrets: dict[str, str] = json.loads((self.hotline.home / "secrets.json").read_text())["sip"]
        return secrets

    def register(self, seat: str, port: int) -> None:
        """Register a seat's phone."""
        user = f"seat{seat}"
        self.hotline.phones.register({user: self.passwords()[user]}, {user: port})

    def man(self, seat: str, operator: str, *, on: int = 0) -> None:
        """Log somebody in on a seat; their phone answers everything, or stands on a port of its own."""
        port = on or kept_udp_port()
        self.register(seat, port)
        if not on:
            self.operators[seat] = self.hotline.phones.called(port)
        self.hotline.engine("login", seat=seat, operator=operator)

    def events(self, call_id: str) -> list[dict[str, Any]]:
        """Return kind and data of what was journalled of a call so far."""
        return [{"kind": event["kind"], **event["data"]} for event in self.hotline.journal(call_id)]

    def number(self) -> str:
        """Return a caller's number nobody had before."""
        n = next(self._numbers)
        return f"1531{n:03d}{3000 + n:04d}"

    def talking(self, number: str) -> dict[str, Any] | None:
        """Return the call of a number once an operator talks on it."""
        rows: list[dict[str, Any]] = self.hotline.engine("open_calls")
        for row in rows:
            if row["caller"].endswith(number[-4:]) and row["seat"] and row["state"] == "talking":
                return row
        return None

    def scene(self, **caller: str) -> Scene:
        """Let a caller talk to an operator."""
        number = self.number()
        phone = self.hotline.phones.calling(number=number, **caller)
        row = wait_for(lambda: self.talking(number), why=f"an operator answers {number}")
        scene = Scene(self, phone, row, number)
        scene.expect_company({"caller", "operator"})
        return scene


def configure(config: Path, destinations: dict[str, list[str]]) -> None:
    """Write who sits where and where calls go out."""
    _edit(config / "trunks.yaml", lambda file: file | {"destinations": destinations})
    experts = [{"id": queue, "name": "专席", "wrap_up_s": 0} for queue in (*EXPERTS, "q_leader")]
    _edit(config / "queues.yaml", lambda file: file | {"queues": [file["queues"][0], *experts]})

    def people(file: dict[str, Any]) -> dict[str, Any]:
        rows = [person | {"queues": ["q_general"]} for person in file["operators"]]
        rows += [
            {"number": f"11{n:02d}", "name": f"话务员{n}", "queues": ["q_general"]} for n in range(1, 10)
        ]
        pairs = zip(("1110", "1111", "1112", "1120"), (*EXPERTS, "q_leader"), strict=True)
        rows += [
            {"number": number, "name": "专席", "queues": [queue], "leads": queue == "q_leader"}
            for number, queue in pairs
        ]
        return file | {"operators": rows}

    _edit(config / "operators.yaml", people)
    lines = (config / "lines.yaml").read_text(encoding="utf-8")
    (config / "lines.yaml").write_text(re.sub(r"(?m)^    queue:.*\n", "", lines), encoding="utf-8")


def _edit(path: Path, change: Any) -> None:
    file = change(yaml.safe_load(path.read_text(encoding="utf-8")))
    path.write_text(yaml.safe_dump(file, allow_unicode=True), encoding="utf-8")


def third_parties() -> dict[str, Target]:
    """Return every third party of the hall with ports nobody holds."""
    ways = {f"subcenter:{line}": 1 for line in LINES[:6]}
    ways |= {f"unit:dept_0{n}": 3 for n in range(1, 5)} | dict.fromkeys(NUMBERS, 2)
    ways |= {f"expert:{queue}": 1 for queue in EXPERTS} | {f"seat:{seat}": 1 for seat in PLAIN_SEATS}
    return {name: Target(name, tuple(kept_udp_port() for _ in range(count))) for name, count in ways.items()}


@contextlib.contextmanager
def sipp_hall(
    folder: Path, operators: int, more: Callable[[Hotline], dict[str, list[str]]] = lambda _: {}
) -> Iterator[SippHall]:
    """Run such a hotline with so many operators and leave nothing behind; ``more`` gives more destinations."""
    targets = third_parties()
    leader = Target("leader", (kept_udp_port(),))
    destinations = {
        name: [f"sip:{n}@127.0.0.1:{port}" for n, port in enumerate(target.ports, 1)]
        for name, target in targets.items()
        if not name.startswith(("expert:", "seat:"))
    }

    def prepare(hotline: Hotline) -> None:
        configure(Path(hotline.environment["IVR_CONFIG"]), destinations | more(hotline))

    with running(folder, quick=True, prepare=prepare, IVR_RTP_PORTS=rtp_range(1200)) as hotline:
        hall = SippHall(hotline, targets | {"leader": leader})
        for n in range(1, operators + 1):
            hall.man(f"{n:02d}", f"11{n:02d}")
        for seat, queue in zip(EXPERT_SEATS, EXPERTS, strict=True):
            hall.man(seat, f"11{seat}", on=targets[f"expert:{queue}"].ports[0])
        hall.man(LEADER_SEAT, "1120", on=leader.ports[0])
        for seat in PLAIN_SEATS:
            hall.register(seat, targets[f"seat:{seat}"].ports[0])
        rows = hotline.engine("transfer_targets")
        hall.codes = {row["target"]: row["keys"] for row in rows}
        yield hall
