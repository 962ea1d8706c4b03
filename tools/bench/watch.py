"""Look at a loaded hotline from outside, rarely enough not to be its load.

The database is read only; a ticket is finished in the same transaction that writes its call's
``hung_up`` into the journal table, so the moment that row can be read is the moment the ticket is
complete.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from pathlib import Path

from ivr.api.socket import ask
from ivr.errors import HotlineError

LOOK_S = 0.05
HEARTBEAT_S = 1.0


class Watcher:
    """Notes when tickets become complete, and the AMI heartbeat's lag; a context.

    Args:
        database: the SQLite file.
        run: the run folder of the instance.

    Attributes:
        delays_s: seconds from each hang-up, as Asterisk stamped it, to the look that saw its ticket.
        lags_s: heartbeat round trips in seconds.
    """

    def __init__(self, database: Path, run: Path) -> None:
        self._database = database
        self._run = run
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._tickets, self._heartbeats)]
        self.delays_s: list[float] = []
        self.lags_s: list[float] = []

    def __enter__(self) -> Watcher:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _tickets(self) -> None:
        with contextlib.closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as database:
            last = database.execute("SELECT coalesce(max(id), 0) FROM journal").fetchone()[0]
            while not self._stop.wait(LOOK_S):
                rows = database.execute("SELECT id, at, kind FROM journal WHERE id > ?", (last,)).fetchall()
                now = time.time()
                for number, at, kind in rows:
                    last = max(last, number)
                    if kind == "hung_up":
                        self.delays_s.append(now - at)

    def _heartbeats(self) -> None:
        while not self._stop.wait(HEARTBEAT_S):
            with contextlib.suppress(HotlineError):
                lag = ask(self._run, "status", timeout_s=5)["ami"]["lag_s"]
                if lag is not None:
                    self.lags_s.append(float(lag))


def count_tickets(database: Path) -> tuple[int, int]:
    """Return how many call tickets there are, and how many of them are complete."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        query = "SELECT count(*), count(outcome) FROM tickets WHERE parent_no IS NULL"
        every, complete = connection.execute(query).fetchone()
        return int(every), int(complete)
