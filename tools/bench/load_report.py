"""The load part's rows and what a reader must know of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tools.bench.capture import Timings
from tools.bench.machine import Use
from tools.bench.table import Row, limit, median, percentile, ratio, told

if TYPE_CHECKING:
    from tools.bench.load import Found

TARGET = 1.5
QUIET = 0.1
BARE_IS = (
    "The bare dialplan is Answer, Playback of the same greeting, Queue with the same queue, Hangup: nothing "
    "else. It runs on the same Asterisk build with our rendered configuration (same modules, trunk, queues, "
    "music, RTP), in which the dialplan is replaced and AMI, CDR and CEL are switched off; it has no filter "
    "of dialled digits, no AGI, no recording, no engine. Neither side waits half a second for media after the answer, "
    "as Answer() does with callers who are silent."
)


def rows_of(found: Found, rate: int) -> Iterator[Row]:
    """Return the rows of one greeting."""
    with_greeting = f"{found.greeting} greeting"
    pairs = list(zip(found.ours, found.theirs, strict=True))
    yield ratio(
        f"machine busy at {rate} new calls/s, {with_greeting}",
        f"{median([use.ours for use in found.ours]):.2f} cores",
        f"{median([use.ours for use in found.theirs]):.2f} cores",
        median([mine.ours / base.ours for mine, base in pairs]),
        at_most=TARGET,
    )
    yield told(
        "… CPU of Asterisk and engine",
        f"{median([_own(mine) / _own(base) for mine, base in pairs]):.2f}×",
        ours=", ".join(
            f"{name} {median([use.own[name] for use in found.ours]):.2f}" for name in ("Asterisk", "engine")
        ),
        base=f"Asterisk {median([use.own['Asterisk'] for use in found.theirs]):.2f}",
    )
    yield from _latencies(found)
    match = found.tickets == found.complete == found.calls == found.asterisk_calls
    tickets = f"{found.tickets} tickets, {found.complete} complete"
    excess = f"{found.tickets - found.calls:+d}"
    yield Row(
        f"call tickets of calls, {with_greeting}", tickets, f"{found.calls} calls", excess, "equal", match
    )
    yield limit(
        f"ticket complete after the hang-up, p99, {with_greeting}", percentile(found.delays_s, 0.99), 1.0, "s"
    )
    yield told("… median", f"{median(found.delays_s):.2f} s")
    yield limit(f"engine's memory after these {found.calls} calls", found.engine_mb[-1], 120, "MB")


def _latencies(found: Found) -> Iterator[Row]:
    agi = found.agi or Timings()
    name = f"AGI command p99, {found.greeting} greeting,"
    yield limit(f"{name} until Asterisk's reply is there", percentile(agi.replied, 0.99) * 1e3, 2, "ms")
    yield limit(f"{name} until the engine's next move", percentile(agi.served, 0.99) * 1e3, 2, "ms")
    medians = f"{median(agi.replied) * 1e3:.2f} / {median(agi.served) * 1e3:.2f} ms"
    yield told("… medians of both", medians)
    decided = f"{median(agi.decided) * 1e3:.2f} / {percentile(agi.decided, 0.99) * 1e3:.2f} ms"
    yield told("AGI request to the engine's command, p50 / p99", decided)
    lags = f"{median(found.lags_s) * 1e3:.1f} / {percentile(found.lags_s, 1.0) * 1e3:.1f} ms"
    yield told("AMI heartbeat lag, median / worst", lags)


def story(every: Sequence[Found], rate: int, in_queue_s: float) -> Iterator[str]:
    """Return what must be known to read the rows."""
    lengths = " and ".join(
        f"{len(found.ours)} pairs with the {found.greeting} greeting ({found.greeting_s:.1f} s)"
        for found in every
    )
    yield (
        f"Load: alternating pairs of rounds at {rate} calls/s, {lengths}; {every[0].plan.steady_s:g} s of each round "
        f"are measured, from when as many calls end as begin. The caller hears the greeting, waits {in_queue_s:g} s "
        "in the queue with music and hangs up; SIPp plays the callers. With the half-second greeting almost nothing "
        "but call handling is compared, the hardest case: the shipped one is mostly audio, alike on both sides."
    )
    yield (
        "Busy: user, system and interrupt time of /proc/stat, SIPp and this benchmark included on both sides, "
        "without low-priority work and without what other processes used; of what no process accounts for "
        "(interrupts, but also programs too short-lived to be seen) the lower quartile of slices of 2 s counts. "
        "Ratios are medians of the ratios of neighbouring rounds."
    )
    yield BARE_IS
    yield (
        "AGI commands are timed by the kernel's time stamps of the packets on loopback, outside of both programs: "
        "from the engine's command to Asterisk's reply, and to the engine's next move, which is to close (the "
        "reply handled and one more event journalled). Tickets are timed by looking at the database every 50 ms, "
        "so their delay is up to 50 ms too long."
    )
    for found in every:
        grew = " → ".join(f"{size:.0f}" for size in found.engine_mb)
        yield f"Engine's resident memory with the {found.greeting} greeting, at the start and after each round (MB): {grew}."
    yield from _disturbance(every)
    for found in every:
        for failure in found.failed:
            yield f"**A round did not go clean: {failure}**"


def _disturbance(every: Sequence[Found]) -> Iterator[str]:
    uses = [use for found in every for use in (*found.ours, *found.theirs)]
    foreign, niced = max(use.foreign for use in uses), max(use.niced for use in uses)
    idle = every[0].idle
    if idle is not None:
        yield f"Before the load the machine was busy with {idle.busy:.2f} cores, and {idle.niced:.2f} at low priority."
    yield f"Other work during the rounds: at most {foreign:.2f} cores, and {niced:.2f} at low priority."
    if foreign > QUIET or niced > QUIET:
        yield "**Other work was running on the machine: the figures of the load part are disturbed.**"


def _own(use: Use) -> float:
    return sum(cores for name, cores in use.own.items() if name not in ("SIPp", "bench"))
