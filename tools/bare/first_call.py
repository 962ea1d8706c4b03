"""``make run`` until all parts are live, one call, its ticket, Ctrl-C; afterwards nothing may run any more.

With nothing but what set-up installs: the caller's telephone is our own.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tools.phones.tone_phone import TonePhone

PROJECT = Path(__file__).resolve().parents[2]
IVR = PROJECT / ".venv/bin/ivr"
NUMBER = "15400001234"
START_S = 300.0
STEP_S = 60.0


def _until(true: Callable[[], Any], what: str, limit_s: float = STEP_S) -> Any:
    """Return the first true answer.

    Raises:
        SystemExit: there was none within ``limit_s`` seconds.
    """
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        answer = true()
        if answer:
            return answer
        time.sleep(0.2)
    raise SystemExit(f"within {limit_s:.0f} s this did not happen: {what}")


def _live() -> bool:
    return subprocess.run([IVR, "status"], capture_output=True, check=False).returncode == 0


def _tickets() -> list[dict[str, Any]]:
    done = subprocess.run([IVR, "tickets", "list", "--json"], capture_output=True, check=False)
    tickets: list[dict[str, Any]] = json.loads(done.stdout) if done.returncode == 0 else []
    return tickets


def _call() -> None:
    phone = TonePhone(0, 440, ("127.0.0.1", 5060), name="citizen")
    try:
        phone.call("12345", NUMBER)
        _until(lambda: phone.up, "the call is answered")
        _until(_tickets, "the call has a ticket")
    finally:
        phone.close()
    (ticket,) = _until(lambda: [one for one in _tickets() if one["outcome"]], "the ticket is complete")
    print(f"ticket {ticket['ticket_no']}: {ticket['outcome']}", flush=True)


def _ours() -> list[psutil.Process]:
    return [one for one in psutil.process_iter(["cmdline"]) if _is_ours(one)]


def _is_ours(process: psutil.Process) -> bool:
    words = process.info["cmdline"] or []
    return process.pid != os.getpid() and any(
        str(PROJECT / "var") in word or word.startswith("ivr.") for word in words
    )


def main() -> int:
    """Run the hotline once; the exit status is 0 when everything went as the README says."""
    hotline = subprocess.Popen(["make", "run"], cwd=PROJECT, start_new_session=True)
    try:
        _until(lambda: hotline.poll() is not None or _live(), "all parts are live", START_S)
        subprocess.run([IVR, "status"], check=True)
        _call()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(hotline.pid, signal.SIGINT)
        hotline.wait(STEP_S)
    _until(lambda: not _ours(), "after Ctrl-C nothing of it runs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
