"""Strangers are written down in lines that they can neither forge nor multiply."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.asterisk.facts import unidentified
from ivr.errors import HotlineError
from ivr.strangers import record, watch
from ivr.strangers.record import (
    FIRST,
    FLOOD,
    KNOWN,
    LINES,
    OF_ONE,
    SUMMARIES,
    UNKNOWN,
    WRONG_PASSWORD,
    Strangers,
)

LINE = re.compile(
    r"stranger what=[a-z_]+ address=[0-9a-f.:-]+ times=\d+(?: account=[0-9A-Za-z._+*#?-]{1,40}| more)?"
)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_first_of_a_flood_are_written_and_the_rest_is_counted() -> None:
    lines: list[str] = []
    clock = Clock()
    strangers = Strangers(lines.append, clock)
    told = [
        strangers.seen(WRONG_PASSWORD, "IPV4/UDP/203.0.113.7/5060", account="seat05") for _ in range(10_000)
    ]
    assert told == [True] * FIRST + [False] * (10_000 - FIRST)
    assert lines == ["stranger what=wrong_password address=203.0.113.7 times=1 account=seat05"] * FIRST
    clock.now = 60
    strangers.turn()
    assert lines[FIRST:] == [f"stranger what=wrong_password address=203.0.113.7 times={10_000 - FIRST} more"]


def test_a_trunk_that_is_refused_many_numbers_has_each_of_the_first_on_record() -> None:
    lines: list[str] = []
    strangers = Strangers(lines.append, Clock())
    for number in range(1000):
        strangers.seen(record.REFUSED_CALL, "192.0.2.1:5060", account=str(number))
    assert [line.rpartition("=")[2] for line in lines] == [str(number) for number in range(OF_ONE)]


def test_a_flood_from_many_addresses_neither_fills_the_log_nor_the_memory() -> None:
    lines: list[str] = []
    clock = Clock()
    strangers = Strangers(lines.append, clock)
    for at in range(20_000):
        strangers.seen(UNKNOWN, f"10.{at >> 16}.{at >> 8 & 255}.{at & 255}")
    assert len(strangers._seen) <= KNOWN + 1
    clock.now = 61
    strangers.turn()
    assert len(lines) <= LINES + SUMMARIES + 1
    assert sum(int(re.findall(r"times=(\d+)", line)[0]) for line in lines) == 20_000, "every one is counted"


@given(st.text(max_size=80), st.text(max_size=80))
def test_whatever_a_stranger_calls_himself_it_stays_one_line_of_the_form_that_the_filter_reads(
    address: str, account: str
) -> None:
    lines: list[str] = []
    Strangers(lines.append, Clock()).seen(WRONG_PASSWORD, address, account=account)
    assert len(lines) == 1
    assert LINE.fullmatch(lines[0]), lines[0]


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("IPV4/UDP/203.0.113.7/5060", "203.0.113.7"),
        ("IPV6/TCP/2001:db8::1/5060", "2001:db8::1"),
        ("127.0.0.1:5090", "127.0.0.1"),
        ("[2001:db8::1]:5090", "2001:db8::1"),
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7\naddress=198.51.100.1", "-"),
        ("", "-"),
    ],
)
def test_an_address_is_an_address_or_a_dash(said: str, address: str) -> None:
    assert record.address_of(said) == address


ANSWER = """\

    <Source IP Address............................................>  <Count> <Age(sec)>
==========================================================================================

  Request:  127.0.0.9                                                    12345      4.996
  Request:  2001:db8::1                                                      1      0.100

Objects found: 2
"""


def test_the_counts_are_read_from_what_asterisk_prints() -> None:
    assert unidentified.read(ANSWER) == {"127.0.0.9": 12345, "2001:db8::1": 1}


def test_only_new_packets_are_told_though_asterisk_begins_anew_now_and_then() -> None:
    before = {"192.0.2.1": 100, "192.0.2.2": 7, "192.0.2.3": 50}
    now = {"192.0.2.1": 130, "192.0.2.2": 7, "192.0.2.3": 2, "192.0.2.4": 1}
    assert dict(unidentified.grown(before, now)) == {"192.0.2.1": 30, "192.0.2.3": 2, "192.0.2.4": 1}


class Link:
    """Remembers which events are wanted."""

    def __init__(self) -> None:
        self.masks: asyncio.Queue[str] = asyncio.Queue()

    async def action(self, name: str, headers: Mapping[str, str], /) -> Any:
        assert name == "Events"
        self.masks.put_nowait(headers["EventMask"])
        raise HotlineError("the link may be down, and that ends nothing")


def test_a_flood_of_wrong_passwords_is_not_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "QUIET_S", 0.0)

    async def told() -> list[str]:
        link, clock = Link(), Clock()
        watcher = watch.StrangersWatch(Strangers(lambda _: None, clock), link, None, clock)
        calm = asyncio.create_task(watcher.keep_calm())
        for _ in range(watch.LOUD * 3):  # as fast as somebody types: always heard
            clock.now += 1
            watcher.heard(WRONG_PASSWORD, "203.0.113.7", "seat05")
        await asyncio.sleep(0)
        assert link.masks.empty()
        for _ in range(watch.LOUD):
            watcher.heard(WRONG_PASSWORD, "203.0.113.7", "seat05")
        masks = [await link.masks.get(), await link.masks.get()]
        calm.cancel()
        return masks

    first, then = asyncio.run(told())
    assert "security" not in first.split(",")
    assert "security" in then.split(",")
    assert set(then.split(",")) - {"security"} == set(first.split(","))


def test_packets_from_nobody_we_know_are_told_by_address(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    answers = iter([{"192.0.2.1": 1}, {"192.0.2.1": 1}, {"192.0.2.1": 9001}])

    async def look() -> None:
        watcher = watch.StrangersWatch(
            Strangers(lines.append, Clock()), Link(), lambda: next(answers), Clock()
        )
        for _ in range(3):
            await watcher.look()

    asyncio.run(look())
    assert lines == [
        f"stranger what={UNKNOWN} address=192.0.2.1 times=1",
        f"stranger what={FLOOD} address=192.0.2.1 times=9000",
    ]
