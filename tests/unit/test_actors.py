"""Who did what is told: an operator, the caller, the third party, an administrator, or nobody."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from ivr.asterisk.facts.queue_events import translate
from ivr.calls.intake import Listener
from ivr.events.actors import actor_of, operator
from ivr.events.event import Event
from ivr.events.kinds import Kind
from ivr.seats.log_in import Seating
from ivr.transfers.open_transfers import OpenTransfers
from tests.unit.callback_kit import CALL, desk
from tests.unit.kit import Clock, Journal, calls_of, event, small_book
from tests.unit.test_queue_events import message


@pytest.mark.parametrize(
    ("by", "actor"),
    [
        ("seat 01", "operator:1001"),
        ("caller", "caller"),
        ("administrator", "administrator"),
        ("deadline", "engine"),
        ("119 is called", "engine"),
        ("", "engine"),
    ],
)
def test_a_word_of_who_did_it_names_the_actor(by: str, actor: str) -> None:
    assert actor_of(by, "1001") == actor


def test_where_nobody_is_known_it_was_the_engine() -> None:
    assert (operator(None), operator(""), actor_of("seat 09", None)) == ("engine", "engine", "engine")


async def test_a_seat_s_journal_names_the_operator_and_who_commands_from_the_machine() -> None:
    journal = Journal()
    calls = calls_of(journal)

    async def align(_: Collection[str]) -> None:
        return

    seating = Seating(small_book, calls, align, Clock())
    seating.known = True
    await seating.log_in("01", "1001", by="seat 01")
    await seating.pause("01", "2", by="seat 01")
    await seating.resume("01", by="administrator")
    await seating.log_in("02", "1001", by="seat 02")
    await seating.log_out("02", by="seat 02")
    assert [(one.kind.value, one.actor) for one in journal.events] == [
        ("logged_in", "operator:1001"),
        ("paused", "operator:1001"),
        ("resumed", "administrator"),
        ("logged_out", "operator:1001"),
        ("logged_in", "operator:1001"),
        ("logged_out", "operator:1001"),
    ]


def test_a_callback_is_claimed_by_the_caller_unless_they_just_gave_up() -> None:
    at = desk()
    at.waits(CALL, "13800138000")
    at.claims.claim(CALL, "13800138000", by="caller")
    at.gives_up("a1-2.2", "13900139000")
    claimed = [one for one in at.journal.events if one.kind is Kind.CALLBACK_CLAIMED]
    assert [(one.data["by"], one.actor) for one in claimed] == [("caller", "caller"), ("missed", "engine")]


@pytest.mark.parametrize(
    ("kind", "data", "actor"),
    [
        (Kind.TRANSFER_CANCELLED, {"by": "seat 01"}, "operator:1001"),
        (Kind.TRANSFER_COMPLETED, {"by": "deadline"}, "engine"),
        (
            Kind.TRANSFER_WANTED,
            {"n": 1, "target": "unit:water", "by": "administrator", "routes": []},
            "administrator",
        ),
        (Kind.HELP_WANTED, {"target": "110", "by": "caller"}, "caller"),
        (Kind.EMERGENCY_FAILED, {"target": "110", "by": "caller"}, "engine"),
        (Kind.THIRD_ACCEPTED, {"target": "unit:water", "channel": "x"}, "third"),
        (Kind.THIRD_REFUSED, {"target": "unit:water", "reason": "refused"}, "third"),
        (Kind.THIRD_REFUSED, {"target": "unit:water", "reason": "no_answer"}, "engine"),
        (Kind.TAKEN_OVER, {"seat": "02", "operator": "1002", "channel": "x"}, "operator:1002"),
        (Kind.CALLER_HELD, {}, "engine"),
    ],
)
def test_a_three_way_call_s_journal_names_who_wanted_what(
    kind: Kind, data: dict[str, object], actor: str
) -> None:
    journal = Journal()
    calls = calls_of(journal)
    calls.record(event(CALL, 0, "call_started"))
    calls.record(event(CALL, 5, "answered", seat="01", operator="1001", channel="PJSIP/seat01-2"))
    OpenTransfers(calls, Clock()).tell(CALL, kind, **data)
    assert journal.events[-1].actor == actor


def test_who_answers_and_who_hangs_up_first_is_told() -> None:
    journal = Journal()
    calls = calls_of(journal)
    calls.record(Event("seat:01", 1.0, Kind.LOGGED_IN, {"operator": "1001"}))
    listener, seat = Listener(small_book, calls), {"Queue": "q_general", "DestChannel": "PJSIP/seat01-4"}
    messages = [
        message("QueueCallerJoin", Queue="q_general", Position="1"),
        message("AgentConnect", HoldTime="7", **seat),
    ]
    messages += [
        message("AgentComplete", TalkTime="9", Reason=why, **seat) for why in ("agent", "caller", "transfer")
    ]
    for told in map(translate, messages):
        assert told is not None
        listener.hear(told)
    assert [one.actor for one in journal.events[1:]] == [
        "engine",
        "operator:1001",
        "operator:1001",
        "caller",
        "engine",
    ]
