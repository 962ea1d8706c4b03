"""A crowd: 600 callers at 20 a second, on the shipped range of ports and on one that refuses most of them.

What must hold all the while: every seat is rung and talks, ``*`` rings 110 at once, and every call is
a ticket or the record of a refused call.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ivr.errors import HotlineError
from ivr.home.settings import Settings
from tests.asterisk.hotline import Hotline, running
from tools.bench.instances import wide_rtp
from tools.bench.machine import resident_mb
from tools.bench.table import Part, Row, limit, median, percentile, told
from tools.bench.watch import count_tickets
from tools.phones import free_udp_port
from tools.phones.tone_phone import TonePhone, until

SEATS = 24
CALLERS, QUICK_CALLERS = 600, 120
RATE = 20
TALK_MS = 8_000
SMALL_PORTS = 400
STAR_EVERY_S = 0.5
PRESSERS, QUICK_PRESSERS = 100, 8
PRESSERS_COME_EVERY_S = 0.2
TOLD_S = 8.0
"""Longer than what a refused caller hears."""
MOST_STAR_S = 5.0


@dataclass
class Found:
    """What one pass came to."""

    ports: int
    limit: int
    calls: int = 0
    stars_s: list[float] = field(default_factory=list)
    most_callers: int = 0
    most_ports: int = 0
    seats: int = 0
    tickets: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    records: int = 0
    memory_mb: float = 0.0


def run(folder: Path, *, quick: bool) -> Part:
    """Measure both passes; quick: fewer callers, a look and not a figure to quote."""
    folder.mkdir(parents=True, exist_ok=True)
    callers = QUICK_CALLERS if quick else CALLERS
    first, last = Settings.model_fields["rtp_ports"].default
    wide = _pass(folder / "shipped", last - first, callers, among=QUICK_PRESSERS if quick else PRESSERS)
    small = _pass(folder / "small", SMALL_PORTS - 1, callers, before=4 if quick else 16)
    rows = (*_rows(wide, "shipped range"), *_rows(small, "small range"))
    remark = (
        f"Crowd: {callers} callers at {RATE} a second, who stay until it is over; {SEATS} seats talk {TALK_MS // 1000} s "
        f"each. The shipped range has {wide.ports} ports and lets {wide.limit} callers in, the small one {small.ports} and "
        f"{small.limit}; a machine whose processors are full lets in fewer. The star key is pressed again and again: on the "
        f"shipped range by {PRESSERS} callers who come among the first, while the crowd comes and while all of it is there, "
        "and seats talk; on the small one, where those would be refused, by callers who were there before. SIPp plays "
        "callers and seats on the same machine; the music that callers hear goes to a socket that nobody reads. Ports are "
        "those the kernel has bound."
    )
    return Part("crowd", rows, (remark,))


def _rows(found: Found, name: str) -> Iterator[Row]:
    refused = sum(found.refused.values())
    yield Row(
        f"seats rung and talking in a crowd, {name}",
        f"{found.seats}",
        f"{SEATS}",
        "",
        "all",
        found.seats == SEATS,
    )
    stars = f"caller's `*` to ringing at 110 in a crowd, {name}, p99 of {len(found.stars_s)}"
    yield limit(stars, 1000 * percentile(found.stars_s, 0.99), 500, "ms")
    yield told("… median", f"{1000 * median(found.stars_s):.1f} ms")
    yield Row(
        f"calls that are a ticket or a refused call, {name}",
        f"{found.tickets} tickets + {refused} refused ({found.records} recorded)",
        f"{found.calls} calls",
        f"{found.tickets + refused - found.calls:+d}",
        "equal",
        found.tickets + refused == found.calls and found.records == refused,
    )
    yield limit(
        f"calls refused for want of ports (488), {name}", found.refused.get("no_ports", 0), 0, "calls"
    )
    yield told("… most callers at once", f"{found.most_callers} of {found.limit}")
    yield told("… most ports in use", f"{found.most_ports} of {found.ports}")
    yield told("… Asterisk's memory then", f"{found.memory_mb:.0f} MB")


def _pass(folder: Path, width: int, callers: int, *, among: int = 0, before: int = 0) -> Found:
    """Measure one range of ports; so many callers among the crowd, or there before it, press the star key."""
    police = TonePhone(0, 0.0, ("127.0.0.1", 0))
    ports = wide_rtp(width)
    with (
        contextlib.closing(police),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf,
        running(
            folder, quick=True, prepare=lambda hotline: _configure(hotline, police), IVR_RTP_PORTS=ports
        ) as hotline,
    ):
        deaf.bind(
            ("127.0.0.1", 0)
        )  # takes the callers' music: nobody is woken for it, as no phone is on this machine
        police.server = ("127.0.0.1", hotline.sip_port)
        capacity = _capacity(hotline)
        found = Found(capacity["rtp_ports"], capacity["limit"])
        _man(hotline, paused=before > 0)  # or those who wait would be the first to be answered
        pressers = [_caller(hotline, n) for n in range(before)]
        until(lambda: hotline.waiting() == len(pressers), 30.0)
        crowd = hotline.phones.caller(
            number="15400001111", after_ms=90_000, calls=callers, rate=RATE, ear=deaf.getsockname()[1]
        )
        with _watching(hotline, found):
            over = time.monotonic() + callers / RATE
            if before:
                _press_before(hotline, police, pressers, found)
            else:
                pressers = _press_among(hotline, police, among, found)
            while time.monotonic() < over:
                time.sleep(0.2)
            _let_everybody_talk(hotline, found)
        crowd.stop()
        for phone in pressers:
            phone.close()
        found.calls += callers
        _count(hotline, found)
    print(
        f"  {found.ports} ports: {found.tickets} tickets, refused {found.refused}, {found.seats} seats, "
        f"star {1000 * max(found.stars_s):.0f} ms at worst",
        flush=True,
    )
    return found


def _configure(hotline: Hotline, police: TonePhone) -> None:
    """Let ``*`` lead to our phone, and have an operator for every seat in the general queue."""
    config = Path(hotline.environment["IVR_CONFIG"])
    trunks = yaml.safe_load((config / "trunks.yaml").read_text(encoding="utf-8"))
    trunks["destinations"] = {"110": [f"sip:110@127.0.0.1:{police.port}"]}
    people = yaml.safe_load((config / "operators.yaml").read_text(encoding="utf-8"))
    there = {person["number"] for person in people["operators"]}
    numbers = [f"10{n:02d}" for n in range(1, SEATS + 1)]
    people["operators"] += [{"number": n, "name": f"话务员{n[2:]}"} for n in numbers if n not in there]
    for person in people["operators"]:
        person["queues"] = ["q_general"]
    for name, document in (("trunks.yaml", trunks), ("operators.yaml", people)):
        (config / name).write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")


def _man(hotline: Hotline, *, paused: bool) -> None:
    """Put one SIPp on all seats, and an operator on each; ``paused`` ones answer when :func:`_resume` lets them."""
    passwords = json.loads((hotline.home / "secrets.json").read_text())["sip"]
    users = [f"seat{n:02d}" for n in range(1, SEATS + 1)]
    port = free_udp_port()
    hotline.phones.register({user: passwords[user] for user in users}, dict.fromkeys(users, port))
    hotline.phones.seat(port, ring_ms=200, talk_ms=TALK_MS)
    for n in range(1, SEATS + 1):
        hotline.engine("login", seat=f"{n:02d}", operator=f"10{n:02d}")
        if paused:
            hotline.engine("pause", seat=f"{n:02d}", reason="1")


def _resume(hotline: Hotline) -> None:
    for n in range(1, SEATS + 1):
        with contextlib.suppress(HotlineError):  # a busy Asterisk: the engine puts it right by itself
            hotline.engine("resume", seat=f"{n:02d}")


def _caller(hotline: Hotline, n: int) -> TonePhone:
    phone = TonePhone(0, 0.0, ("127.0.0.1", hotline.sip_port), deaf=True)
    phone.call("12345", f"1549990{n:04d}")
    return phone


def _press_before(hotline: Hotline, police: TonePhone, pressers: list[TonePhone], found: Found) -> None:
    """Let those who wait already press the star key, one after the other, while the crowd comes."""
    found.calls += len(pressers)
    for phone in pressers:
        found.stars_s.append(_star(police, phone))
        time.sleep(STAR_EVERY_S)
    _resume(hotline)


def _press_among(hotline: Hotline, police: TonePhone, count: int, found: Found) -> list[TonePhone]:
    """Let callers come among the first of the crowd, and press the star key all the while; return their phones."""
    pressers: list[TonePhone] = []

    def come() -> None:
        for n in range(count):
            time.sleep(PRESSERS_COME_EVERY_S)
            pressers.append(_caller(hotline, n))

    coming = threading.Thread(target=come)
    coming.start()
    for n in range(count):
        until(lambda: len(pressers) > n)  # noqa: B023
        if _was_let_in(pressers[n]):
            found.stars_s.append(_star(police, pressers[n]))
            time.sleep(STAR_EVERY_S)
    coming.join()
    found.calls += count
    return pressers


def _was_let_in(phone: TonePhone) -> bool:
    """Tell whether a caller is still there after all that a refused one hears."""

    def known() -> bool:
        gone = bool(phone.ended_at) or phone.status >= 300
        return gone or (phone.up and time.monotonic() > phone.answered_at + TOLD_S)

    until(known, 30.0)
    return phone.up


def _star(police: TonePhone, phone: TonePhone) -> float:
    """Return the seconds from the key to the ringing."""
    until(lambda: not police.up)
    police.invites.clear()
    pressed = time.monotonic()
    phone.press("*", gap_s=0.0)
    until(lambda: bool(police.invites), MOST_STAR_S)
    ring = police.invites[0][0] - pressed if police.invites else MOST_STAR_S
    until(lambda: police.up, 2.0)
    phone.hang_up()
    return ring


def _let_everybody_talk(hotline: Hotline, found: Found) -> None:
    """Wait until each seat has talked; that none is left out is the measure, so there is a limit."""
    until(lambda: _answering(hotline) == SEATS, 40.0)
    found.seats = _answering(hotline)


def _answering(hotline: Hotline) -> int:
    query = "SELECT count(DISTINCT json_extract(data, '$.seat')) FROM journal WHERE kind = 'answered'"
    with contextlib.closing(_database(hotline)) as database:
        return int(database.execute(query).fetchone()[0])


def _count(hotline: Hotline, found: Found) -> None:
    """Count tickets and refused calls once everything has settled."""
    until(lambda: hotline.engine("open_calls") == [], 60.0)

    def all_there() -> bool:
        found.tickets = count_tickets(hotline.home / "hotline.sqlite3")[0]
        found.refused = hotline.engine("capacity")["refused"]
        with contextlib.closing(_database(hotline)) as database:
            query = "SELECT coalesce(sum(json_extract(data, '$.calls')), 0) FROM journal WHERE kind = 'call_refused'"
            found.records = int(database.execute(query).fetchone()[0])
        refused = sum(found.refused.values())
        return found.tickets + refused == found.calls and found.records == refused

    until(all_there, 90.0)


def _database(hotline: Hotline) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{hotline.home}/hotline.sqlite3?mode=ro", uri=True)


def _capacity(hotline: Hotline) -> dict[str, Any]:
    capacity: dict[str, Any] = hotline.engine("capacity")["capacity"]
    return capacity


@contextlib.contextmanager
def _watching(hotline: Hotline, found: Found) -> Iterator[None]:
    """Look twice a second how full it is."""
    over = threading.Event()
    asterisk = hotline.pid("asterisk")

    def look() -> None:
        while not over.wait(0.5):
            seen = _capacity(hotline)
            found.most_callers = max(found.most_callers, seen["callers"] or 0)
            found.most_ports = max(found.most_ports, seen["rtp_ports_used"] or 0)
            found.memory_mb = max(found.memory_mb, resident_mb(asterisk))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
