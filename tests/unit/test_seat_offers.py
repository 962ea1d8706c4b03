"""How a ring at a seat ended: what Asterisk 22.10.1 tells, message by message, of phones that do different things."""

from __future__ import annotations

import pytest

from ivr.asterisk.ami.codec import Message
from ivr.asterisk.facts.queue_events import translate
from ivr.asterisk.facts.seat_offers import Offered, Outcome, SeatOffers
from tests.unit.kit import T0

SEAT, CALL = "PJSIP/seat01-00000001", "a1-1795296848.3"
REFUSALS = [(486, 17), (480, 19), (603, 21), (488, 58), (600, 17), (404, 1), (500, 38), (503, 34), (415, 127)]


def told(name: str, after: float = 0.0, **headers: str) -> Message:
    lines = {"Event": name, "Timestamp": f"{T0 + after}"} | headers
    return Message("\r\n".join(f"{key.replace('_', '-')}: {value}" for key, value in lines.items()))


def about_a_ring(name: str, after: float = 0.0) -> Message:
    return told(
        name, after, Channel="PJSIP/trunk-00000000", Uniqueid=CALL, Linkedid=CALL, DestChannel=SEAT,
        Interface="PJSIP/seat01", Queue="q_general",
    )  # fmt: skip


def ended(after: float, cause: int, status: int | None) -> Message:
    tech = {} if status is None else {"TechCause": str(status)}
    return told("Hangup", after, Channel=SEAT, Linkedid=CALL, Cause=str(cause), Cause_txt="why", **tech)


def ring(offers: SeatOffers, *rest: Message) -> Offered | None:
    """Let a seat ring; return the one ending that is told."""
    heard = [offers.hear(message) for message in (about_a_ring("AgentCalled"), *rest)]
    endings = [one for one in heard if one is not None]
    assert len(endings) <= 1
    return endings[0] if endings else None


@pytest.mark.parametrize(("status", "cause"), REFUSALS)
def test_a_phone_that_refuses_is_known_whatever_it_says(status: int, cause: int) -> None:
    offers = SeatOffers()
    seen = ring(offers, about_a_ring("AgentRingNoAnswer"), ended(0, cause, status))
    assert seen == Offered("seat01", Outcome.REFUSED, f"SIP {status}")
    assert offers.in_vain == {"seat01"}


def test_a_phone_that_forwards_its_calls_refuses_and_the_caller_is_known_to_wait_again() -> None:
    seen = ring(SeatOffers(), ended(0, 23, 302))
    assert seen is not None
    assert (seen.outcome, seen.status) == (Outcome.REFUSED, "SIP 302")
    assert seen.untold is not None, "Asterisk tells of no AgentRingNoAnswer"
    again = translate(seen.untold)
    assert again is not None
    assert (again.call_id, again.what, again.data["seat_user"]) == (CALL, "seat_no_answer", "seat01")


def test_a_phone_that_rings_and_nobody_comes_refuses_nothing() -> None:
    offers = SeatOffers()
    seen = ring(offers, about_a_ring("AgentRingNoAnswer", 15), ended(15, 0, None))
    assert seen == Offered("seat01", Outcome.RANG)
    assert offers.in_vain == {"seat01"}
    offers.hear(about_a_ring("AgentCalled"))
    assert offers.in_vain == set(), "it rings again"


@pytest.mark.parametrize("rest", [[ended(0.3, 0, None)], [ended(0.3, 26, None)], [ended(0.3, 0, 487)]])
def test_a_caller_who_hangs_up_while_it_rings_says_nothing_of_the_phone(rest: list[Message]) -> None:
    offers = SeatOffers()
    assert ring(offers, *rest) is None
    assert offers.in_vain == set()


def test_an_answer_is_an_answer_and_the_end_of_the_talk_is_no_refusal() -> None:
    offers = SeatOffers()
    assert ring(offers, about_a_ring("AgentConnect", 3)) == Offered("seat01", Outcome.ANSWERED)
    assert offers.hear(ended(60, 16, 486)) is None


def test_an_older_asterisk_tells_a_refusal_by_its_cause() -> None:
    assert ring(SeatOffers(), about_a_ring("AgentRingNoAnswer"), ended(0, 17, None)) == Offered(
        "seat01", Outcome.REFUSED, "why"
    )


def test_after_a_log_in_nothing_is_believed_of_rings_before_it() -> None:
    offers = SeatOffers()
    assert ring(offers, told("FullyBooted"), ended(0, 17, 486)) is None
