"""A hotline with several seats and third parties, for tests of three-way calls: everybody sings."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.asterisk.hotline import PROJECT, Hotline, quick_city, rtp_range, running, wait_for
from tools.phones.patience import PATIENCE_S
from tools.phones.stream import PCMA, Codec
from tools.phones.tone_phone import TonePhone, until

C, O, T = 400.0, 900.0, 1600.0  # noqa: E741 - the three parties' tones, in Hz
TONES = (C, O, T)
NUMBERS = ("119", "110", "120", "122")
LINES = tuple(
    line["id"]
    for line in yaml.safe_load((PROJECT / "queues/lines.yaml").read_text(encoding="utf-8"))["lines"]
)


def configure(config: Path, destinations: dict[str, list[str]], experts: str = "") -> None:
    """Write where calls go out, and an expert queue with its operator."""
    trunks = yaml.safe_load((config / "trunks.yaml").read_text(encoding="utf-8"))
    trunks["destinations"] = destinations
    (config / "trunks.yaml").write_text(yaml.safe_dump(trunks, allow_unicode=True), encoding="utf-8")
    if experts:
        queues = yaml.safe_load((config / "queues.yaml").read_text(encoding="utf-8"))
        queues["queues"] = [queues["queues"][0], {"id": experts, "name": "社保专席", "wrap_up_s": 0}]
        (config / "queues.yaml").write_text(yaml.safe_dump(queues, allow_unicode=True), encoding="utf-8")
        people = yaml.safe_load((config / "operators.yaml").read_text(encoding="utf-8"))
        people["operators"] += [{"number": f"10{n}", "name": f"话务员{n}"} for n in range(19, 25)]
        for person in people["operators"]:
            person |= {"leads": True, "queues": [experts if person["number"] == "1024" else "q_general"]}
        lines = re.sub(r"(?m)^    queue:.*\n", "", (config / "lines.yaml").read_text(encoding="utf-8"))
        (config / "lines.yaml").write_text(lines, encoding="utf-8")
        (config / "operators.yaml").write_text(yaml.safe_dump(people, allow_unicode=True), encoding="utf-8")


@dataclass
class Scene:
    """One caller, one operator, one third party."""

    hall: Hall
    caller: TonePhone
    operator: TonePhone
    third: TonePhone
    call_id: str
    number: str
    target: str

    def ask(self, step: str, **values: Any) -> dict[str, Any]:
        """Do a step of ``ivr transfer``."""
        answer: dict[str, Any] = self.hall.hotline.engine("transfer", call=self.call_id, step=step, **values)
        return answer

    def state(self) -> str:
        """Return the state of the three-way side."""
        return str(self.hall.hotline.engine("transfer_state", call=self.call_id)["state"])

    def reach(self, state: str, limit_s: float = PATIENCE_S) -> None:
        """Wait for a state of the three-way side."""
        seen: list[str] = []

        def there() -> bool:
            seen.append(self.state())
            return seen[-1] == state

        assert until(there, limit_s), f"{self.number}: {state} was not reached: {dict.fromkeys(seen)}"

    def hears(self) -> dict[str, set[float]]:
        """Return who hears which tones."""
        phones = {"caller": self.caller, "operator": self.operator, "third": self.third}
        return {name: phone.hears(TONES) for name, phone in phones.items() if phone.up}

    def hear(self, limit_s: float = PATIENCE_S, **expected: set[float]) -> None:
        """Wait until everybody hears what they should, and nobody else is in the call."""
        self.expect(expected, limit_s)

    def expect(self, expected: dict[str, set[float]], limit_s: float = PATIENCE_S) -> None:
        """The same, for a table of who hears what."""
        assert until(lambda: self.hears() == expected, limit_s), (
            f"{self.number}: {self.hears()} != {expected}"
        )

    def to(self, state: str) -> None:
        """Bring the call into a state by ordinary means."""
        self.third.behaviour = "ring" if state == "inviting" else "answer"
        self.third.auto_keys = None
        if state == "idle":
            return
        if self.target.isdigit():
            self._help(state)
            return
        self.ask("start", to=self.target)
        assert until(lambda: bool(self.third.invites)), "the third party does not ring"
        if state in ("inviting", "asking"):
            self.reach(state)
            return
        self.reach("asking")  # a key before the question is nobody's answer
        self.third.press("1")
        self.reach("consulting")
        if state == "consulting":
            return
        self.ask("complete")
        self.reach("three_way")
        self.hear(caller={O, T}, operator={C, T}, third={C, O})
        if state == "handed_off":
            self.operator.hang_up()
            self.reach("handed_off")
        elif state == "together":
            self.third.hang_up()
            self.reach("together")

    def _help(self, state: str) -> None:
        self.third.behaviour = "ring" if state == "calling_help" else "answer"
        self.ask("start", to=self.target)
        self.reach(state)
        if state == "three_way":
            self.hear(caller={O, T}, operator={C, T}, third={C, O})
        else:
            assert until(lambda: bool(self.third.invites)), (
                "help does not ring"
            )  # for ten seconds: no time to lose

    def ticket(self) -> dict[str, Any]:
        """Wait for the finished ticket."""
        return self.hall.hotline.ticket_of(self.number)

    def close(self) -> None:
        """Everybody hangs up."""
        for phone in (self.caller, self.operator, self.third):
            phone.hang_up()
        self.caller.close()


def moment(scene: Scene, kind: str) -> float:
    """Return when something happened last in a call, in seconds since the epoch, as the journal tells it."""
    moments = {event["kind"]: event["at"] for event in scene.hall.hotline.journal(scene.call_id)}
    return float(moments[kind])


class Hall:
    """A hotline with ``count`` seats that are manned and as many third parties."""

    def __init__(self, hotline: Hotline, thirds: list[TonePhone], helpers: list[TonePhone]) -> None:
        self.hotline = hotline
        self.server = ("127.0.0.1", hotline.sip_port)
        self.thirds, self.helpers = thirds, helpers
        for phone in (*thirds, *helpers):
            phone.server = self.server
        self.operators: dict[str, TonePhone] = {}
        self._next = 0

    def man(self, count: int, first: int = 1, codec: Codec = PCMA) -> None:
        """Put operators on seats."""
        passwords = json.loads((self.hotline.home / "secrets.json").read_text())["sip"]
        for n in range(first, first + count):
            phone = TonePhone(0, O, self.server, name=f"seat {n:02d}", codec=codec)
            user = f"seat{n:02d}"
            self.hotline.phones.register({user: passwords[user]}, {user: phone.port})
            self.hotline.engine("login", seat=f"{n:02d}", operator=f"10{n:02d}")
            self.operators[f"{n:02d}"] = phone

    def scene(self, place: int = 0, *, helper: int | None = None, headers: str = "") -> Scene:
        """Let a caller talk to an operator; ``place`` chooses the third party."""
        self._next += 1
        number = f"154{self._next:04d}{9000 + self._next:04d}"
        caller = TonePhone(0, C, self.server, name=f"caller {number[-4:]}")
        caller.call("12345", number, headers)
        row = wait_for(lambda: self.talking(number), why="an operator answers")
        third = self.thirds[place] if helper is None else self.helpers[helper]
        third.behaviour, third.auto_keys = "answer", None
        third.invites.clear()
        operator = self.operators[row["seat"]]
        target = f"subcenter:{LINES[place]}" if helper is None else NUMBERS[helper]
        scene = Scene(self, caller, operator, third, row["call_id"], number, target)
        scene.hear(caller={O}, operator={C})
        return scene

    def leader_seat(self) -> str:
        """Return the seat of whoever leads the shift now."""
        leads = self.hotline.engine("mode")["leader"]
        return next(str(row["seat"]) for row in self.hotline.engine("seats") if row["operator"] == leads)

    def password(self, seat: str) -> str:
        """Return the password of a seat's phone."""
        return self.password_of(f"seat{seat}")

    def password_of(self, user: str) -> str:
        """Return the password of a SIP user."""
        return str(json.loads((self.hotline.home / "secrets.json").read_text())["sip"][user])

    def talking(self, number: str) -> dict[str, Any] | None:
        """Return the call of a number once an operator talks on it."""
        rows: list[dict[str, Any]] = self.hotline.engine("open_calls")
        for row in rows:
            if row["caller"].endswith(number[-4:]) and row["seat"] and row["state"] == "talking":
                return row
        return None

    def close(self) -> None:
        """Everybody goes home."""
        for phone in (*self.thirds, *self.helpers, *self.operators.values()):
            phone.close()


Opened = contextlib.AbstractContextManager[Hotline]


@contextlib.contextmanager
def hall(
    folder: Path,
    seats: int,
    thirds: int,
    open_hotline: Callable[..., Opened] = running,
    prepare: Callable[[Path], None] = lambda _: None,
    codec: Codec = PCMA,
) -> Iterator[Hall]:
    """Run a hotline for three-way calls and leave nothing behind; ``prepare`` may edit its configuration.

    ``codec`` is what the seats' phones speak.
    """
    nobody = ("127.0.0.1", 0)
    parties = [TonePhone(0, T, nobody, name=f"third {n}") for n in range(thirds)]
    helping = [TonePhone(0, T, nobody, name=f"help {n}") for n in range(4)]
    ports, helpers = [phone.port for phone in parties], [phone.port for phone in helping]
    config = quick_city(folder)
    destinations = {
        f"subcenter:{line}": [f"sip:{n}@127.0.0.1:{port}"]
        for n, (line, port) in enumerate(zip(LINES, ports, strict=False), 1)
    }
    destinations |= {
        "119": [f"sip:119@127.0.0.1:{port}" for port in helpers[:2]],
        "110": [f"sip:110@127.0.0.1:{helpers[1]}"],
        "120": [f"sip:120@127.0.0.1:{helpers[2]}"],
        "122": [f"sip:122@127.0.0.1:{helpers[3]}"],
    }
    configure(config, destinations, "q_social")
    prepare(config)
    with open_hotline(folder, IVR_CONFIG=str(config), IVR_RTP_PORTS=rtp_range(1200)) as hotline:
        place = Hall(hotline, parties, helping)
        try:
            place.man(seats, codec=codec)
            yield place
        finally:
            place.close()


__all__ = ["TONES", "C", "Hall", "O", "Scene", "T", "configure", "hall", "moment", "wait_for"]
