"""How busy the machine is, and with whose work: ``/proc/stat`` and the processes' own clocks."""

from __future__ import annotations

import contextlib
import os
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

TICKS = os.sysconf("SC_CLK_TCK")


def facts(asterisk: str) -> dict[str, str]:
    """Return what a reader must know of the machine."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = psutil.virtual_memory().total / 2**30
    return {
        "machine": f"{os.cpu_count()} cores, {model}, {memory:.0f} GB",
        "system": f"Linux {platform.release()}",
        "Python": platform.python_version(),
        "Asterisk": asterisk or "not started in this run",
    }


@dataclass(frozen=True)
class Clocks:
    """CPU seconds since boot: of the machine, of its low-priority work, of chosen processes and of all others."""

    at: float
    busy_s: float
    niced_s: float
    stolen_s: float
    own_s: Mapping[str, float]
    foreign_s: Mapping[int, float]


@dataclass(frozen=True)
class Use:
    """How many cores were in use on average between two looks.

    Attributes:
        busy: user, system and interrupts; without low-priority (nice) work, which is not ours.
        niced: low-priority work of others.
        stolen: taken by the host of a virtual machine.
        own: by name of our processes.
        foreign: by processes of others at normal priority.
    """

    seconds: float
    busy: float
    niced: float
    stolen: float
    own: Mapping[str, float]
    foreign: float

    @property
    def ours(self) -> float:
        """Cores busy with what was measured, and with the kernel's own work for it."""
        return self.busy - self.foreign

    @property
    def kernel(self) -> float:
        """Cores in use that no process accounts for: interrupts, and processes too short-lived to be seen."""
        return max(0.0, self.ours - sum(self.own.values()))


def mean(uses: Sequence[Use]) -> Use:
    """Return the average of slices of time; its kernel share is the lower quartile of theirs.

    A program that lived for less than a slice looks like the kernel's own work.  Such programs can
    only add, so the quiet slices tell the truth.
    """
    seconds = sum(use.seconds for use in uses)

    def average(values: Iterable[float]) -> float:
        return sum(value * use.seconds for value, use in zip(values, uses, strict=True)) / seconds

    own = {name: average(use.own[name] for use in uses) for name in uses[0].own}
    foreign = average(use.foreign for use in uses)
    kernel = sorted(use.kernel for use in uses)[len(uses) // 4]
    return Use(
        seconds,
        sum(own.values()) + kernel + foreign,
        average(use.niced for use in uses),
        average(use.stolen for use in uses),
        own,
        foreign,
    )


class Meter:
    """Looks at the clocks of the machine and of named processes."""

    def __init__(self, processes: Mapping[str, list[psutil.Process]]) -> None:
        self._processes = processes

    def look(self) -> Clocks:
        """Return the clocks as they stand."""
        fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
        user, nice, system, _idle, _wait, irq, softirq, stolen = fields[:8]
        own = {name: sum(map(_cpu_s, group)) for name, group in self._processes.items()}
        busy = (user + system + irq + softirq) / TICKS
        return Clocks(time.monotonic(), busy, nice / TICKS, stolen / TICKS, own, self._foreign())

    def _foreign(self) -> dict[int, float]:
        """Return the CPU seconds of everybody else's processes but those of low priority."""
        mine = {process.pid for group in self._processes.values() for process in group}
        found = {}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                kernel = process.pid == 2 or process.ppid() == 2
                if process.pid not in mine and not kernel and process.nice() <= 0:
                    found[process.pid] = _cpu_s(process)
        return found


def between(first: Clocks, second: Clocks) -> Use:
    """Return the use between two looks."""
    seconds = second.at - first.at
    own = {name: (second.own_s[name] - first.own_s[name]) / seconds for name in second.own_s}
    return Use(
        seconds,
        (second.busy_s - first.busy_s) / seconds,
        (second.niced_s - first.niced_s) / seconds,
        (second.stolen_s - first.stolen_s) / seconds,
        own,
        sum(used - first.foreign_s.get(pid, 0.0) for pid, used in second.foreign_s.items()) / seconds,
    )


def _cpu_s(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0


def resident_mb(pid: int) -> float:
    """Return a process's resident memory in MB (10^6 bytes)."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6
