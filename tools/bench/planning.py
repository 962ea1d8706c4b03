"""How quickly a day can be planned: a simulated day of the larger city, the check of its files, the staffing."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from ivr.hotline.files.reading import load
from ivr.reports.load_profile import BUILT_IN
from ivr.reports.simulation import scenario, simulate
from ivr.reports.staffing import Demand, DutyPlan, forecast
from tools.bench.table import Part, limit, told

PROJECT = Path(__file__).resolve().parents[2]
CALLS, AHT_S, PATIENCE_S, ON_DUTY = 3704, 300, 90, "24/24/24"
DAY_TARGET_S = 2.0
CHECK_TARGET_S = 1.0
STAFFING = (
    "--calls-per-day", str(CALLS), "--aht", str(AHT_S), "--patience", str(PATIENCE_S),
    "--on-duty", ON_DUTY, "--profile", "built-in", "--json",
)  # fmt: skip


def run(rounds: int) -> Part:
    """Live ``rounds`` days and run the command as often; every round has its own seed."""
    demand, plan = Demand(CALLS, AHT_S, PATIENCE_S, BUILT_IN), DutyPlan.of_shifts(ON_DUTY)
    day = scenario(load(PROJECT / "queues"), demand, plan)
    seconds, rates, events, calls = [], [], 0, 0
    for seed in range(rounds):
        began = time.perf_counter()
        lived = simulate(day, seed)
        seconds.append(time.perf_counter() - began)
        rates.append(lived.day.connection_rate)
        events += lived.events
        calls += len(lived.tickets)
    expected = forecast(demand, plan).day.connection_rate
    off = 100 * abs(statistics.fmean(rates) - expected)
    rows = (
        limit(
            f"simulated day of {CALLS} calls, median of {rounds}",
            statistics.median(seconds),
            DAY_TARGET_S,
            "s",
        ),
        told("events decided a second on virtual time", f"{events / sum(seconds):,.0f}"),
        limit(f"its connection rate beside Erlang A's {expected:.1%}, mean of {rounds} days", off, 1.0, "pp"),
        limit(
            f"`ivr check` of the larger city, whole command, median of {rounds}",
            statistics.median(_commands("check", str(PROJECT / "queues/profiles/leshan"), rounds=rounds)),
            CHECK_TARGET_S,
            "s",
        ),
        told(
            "ivr staffing, whole command, median",
            f"{statistics.median(_commands('staffing', *STAFFING, rounds=rounds)):.2f} s",
        ),
    )
    remark = (
        f"Planning: {calls} calls of {rounds} simulated days went through reception, the state tables and "
        "seating of the engine; no journal file is written and nobody is rung. A single day's connection rate "
        "varies by about a percentage point, so few rounds say little about the third row."
    )
    return Part("planning", rows, (remark,))


def _commands(*words: str, rounds: int) -> list[float]:
    """Return the wall seconds of a command, Python's own start included."""
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "ivr.cli.main", *words], check=True, cwd=PROJECT, stdout=subprocess.DEVNULL
        )
        seconds.append(time.perf_counter() - began)
    return seconds
