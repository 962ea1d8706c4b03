"""A first call, from INVITE to ticket, with a picture of what happens while it happens.

Everything is real but the people: SIPp plays both telephones with shipped recordings.  It runs in a
state folder and on ports of its own and leaves nothing behind, so that a running hotline is not
disturbed.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ivr.api import socket as control
from ivr.asterisk.install.lint import free_port
from tools.phones import Phones, Running, free_udp_port

PROJECT = Path(__file__).resolve().parents[2]
SOUNDS = PROJECT / "tests/data/speech"
IVR = Path(sys.executable).with_name("ivr")
CITIZEN, OPERATOR = SOUNDS / "power_cut.wav", SOUNDS / "social_card.wav"
LIMIT_S = 60.0
STEPS = (
    ("call_started", "来电", "a citizen dials 12345"),
    ("queued", "排队", "greeted with the recording notice, now in the queue"),
    ("seat_ringing", "振铃", "seat 01 rings"),
    ("answered", "通话", "operator 1001 answers, both sides are recorded"),
    ("operator_left", "话毕", "the talk is over"),
    ("hung_up", "挂机", "the call has ended"),
    ("recording_closed", "录音", "the recording is closed and hashed"),
    ("transcript_done", "转写", "both sides are written down"),
)


def _tcp_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _environment(home: Path, sip_port: int) -> dict[str, str]:
    first = random.randrange(20000, 30000, 2)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("IVR_")},
        "IVR_HOME": str(home),
        "IVR_CONFIG": str(PROJECT / "queues"),
        "IVR_RECORDINGS": str(home / "recordings"),
        "IVR_SIP_PORT": str(sip_port),
        "IVR_AMI_PORT": str(_tcp_port()),
        "IVR_AGI_PORT": str(_tcp_port()),
        "IVR_RTP_PORTS": f"{first}-{first + 200}",
    }


def _ivr(environment: dict[str, str], *words: str) -> str:
    done = subprocess.run([str(IVR), *words], env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"ivr {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


@contextlib.contextmanager
def _hotline(console: Console) -> Iterator[tuple[dict[str, str], Phones]]:
    with tempfile.TemporaryDirectory(prefix="ivr12345-demo-") as folder:
        home, port = Path(folder) / "home", free_port()
        environment = _environment(home, port)
        with console.status("starting Asterisk, the engine and the recogniser …"):
            _ivr(environment, "up", "--detach")
        try:
            with Phones(port, Path(folder) / "phones") as phones:
                yield environment, phones
        finally:
            _ivr(environment, "down")


def _man_a_seat(environment: dict[str, str], phones: Phones) -> None:
    seats = json.loads(_ivr(environment, "seats", "list", "--secrets", "--json"))
    user, password = seats[0]["username"], seats[0]["password"]
    port = free_udp_port()
    phones.register({user: password}, {user: port})
    phones.seat(port, sound=OPERATOR, ring_ms=800)
    _ivr(environment, "operators", "login", "--seat", "01", "--operator", "1001")


def _events(home: Path) -> list[dict[str, Any]]:
    lines = [
        line for path in sorted((home / "journal").glob("*.jsonl")) for line in path.read_bytes().splitlines()
    ]
    return [
        event
        for line in lines
        if (event := json.loads(line))["kind"] != "ticket_numbers" and not event["stream"].startswith("seat:")
    ]


def _picture(events: list[dict[str, Any]], waiting: int) -> Group:
    told = {event["kind"]: event for event in reversed(events)}
    start = events[0]["at"] if events else time.time()
    reached = [kind for kind, *_ in STEPS if kind in told]
    state = told[reached[-1]]["kind"] if reached else ""
    talking = "answered" in told and "operator_left" not in told
    wire = "══════ ♪ ══════" if talking else ("───────────────" if events else "               ")
    seat = "☎ 座席01 1001" if "seat_ringing" in told else "  座席01 1001"
    line = Text.assemble(("☎ 市民 154****0000 ", "bold"), (wire, "green" if talking else "dim"))
    line.append(f" 12345 · 排队 {waiting} ", "yellow" if state == "queued" else "")
    line.append(wire if "seat_ringing" in told else " " * 15, "green" if talking else "dim")
    line.append(seat, "bold" if "seat_ringing" in told else "dim")
    table = Table(box=None, show_header=False, pad_edge=False)
    for kind, chinese, english in STEPS:
        done = kind in told
        moment = f"{told[kind]['at'] - start:6.2f} s" if done else ""
        style = "bold green" if kind == state else ("" if done else "dim")
        table.add_row("●" if done else "○", moment, chinese, english, style=style)
    return Group(Panel(line, title="12345"), table)


def _watch(console: Console, environment: dict[str, str], caller: Running) -> None:
    home = Path(environment["IVR_HOME"])
    deadline = time.monotonic() + LIMIT_S
    with Live(console=console, refresh_per_second=10) as live:
        while time.monotonic() < deadline:
            events = _events(home)
            live.update(_picture(events, int(control.ask(home / "run", "queues")[0]["waiting"])))
            kinds = {event["kind"] for event in events}
            if kinds & {"transcript_done", "transcript_failed"}:
                return
            if caller.process.poll() not in (None, 0):
                raise SystemExit(f"the citizen's call failed: {caller.errors()}")
            time.sleep(0.1)
    raise SystemExit(f"no transcript within {LIMIT_S:.0f} s")


def main() -> None:
    """Run the demonstration."""
    console = Console(width=None if sys.stdout.isatty() else 110)
    with _hotline(console) as (environment, phones):
        _man_a_seat(environment, phones)
        caller = phones.caller(before_ms=8500, sound=CITIZEN, after_ms=800)
        _watch(console, environment, caller)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            tickets = json.loads(_ivr(environment, "tickets", "list", "--json"))
            if tickets and tickets[0]["transcript"]["status"] == "done":
                break
            time.sleep(0.2)
        console.rule("工单 ticket")
        console.print(_ivr(environment, "tickets", "show", tickets[0]["ticket_no"]), highlight=False)
        spoken = (SOUNDS / "transcripts.tsv").read_text(encoding="utf-8").splitlines()
        for who, sound in (("市民", CITIZEN), ("话务员", OPERATOR)):
            text = next(line.split("\t")[-1] for line in spoken if line.startswith(sound.stem))
            console.print(f"what the {who} really said: {text}", highlight=False)


if __name__ == "__main__":
    main()
