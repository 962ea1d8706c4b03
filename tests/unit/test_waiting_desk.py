"""The callback desk and the watch over queues that nobody sits at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from ivr.asterisk.manager import Link
from ivr.calls.book import CallBook
from ivr.calls.events import Event, Kind
from ivr.hotline.book import Trunks
from ivr.waiting.desk import CallbackDesk, Secrets
from ivr.waiting.unattended import left_alone
from tests.unit.kit import T0, Clock, Journal, calls_of, event, small_book

CALL = "a1-1.1"


def sealed(number: str) -> dict[str, str]:
    return {"mask": f"***{number[-4:]}", "enc": number[::-1], "hash": f"h{number}"}


class Desk:
    def __init__(self, **destinations: tuple[str, ...]) -> None:
        self.journal = Journal()
        self.calls: CallBook = calls_of(self.journal)
        self.clock = Clock()
        trunks = replace(Trunks(), destinations=destinations)
        book = small_book(trunks=trunks)
        secrets = Secrets(sealed, lambda text: text[::-1])
        self.desk = CallbackDesk(lambda: book, self.calls, cast(Link, None), secrets, self.clock)

    def waits(self, call_id: str, number: str, after: float = 0.0) -> None:
        begun: dict[str, Any] = {"caller": sealed(number), "recording": f"/r/{call_id}"}
        self.calls.record(event(call_id, after, Kind.CALL_STARTED, **begun))
        self.calls.record(event(call_id, after, Kind.QUEUED, queue="q_general"))


def desk() -> Desk:
    return Desk(callback=("sip:127.0.0.1:5200",))


def test_one_call_claims_once_and_one_number_has_one_open_callback() -> None:
    at = desk()
    at.waits(CALL, "13800138000")
    at.waits("a1-2.2", "13800138000", 5)
    assert at.desk.claim(CALL, "13800138000", by="caller")
    assert at.desk.claim(CALL, "13800138000", by="caller")
    assert at.desk.claim("a1-2.2", "13800138000", by="caller"), "the caller is told that it is noted"
    assert at.journal.kinds(CALL).count("callback_claimed") == 1
    assert at.journal.kinds("a1-2.2") == ["call_started", "queued", "noted"]


def test_a_claim_shows_no_number_and_keeps_the_callers_own_entry() -> None:
    at = desk()
    at.waits(CALL, "13800138000")
    at.clock.now = T0 + 70
    at.desk.claim(CALL, "13800138000", by="caller")
    claim = at.journal.of(CALL)[-1].data
    assert claim["since"] == T0
    assert claim["number"] == "***8000"
    assert "13800138000" not in str({name: value for name, value in claim.items() if name != "caller"})


def test_without_a_destination_key_1_claims_nothing() -> None:
    at = Desk()
    at.waits(CALL, "13800138000")
    assert not at.desk.claim(CALL, "13800138000", by="caller")
    at.desk.missed(CALL, T0 + 60)
    assert at.journal.kinds(CALL) == ["call_started", "queued"]


def test_who_gives_up_after_five_seconds_is_called_back_once_in_half_an_hour() -> None:
    at = desk()
    at.waits(CALL, "13800138000")
    at.desk.missed(CALL, T0 + 4.9)
    assert "callback_claimed" not in at.journal.kinds(CALL)
    at.clock.now = T0 + 6
    at.desk.missed(CALL, T0 + 6)
    assert at.journal.of(CALL)[-1].data["since"] == T0 + 6, "behind those who wait now"
    at.calls.record(Event(CALL, T0 + 7, Kind.CALLBACK_FAILED, {"reason": "test"}))
    for number, minutes, claimed in (("a1-2.2", 10, False), ("a1-3.3", 40, True)):
        at.clock.now = T0 + 60 * minutes
        at.waits(number, "13800138000", 60 * minutes - 20)
        at.desk.missed(number, at.clock.now)
        assert ("callback_claimed" in at.journal.kinds(number)) is claimed


def test_a_callback_is_dropped_when_the_citizen_reaches_an_operator_by_themselves() -> None:
    at = desk()
    at.waits(CALL, "13800138000")
    at.desk.claim(CALL, "13800138000", by="caller")
    at.waits("a1-2.2", "13800138000", 100)
    answered = event("a1-2.2", 120, Kind.ANSWERED, seat="01")
    at.calls.record(answered)
    at.desk.on_event(answered, at.calls.calls["a1-2.2"])
    assert at.journal.kinds(CALL)[-1] == "callback_failed"


def test_only_those_who_waited_alone_for_long_enough_are_sent_to_the_message() -> None:
    at = desk()
    at.waits(CALL, "13800138000", 0)
    at.waits("a1-2.2", "13800138001", 15)
    calls = list(at.calls.calls.values())

    def alone(empty_since: float, now: float) -> list[str]:
        return [call.call_id for call in left_alone(calls, {"q_general": T0 + empty_since}, T0 + now, 20)]

    assert alone(-100, 19) == []
    assert alone(-100, 20) == [CALL]
    assert alone(-100, 35) == [CALL, "a1-2.2"]
    assert alone(10, 29) == [], "somebody was there until a moment ago"
    assert left_alone(calls, {"q_market": T0}, T0 + 99, 20) == []
