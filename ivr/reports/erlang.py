"""Erlang A and Erlang C: what callers meet when so many people answer.

Erlang A (M/M/n+M): calls come at random, talks and patience are exponential, whoever loses patience
hangs up.  Source: C. Palm 1957; A. Mandelbaum and S. Zeltyn, "Service engineering in action: the
Palm/Erlang-A queue", 2007.  Every figure is a quotient of sums of positive terms, so that nothing is
lost by subtraction, and sums are kept with their scale, so that a thousand people and an overload of
any size neither overflow nor underflow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

ANSWER_S = 15.0
"""Seconds within which a call should be answered (GB/T 33358)."""

_LARGE = 1e200
_ENOUGH = 1e-17


@dataclass(frozen=True)
class Load:
    """What comes in.

    Attributes:
        calls_per_hour: calls that ask for a person.
        aht_s: mean seconds a person is busy with a call, talk and wrap-up.
        patience_s: mean seconds after which a waiting caller hangs up; ``math.inf``: never.
    """

    calls_per_hour: float
    aht_s: float
    patience_s: float

    @property
    def erlangs(self) -> float:
        """People who would be busy if nobody had to wait."""
        return self.calls_per_hour * self.aht_s / 3600.0


@dataclass(frozen=True)
class Performance:
    """What callers and people meet; shares from 0 to 1, times in seconds.

    Attributes:
        connection_rate: answered ÷ offered (人工接通率).
        answered_in_time: answered within the answer time ÷ offered.
        mean_wait_s: mean wait of all callers, those who hung up too.
        mean_wait_answered_s: mean wait of the answered (ASA); 0 when nobody is answered.
        occupancy: share of their time that people are busy (利用率).
    """

    connection_rate: float
    answered_in_time: float
    mean_wait_s: float
    mean_wait_answered_s: float
    occupancy: float


class _Queue(NamedTuple):
    """Sums over the states in which somebody waits, all times ``exp(log_scale)``.

    State n+j is ``t_j`` times as likely as state n.  ``likely``: Σ t_j; ``length``: Σ j·t_j;
    ``passing_s``: Σ t_j·h_j, where h_j is the mean way from the j-th place to a free person; j >= 1.
    """

    likely: float
    length: float
    passing_s: float
    log_scale: float


def performance(load: Load, people: int, answer_s: float = ANSWER_S) -> Performance:
    """Return what is to be expected in the long run.

    Args:
        load: what comes in; a patience of ``math.inf`` makes it Erlang C.
        people: how many answer.
        answer_s: seconds within which a call counts as answered in time.
    """
    if load.calls_per_hour <= 0:
        return Performance(1.0, 1.0, 0.0, 0.0, 0.0)
    if people <= 0:
        return Performance(0.0, 0.0, load.patience_s, 0.0, 0.0)
    if math.isinf(load.patience_s):
        return _erlang_c(load, people, answer_s)
    if load.patience_s <= 0:
        answered = 1.0 - erlang_b(load.erlangs, people)
        return Performance(answered, answered, 0.0, 0.0, _share(load.erlangs * answered / people))
    return _erlang_a(load, people, answer_s)


def erlang_b(erlangs: float, people: int) -> float:
    """Return the share of calls that find everybody busy when nobody may wait (Erlang B)."""
    blocked = 1.0
    for busy in range(1, people + 1):
        blocked = erlangs * blocked / (busy + erlangs * blocked)
    return blocked


def stable(load: Load, people: int) -> bool:
    """Tell whether the queue would stay finite if nobody ever hung up."""
    return load.erlangs < people


def _erlang_c(load: Load, people: int, answer_s: float) -> Performance:
    """Return Erlang C's figures; an unstable queue answers as many as it can, and nobody in time."""
    if not stable(load, people):
        return Performance(people / load.erlangs, 0.0, math.inf, math.inf, 1.0)
    blocked = erlang_b(load.erlangs, people)
    idle = 1.0 - load.erlangs / people
    waits = blocked / (idle + (1.0 - idle) * blocked)
    wait = waits * load.aht_s / (people - load.erlangs)
    in_time = 1.0 - waits * math.exp(-(people - load.erlangs) * answer_s / load.aht_s)
    return Performance(1.0, in_time, wait, wait, load.erlangs / people)


def _erlang_a(load: Load, people: int, answer_s: float) -> Performance:
    """Return Erlang A's figures for a positive, finite patience.

    Of those who find j waiting a share nμ/(nμ+(j+1)θ) is answered, which turns every figure into a sum
    over the states.  Whoever is answered after t has met the queue of arrivals thinned to λ·e^(-θt).
    """
    arrive, serve, leave = load.calls_per_hour / 3600.0, people / load.aht_s, 1.0 / load.patience_s
    blocked = erlang_b(load.erlangs, people)
    if blocked < 1e-300:  # so many people that nobody ever waits
        return Performance(1.0, 1.0, 0.0, 0.0, load.erlangs / people)
    queue = _queue(arrive, serve, leave)
    scale = math.exp(-queue.log_scale)
    below = (1.0 - blocked) / blocked * scale
    every = below + scale + queue.likely
    answered = _share((below + serve / arrive * queue.likely) / every)
    wait = queue.length / every / arrive
    wait_answered = serve / arrive * queue.passing_s / every / answered if answered else 0.0

    thinned = _queue(arrive * math.exp(-leave * answer_s), serve, leave)
    passed = -arrive / leave * math.expm1(-leave * answer_s) - serve * answer_s
    grown = math.exp(min(700.0, passed + thinned.log_scale - queue.log_scale))
    late = serve / arrive * thinned.likely * grown / every
    occupancy = _share(arrive * answered / serve)
    return Performance(answered, max(0.0, answered - late), wait, wait_answered, occupancy)


def _queue(arrive: float, serve: float, leave: float) -> _Queue:
    """Sum over the waiting states until what is left no longer counts; rates per second."""
    term, way, place = 1.0, 0.0, 0
    likely = length = passing = log_scale = 0.0
    while True:
        place += 1
        out = serve + place * leave
        term *= arrive / out
        way += 1.0 / out
        likely += term
        length += place * term
        passing += way * term
        if term > _LARGE:
            term, likely = term / _LARGE, likely / _LARGE
            length, passing = length / _LARGE, passing / _LARGE
            log_scale += math.log(_LARGE)
        # the rest is at most a geometric series with this ratio
        if arrive < out and place * term * out < _ENOUGH * (out - arrive) * (1.0 + length):
            return _Queue(likely, length, passing, log_scale)


def _share(value: float) -> float:
    """Return a share without what rounding put beyond 0 or 1."""
    return min(1.0, max(0.0, value))
