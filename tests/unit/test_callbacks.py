"""Callbacks: claimed once, in order, two tries, and nobody's number is dialled that should not be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.calls import callback as rules
from ivr.calls.callback import CALLBACK_TRANSITIONS, Callback, CallbackState, Step, Waiting, place_of
from ivr.engine.engine import Engine
from ivr.events.event import Event, Kind
from ivr.home.secrets import open_keys
from ivr.hotline.book import Trunks
from ivr.hotline.telephone import NumberPlan
from ivr.queueing import announcements as queue_announcements
from ivr.queueing.callback_progress import caught_up, citizen_in
from tests.unit.kit import T0, event, small_book, told

S, K = CallbackState, Kind

ROWS = [
    (S.WAITING, K.CALLBACK_TRIED, S.CALLING),
    (S.WAITING, K.CALLBACK_FAILED, S.FAILED),
    (S.CALLING, K.CALLBACK_ANSWERED, S.TALKING),
    (S.CALLING, K.CALLBACK_UNREACHED, S.RESTING),
    (S.CALLING, K.CALLBACK_FAILED, S.FAILED),
    (S.RESTING, K.CALLBACK_TRIED, S.CALLING),
    (S.RESTING, K.CALLBACK_FAILED, S.FAILED),
    (S.TALKING, K.HUNG_UP, S.DONE),
]


def callback(state: CallbackState = S.WAITING, since: float = 0.0, **changes: object) -> Callback:
    one = Callback("a1-1.1", "q_general", 0, T0 + since, T0 + since, state=state, changed_at=T0 + since)
    for name, value in changes.items():
        setattr(one, name, value)
    return one


def test_the_table_has_just_the_rows_written_down_here() -> None:
    assert sorted(ROWS) == sorted(
        (state, kind, after) for state, row in CALLBACK_TRANSITIONS.items() for kind, after in row.items()
    )


@pytest.mark.parametrize("state", S)
@pytest.mark.parametrize("kind", K)
def test_a_callback_moves_as_its_table_says_and_not_otherwise(state: CallbackState, kind: Kind) -> None:
    one = callback(state)
    after = next((after for s, k, after in ROWS if (s, k) == (state, kind)), None)
    assert one.apply(Event("a1-1.1", T0 + 9, kind)) is (after is not None)
    assert one.state is (after or state)
    assert one.tries == (1 if kind is K.CALLBACK_TRIED and after else 0)


CLAIM = {"queue": "q_general", "since": T0 + 1, "caller": {"enc": "x", "hash": "h"}, "recording": "/r/a"}
BEGUN = [(0.0, "call_started", {"recording": "/r/a"}), (1.0, "queued", {"queue": "q_general"})]


def test_the_call_goes_on_when_the_caller_hangs_up_to_be_called_back() -> None:
    call = told("a1-1.1", [*BEGUN, (2.0, "callback_claimed", CLAIM), (3.0, "hung_up", {})])
    assert (call.state, call.outcome, call.ended_at) == ("callback", None, None)


def test_a_claim_is_taken_once() -> None:
    call = told(
        "a1-1.1",
        [*BEGUN, (2.0, "callback_claimed", CLAIM), (3.0, "callback_claimed", CLAIM | {"since": 9.0})],
    )
    assert call.callback is not None
    assert call.callback.since == T0 + 1


def test_a_talk_by_callback_is_an_answered_call_with_its_own_recording() -> None:
    call = told(
        "a1-1.1",
        [
            *BEGUN,
            (2.0, "callback_claimed", CLAIM),
            (3.0, "hung_up", {}),
            (9.0, "callback_tried", {"seat": "01", "operator": "1001"}),
            (12.0, "callback_answered", {"recording": "/r/a-callback1"}),
            (40.0, "operator_left", {}),
            (41.0, "hung_up", {}),
        ],
    )
    assert (call.state, call.outcome, call.seat, call.recording) == (
        "ended",
        "answered",
        "01",
        "/r/a-callback1",
    )
    assert (call.waited_s, call.talk_s) == (11.0, 28.0)


def test_who_cannot_be_reached_twice_leaves_a_callback_ticket() -> None:
    tries: list[tuple[float, str, dict[str, object]]] = [
        (9.0, "callback_tried", {}),
        (10.0, "callback_unreached", {}),
    ] * 2
    call = told(
        "a1-1.1",
        [*BEGUN, (2.0, "callback_claimed", CLAIM), *tries, (20.0, "callback_failed", {"reason": "x"})],
    )
    assert (call.state, call.outcome) == ("ended", "callback")


people = st.builds(Waiting, st.integers(0, 30), st.floats(0, 1000))


@given(st.lists(people), people)
def test_a_place_stands_behind_who_came_earlier_and_before_who_came_later(
    others: list[Waiting], mine: Waiting
) -> None:
    queue = sorted(others, key=lambda one: (-one.priority, one.since))
    place = place_of(mine.priority, mine.since, queue)
    before, behind = queue[: place - 1], queue[place - 1 :]
    assert all((-one.priority, one.since) < (-mine.priority, mine.since) for one in before)
    assert all((-one.priority, one.since) >= (-mine.priority, mine.since) for one in behind)


@given(st.lists(st.tuples(st.floats(0, 100), st.sampled_from(list(S)), st.booleans()), max_size=12))
def test_nobody_is_placed_twice_or_out_of_order(rows: list[tuple[float, CallbackState, bool]]) -> None:
    everybody = []
    for number, (since, state, _) in enumerate(rows):
        one = callback(state, since)
        one.call_id = f"c{number}"
        everybody.append(one)
    present = {f"c{number}" for number, row in enumerate(rows) if row[2]}
    todo = rules.due(everybody, present, T0 + 5000)
    placed = [entry.callback for entry in todo if entry.step is Step.PLACE]
    assert not {one.call_id for one in placed} & present
    assert len({one.call_id for one in placed}) == len(placed)
    assert [one.since for one in placed] == sorted(one.since for one in placed)
    assert all(one.state in (S.WAITING, S.RESTING) for one in placed)


def test_every_state_with_a_deadline_has_an_exit() -> None:
    late = T0 + rules.GIVEN_UP_AFTER_S + 1
    assert [(d.step) for d in rules.due([callback(S.WAITING)], set(), late)] == [Step.FAIL]
    assert [d.step for d in rules.due([callback(S.CALLING)], set(), T0 + 91)] == [Step.LOST]
    assert rules.due([callback(S.CALLING)], {"a1-1.1"}, late) == [], "a talk that is being set up goes on"
    assert rules.due([callback(S.RESTING, tries=1)], set(), T0 + 10) == []
    assert [d.step for d in rules.due([callback(S.RESTING, tries=1)], set(), T0 + 121)] == [Step.PLACE]
    assert [d.step for d in rules.due([callback(S.RESTING, tries=2)], set(), T0)] == [Step.FAIL]


@pytest.mark.parametrize(
    ("number", "dialled"),
    [
        ("13800138000", "13800138000"),
        ("+86 138-0013-8000", "13800138000"),
        ("083312345678", "083312345678"),
        ("+868332123456", "08332123456"),
        ("00862887654321", "02887654321"),
        ("+862123456", "08332123456"),
        ("8332123456", "08332123456"),
        ("013800138000", "13800138000"),
        ("sip:+8613800138000;cpc=ordinary@ims.example;user=phone", "13800138000"),
        ("+13800138000", ""),
        ("2345678", "2345678"),
        ("110", ""),
        ("12345", ""),
        ("008613800138000", "13800138000"),
        ("00012025550100", ""),
        ("16812345", ""),
        ("1380013800a", ""),
        ("13800138000@evil", ""),
        ("", ""),
        ("١٣٨٠٠١٣٨٠٠٠", ""),
    ],
)
def test_only_a_citizens_own_kind_of_number_is_called_back(number: str, dialled: str) -> None:
    assert NumberPlan("0833").diallable(number) == dialled


def test_a_citizen_is_the_same_person_with_and_without_the_country_code(tmp_path: Path) -> None:
    engine = cast("Engine", SimpleNamespace(keys=open_keys(tmp_path, (), ()), book=small_book()))
    numbers = ("13800138000", "+8613800138000", "8613800138000", "008613800138000")
    told_apart = {Engine.identify(engine, number)["hash"] for number in numbers}
    assert len(told_apart) == 1, "who called again and was answered is not called back any more"
    assert Engine.identify(engine, "13800138001")["hash"] not in told_apart
    assert Engine.identify(engine, "anonymous")["hash"] not in told_apart


@pytest.mark.parametrize(
    ("uri", "lab", "called"),
    [
        ("sip:127.0.0.1:5200", True, "sip:13800138000@127.0.0.1:5200"),
        ("sip:9@127.0.0.1:5200", True, "sip:913800138000@127.0.0.1:5200"),
        ("sip:10.0.0.1", True, ""),
        ("sip:10.0.0.1", False, "sip:13800138000@10.0.0.1"),
        ("sip:127.0.0.1.evil.example", True, ""),
        ("sip:127.0.0.1,evil", False, ""),
        ("sip:127.0.0.1:5200;x=1", True, ""),
        ("tel:110", False, ""),
    ],
)
def test_in_the_lab_nobody_is_called_but_ourselves(uri: str, lab: bool, called: str) -> None:
    trunks = replace(Trunks(), lab=lab, destinations={"callback": (uri,)})
    assert rules.destination(trunks, "13800138000") == called


def test_without_a_destination_no_callback_is_offered() -> None:
    assert not rules.offered(Trunks())
    assert queue_announcements.CALLBACK_OFFER not in queue_announcements.slots(60, offered=False)


@pytest.mark.parametrize(("after_s", "first"), [(60, 3), (20, 2), (61, 4), (600, 10)])
def test_the_offer_comes_when_the_queue_says(after_s: int, first: int) -> None:
    slots = queue_announcements.slots(after_s, offered=True)
    assert len(slots) == queue_announcements.SLOTS
    assert slots[0] == queue_announcements.EMERGENCY
    assert slots.index(queue_announcements.CALLBACK_OFFER) == first - 1


@pytest.mark.parametrize(
    ("state", "tries", "word", "present", "events"),
    [
        (S.WAITING, 0, "", True, []),
        (S.WAITING, 0, "1/CALLING", True, ["callback_tried"]),
        (S.WAITING, 0, "1/CALLING", False, ["callback_tried", "callback_unreached"]),
        (S.WAITING, 0, "1/BUSY", False, ["callback_tried", "callback_unreached"]),
        (S.WAITING, 0, "1/ANSWERED", True, ["callback_tried", "callback_answered"]),
        (S.WAITING, 0, "1/ANSWERED", False, ["callback_tried", "callback_answered", "hung_up"]),
        (S.CALLING, 1, "1/NOANSWER", True, ["callback_unreached"]),
        (S.RESTING, 1, "1/BUSY", False, []),
        (S.RESTING, 1, "2/BUSY", False, ["callback_tried", "callback_unreached"]),
        (S.TALKING, 1, "1/ANSWERED", True, []),
        (S.TALKING, 1, "1/ANSWERED", False, ["hung_up"]),
        (S.WAITING, 0, "7/BUSY", False, []),
        (S.WAITING, 0, "x", False, []),
        (S.CALLING, 1, "1/<script>", True, []),
    ],
)
def test_what_asterisk_did_while_the_engine_was_away_is_caught_up_once(
    state: CallbackState, tries: int, word: str, present: bool, events: list[str]
) -> None:
    one = callback(state, tries=tries)
    missed = caught_up(one, word, present=present)
    assert [kind.value for kind, _ in missed] == events
    for kind, data in missed:
        assert one.apply(Event("a1-1.1", T0, kind, data))
    assert caught_up(one, word, present=present) == []


def test_an_answer_that_nobody_heard_names_citizen_and_seat() -> None:
    citizen, seat = "PJSIP/ivr-callback-00000007", "PJSIP/seat01-00000006"
    one = callback(CallbackState.WAITING)
    for kind, data in caught_up(one, f"1/ANSWERED/{citizen}^{seat}", present=True):
        one.apply(Event("a1-1.1", T0, kind, data))
    assert (one.state, one.channel, one.seat_channel) == (CallbackState.TALKING, citizen, seat)
    assert citizen_in(f"1/ANSWERED/{citizen}^{seat}") == citizen
    one = callback(CallbackState.CALLING, tries=1)
    assert caught_up(one, f"1/NOTICE/{citizen}^{seat}", present=True) == [], "the talk has not begun"
    gone = caught_up(one, f"1/NOTICE/{citizen}^{seat}", present=False)
    assert [kind.value for kind, _ in gone] == ["callback_answered", "hung_up"]
    assert citizen_in("1/ANSWERED") == ""


def test_a_score_after_the_end_still_reaches_the_ticket() -> None:
    call = told("a1-1.1", [*BEGUN, (2.0, "answered", {}), (5.0, "hung_up", {})])
    call.apply(event("a1-1.1", 9.0, K.SURVEYED, score=5))
    assert call.satisfaction == 5
    call.apply(event("a1-1.1", 9.0, K.SURVEYED, score="6"))
    assert call.satisfaction is None


def test_a_message_makes_a_voicemail_and_going_back_to_the_queue_does_not() -> None:
    left = [*BEGUN, (9.0, "voicemail_left", {"message": "/r/a-message"})]
    assert told("a1-1.1", [*left, (30.0, "hung_up", {})]).outcome == "voicemail"
    back = [*left, (12.0, "queued", {"queue": "q_general"})]
    assert told("a1-1.1", [*back, (30.0, "hung_up", {})]).outcome == "abandoned"
