"""Phones that ring in vain, or refuse: what the caller hears meanwhile, and what becomes of the seat."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from ivr.seats.refusing import GAPS_S
from tests.asterisk.floor import FIRST, Floor
from tests.asterisk.hotline import Hotline, wait_for
from tests.asterisk.test_waiting import times_heard, waiting_hotline
from tools.phones.tone_phone import TonePhone, until

pytestmark = pytest.mark.asterisk

PAUSED_AFTER = 3 + len(GAPS_S)


class Place(Floor):
    """A hotline with phones that do as they are told."""

    def seat(self, seat: str, behaviour: str) -> TonePhone:
        """Put somebody on a seat whose phone behaves so."""
        return self.man(seat, FIRST, behaviour=behaviour, name=f"seat {seat}")

    def dial(self, number: str) -> TonePhone:
        return self.call(number)[0]

    def alarms(self) -> list[str]:
        told = self.hotline.ask("alarms")
        return [one["about"] for one in told if one["alarm"] == "seat_refuses"]

    def paused(self, seat: str) -> bool:
        row = self.row(seat)
        return (row["state"], row["reason"]) == ("paused", "refuses")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    with waiting_hotline(tmp_path_factory.mktemp("in_vain"), IVR_SURVEY="no") as (hotline, _):
        yield hotline


@pytest.fixture
def place(shared: Hotline) -> Iterator[Place]:
    place = Place(shared)
    yield place
    place.clear()


@pytest.mark.timeout(900)  # four rings of 15 seconds, and looking for sentences in what was heard
def test_the_caller_at_the_head_hears_place_notices_and_the_callback_offer_while_a_phone_rings_in_vain(
    place: Place,
) -> None:
    away_from_the_desk = place.seat("01", "ring")
    caller = place.dial("95560007001")
    pieces, since = [], time.monotonic()
    for rings in range(1, 7):  # what was heard before each ring, looked through when there is time for it
        wait_for(lambda: len(away_from_the_desk.invites) >= rings, why=place.hotline.logs)  # noqa: B023
        now = time.monotonic()
        pieces.append(caller.sound(now - since))
        since = now
    heard = {
        prompt: sum(times_heard(piece, prompt) for piece in pieces) for prompt in ("P021", "P012", "P023")
    }
    assert heard == {"P021": 1, "P012": 1, "P023": 1}
    assert place.row("01")["reason"] == "", "who is away from the desk for a minute refuses nothing"
    assert place.alarms() == []


@pytest.mark.parametrize("status", ["486", "480", "603", "488", "302"])
def test_a_phone_that_refuses_pauses_its_seat_with_one_alarm_and_the_caller_is_answered_when_it_ends(
    place: Place, status: str
) -> None:
    phone, number = place.seat("01", status), f"95560007{status}"
    caller = place.dial(number)
    wait_for(lambda: place.paused("01"), why=lambda: f"{place.row('01')} {place.hotline.logs()}")
    # Asterisk offers it again until it has heard of a gap, which a busy machine tells it late; before gaps were known
    # a phone that refuses at once was offered a call 86 times a minute
    assert PAUSED_AFTER <= len(phone.invites) <= 4 * PAUSED_AFTER, "passed over with a growing gap"
    wait_for(lambda: place.hotline.call_state(number) == "waiting", why="the caller waits, no phone rings")
    assert place.alarms() == ["01"]
    phone.behaviour = "answer"
    place.hotline.engine("resume", seat="01")
    assert until(lambda: caller.up and phone.up), place.hotline.logs()
    wait_for(lambda: place.alarms() == [], why="the alarm goes by itself")
    told = [one for one in place.hotline.journal("seat:01") if one["kind"] == "paused"]
    assert [(one["data"]["reason"], one["data"]["status"]) for one in told][-1] == (
        "refuses",
        f"SIP {status}",
    )


def test_where_every_phone_refuses_a_caller_is_answered_as_soon_as_one_does_not(place: Place) -> None:
    phones = {seat: place.seat(seat, "486") for seat in ("01", "02", "03")}
    number = "95560007020"
    place.dial(number)
    wait_for(lambda: all(map(place.paused, phones)), why=lambda: f"{list(map(place.row, phones))}")
    assert sorted(place.alarms()) == list(phones)
    killed = place.hotline.kill("engine")
    place.hotline.wait_live()
    assert place.hotline.pid("engine") != killed
    assert all(map(place.paused, phones)), "the pause outlives the engine"
    assert sorted(place.alarms()) == list(phones), "and so does the alarm"
    phones["02"].behaviour = "answer"
    wait_for(lambda: place.hotline.call_state(number) == "talking", why=place.hotline.logs)
    assert phones["02"].up
    assert sorted(place.alarms()) == ["01", "03"]
    raised = [
        one["data"]["about"] for one in place.hotline.journal("hotline") if one["kind"] == "alarm_raised"
    ]
    assert raised.count("02") >= 1


def test_a_phone_that_refuses_costs_callers_nothing_while_another_seat_is_ready(place: Place) -> None:
    refusing, ready = place.seat("01", "486"), place.seat("02", "answer")
    for turn in range(3):
        caller = place.dial(f"9556000703{turn}")
        assert until(lambda: caller.up and ready.up), place.hotline.logs()  # noqa: B023
        caller.hang_up()
        assert until(lambda: not ready.up)
    assert not refusing.up
