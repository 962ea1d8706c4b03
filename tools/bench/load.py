"""100 new calls a second: greet, queue, hang up; the whole hotline beside a bare dialplan.

Rounds alternate.  Both instances are up all the time; the processor time of the one that is not
called is taken off the machine's, for both alike.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.asterisk.hotline import Hotline, wait_for
from tools.bench.capture import AgiCapture, Timings
from tools.bench.instances import BARE_IS, GREETING_S, Subject, bare, whole
from tools.bench.machine import Meter, Use, between, resident_mb
from tools.bench.table import Part, Row, limit, median, percentile, ratio, told
from tools.bench.watch import Watcher, count_tickets

RATE = 100
IN_QUEUE_MS = 500
TARGET = 1.5
AIM = 1.3


@dataclass(frozen=True)
class Plan:
    """How long: seconds of a round before and while it is measured, and pairs of rounds."""

    warm_s: float = 5.0
    steady_s: float = 20.0
    pairs: int = 3

    @property
    def calls(self) -> int:
        """Calls of one round."""
        return int(RATE * (self.warm_s + self.steady_s + 1.0))


@dataclass
class Found:
    """Everything the load part measured."""

    uses: dict[str, list[Use]] = field(default_factory=lambda: {"hotline": [], "bare dialplan": []})
    idle: Use | None = None
    agi: Timings | None = None
    delays_s: list[float] = field(default_factory=list)
    lags_s: list[float] = field(default_factory=list)
    calls: int = 0
    failed: list[str] = field(default_factory=list)
    tickets: int = 0
    complete: int = 0
    asterisk_calls: int = 0
    engine_mb: list[float] = field(default_factory=list)


def run(folder: Path, plan: Plan) -> Part:
    """Measure under a folder."""
    found = Found()
    with whole(folder / "whole") as (hotline, ours):
        config = Path(hotline.environment["IVR_CONFIG"])
        with bare(folder / "bare", config) as theirs:
            _rounds(hotline, ours, theirs, plan, found)
    return Part("load", tuple(_rows(found)), tuple(_remarks(found, plan)))


def _rounds(hotline: Hotline, ours: Subject, theirs: Subject, plan: Plan, found: Found) -> None:
    engine = ours.processes["engine"][0].pid
    database = hotline.home / "hotline.sqlite3"
    found.engine_mb.append(resident_mb(engine))
    found.idle = _idle(ours, theirs)
    for pair in range(plan.pairs):
        with _capture(hotline, found) as capture, Watcher(database, ours.asterisk.run) as watcher:
            found.uses["hotline"].append(_round(ours, theirs, plan, found, capture))
            found.calls += plan.calls
            with contextlib.suppress(AssertionError):
                wait_for(lambda: count_tickets(database)[1] >= found.calls, 15, "all tickets complete")
        found.delays_s += watcher.delays_s
        found.lags_s += watcher.lags_s
        found.engine_mb.append(resident_mb(engine))
        found.uses["bare dialplan"].append(_round(theirs, ours, plan, found, None))
        _tell(pair, found)
    found.tickets, found.complete = count_tickets(database)
    found.asterisk_calls = ours.calls_processed()


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
        for mine, more in zip(vars(found.agi).values(), vars(capture.timings).values(), strict=True):
            mine.extend(more)


def _idle(ours: Subject, theirs: Subject) -> Use:
    """Look at the machine for three seconds in which nobody calls."""
    meter = Meter({**ours.processes, "bare": theirs.processes["Asterisk"], "bench": [psutil.Process()]})
    first = meter.look()
    time.sleep(3.0)
    return between(first, meter.look())


def _round(asked: Subject, resting: Subject, plan: Plan, found: Found, capture: AgiCapture | None) -> Use:
    """Play one round against ``asked``; return the use of its steady window without the resting one's."""
    phone = asked.phones.caller(calls=plan.calls, rate=RATE, after_ms=int(GREETING_S * 1000) + IN_QUEUE_MS)
    sipp = psutil.Process(phone.process.pid)
    resting_ones = [process for group in resting.processes.values() for process in group]
    own = {**asked.processes, "SIPp": [sipp], "bench": [psutil.Process()], "resting": resting_ones}
    meter = Meter(own)
    _sleep(plan.warm_s, capture)
    first = meter.look()
    _sleep(plan.steady_s, capture)
    use = between(first, meter.look())
    status = phone.wait(30)
    if status != 0:
        found.failed.append(f"{asked.name}: SIPp ended with {status}; {phone.errors()[-300:]}")
    rest = use.own["resting"]
    mine = {name: cores for name, cores in use.own.items() if name != "resting"}
    return Use(use.seconds, use.busy - rest, use.niced, use.stolen, mine)


def _sleep(seconds: float, capture: AgiCapture | None) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(1.0, left))
        if capture is not None:
            capture.drain()


def _tell(pair: int, found: Found) -> None:
    for name, uses in found.uses.items():
        use = uses[-1]
        parts = ", ".join(f"{who} {cores:.2f}" for who, cores in use.own.items() if cores >= 0.005)
        print(
            f"  round {pair + 1} {name}: {use.busy:.2f} cores busy ({parts}, kernel and strangers "
            f"{use.others:.2f}; low priority {use.niced:.2f}, stolen {use.stolen:.2f})",
            flush=True,
        )


def _own(use: Use) -> float:
    return sum(cores for name, cores in use.own.items() if name != "SIPp")


def _rows(found: Found) -> Iterator[Row]:
    ours, theirs = found.uses["hotline"], found.uses["bare dialplan"]
    pairs = list(zip(ours, theirs, strict=True))
    busy = median([mine.busy / base.busy for mine, base in pairs])
    yield ratio(
        f"machine busy at {RATE} new calls/s (greet, queue, hang up)",
        f"{median([use.busy for use in ours]):.2f} cores",
        f"{median([use.busy for use in theirs]):.2f} cores",
        busy,
        at_most=TARGET,
    )
    yield told(
        "… of it our processes without SIPp (CPU s a second)",
        f"{median([_own(mine) / _own(base) for mine, base in pairs]):.2f}×",
        ours=", ".join(
            f"{name} {median([use.own[name] for use in ours]):.2f}" for name in ("Asterisk", "engine")
        ),
        base=f"Asterisk {median([use.own['Asterisk'] for use in theirs]):.2f}",
    )
    agi = found.agi or Timings()
    served, replied = percentile(agi.served, 0.99), percentile(agi.replied, 0.99)
    yield limit(
        "AGI command p99, as the engine sees it (with the journal entry after it)", served * 1e3, 2, "ms"
    )
    yield limit("AGI command p99, on the wire", replied * 1e3, 2, "ms")
    decided = f"{median(agi.decided) * 1e3:.2f} / {percentile(agi.decided, 0.99) * 1e3:.2f} ms"
    yield told("AGI request to the engine's command, p50 / p99", decided)
    lags = f"{median(found.lags_s) * 1e3:.1f} / {max(found.lags_s, default=float('nan')) * 1e3:.1f} ms"
    yield told("AMI heartbeat lag under load, median / worst", lags)
    match = found.tickets == found.complete == found.calls == found.asterisk_calls
    yield Row(
        "call tickets of calls", f"{found.tickets} ({found.complete} complete)", f"{found.calls} calls",
        f"{found.tickets - found.calls:+d}", "equal", match,
    )  # fmt: skip
    yield limit("ticket complete after the hang-up, p99", percentile(found.delays_s, 0.99), 1.0, "s")
    yield told("ticket complete after the hang-up, median", f"{median(found.delays_s):.2f} s")
    yield limit(f"engine's memory after {found.calls} calls", found.engine_mb[-1], 120, "MB")


def _remarks(found: Found, plan: Plan) -> Iterator[str]:
    yield (
        f"Load: {plan.pairs} alternating pairs of rounds of {plan.calls} calls at {RATE}/s; measured over "
        f"{plan.steady_s:g} s after {plan.warm_s:g} s of warm-up. The caller hears a greeting of {GREETING_S:g} s "
        f"(a shipped one would be mostly audio, alike on both sides, and flatter the ratio), waits {IN_QUEUE_MS} ms "
        "in the queue with music and hangs up. Busy: user, system and interrupt time of /proc/stat, SIPp included "
        "on both sides, without low-priority work of others. The ratio is the median of neighbouring rounds' ratios."
    )
    yield BARE_IS
    yield (
        "AGI commands are timed by the kernel's time stamps of the packets on loopback, outside of both "
        "programs; tickets by looking at the database every 50 ms, so the delay is up to 50 ms too long."
    )
    grew = " → ".join(f"{size:.0f}" for size in found.engine_mb)
    yield f"Engine's resident memory at the start and after each round (MB): {grew}."
    if found.idle is not None:
        strange = found.idle.others
        yield (
            f"Before the load the machine was busy with {found.idle.busy:.2f} cores, of which {strange:.2f} were "
            f"no process of ours, besides {found.idle.niced:.2f} of low priority."
        )
        if strange + found.idle.niced > 0.1 or max(u.niced for us in found.uses.values() for u in us) > 0.1:
            yield "**Other work was running on the machine: these figures are disturbed.**"
    for failure in found.failed:
        yield f"**A round did not go clean: {failure}**"
