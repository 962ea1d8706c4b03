"""The forecast gives the published figures again, and tells what a roster changes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from ivr.reports.charts import scale_to
from ivr.reports.erlang import Load, performance, stable
from ivr.reports.load_profile import BUILT_IN
from ivr.reports.staffing import (
    Demand,
    DutyPlan,
    Forecast,
    StaffingRefused,
    Targets,
    effect,
    forecast,
    needed,
    needs,
)
from ivr.reports.staffing_page import effect_table, page

POINT = 0.005
"""Half a percentage point."""


def day(calls: float, on_duty: str, aht: float, patience: float = 90) -> Forecast:
    return forecast(Demand(calls, aht, patience, BUILT_IN), DutyPlan.of_shifts(on_duty))


# calls, on duty, AHT: connection, 15 s of offered, mean wait; busy hour: connection, 15 s, occupancy
PUBLISHED = [
    (114, "6/6/6", 300, 1.0, 1.0, 0.0, 1.0, 1.0, 0.145),
    (114, "4/4/4", 300, 0.998, 0.996, 0.2, 0.995, 0.990, 0.216),
    (114, "24/24/24", 300, 1.0, 1.0, 0.0, 1.0, 1.0, 0.036),
    (342, "4/4/4", 300, 0.948, 0.910, 4.7, 0.887, 0.807, 0.577),
    (342, "6/6/6", 300, 0.994, 0.988, 0.5, 0.982, 0.965, 0.426),
    (1562, "6/6/6", 210, 0.824, 0.650, 15.9, 0.660, 0.360, 0.917),
    (1562, "9/6/3", 210, 0.915, 0.814, 7.6, 0.873, 0.706, 0.807),
    (1562, "6/6/6", 300, 0.681, 0.457, 28.7, 0.488, 0.181, 0.967),
    (1562, "24/24/24", 210, 1.0, 1.0, 0.0, 1.0, 1.0, 0.347),
    (1562, "24/24/24", 300, 1.0, 1.0, 0.0, 1.0, 1.0, 0.495),
    (1562, "24/16/6", 300, 0.998, 0.996, 0.2, 1.0, 0.999, 0.495),
    (3704, "24/24/24", 210, 0.993, 0.980, 0.6, 0.969, 0.908, 0.797),
    (3704, "24/24/24", 300, 0.939, 0.839, 5.5, 0.809, 0.514, 0.950),
]


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row[0]} calls, {row[1]}, {row[2]} s")
def test_every_published_day_comes_out_within_half_a_point(row: tuple[float, ...]) -> None:
    calls, on_duty, aht, connected, in_time, wait, busy_connected, busy_in_time, busy_occupancy = row
    expected = day(calls, str(on_duty), aht)
    busy = expected.hours[10]
    assert expected.day.connection_rate == pytest.approx(connected, abs=POINT)
    assert expected.day.answered_15s_of_offered == pytest.approx(in_time, abs=POINT)
    assert expected.day.mean_wait_s == pytest.approx(wait, abs=0.1)
    assert busy.connection_rate == pytest.approx(busy_connected, abs=POINT)
    assert busy.answered_15s_of_offered == pytest.approx(busy_in_time, abs=POINT)
    assert busy.occupancy == pytest.approx(busy_occupancy, abs=POINT)


def test_the_day_has_the_published_shape() -> None:
    weights = BUILT_IN.weights
    assert sum(weights) == pytest.approx(1)
    assert max(range(24), key=weights.__getitem__) == 10
    assert weights[10] == pytest.approx(0.091, abs=0.0005)
    assert weights[13] < weights[14] > weights[15]  # the second peak, 14-15
    shifts = (sum(weights[8:16]), sum(weights[16:]), sum(weights[:8]))
    assert shifts == pytest.approx((0.571, 0.357, 0.072), abs=0.0006)


@pytest.mark.parametrize(
    ("calls", "aht", "busy_calls", "erlangs"),
    [(1562, 210, 143, 8.33), (1562, 300, 143, 11.89), (3704, 210, 338, 19.74), (3704, 300, 338, 28.20)],
)
def test_the_busy_hour_has_the_published_load(
    calls: float, aht: float, busy_calls: float, erlangs: float
) -> None:
    busy = Demand(calls, aht, 90, BUILT_IN).load(10)
    assert busy.calls_per_hour == pytest.approx(busy_calls, abs=0.6)
    assert busy.erlangs == pytest.approx(erlangs, abs=0.03)


def test_without_hanging_up_the_queues_grow_in_the_published_hours() -> None:
    small, large = Demand(1562, 210, 90, BUILT_IN), Demand(3704, 300, 90, BUILT_IN)
    assert sum(not stable(small.load(hour), 6) for hour in range(24)) == 7
    assert [hour for hour in range(24) if not stable(large.load(hour), 24)] == [9, 10]


def test_erlang_c_gives_the_published_figures_of_the_larger_city() -> None:
    expected = day(3704, "24/24/24", 210, math.inf)
    assert expected.day.answered_15s_of_offered == pytest.approx(0.960, abs=POINT)
    assert expected.day.mean_wait_s == pytest.approx(2.5, abs=0.1)
    busy = expected.hours[10]
    assert busy.answered_15s_of_offered == pytest.approx(0.801, abs=POINT)
    assert busy.mean_wait_s == pytest.approx(13.3, abs=0.3)
    assert busy.occupancy == pytest.approx(0.822, abs=POINT)


@pytest.mark.parametrize(
    ("calls", "aht", "shifts", "hours"),
    [
        (114, 210, (2, 2, 1), None),
        (114, 300, (3, 2, 2), None),
        (1562, 210, (12, 9, 5), 152),
        (1562, 300, (16, 13, 6), 204),
        (3704, 210, (24, 19, 9), None),
        (3704, 300, (34, 26, 12), None),
    ],
)
def test_the_needed_people_are_the_published_ones(
    calls: float, aht: float, shifts: tuple[int, int, int], hours: int | None
) -> None:
    found = [people or 0 for people in needs(Demand(calls, aht, math.inf, BUILT_IN))]
    assert (max(found[8:16]), max(found[16:]), max(found[:8])) == shifts
    assert hours is None or sum(found) == hours


@pytest.mark.parametrize(
    ("calls", "aht", "people"), [(1562, 210, 14), (1562, 300, 19), (3704, 210, 28), (3704, 300, 37)]
)
def test_the_busy_hour_needs_the_published_people_for_95_percent_in_15_s(
    calls: float, aht: float, people: int
) -> None:
    load = Demand(calls, aht, math.inf, BUILT_IN).load(10)
    assert needed(load, Targets(answered_15s=0.9495)) == people  # the last of them has 94.97 %


@pytest.mark.parametrize(
    ("on_duty", "aht", "calls"),
    [
        ("4/4/4", 210, 503), ("4/4/4", 300, 334), ("6/6/6", 210, 925), ("6/6/6", 300, 623),
        ("9/6/3", 210, 1311), ("9/6/3", 300, 887), ("24/24/24", 210, 5122), ("24/24/24", 300, 3535),
        ("24/16/6", 210, 4388), ("24/16/6", 300, 3018),
    ],
)  # fmt: skip
def test_a_pattern_of_shifts_carries_the_published_number_of_calls(
    on_duty: str, aht: float, calls: float
) -> None:
    def carried(share: float) -> bool:
        figures = day(calls * share, on_duty, aht).day
        return figures.connection_rate >= 0.95 and figures.answered_15s_of_offered >= 0.8

    assert carried(0.995)
    assert not carried(1.007)


@pytest.mark.parametrize(
    ("on_duty", "aht", "calls", "hour"),
    [
        ("6/6/6", 210, 679, 10), ("6/6/6", 300, 456, 10), ("24/24/24", 210, 3978, 10),
        ("24/24/24", 300, 2739, 10), ("24/16/6", 210, 2198, 7), ("24/16/6", 300, 1481, 7),
    ],
)  # fmt: skip
def test_the_weakest_hour_fails_first_at_the_published_number_of_calls(
    on_duty: str, aht: float, calls: float, hour: int
) -> None:
    rates = [figures.connection_rate for figures in day(calls, on_duty, aht).hours]
    assert min(range(24), key=rates.__getitem__) == hour
    assert min(rates) == pytest.approx(0.95, abs=0.001)


def test_the_day_is_the_sum_of_its_calls_and_not_the_mean_of_its_hours() -> None:
    expected = day(1562, "6/6/6", 210)
    calls = sum(figures.calls for figures in expected.hours)
    answered = sum(figures.calls * figures.connection_rate for figures in expected.hours)
    assert calls == pytest.approx(1562)
    assert expected.day.connection_rate == pytest.approx(answered / calls)
    mean = sum(figures.connection_rate for figures in expected.hours) / 24
    assert abs(mean - expected.day.connection_rate) > 0.02


def test_the_document_has_the_fields_other_systems_rely_on() -> None:
    document = day(1562, "9/6/3", 210).document()
    shares = {
        "connection_rate", "answered_15s_of_offered", "answered_15s_of_answered", "mean_wait_s", "occupancy",
    }  # fmt: skip
    found, hours = document["day"], document["hours"]
    assert isinstance(found, dict)
    assert isinstance(hours, list)
    assert shares <= set(found)
    assert [hour["hour"] for hour in hours] == list(range(24))
    assert all(shares | {"calls", "on_duty"} <= set(hour) for hour in hours)
    assert [hour["on_duty"] for hour in hours] == [3] * 8 + [9] * 8 + [6] * 8


def test_a_shift_that_begins_at_half_past_counts_half_in_its_hour() -> None:
    def people_at(at: datetime) -> int:
        return 6 if (at.hour, at.minute) < (7, 30) else 9

    plan = DutyPlan.of_people(people_at, date(2026, 11, 23), ZoneInfo("Asia/Shanghai"))
    assert [plan.of_hour(hour) for hour in (6, 7, 8)] == [6, 7.5, 9]
    demand = Demand(3000, 210, 90, BUILT_IN)
    seven = forecast(demand, plan).hours[7]
    halves = [performance(demand.load(7), people).connection_rate for people in (6, 9)]
    assert seven.connection_rate == pytest.approx(sum(halves) / 2)


def test_a_person_on_two_shifts_at_once_is_counted_once() -> None:
    @dataclass(frozen=True)
    class Shift:
        operators: tuple[str, ...]

    class Week:
        def on_duty(self, at: datetime) -> tuple[Shift, ...]:
            return (Shift(("1001", "1002")), Shift(("1002", "1003"))) if at.hour == 8 else ()

    plan = DutyPlan.of_roster(Week(), date(2026, 11, 23), ZoneInfo("Asia/Shanghai"))
    assert [plan.of_hour(hour) for hour in (7, 8, 9)] == [0, 3, 0]


def test_a_roster_is_asked_in_the_citys_own_time() -> None:
    asked: list[datetime] = []

    def people_at(at: datetime) -> int:
        asked.append(at)
        return 1

    DutyPlan.of_people(people_at, date(2026, 11, 23), ZoneInfo("Asia/Shanghai"))
    assert asked[0].astimezone(UTC) == datetime(2026, 11, 22, 16, tzinfo=UTC)
    assert len(asked) == 96


@pytest.mark.parametrize("text", ["6/6", "6/6/x", "6/6/-1", "", "6/6/1001", "6/6/٣"])
def test_a_plan_that_is_none_is_refused_in_both_languages(text: str) -> None:
    with pytest.raises(StaffingRefused) as refused:
        DutyPlan.of_shifts(text)
    assert refused.value.zh != refused.value.sentence


def test_one_person_fewer_than_needed_misses_a_target() -> None:
    for load in (Load(142, 210, 90), Load(338, 300, 90), Load(3, 300, 90)):
        people = needed(load)
        assert people is not None
        assert Targets().met(performance(load, people))
        assert people == 1 or not Targets().met(performance(load, people - 1))


def test_what_no_number_of_people_can_do_is_said() -> None:
    assert needed(Load(100_000, 300, 90), most=100) is None


def test_the_better_use_of_the_same_people_is_shown_as_a_change() -> None:
    rows = {row.name: row for row in effect(day(1562, "6/6/6", 210), day(1562, "9/6/3", 210))}
    assert rows["connection rate"].cells() == ("82.4%", "91.5%", "+9.1")
    assert rows["hours on duty"].cells() == ("144.0 h", "144.0 h", "+0.0")
    assert rows["connection rate, worst hour"].after > rows["connection rate, worst hour"].before
    html = effect_table(list(rows.values()))
    assert "+9.1" in html
    assert "人工接通率" in html


def test_the_page_needs_nothing_from_outside_and_speaks_both_languages() -> None:
    expected = day(1562, "6/6/6", 210)
    changes = effect(expected, day(1562, "9/6/3", 210))
    text = page(expected, city="<b>乐山市", needed=needs(expected.demand), changes=changes)
    assert "<b>乐山" not in text  # names are text, never markup
    assert "&lt;b&gt;乐山市" in text
    outside = text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not any(word in outside for word in ("http", "<script", "<link", "@import", "url("))
    assert text.count("<svg") == 2
    assert "82.4%" in text
    assert "人工接通率" in text
    assert "on duty" in text


def test_a_page_of_a_day_without_calls_or_people_can_be_drawn() -> None:
    demand = Demand(0, 210, 90, BUILT_IN)
    text = page(forecast(demand, DutyPlan.of_shifts("0/0/0")))
    assert "100.0%" in text
    assert "nan" not in text


@pytest.mark.parametrize("most", [0.5, 1, 6, 24, 142.8, 338, 5000])
def test_an_axis_holds_its_highest_value_and_wastes_less_than_half(most: float) -> None:
    scale = scale_to(most)
    assert scale.high >= most
    assert scale.high < 2 * max(most, 5)


def test_nobody_on_duty_answers_nobody_in_time() -> None:
    figures = day(114, "0/0/0", 210).day
    assert (figures.connection_rate, figures.answered_15s_of_answered, figures.occupancy) == (0, 0, 0)
    assert replace(figures, calls=0).answered_15s_of_answered == 1
