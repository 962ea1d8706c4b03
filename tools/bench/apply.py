"""How long a changed configuration takes to come into service, and whether those who wait keep their places."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

from tests.asterisk.hotline import Hotline, wait_for
from tools.bench.instances import Subject, whole
from tools.bench.table import Part, limit, median, told

WAITING = 200
APPLIES = 5
LIMIT_S = 3.0


def run(folder: Path, applies: int = APPLIES) -> Part:
    """Apply a new operator, a new queue and a new line, again and again, while callers wait."""
    folder.mkdir(parents=True, exist_ok=True)
    took_s, kept = [], True
    with whole(folder, IVR_UNATTENDED_S="3600") as (hotline, subject):  # nobody is asked for a message
        hotline.phones.caller(number="134[call_number]0000", after_ms=600_000, calls=WAITING, rate=20)
        wait_for(lambda: hotline.waiting() == WAITING, 60, "callers wait")
        before = _places(subject)
        for number in range(applies):
            _edit(hotline, number)
            began = time.monotonic()
            done = hotline.run("apply", "--json")
            took_s.append(time.monotonic() - began)
            if done.returncode != 0 or json.loads(done.stdout)["result"] != "verified":
                raise RuntimeError(f"what was not applied cannot be timed: {done.stderr}")
            kept = kept and _places(subject) == before
            print(f"  apply {number + 1}: {took_s[-1]:.2f} s {done.stderr.strip()[-200:]}", flush=True)
        began = time.monotonic()
        hotline.run("apply", "--undo")
        undo_s = time.monotonic() - began
        kept = kept and _places(subject) == before
        subject.asterisk.command("channel request hangup all")
    lost = 0 if kept else WAITING
    rows = (
        limit(
            f"`ivr apply` with {WAITING} callers waiting, median of {applies}", median(took_s), LIMIT_S, "s"
        ),
        told("… fastest / slowest", f"{min(took_s):.2f} / {max(took_s):.2f} s"),
        told("`ivr apply --undo` of a version proved before", f"{undo_s:.2f} s"),
        limit("places lost or changed over all of it", lost, 0, "callers"),
    )
    remark = (
        "apply: the wall-clock time of the whole command, from reading the folder to Asterisk's answers, with the "
        "throwaway boot and the start of the program. SIPp plays the callers on the same machine."
    )
    return Part("apply", rows, (remark,))


def _places(subject: Subject) -> list[str]:
    """Return the channels that wait, the first one first."""
    shown = subject.asterisk.command("queue show")
    return re.findall(r"^\s+\d+\. (\S+) \(wait", shown, re.MULTILINE)


def _edit(hotline: Hotline, number: int) -> None:
    config = Path(hotline.environment["IVR_CONFIG"])
    for file, text in (
        ("queues.yaml", f"  - {{id: q_bench{number}, name: 测试{number}}}\n"),
        (
            "operators.yaml",
            f"  - {{number: '19{number:02}', name: 测试{number}, queues: [q_bench{number}]}}\n",
        ),
        (
            "lines.yaml",
            f"  - {{id: bench{number}, number: '0000-77{number:02}', name: 测试热线{number}, department: 测试, "
            "merge_mode: whole}\n",
        ),
    ):
        path = config / file
        written = path.read_text(encoding="utf-8")
        if file == "queues.yaml":  # the first queue is the general one
            written = written.rstrip("\n") + "\n" + text
        else:
            head = f"\n{path.stem}:\n"
            written = written.replace(head, head + text, 1)
        path.write_text(written, encoding="utf-8")
