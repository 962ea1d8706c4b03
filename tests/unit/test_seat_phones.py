"""A seat's phone that does not answer is known, and one that rang in vain is asked."""

from __future__ import annotations

from typing import Any, cast

import pytest

from ivr.asterisk.ami.codec import Message
from ivr.asterisk.ami.link import Link, LinkState
from ivr.events.event import Kind
from ivr.home.settings import Settings
from ivr.hotline.book import Trunks
from ivr.rollout import staging as deployment
from ivr.seats.phones import SeatPhones
from tests.unit.kit import event, small_book


class Switch:
    """An Asterisk with one phone."""

    state = LinkState.LIVE

    def __init__(self, status: str) -> None:
        self.status = status
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def action(self, name: str, headers: dict[str, Any]) -> Message:
        self.asked.append((name, headers))
        return Message("Response: Success\r\n")

    async def list_action(self, name: str, _: dict[str, Any]) -> list[Message]:
        assert name == "PJSIPShowContacts"
        return [Message(f"Event: ContactList\r\nObjectName: seat01;@x\r\nStatus: {self.status}\r\n")]


def scene(status: str) -> tuple[SeatPhones, Switch]:
    switch = Switch(status)
    return SeatPhones(small_book, cast(Link, switch), lambda: 30), switch


@pytest.mark.parametrize(
    ("status", "away"), [("Reachable", False), ("NonQualified", False), ("Unreachable", True)]
)
async def test_a_phone_that_does_not_answer_is_away(status: str, away: bool) -> None:
    phones, _ = scene(status)
    await phones.look()
    assert phones.away == ({"seat01"} if away else set())


async def test_a_phone_that_rang_in_vain_is_asked_at_once() -> None:
    phones, switch = scene("Reachable")
    phones.on_event(event("a1-1.1", 9, Kind.SEAT_NO_ANSWER, seat="01"))
    for task in list(phones._asking):
        await task
    assert switch.asked == [("PJSIPQualify", {"Endpoint": "seat01"})]


@pytest.mark.parametrize(
    ("setting", "lab", "seconds"), [(None, True, 0), (None, False, 30), (5, True, 5), (0, False, 0)]
)
def test_phones_are_asked_in_service_and_in_the_lab_only_where_that_is_wished(
    setting: int | None, lab: bool, seconds: int
) -> None:
    book = small_book(trunks=Trunks(lab=lab))
    assert deployment.phone_check_s(Settings(phone_check_s=setting), book) == seconds
