"""Strangers who call with made-up numbers and hang up, on a real Asterisk: the hotline goes on working."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from ivr.queueing.callback_limits import MOST_MISSED, MOST_SHORT_WAITS, SHORT_WAIT_S
from tests.asterisk.hotline import Hotline, rtp_range, wait_for
from tests.asterisk.test_waiting import callback_events, caller_of, placeholders, waiting_hotline, wish
from tools.phones.tone_phone import TonePhone

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(900)]
CROWD = 400


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hotline, int]]:
    folder = tmp_path_factory.mktemp("crowd")
    with waiting_hotline(folder, IVR_SURVEY="no", IVR_RTP_PORTS=rtp_range(2000)) as both:
        yield both


@pytest.fixture(autouse=True)
def emptied(place: tuple[Hotline, int]) -> Iterator[None]:
    """Whatever a test leaves is hung up and logged out."""
    yield
    hotline, _ = place
    hotline.phones.close()
    for row in hotline.engine("seats"):
        if row["operator"] is not None:
            hotline.unman(row["seat"])


class Watch:
    """Counts placeholders and Asterisk's threads, again and again, and keeps the most."""

    def __init__(self, hotline: Hotline) -> None:
        self._hotline = hotline
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._asterisk = psutil.Process(hotline.pid("asterisk"))
        self.placeholders = self.threads = 0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.5):
            self.placeholders = max(self.placeholders, placeholders(self._hotline))
            self.threads = max(self.threads, self._asterisk.num_threads())


def open_callbacks(hotline: Hotline) -> list[dict[str, Any]]:
    """Return the calls that wait to be called back."""
    return [row for row in hotline.engine("open_calls") if row["state"] == "callback"]


def give_up(hotline: Hotline, numbers: list[str], waits_s: float, rate: float = 10.0) -> None:
    """Let callers wait so long in the queue and hang up."""
    crowd = hotline.phones.caller(numbers=numbers, after_ms=int(waits_s * 1000), rate=rate)
    assert crowd.wait(600) == 0, crowd.errors()
    last = numbers[-1]
    wait_for(lambda: hotline.call_state(last) in ("callback", "ended"), 60, "the last of them is known")


def test_a_seat_serves_who_was_promised_then_who_waits_then_who_gave_up(place: tuple[Hotline, int]) -> None:
    hotline, port = place
    missed, promised, waits = "15400008001", "15400008002", "15400008003"
    give_up(hotline, [missed], 7.0)
    wait_for(lambda: hotline.call_state(missed) == "callback", why="the missed call is noted")
    wish(hotline, promised)
    with contextlib.closing(caller_of(hotline, waits)):
        assert placeholders(hotline) == 0
        hotline.phones.seat(port, talk_ms=4000)
        hotline.man("01", "1001")
        wait_for(lambda: hotline.call_state(waits) == "talking", 90, lambda: f"{waits} {hotline.logs()}")
    tickets = [hotline.ticket_of(number, 90) for number in (promised, waits, missed)]
    served = [
        next(e["at"] for e in ticket["events"] if e["kind"] in ("callback_tried", "answered"))
        for ticket in tickets
    ]
    assert served == sorted(served), "the promise keeps its place, and nobody waits for a missed call"


def test_missed_calls_are_rows_and_are_all_made_in_their_order_once_a_seat_is_there(
    place: tuple[Hotline, int],
) -> None:
    hotline, port = place
    numbers = [f"1540001{n:04d}" for n in range(6)]
    with Watch(hotline) as watch:
        give_up(hotline, numbers, 7.0, rate=1.0)
        wait_for(lambda: len(open_callbacks(hotline)) == len(numbers), why="all are noted")
        assert watch.placeholders == 0, "nobody is there: no channel stands for them"
        hotline.phones.seat(port, talk_ms=4000)
        hotline.man("01", "1001")
        tickets = [hotline.ticket_of(number, 180) for number in numbers]
    assert [ticket["outcome"] for ticket in tickets] == ["answered"] * len(numbers)
    assert all(callback_events(ticket) == ["claimed", "tried", "answered"] for ticket in tickets)
    claimed, tried = (
        [next(e["at"] for e in ticket["events"] if e["kind"] == kind) for ticket in tickets]
        for kind in ("callback_claimed", "callback_tried")
    )
    assert sorted(range(6), key=claimed.__getitem__) == sorted(range(6), key=tried.__getitem__), (
        hotline.logs()
    )
    print(f"most placeholders {watch.placeholders}, most threads of Asterisk {watch.threads}")
    assert watch.placeholders <= 3, "two for the seat, and the one it talks on"


def test_waits_cut_short_by_the_dozen_earn_no_callbacks(place: tuple[Hotline, int]) -> None:
    hotline, _ = place
    numbers = [f"1590{n:07d}" for n in range(MOST_SHORT_WAITS + 10)]
    give_up(hotline, numbers, 12.0, rate=30.0)
    assert 0 < len(open_callbacks(hotline)) <= MOST_SHORT_WAITS
    told = [e["kind"] for t in hotline.tickets() if t["outcome"] == "abandoned" for e in t["events"]]
    assert "callback_withheld" in told, "the ticket says so"


def test_hundreds_of_missed_calls_leave_asterisk_empty_and_the_hotline_at_work(
    place: tuple[Hotline, int],
) -> None:
    hotline, port = place
    numbers = [f"1380{n:07d}" for n in range(CROWD)]
    before = len(open_callbacks(hotline))
    with Watch(hotline) as watch:
        give_up(hotline, numbers, SHORT_WAIT_S + 10.0, rate=5.0)
        assert watch.placeholders == 0
        rows = open_callbacks(hotline)
        assert len(rows) == MOST_MISSED
        full = [(row["alarm"], row["about"]) for row in hotline.engine("alarms")]
        assert ("callbacks_full", "missed") in full
        strangers = [t for t in hotline.tickets() if t["caller"].startswith("138")]
        beyond = [t for t in strangers if t["outcome"] == "abandoned"]
        assert (len(strangers), len(beyond)) == (CROWD, CROWD - MOST_MISSED + before)
        assert all(any(e["kind"] == "callback_left_to_person" for e in t["events"]) for t in beyond), (
            "each says that somebody must call back"
        )

        hotline.kill("engine")
        hotline.wait_live(60)
        wait_for(lambda: len(open_callbacks(hotline)) == MOST_MISSED, 60, "all are known again")

        hotline.phones.seat(port, talk_ms=4000)
        hotline.man("01", "1001")
        wait_for(lambda: placeholders(hotline), why="the seat is given callbacks")
        with contextlib.closing(TonePhone(0, 0.0, ("127.0.0.1", hotline.sip_port), name="live")) as live:
            live.call("12345", "15400009001")
            wait_for(lambda: hotline.call_state("15400009001") == "talking", 90, "a live caller is served")
        assert len(open_callbacks(hotline)) > MOST_MISSED - 20, "long before all callbacks are made"
    print(f"most placeholders {watch.placeholders}, most threads of Asterisk {watch.threads}")
    assert watch.placeholders <= 3, "two for the seat, and the one it talks on"
