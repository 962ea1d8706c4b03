"""100 new calls a second: greet, queue, hang up; the whole hotline beside a bare dialplan.

Rounds alternate, with greetings of two seconds and of half a second, and if wanted with the shipped one.  Both
instances are up all the time; the processor time of the one that is not called is taken off the machine's, for
both alike.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import psutil

from tests.asterisk.hotline import Hotline, wait_for
from tools.bench.capture import AgiCapture, Timings
from tools.bench.instances import Subject, bare, greet_with, whole
from tools.bench.load_report import rows_of, story
from tools.bench.machine import Meter, Use, between, mean, resident_mb
from tools.bench.table import Part
from tools.bench.watch import Watcher, count_tickets

RATE = 100
IN_QUEUE_S = 0.5
WARM_S = 4.5
SLICE_S = 2.0


@dataclass(frozen=True)
class Plan:
    """How long: the measured seconds of a round, and pairs of rounds by greeting.

    The shipped greeting is for machines of four cores or more: at this rate it keeps 630 calls in
    conversation, whose audio alone fills two.
    """

    steady_s: float = 20.0
    pairs: int = 3
    half_second_pairs: int = 2
    shipped_pairs: int = 0


@dataclass
class Found:
    """What the rounds with one greeting showed; ``calls`` were made at the hotline.

    Attributes:
        greeting: the name of the scenario.
        greeting_s: its length in seconds.
        plan: how long was measured.
        ours: use of the machine in each round of the whole hotline.
        theirs: the same of the bare dialplan, round by round.
        agi: timings of AGI sessions; None without the right to capture packets.
        delays_s: from hang-up to complete ticket.
        lags_s: AMI heartbeat round trips.
        engine_mb: the engine's memory at the start and after each round.
        failed: what did not go clean.
        idle: the machine before the first round.
    """

    greeting: str
    greeting_s: float
    plan: Plan
    ours: list[Use] = field(default_factory=list)
    theirs: list[Use] = field(default_factory=list)
    agi: Timings | None = None
    delays_s: list[float] = field(default_factory=list)
    lags_s: list[float] = field(default_factory=list)
    calls: int = 0
    tickets: int = 0
    complete: int = 0
    asterisk_calls: int = 0
    engine_mb: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    idle: Use | None = None

    @property
    def warm_s(self) -> float:
        """Seconds until as many calls end as begin, and some more."""
        return WARM_S + self.greeting_s

    @property
    def round_calls(self) -> int:
        """Calls of one round."""
        return int(RATE * (self.warm_s + self.plan.steady_s + 1.0))


def run(folder: Path, plan: Plan) -> Part:
    """Measure under a folder."""
    every = []
    with whole(folder / "whole") as (hotline, ours):
        config = Path(hotline.environment["IVR_CONFIG"])
        with bare(folder / "bare", config) as theirs:
            idle = _idle(ours, theirs)
            for greeting, pairs in (
                ("two-second", plan.pairs),
                ("half-second", plan.half_second_pairs),
                ("shipped", plan.shipped_pairs),
            ):
                found = Found(greeting, greet_with(config, greeting), plan, idle=idle)
                if pairs:
                    _rounds(hotline, ours, theirs, pairs, found)
                    every.append(found)
    rows = [row for found in every for row in rows_of(found, RATE)]
    return Part("load", tuple(rows), tuple(story(every, RATE, IN_QUEUE_S)))


def _rounds(hotline: Hotline, ours: Subject, theirs: Subject, pairs: int, found: Found) -> None:
    engine = ours.processes["engine"][0].pid
    database = hotline.home / "hotline.sqlite3"
    before, before_asterisk = count_tickets(database), ours.calls_processed()
    found.engine_mb.append(resident_mb(engine))
    for pair in range(pairs):
        with _capture(hotline, found) as capture, Watcher(database, ours.asterisk.run) as watcher:
            found.calls += found.round_calls
            found.ours.append(_round(ours, theirs, found, capture))
            _tell(pair, "hotline", found, found.ours[-1])
            with contextlib.suppress(AssertionError):
                wait_for(lambda: count_tickets(database)[1] - before[1] >= found.calls, 15, "all tickets")
        found.delays_s += watcher.delays_s
        found.lags_s += watcher.lags_s
        found.engine_mb.append(resident_mb(engine))
        found.theirs.append(_round(theirs, ours, found, None))
        _tell(pair, "bare dialplan", found, found.theirs[-1])
    after = count_tickets(database)
    found.tickets, found.complete = after[0] - before[0], after[1] - before[1]
    found.asterisk_calls = ours.calls_processed() - before_asterisk


@contextlib.contextmanager
def _capture(hotline: Hotline, found: Found) -> Iterator[AgiCapture | None]:
    """Listen to the AGI port, if this user may."""
    try:
        capture = AgiCapture(int(hotline.environment["IVR_AGI_PORT"]))
    except PermissionError:
        yield None
        return
    try:
        yield capture
    finally:
        capture.drain()
        capture.close()
        found.agi = found.agi or Timings()
        found.agi.take(capture.timings)


def _idle(ours: Subject, theirs: Subject) -> Use:
    """Look at the machine for three seconds in which nobody calls."""
    meter = Meter({**ours.processes, "bare": theirs.processes["Asterisk"], "bench": [psutil.Process()]})
    first = meter.look()
    time.sleep(3.0)
    return between(first, meter.look())


def _round(asked: Subject, resting: Subject, found: Found, capture: AgiCapture | None) -> Use:
    """Play one round against ``asked``; return the use of its steady window without the resting one's."""
    stay_ms = int((found.greeting_s + IN_QUEUE_S) * 1000)
    phone = asked.phones.caller(calls=found.round_calls, rate=RATE, after_ms=stay_ms)
    sipp = psutil.Process(phone.process.pid)
    resting_ones = [process for group in resting.processes.values() for process in group]
    own = {**asked.processes, "SIPp": [sipp], "bench": [psutil.Process()], "resting": resting_ones}
    meter = Meter(own)
    _sleep(found.warm_s, capture)
    looks = [meter.look()]
    for _ in range(int(found.plan.steady_s / SLICE_S)):
        _sleep(SLICE_S, capture)
        looks.append(meter.look())
    slices = [_without_resting(between(first, second)) for first, second in pairwise(looks)]
    status = phone.wait(30)
    if status != 0:
        found.failed.append(f"{asked.name}: SIPp ended with {status}; {phone.errors()[-300:]}")
    return mean(slices)


def _without_resting(use: Use) -> Use:
    mine = {name: cores for name, cores in use.own.items() if name != "resting"}
    return replace(use, busy=use.busy - use.own["resting"], own=mine)


def _sleep(seconds: float, capture: AgiCapture | None) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(1.0, left))
        if capture is not None:
            capture.drain()


def _tell(pair: int, name: str, found: Found, use: Use) -> None:
    parts = ", ".join(f"{who} {cores:.2f}" for who, cores in use.own.items() if cores >= 0.005)
    print(
        f"  {found.greeting} greeting, round {pair + 1}, {name}: {use.ours:.2f} cores busy ({parts}, kernel "
        f"{use.kernel:.2f}); strangers {use.foreign:.2f}, low priority {use.niced:.2f}, stolen {use.stolen:.2f}",
        flush=True,
    )
