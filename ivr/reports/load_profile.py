"""How a day's calls spread over its hours (话务量时段分布).

``BUILT_IN`` is **reconstructed**, not measured.  The figures that were published with the hotline's
staffing study name the shares of the three shifts (57.1 / 35.7 / 7.2 %), the busiest hour (10–11,
9.1 %), the second peak (14–15) and some sixty results computed from an hourly profile, but not the
profile.  The 24 weights here, in ten-thousandths, were found by simulated annealing such that Erlang A
and Erlang C give those results again.  They do, with these residuals: every share of the thirteen published
days within 0.05 percentage points, of their busy hours within 0.08, every mean wait within 0.05 s; the
ten daily capacities within 2 calls (0.6 %), the six for every single hour within 4 (0.2 %); the agents
needed per shift, the 152 and 204 agent-hours and the hours without a stable queue exactly; of the four
needs of the busy hour one has 94.97 % in 15 s where 95 % is published.  Which hours of a shift hold
which weight is decided only in part by these figures; the rest follows the usual shape (quiet at 3, a
dip at noon, a falling evening).

A city's own calls say it better: :func:`from_calls`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo

from ivr.errors import HotlineError

PRIOR_CALLS = 500
"""The built-in profile counts as much as so many calls of the hotline's own."""
ENOUGH_CALLS = 500
ENOUGH_DAYS = 14
"""Whole days and calls from which on the hotline's own profile is used unasked; own figures."""


class ProfileRefused(HotlineError):
    """What was given is no profile of a day."""

    code = "profile"


@dataclass(frozen=True)
class Profile:
    """Shares of a day's calls by hour, which sum up to 1.

    Attributes:
        weights: 24 shares, from 00–01 on.
        source: ``built-in``, ``journal`` or the name of a file.
        days: whole days of calls it rests on; 0: none.
        calls: calls of the hotline's own that it rests on.
    """

    weights: tuple[float, ...]
    source: str
    days: int = 0
    calls: int = 0

    @property
    def enough(self) -> bool:
        """Whether the hotline's own calls are enough to plan by."""
        return self.days >= ENOUGH_DAYS and self.calls >= ENOUGH_CALLS


def of_weights(weights: Sequence[float], source: str) -> Profile:
    """Return a profile of 24 numbers of any scale.

    Raises:
        ProfileRefused: they are not 24, one is negative, or all are 0.
    """
    total = math.fsum(weights)
    if len(weights) != 24 or not all(0 <= weight < math.inf for weight in weights) or total <= 0:
        raise ProfileRefused(
            f"{source}: a profile is 24 numbers from 0 up, one for each hour from 00 on; "
            f"these are {len(weights)} numbers with the sum {total:g}.",
            f"{source}：时段分布应为 24 个非负数（从 0 时起每小时一个）；现有 {len(weights)} 个，合计 {total:g}。",
        )
    return Profile(tuple(weight / total for weight in weights), source)


def of_text(text: str, source: str) -> Profile:
    """Read 24 numbers with blanks, commas or line ends between them; ``#`` begins a remark.

    Raises:
        ProfileRefused: it is not that.
    """
    words = " ".join(line.partition("#")[0] for line in text.splitlines()).replace(",", " ").split()
    try:
        return of_weights([float(word) for word in words], source)
    except ValueError as error:
        raise ProfileRefused(
            f"{source}: {error}; write 24 numbers with blanks or commas between them.",
            f"{source}：有的内容不是数字；请写 24 个数，用空格或逗号隔开。",
        ) from error


BUILT_IN = of_weights(
    (
        *(112, 61, 31, 23, 30, 59, 126, 282),
        *(423, 895, 914, 706, 581, 668, 775, 744),
        *(688, 544, 506, 485, 439, 396, 355, 157),
    ),
    "built-in",
)


def from_calls(times: Iterable[float], zone: tzinfo, toward: Profile = BUILT_IN) -> Profile:
    """Return the profile of the hotline's own calls.

    Only whole days count: the first and the last local day with a call are left out, since the
    engine may have begun or stopped in their middle.  Each hour's weight is ``(n_h + P·w_h) ÷ (N + P)``
    with n_h calls in that hour, N in all, w_h of ``toward`` and P = PRIOR_CALLS: with few calls it is
    nearly ``toward``, with ten thousand nearly the calls' own.

    Args:
        times: when calls began, seconds since the epoch, in any order.
        zone: the city's time zone.
        toward: what is believed before any call is known.
    """
    by_day: dict[date, list[int]] = {}
    for at in times:
        moment = datetime.fromtimestamp(at, UTC).astimezone(zone)
        by_day.setdefault(moment.date(), [0] * 24)[moment.hour] += 1
    if len(by_day) <= 2:
        return Profile(toward.weights, "journal")
    first, last = min(by_day), max(by_day)
    whole = [counts for day, counts in by_day.items() if first < day < last]
    total = sum(map(sum, whole))
    weights = tuple(
        (sum(counts[hour] for counts in whole) + PRIOR_CALLS * toward.weights[hour]) / (total + PRIOR_CALLS)
        for hour in range(24)
    )
    return Profile(weights, "journal", (last - first).days - 1, total)
