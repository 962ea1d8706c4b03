"""A simulated day is decided by the live code, loses no call and agrees with the theory."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from ivr.calls import reception
from ivr.calls.open_calls import CallBook
from ivr.calls.states import CALL_TRANSITIONS, CallState
from ivr.events.event import Event, Kind
from ivr.hotline.book import Operator, QueueKind, QueueSpec
from ivr.hotline.files.reading import load
from ivr.reports import simulation
from ivr.reports.load_profile import BUILT_IN
from ivr.reports.simulated_queue import LOOK_S, at_once
from ivr.reports.simulation import Runs, Scenario, SimulatedDay, percentile, scenario, simulate, with_people
from ivr.reports.staffing import Demand, DutyPlan, forecast
from ivr.seats.log_in import SeatingRefused
from ivr.tickets.numbers import is_valid
from tests.unit.kit import small_book

pytestmark = pytest.mark.slow

SHIPPED = load(Path(__file__).parents[2] / "queues")


def a_day(calls: float, on_duty: str, aht: float = 210, **changes: float) -> Scenario:
    demand = Demand(calls, aht, 90, BUILT_IN)
    return replace(scenario(SHIPPED, demand, DutyPlan.of_shifts(on_duty)), **changes)  # type: ignore[arg-type]


@cache
def lived(calls: float, on_duty: str, aht: float, seeds: int) -> Runs:
    day = a_day(calls, on_duty, aht)
    return Runs(tuple(simulate(day, seed) for seed in range(seeds)))


@pytest.mark.parametrize(
    ("calls", "on_duty", "aht"),
    [(3704, "24/24/24", 300), (1562, "6/6/6", 210), (342, "4/4/4", 300)],
)
def test_twenty_days_connect_as_many_callers_as_the_theory_says(
    calls: float, on_duty: str, aht: float
) -> None:
    expected = forecast(Demand(calls, aht, 90, BUILT_IN), DutyPlan.of_shifts(on_duty)).day
    found = lived(calls, on_duty, aht, 20).day
    assert found.connection_rate == pytest.approx(expected.connection_rate, abs=0.01)
    assert found.occupancy == pytest.approx(expected.occupancy, abs=0.01)
    assert found.answered_15s_of_offered == pytest.approx(expected.answered_15s_of_offered, abs=0.015)
    assert found.calls / 20 == pytest.approx(calls, rel=0.03)


def test_every_call_has_exactly_one_numbered_ticket_and_an_outcome() -> None:
    day = simulate(a_day(3704, "24/24/24", 300), 7)
    assert len(day.tickets) == day.day.calls > 3000
    assert all(is_valid(number) for number in day.tickets)
    assert {ticket["outcome"] for ticket in day.tickets.values()} == {"answered", "abandoned"}
    assert len({ticket["call_id"] for ticket in day.tickets.values()}) == len(day.tickets)
    assert day.abandoned + day.day.answered == day.day.calls
    assert {ticket["line_id"] for ticket in day.tickets.values()} > {None}  # some dialled a line's number


def test_the_same_seed_gives_the_same_day_and_another_seed_another() -> None:
    day = a_day(300, "4/4/4")
    assert simulate(day, 3) == simulate(day, 3)
    assert simulate(day, 3).waits != simulate(day, 4).waits


def test_no_event_is_one_that_the_state_tables_do_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[Event] = []
    kinds: set[str] = set()
    record = CallBook.record

    def watched(self: CallBook, event: Event) -> bool:
        allowed = record(self, event)
        kinds.add(event.kind)
        if not allowed:
            refused.append(event)
        return allowed

    monkeypatch.setattr(CallBook, "record", watched)
    simulate(a_day(1562, "6/6/6"), 1)
    assert refused == []
    moves = set(CALL_TRANSITIONS[CallState.WAITING]) | {
        Kind.LOGGED_IN,
        Kind.WRAP_UP_STARTED,
        Kind.WRAP_UP_ENDED,
    }
    assert moves - {Kind.VOICEMAIL_LEFT, Kind.CALLBACK_CLAIMED, Kind.HANDED_OFF} <= kinds


def test_reception_itself_decides_where_a_simulated_call_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    decided: list[str] = []
    place = reception.place

    def watched(arrival: reception.Arrival, *rest: object) -> reception.Placement:
        decided.append(arrival.call_id)
        return place(arrival, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(reception, "place", watched)
    day = simulate(a_day(200, "4/4/4"), 1)
    assert len(decided) == day.day.calls > 100


def test_a_call_from_110_is_answered_before_those_who_wait_longer() -> None:
    day = simulate(a_day(5000, "24/24/24", 300, diverted_share=0.1), 2)
    waits: dict[str, list[float]] = {"live": [], "110_diversion": []}
    for ticket in day.tickets.values():
        waits[ticket["source"]].append(ticket["waited_s"])
    assert len(waits["110_diversion"]) > 100
    means = {source: sum(values) / len(values) for source, values in waits.items()}
    assert means["110_diversion"] < means["live"] / 2


def test_with_nobody_on_duty_every_caller_gives_up_and_has_a_ticket() -> None:
    day = simulate(a_day(200, "0/0/0"), 1)
    assert day.day.answered == 0
    assert day.abandoned == len(day.tickets) == day.day.calls
    assert day.waits == ()


def test_a_day_without_calls_is_lived_too() -> None:
    day = simulate(a_day(0, "4/4/4"), 1)
    assert (day.day.calls, len(day.tickets)) == (0, 0)
    document = Runs((day,)).document(DutyPlan.of_shifts("4/4/4"))
    assert isinstance(document["hours"], list)


def _taken(day: SimulatedDay) -> dict[str, int]:
    seats = [ticket["seat"] for ticket in day.tickets.values() if ticket["seat"]]
    return {seat: seats.count(seat) for seat in set(seats)}


@pytest.mark.parametrize("strategy", ["rrmemory", "leastrecent", "fewestcalls", "random", "ringall"])
def test_every_strategy_of_the_book_shares_the_calls_out(strategy: str) -> None:
    queues = tuple(replace(queue, strategy=strategy) for queue in SHIPPED.queues)
    day = a_day(300, "6/6/6", 120)
    counts = _taken(simulate(replace(day, book=replace(day.book, queues=queues)), 5))
    assert len(counts) == 6
    assert max(counts.values()) < 2 * min(counts.values())


def test_the_night_is_answered_by_the_people_of_the_night() -> None:
    day = simulate(a_day(3000, "12/8/2"), 1)
    by_hour: dict[int, set[str]] = {}
    for ticket in day.tickets.values():
        if ticket["operator"]:
            hour = int((ticket["opened_at"] + 8 * 3600) % 86400 // 3600)
            by_hour.setdefault(hour, set()).add(ticket["operator"])
    assert len(by_hour[5]) == 2
    assert len(by_hour[10]) == 12
    assert len(by_hour[20]) == 8


def test_seats_and_people_that_the_book_lacks_are_added_and_none_is_taken_away() -> None:
    book = small_book()
    more = with_people(book, 40)
    assert len(more.seats) == len(more.operators) == 40
    assert more.seats[:3] == book.seats
    assert with_people(book, 2) == book


def test_callers_of_a_queue_that_nobody_serves_wait_in_vain() -> None:
    book = small_book(operators=())
    day = scenario(book, Demand(100, 210, 90, BUILT_IN), DutyPlan.of_shifts("2/2/2"))
    idle = replace(day, book=replace(day.book, operators=()))
    assert simulate(idle, 1).day.answered == 0


def expert_day(own: tuple[Operator, ...], calls: float = 60) -> Scenario:
    """A day on which everybody calls a line with an expert queue that the general one helps after 10 s."""
    expert = QueueSpec(
        "q_market", "市场监管", kind=QueueKind.EXPERT, overflow_to="q_general", overflow_after_s=10
    )
    general = Operator("1001", "话务员01", ("q_general",))
    book = small_book(
        lines=(replace(small_book().lines[0], queue="q_market"),),
        queues=(small_book().queues[0], expert),
        operators=(general, *own),
    )
    people = len(book.operators)
    day = scenario(
        book, Demand(calls, 210, 10_000, BUILT_IN), DutyPlan.of_shifts("/".join([str(people)] * 3))
    )
    return replace(day, book=book, line_share=1.0)


def test_helpers_answer_an_expert_queue_only_after_its_own_people_had_their_seconds() -> None:
    day = simulate(expert_day((Operator("1002", "话务员02", ("q_market",)),)), 1)
    waits: dict[str, list[float]] = {"1001": [], "1002": []}
    for ticket in day.tickets.values():
        waits[ticket["operator"]].append(ticket["waited_s"])
    assert len(waits["1001"]) > 3, "the expert was busy now and then"
    assert min(waits["1001"]) >= 10, "somebody of the general queue helped, and not before it was time"
    assert min(waits["1002"]) < 2, "the expert answers at once"


def test_callers_of_an_expert_queue_without_people_go_to_the_general_one_at_once() -> None:
    day = simulate(expert_day((), calls=20), 1)
    assert {ticket["queue"] for ticket in day.tickets.values()} == {"q_general"}
    assert min(day.waits) < 1 + LOOK_S
    assert day.day.answered == day.day.calls


def test_a_decision_that_waits_is_noticed_and_not_skipped() -> None:
    class Pending:
        def __await__(self):  # type: ignore[no-untyped-def]
            yield None

    async def waits() -> None:
        await Pending()

    with pytest.raises(RuntimeError, match="waits for something"):
        at_once(waits())


def test_a_decision_that_is_refused_stays_refused() -> None:
    async def refuses() -> None:
        raise SeatingRefused("no", "不")

    with pytest.raises(SeatingRefused):
        at_once(refuses())


def test_nine_of_ten_waited_no_longer_than_the_ninetieth_percentile() -> None:
    assert percentile([float(n) for n in range(1, 11)], 0.9) == 9
    assert percentile([], 0.9) == 0
    assert simulation.percentile([4.0], 0.1) == 4
