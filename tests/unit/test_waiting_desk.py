"""The callback desk and the watch over queues that nobody sits at."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from ivr.asterisk.ami.link import Link, Message
from ivr.asterisk.control.floor import AsteriskFloor
from ivr.asterisk.facts.called_back import as_caller
from ivr.calls.facts import ANSWERED, CallbackWord, MessageBegun
from ivr.events.event import Event, Kind
from ivr.queueing.unattended import Unattended, left_alone
from ivr.seats.log_in import Seating
from tests.unit.callback_kit import CALL, Desk, desk, sealed
from tests.unit.kit import T0, event, small_book

CITIZEN, SEAT = "PJSIP/ivr-callback-00000007", "PJSIP/seat01-00000006"


def test_one_call_claims_once_and_one_number_has_one_open_callback() -> None:
    at = desk()
    at.waits(CALL, "13800138000")
    at.waits("a1-2.2", "13800138000", 5)
    assert at.claims.claim(CALL, "13800138000", by="caller")
    assert at.claims.claim(CALL, "13800138000", by="caller")
    assert at.claims.claim("a1-2.2", "13800138000", by="caller"), "the caller is told that it is noted"
    assert at.journal.kinds(CALL).count("callback_claimed") == 1
    assert at.journal.kinds("a1-2.2") == ["call_started", "queued", "callback_already_open"]


def test_a_claim_shows_no_number_and_keeps_the_callers_own_entry() -> None:
    at = desk()
    at.waits(CALL, "13800138000")
    at.clock.now = T0 + 70
    at.claims.claim(CALL, "13800138000", by="caller")
    claim = at.journal.of(CALL)[-1].data
    assert claim["since"] == T0
    assert claim["number"] == "***8000"
    assert "13800138000" not in str({name: value for name, value in claim.items() if name != "caller"})


def test_without_a_destination_key_1_claims_nothing() -> None:
    at = Desk()
    at.waits(CALL, "13800138000")
    assert not at.claims.claim(CALL, "13800138000", by="caller")
    at.claims.missed(CALL, T0 + 60)
    assert at.journal.kinds(CALL) == ["call_started", "queued"]


def test_who_gives_up_after_five_seconds_is_called_back_once_in_half_an_hour() -> None:
    at = desk()
    at.waits(CALL, "13800138000")
    at.claims.missed(CALL, T0 + 4.9)
    assert "callback_claimed" not in at.journal.kinds(CALL)
    at.clock.now = T0 + 6
    at.claims.missed(CALL, T0 + 6)
    assert at.journal.of(CALL)[-1].data["since"] == T0 + 6, "behind those who wait now"
    at.calls.record(Event(CALL, T0 + 7, Kind.CALLBACK_FAILED, {"reason": "test"}))
    for number, minutes, claimed in (("a1-2.2", 10, False), ("a1-3.3", 40, True)):
        at.clock.now = T0 + 60 * minutes
        at.waits(number, "13800138000", 60 * minutes - 20)
        at.claims.missed(number, at.clock.now)
        assert ("callback_claimed" in at.journal.kinds(number)) is claimed


def test_a_callback_is_dropped_when_the_citizen_reaches_an_operator_by_themselves() -> None:
    at = desk()
    at.waits(CALL, "13800138000")
    at.claims.claim(CALL, "13800138000", by="caller")
    at.waits("a1-2.2", "13800138000", 100)
    answered = event("a1-2.2", 120, Kind.ANSWERED, seat="01")
    at.calls.record(answered)
    assert at.journal.kinds(CALL)[-1] == "callback_failed"


def leaves_a_message(at: Desk, number: str) -> None:
    at.waits(CALL, number)
    at.calls.record(event(CALL, 25, Kind.VOICEMAIL_LEFT, message=f"/r/{CALL}-message"))
    at.clock.now = T0 + 60
    at.claims.missed(CALL, T0 + 60)
    at.calls.record(event(CALL, 60, Kind.HUNG_UP))


def test_who_leaves_a_message_is_called_back_in_their_own_place() -> None:
    at = desk()
    leaves_a_message(at, "13800138000")
    claim = next(e for e in at.journal.of(CALL) if e.kind is Kind.CALLBACK_CLAIMED)
    assert (claim.data["by"], claim.data["since"]) == ("message", T0)
    call = at.calls[CALL]
    assert (call.state, call.outcome) == ("callback", None), "the ticket stays open until they were called"
    assert call.message, "the message is kept"


def test_a_message_is_claimed_once_and_two_tries_leave_a_ticket() -> None:
    at = desk()
    leaves_a_message(at, "13800138000")
    at.claims.message_over(CALL)
    assert at.journal.kinds(CALL).count("callback_claimed") == 1
    call = at.calls[CALL]
    for n in (1, 2):
        at.calls.record(event(CALL, 60 + n, Kind.CALLBACK_TRIED))
        at.calls.record(event(CALL, 60 + n, Kind.CALLBACK_UNREACHED))
    at.calls.record(event(CALL, 70, Kind.CALLBACK_FAILED, reason="not reached in 2 tries"))
    assert (call.state, call.outcome) == ("ended", "callback")


@pytest.mark.parametrize(
    ("number", "why", "destinations"),
    [
        ("13800138000", "destination", ()),
        ("anonymous", "number", ("sip:127.0.0.1:5200",)),
        ("110", "number", ("sip:127.0.0.1:5200",)),
    ],
)
def test_where_nobody_can_be_called_back_the_ticket_says_that_somebody_must(
    number: str, why: str, destinations: tuple[str, ...]
) -> None:
    at = Desk(**({"callback": destinations} if destinations else {}))
    at.waits(CALL, number)
    call = at.calls[CALL]
    at.calls.record(event(CALL, 25, Kind.VOICEMAIL_LEFT, message="/r/m"))
    at.claims.message_over(CALL)
    at.calls.record(event(CALL, 60, Kind.HUNG_UP))
    noted = next(e for e in at.journal.of(CALL) if e.kind is Kind.CALLBACK_LEFT_TO_PERSON)
    assert why in noted.data["why"]
    assert (call.state, call.outcome) == ("ended", "voicemail")


def called_back(at: Desk) -> None:
    """Let a citizen be called back: they have answered, and the seat is with them."""
    at.waits(CALL, "13800138000")
    at.claims.claim(CALL, "13800138000", by="caller")
    at.calls.record(event(CALL, 10, Kind.HUNG_UP))
    at.desk.hear(CALL, T0 + 20, "callback_answered", {"seat": "01", "channel": SEAT})
    at.desk.hear_word(CallbackWord(CALL, 1, ANSWERED, CITIZEN, SEAT))


def test_a_callback_is_not_over_when_both_are_led_into_a_room() -> None:
    at = desk()
    called_back(at)
    for what in ("callback_operator_left", "callback_hung_up"):  # the placeholder goes
        at.desk.hear(CALL, T0 + 30, what, {"reason": "caller", "channel": SEAT})
    call = at.calls[CALL]
    assert (call.state, call.legs[-1].left_at) == ("talking", None)
    assert at.calls.called_back == {CITIZEN: CALL}
    gone = as_caller(word(Channel=CITIZEN, Uniqueid="x", Linkedid="y"), at.calls.called_back)
    assert (gone.get("Uniqueid"), gone.get("Linkedid"), gone.get("Channel")) == (CALL, CALL, CITIZEN)
    at.calls.record(event(CALL, 40, Kind.HUNG_UP))
    assert (call.state, call.outcome) == ("ended", "answered")
    assert at.calls.called_back == {}


def test_who_was_called_back_and_waits_again_is_promised_no_second_callback() -> None:
    at = desk()
    called_back(at)
    at.calls.record(event(CALL, 30, Kind.QUEUED, queue="q_general"))
    assert not at.claims.claim(CALL, "13800138000", by="caller")


@pytest.mark.parametrize("source", ["live", "110_diversion"])
def test_who_was_diverted_by_110_and_is_called_back_is_not_sent_back_there_by_the_dialplan_either(
    source: str,
) -> None:
    at = desk()
    begun: dict[str, Any] = {"caller": sealed("13800138000"), "source": source, "line_id": "tax"}
    at.calls.record(event(CALL, 0, Kind.CALL_STARTED, **begun))
    at.calls.record(event(CALL, 0, Kind.QUEUED, queue="q_general"))
    at.claims.claim(CALL, "13800138000", by="caller")
    at.man("01")
    asyncio.run(at.desk.align())
    (originated,) = [headers for name, headers in at.link.asked if name == "Originate"]
    assert f"__IVR_SOURCE={source}" in originated["Variable"]
    assert "__IVR_LINE=tax" in originated["Variable"], "help is told which line it was"


def word(**headers: str) -> Message:
    return Message(
        "Event: UserEvent\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    )


def test_the_alarm_of_a_message_goes_when_its_caller_has_talked_to_somebody() -> None:
    at = desk()
    raised: list[tuple[str, ...]] = []
    cleared: list[tuple[str, str]] = []
    watch = Unattended(
        small_book,
        at.calls,
        cast(Seating, None),
        AsteriskFloor(cast(Link, None)),
        at.clock,
        20,
        lambda *said: raised.append(said),
    )
    watch.over = lambda alarm, about: cleared.append((alarm, about))
    watch.cannot_call = at.claims.cannot_call
    at.waits(CALL, "13800138000")
    at.waits("a1-2.2", "anonymous")
    for call_id in (CALL, "a1-2.2"):
        watch.hear_word(MessageBegun(call_id, "/r/m"))
    assert [(said[0], said[1]) for said in raised] == [("voicemail", CALL), ("voicemail", "a1-2.2")]
    assert "30 minutes" in raised[0][2]
    assert "cannot be called back" in raised[1][2]
    watch.on_event(event(CALL, 90, Kind.CALLBACK_FAILED, reason="not reached in 2 tries"))
    assert cleared == []
    watch.on_event(event(CALL, 90, Kind.CALLBACK_ANSWERED))
    assert cleared == [("voicemail", CALL)]


def test_only_those_who_waited_alone_for_long_enough_are_sent_to_the_message() -> None:
    at = desk()
    at.waits(CALL, "13800138000", 0)
    at.waits("a1-2.2", "13800138001", 15)
    calls = at.calls.open()

    def alone(empty_since: float, now: float) -> list[str]:
        return [call.call_id for call in left_alone(calls, {"q_general": T0 + empty_since}, T0 + now, 20)]

    assert alone(-100, 19) == []
    assert alone(-100, 20) == [CALL]
    assert alone(-100, 35) == [CALL, "a1-2.2"]
    assert alone(10, 29) == [], "somebody was there until a moment ago"
    assert left_alone(calls, {"q_market": T0}, T0 + 99, 20) == []
