"""``python -m tools.bench [--quick] [--shipped] [--only wires,matching,load,…]``.

Prints what it does and a table, and writes ``docs/benchmarks.md``: a whole run to its place, a
partial or quick one only where ``--output`` says.  Exit status 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ivr.errors import HotlineError
from ivr.home.settings import load as load_settings
from ivr.rollout import staging as deployment
from tests.load import bench_matching
from tools.bench import apply, crowd, load, machine, others, planning, start, three_way
from tools.bench.table import Part, markdown, plain

PROJECT = Path(__file__).resolve().parents[2]
REPORT = PROJECT / "docs/benchmarks.md"
PARTS = (
    "wires",
    "matching",
    "seats",
    "transcription",
    "planning",
    "start",
    "apply",
    "three_way",
    "crowd",
    "load",
)

HEAD = """\
# Benchmarks

Written by `make bench`; do not edit. Ratios are measured side by side in one run, in alternating rounds,
and are what can be compared between machines. Absolute figures tell of this machine only.

"""


def main() -> int:
    """Run the parts that were asked for."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything started is stopped
    asterisk = deployment.find_asterisk(load_settings(), lambda line: print(line, flush=True)).version
    began = time.monotonic()
    parts = []
    with tempfile.TemporaryDirectory(prefix="ivr-bench-") as scratch:
        for name, work in _work(Path(scratch), quick=options.quick, shipped=options.shipped).items():
            if name in options.only:
                print(f"{time.monotonic() - began:4.0f} s  {name} …", flush=True)
                parts.append(work())
    rows = [row for part in parts for row in part.rows]
    print(f"{time.monotonic() - began:4.0f} s  done\n\n{plain(rows)}\n", flush=True)
    for part in parts:
        for remark in part.remarks:
            print(f"- {remark}".replace("**", ""))
    _write(options, parts, machine.facts(asterisk), time.monotonic() - began)
    return int(any(row.met is False for row in rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short rounds: a look, not a figure to quote")
    parser.add_argument(
        "--only", default=",".join(PARTS), help=f"parts to run, with commas: {', '.join(PARTS)}"
    )
    parser.add_argument(
        "--shipped", action="store_true", help="the load with the shipped greeting too; wants four cores"
    )
    parser.add_argument("--output", type=Path, help="where to write the report of a quick or partial run")
    options = parser.parse_args()
    options.only = tuple(options.only.split(","))
    if unknown := set(options.only) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return options


def _work(scratch: Path, *, quick: bool, shipped: bool) -> Mapping[str, Callable[[], Part]]:
    plan = load.Plan(6.0, 1, 1) if quick else load.Plan()
    plan = replace(plan, shipped_pairs=max(1, plan.pairs // 2) if shipped else 0)
    return {
        "wires": lambda: others.wires(6.0 if quick else 30.0),
        "matching": lambda: others.matching(2 if quick else bench_matching.ROUNDS),
        "seats": others.seats,
        "transcription": lambda: others.transcription(2 if quick else 8),
        "planning": lambda: planning.run(3 if quick else 20),
        "start": lambda: start.run(scratch / "start", 2 if quick else start.STARTS),
        "apply": lambda: apply.run(scratch / "apply", 2 if quick else apply.APPLIES),
        "load": lambda: load.run(scratch / "load", plan),
        "three_way": lambda: three_way.run(scratch / "three_way", quick=quick),
        "crowd": lambda: crowd.run(scratch / "crowd", quick=quick),
    }


def _write(options: argparse.Namespace, parts: list[Part], facts: Mapping[str, str], seconds: float) -> None:
    whole = not options.quick and set(options.only) == set(PARTS)
    target: Path | None = options.output or (REPORT if whole else None)
    if target is None:
        print("\nnot a whole run: docs/benchmarks.md is left as it is (--output FILE writes it elsewhere)")
        return
    command = shlex.join(["python", "-m", "tools.bench", *sys.argv[1:]])
    lines = [
        f"- date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"- command: `{command}` ({seconds:.0f} s)",
        *(f"- {name}: {value}" for name, value in facts.items()),
    ]
    remarks = [f"- {remark}" for part in parts for remark in part.remarks]
    table = markdown([row for part in parts for row in part.rows])
    text = HEAD + "\n".join(lines) + f"\n\n{table}\n\n## How to read it\n" + "\n".join(remarks) + "\n"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    print(f"\nwritten: {target}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HotlineError as error:
        sys.exit(error.sentence)
