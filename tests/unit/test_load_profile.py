"""A city's own calls shape its day; a few calls do not bend it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.reports.load_profile import BUILT_IN, ProfileRefused, from_calls, of_text, of_weights

SHANGHAI = ZoneInfo("Asia/Shanghai")
MIDNIGHT = datetime(2026, 11, 2, tzinfo=SHANGHAI)


def calls_at(hour: int, each_day: int, days: int) -> Iterator[float]:
    for day in range(days):
        for at in range(each_day):
            yield (MIDNIGHT + timedelta(days=day, hours=hour, seconds=at)).timestamp()


def test_without_calls_the_built_in_day_stays() -> None:
    own = from_calls([], SHANGHAI)
    assert own.weights == BUILT_IN.weights
    assert (own.days, own.calls, own.enough) == (0, 0, False)


def test_many_calls_say_it_and_few_hardly_change_it() -> None:
    few = from_calls(calls_at(20, 1, 12), SHANGHAI)
    many = from_calls(calls_at(20, 1000, 32), SHANGHAI)
    assert few.weights[20] == pytest.approx((10 + 500 * BUILT_IN.weights[20]) / 510)
    assert many.weights[20] > 0.98
    assert not few.enough
    assert many.enough


def test_hours_are_the_citys_and_not_greenwichs() -> None:
    own = from_calls(calls_at(9, 1000, 5), SHANGHAI)
    assert max(range(24), key=own.weights.__getitem__) == 9


def test_days_that_were_begun_or_cut_short_do_not_count() -> None:
    half_days = [*calls_at(23, 3000, 1), *calls_at(3, 100, 16)]
    half_days = [at for at in half_days if at >= (MIDNIGHT + timedelta(hours=12)).timestamp()]
    own = from_calls(half_days, SHANGHAI)
    assert (own.days, own.calls) == (14, 1400)
    assert own.enough
    assert own.weights[23] < BUILT_IN.weights[23]


def test_a_fortnight_with_a_quiet_day_is_still_a_fortnight() -> None:
    times = [at for at in calls_at(9, 50, 16) if datetime.fromtimestamp(at, SHANGHAI).day != 8]
    own = from_calls(times, SHANGHAI)
    assert (own.days, own.calls) == (14, 650)


@given(st.lists(st.floats(1_790_000_000, 1_795_000_000), max_size=200))
def test_shares_sum_up_to_one_and_no_hour_is_forgotten(times: list[float]) -> None:
    own = from_calls(times, SHANGHAI)
    assert sum(own.weights) == pytest.approx(1)
    assert min(own.weights) > 0
    assert own == from_calls(sorted(times, reverse=True), SHANGHAI)


def test_a_file_of_24_numbers_of_any_scale_is_a_profile() -> None:
    text = "# calls of May\n" + "\n".join("1, 2 3" for _ in range(8))
    own = of_text(text, "may.txt")
    assert own.weights[:3] == pytest.approx((1 / 48, 2 / 48, 3 / 48))
    assert own.source == "may.txt"


@pytest.mark.parametrize(
    "text", ["", "1 2 3", "0 " * 24, "1 " * 23 + "-1", "1 " * 23 + "nan", "1 " * 23 + "inf", "x " * 24]
)
def test_anything_else_is_refused_with_the_name_of_the_file(text: str) -> None:
    with pytest.raises(ProfileRefused, match=r"may\.txt") as refused:
        of_text(text, "may.txt")
    assert "may.txt" in refused.value.zh


def test_a_profile_has_24_hours() -> None:
    with pytest.raises(ProfileRefused, match="25 numbers"):
        of_weights([1.0] * 25, "x")
