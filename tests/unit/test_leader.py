"""Who may look in on a seat: today's shift leader, nobody else, and everybody else hears why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivr.asterisk.agi.server import AgiSession
from ivr.calls.states import SeatState
from ivr.events.event import Kind
from ivr.hotline.book import HotlineBook
from ivr.hotline.duty import Roster
from ivr.phone.leader import LeaderRoute
from ivr.seats.record import SeatRecord
from ivr.supervision.modes import ModeBoard
from ivr.transfers.states import TransferState
from ivr.transfers.transfer import Taking
from tests.unit.test_agi_routes import Session, agi
from tests.unit.test_modes import MORNING, a_book
from tests.unit.test_transfer_desk import CALL, OPERATOR, Hall

LISTEN, WHISPER, BARGE, TAKE = "5", "6", "7", "8"
MINE = "PJSIP/seat02-00000009"


class Floor(Hall):
    """A call on seat 01, and somebody on seat 02 who wants to look in; ``others`` sit on seat 03."""

    def __init__(self, who: str, *others: str, book: HotlineBook | None = None) -> None:
        super().__init__()
        self.clock.now = MORNING.timestamp()
        self.book = book or a_book()
        for n, number in enumerate((who, *others), 2):
            record = SeatRecord(f"{n:02}", SeatState.READY, number, "", 1.0)
            self.calls.restore([], [record])
        self.modes = ModeBoard(lambda: self.book, self.calls, self.clock)
        self.route = LeaderRoute(
            book=lambda: self.book,
            calls=self.calls,
            requests=self.requests,
            clock=self.clock,
            leader=self.modes.leader,
            sound=lambda prompt, **_: prompt,
        )

    async def dial(self, digit: str, wanted: str = "01") -> Session:
        session = Session(digit, wanted, "seat02", MINE)
        handled: AgiSession = agi(session)
        await self.route(handled)
        return session


@pytest.mark.parametrize("digit", [LISTEN, WHISPER, BARGE, TAKE])
async def test_somebody_who_may_lead_but_does_not_lead_today_hears_no_call_and_why(digit: str) -> None:
    floor = Floor("1003", "1001")  # 1003 leads the late shift, 1001 this one
    session = await floor.dial(digit)
    assert session.played == ["S059"]
    assert session.variables == {"IVR_SAID": "1"}
    (noted,) = [event for event in floor.journal.of("seat:02") if event.kind is Kind.LISTEN_REFUSED]
    assert noted.actor == "operator:1003"
    assert noted.data["by"] == "1003" and noted.data["seat"] == "01"
    assert "1003 does not lead this shift" in noted.data["reason"]
    assert Kind.LISTENED not in [event.kind for event in floor.journal.of(CALL)]
    assert floor.transfer.taking is None


@pytest.mark.parametrize("who", ["1001", "1005"])
async def test_the_rostered_leader_or_whoever_acts_for_them_looks_in(who: str) -> None:
    floor = Floor(who, "1002")  # where 1001 is not there, somebody who may lead acts
    session = await floor.dial(WHISPER)
    assert session.variables == {"IVR_SPY": OPERATOR, "IVR_SPY_OPTIONS": "w"}
    (listened,) = [event for event in floor.journal.of(CALL) if event.kind is Kind.LISTENED]
    assert listened.actor == f"operator:{who}"
    assert listened.data == {"how": "whisper", "by": who, "from_seat": "02", "seat": "01"}


async def test_where_the_roster_names_no_leader_whoever_may_lead_and_has_the_lowest_number_does() -> None:
    unrostered = replace(a_book(), roster=Roster())
    assert (await Floor("1003", "1004", book=unrostered).dial(LISTEN)).variables["IVR_SPY"] == OPERATOR
    refused = await Floor("1004", "1003", book=unrostered).dial(LISTEN)
    assert refused.played == ["S059"]


async def test_somebody_who_may_never_lead_is_refused_even_when_nobody_leads() -> None:
    assert (await Floor("1002").dial(LISTEN)).played == ["S059"]


@pytest.mark.parametrize("wanted", ["02", "03", "99"])
async def test_the_leader_hears_that_nobody_talks_on_that_seat_not_that_they_may_not(wanted: str) -> None:
    assert (await Floor("1001").dial(LISTEN, wanted)).played == ["S057"]


async def test_the_leader_who_takes_over_is_expected_in_the_room() -> None:
    floor = Floor("1001")
    assert (await floor.dial(TAKE)).variables == {"IVR_CALL": CALL}
    assert floor.transfer.taking == Taking("02", "1001", MINE)


@pytest.mark.parametrize("state", ["CONSULTING", "THREE_WAY", "HANDED_OFF"])
async def test_the_leader_who_speaks_with_all_of_a_room_enters_it(state: str) -> None:
    floor = Floor("1001")
    floor.to(TransferState[state])
    floor.coordinator.joined(CALL, "o", OPERATOR)
    assert (await floor.dial(BARGE)).variables == {"IVR_CALL": CALL, "IVR_BARGES": "1"}
    assert "IVR_SPY" in (await floor.dial(LISTEN)).variables
