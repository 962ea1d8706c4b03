"""A day of calls in a second: the live decision code on virtual time (`ivr simulate`).

Every generated call goes through :class:`ivr.calls.reception.Reception`, every event through
:class:`~ivr.calls.open_calls.CallBook` and its state tables, every log-in, log-out and pause through
:class:`~ivr.seats.log_in.Seating`; every call leaves a numbered ticket.  Only who calls when, and what
Asterisk's queue does with them, is made up.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import simpy

from ivr.calls.open_calls import CallBook
from ivr.calls.reception import DIVERSION_110, Arrival, Choice, Placement, Reception
from ivr.calls.record import CallRecord
from ivr.calls.states import CallState, SeatState
from ivr.events.event import Event, Kind
from ivr.hotline.book import HotlineBook, Operator, Seat
from ivr.reports.erlang import ANSWER_S
from ivr.reports.simulated_queue import Habits, SimulatedQueue, Steps, at_once
from ivr.reports.staffing import NOTHING, QUARTERS, Demand, DutyPlan, Figures, whole
from ivr.tickets.masking import mask_number
from ivr.tickets.numbers import take
from ivr.tickets.ticket import call_ticket

HOUR_S = 3600
DAY = datetime(2026, 11, 23, tzinfo=UTC)
"""The simulated day, a Monday; its hours are the city's, whatever the zone."""


@dataclass(frozen=True)
class Scenario:
    """One day to simulate.

    Attributes:
        book: the hotline; missing seats and operators are made up (:func:`with_people`).
        demand: who calls.
        plan: who is on duty.
        habits: how people behave; its means are those of ``demand``.
        line_share: part of the calls that dial a department line instead of the hotline's number.
        diverted_share: part of the calls that the 110 platform hands over.
    """

    book: HotlineBook
    demand: Demand
    plan: DutyPlan
    habits: Habits
    line_share: float = 0.2
    diverted_share: float = 0.0


@dataclass(frozen=True)
class SimulatedDay:
    """What came of it; ``waits`` are seconds the answered waited, ascending."""

    hours: tuple[Figures, ...]
    waits: tuple[float, ...]
    abandoned: int
    tickets: Mapping[str, Mapping[str, Any]]
    events: int

    @property
    def day(self) -> Figures:
        """The sums over the day."""
        return sum(self.hours, NOTHING)


def scenario(book: HotlineBook, demand: Demand, plan: DutyPlan) -> Scenario:
    """Return a day with the usual habits, with as many seats and people as the plan needs."""
    habits = Habits(demand.aht_s, demand.patience_s)
    return Scenario(with_people(book, max(plan.quarters)), demand, plan, habits)


def with_people(book: HotlineBook, people: int) -> HotlineBook:
    """Return the book with at least so many seats and operators; what is added is named s… and p…."""
    seats = tuple(Seat(f"s{number:03}", f"s{number:03}") for number in range(len(book.seats), people))
    queues = tuple(queue.id for queue in book.queues)
    operators = tuple(Operator(f"p{number:03}", "", queues) for number in range(len(book.operators), people))
    return replace(book, seats=book.seats + seats, operators=book.operators + operators)


def simulate(day: Scenario, seed: int) -> SimulatedDay:
    """Live one day, until its last call has ended; the same seed gives the same day."""
    return _Day(day, random.Random(seed)).run()


class _Caller:
    """A caller who takes what reception decides, and chooses nothing in a menu."""

    placement: Placement

    async def open_menu(self) -> None:
        """Say nothing."""

    async def call_help(self) -> None:
        """Never: they choose nothing."""

    async def place(self, placement: Placement) -> None:
        self.placement = placement


class _Day:
    def __init__(self, day: Scenario, chance: random.Random) -> None:
        self._day = day
        self._chance = chance
        zone = ZoneInfo(day.book.timezone)
        self._epoch = DAY.replace(tzinfo=zone).timestamp()
        self._env = simpy.Environment()
        self._events = 0
        self._calls = CallBook(self._journal, self._happened)
        self._ended: list[CallRecord] = []
        self._numbers: dict[str, str] = {}
        self._last_number = 0
        self._busy_s = [0.0] * 24
        self._queue = SimulatedQueue(
            self._env,
            day.book,
            self._calls,
            habits=day.habits,
            chance=chance,
            on_work=self._worked,
            epoch=self._epoch,
        )
        self._reception = Reception(lambda: day.book, self._calls.record, _identify, self._queue.now)

    def run(self) -> SimulatedDay:
        self._env.process(self._shifts())
        self._env.process(self._arrivals())
        self._env.run()
        hours = self._figures()
        answered = [call.waited_s or 0.0 for call in self._ended if call.answered_at is not None]
        tickets = {
            self._numbers[call.call_id]: call_ticket(call) | {"ticket_no": self._numbers[call.call_id]}
            for call in self._ended
        }
        abandoned = sum(call.outcome == "abandoned" for call in self._ended)
        return SimulatedDay(hours, tuple(sorted(answered)), abandoned, tickets, self._events)

    # -- what the journal and the store do -------------------------------------------------------
    def _journal(self, event: Event) -> None:
        self._events += 1

    def _happened(self, event: Event, call: CallRecord | None) -> None:
        if call is None:
            return
        if event.kind is Kind.CALL_STARTED:
            (number,), self._last_number = take(self._day.book.region, DAY.date(), self._last_number, 1)
            self._numbers[call.call_id] = number
        if call.state is CallState.ENDED:
            self._ended.append(call)

    # -- who calls ---------------------------------------------------------------------------------
    def _arrivals(self) -> Steps:
        """Let calls come at random, at each hour's own rate."""
        for hour in range(24):
            rate = self._day.demand.load(hour).calls_per_hour / HOUR_S
            while rate > 0:
                gap = self._chance.expovariate(rate)
                if self._env.now + gap >= (hour + 1) * HOUR_S:
                    break  # the hour is over; what is to come does not depend on how long nobody called
                yield self._env.timeout(gap)
                self._call()
            yield self._env.timeout(max(0.0, (hour + 1) * HOUR_S - self._env.now))

    def _call(self) -> None:
        caller = _Caller()
        arrival = self._arrival()
        placed = at_once(self._reception.receive(arrival, caller))
        if placed is None:
            at_once(self._reception.chosen(arrival, caller, Choice("nothing")))
        self._env.process(self._queue.attend(arrival.call_id, caller.placement))

    def _arrival(self) -> Arrival:
        chance, book = self._chance, self._day.book
        number = f"199{chance.randrange(10**8):08}"
        diverted = chance.random() < self._day.diverted_share
        by_line = bool(book.lines) and chance.random() < self._day.line_share
        dialled = chance.choice(book.lines).number if by_line else book.number
        call_id = f"{self._queue.now():.6f}.{len(self._numbers)}"
        return Arrival(call_id, number, dialled, DIVERSION_110 if diverted else "live")

    # -- who is on duty --------------------------------------------------------------------------
    def _shifts(self) -> Steps:
        """Log people in and out so that as many are there as planned, each quarter of an hour."""
        here = 0
        for quarter in range(QUARTERS):
            wanted = self._day.plan.quarters[quarter]
            if wanted != here:
                here = wanted
                self._come_and_go(wanted)
            yield self._env.timeout(HOUR_S / 4)

    def _come_and_go(self, wanted: int) -> None:
        """Let whoever is free go first; who is on a call finishes it."""
        seats = [seat.id for seat in self._day.book.seats]
        here = [seat for seat in seats if self._calls.seat(seat).state is not SeatState.LOGGED_OUT]
        away = [seat for seat in seats if seat not in here]
        going = sorted(here, key=self._queue.busy.__contains__)[: max(0, len(here) - wanted)]
        coming = sorted(away, key=self._queue.busy.__contains__)[: max(0, wanted - len(here))]
        for seat in going:
            at_once(self._queue.seating.log_out(seat, "roster"))
        resting = [
            person.number for person in self._day.book.operators if self._calls.seat_of(person.number) is None
        ]
        for seat, person in zip(coming, resting, strict=False):
            at_once(self._queue.seating.log_in(seat, person, "roster"))
        self._queue.seated()

    # -- what came of it ---------------------------------------------------------------------------
    def _worked(self, began: float, until: float) -> None:
        """Spread a stretch of work over the hours it lies in; what is after midnight counts for 23–24."""
        while began < until:
            hour = min(23, int(began // HOUR_S))
            end = until if hour == 23 else min(until, (hour + 1) * HOUR_S)
            self._busy_s[hour] += end - began
            began = end

    def _figures(self) -> tuple[Figures, ...]:
        by_hour: list[list[CallRecord]] = [[] for _ in range(24)]
        for call in self._ended:
            started = (call.started_at or self._epoch) - self._epoch
            by_hour[min(23, int(started // HOUR_S))].append(call)
        return tuple(
            replace(_sums(calls), busy_h=self._busy_s[hour] / HOUR_S, staffed_h=self._day.plan.of_hour(hour))
            for hour, calls in enumerate(by_hour)
        )


def _sums(calls: Iterable[CallRecord]) -> Figures:
    """Count as the reports do: by what the calls' records say."""
    offered = answered = in_time = 0
    waited = waited_answered = 0.0
    for call in calls:
        wait = call.waited_s or 0.0
        offered += 1
        waited += wait
        if call.answered_at is not None:
            answered += 1
            waited_answered += wait
            in_time += wait <= ANSWER_S
    return Figures(offered, answered, in_time, waited, waited_answered, 0.0, 0.0)


def _identify(number: str) -> Mapping[str, str]:
    return {"mask": mask_number(number), "enc": "", "hash": ""}


@dataclass(frozen=True)
class Runs:
    """Several simulated days of one scenario."""

    days: tuple[SimulatedDay, ...]

    @property
    def hours(self) -> tuple[Figures, ...]:
        """The sums of all days, hour by hour."""
        return tuple(sum((day.hours[hour] for day in self.days), NOTHING) for hour in range(24))

    @property
    def day(self) -> Figures:
        """The sums of all days."""
        return sum(self.hours, NOTHING)

    def document(self, plan: DutyPlan) -> dict[str, object]:
        """Return what ``ivr simulate --json`` prints; counts are those of all days together."""
        total = self.day
        waits = sorted(wait for day in self.days for wait in day.waits)
        rates = [day.day.connection_rate for day in self.days]
        return {
            "runs": len(self.days),
            "day": {
                "calls": int(total.calls),
                "answered": int(total.answered),
                "abandoned": sum(day.abandoned for day in self.days),
                "tickets": sum(len(day.tickets) for day in self.days),
                "events": sum(day.events for day in self.days),
                **total.shares(),
                "p90_wait_answered_s": round(percentile(waits, 0.9), 3),
                "connection_rate_lowest": round(min(rates), 6),
                "connection_rate_highest": round(max(rates), 6),
            },
            "hours": [
                {
                    "hour": hour,
                    "calls": int(figures.calls),
                    "answered": int(figures.answered),
                    "on_duty": whole(plan.of_hour(hour)),
                    **figures.shares(),
                }
                for hour, figures in enumerate(self.hours)
            ],
        }


def percentile(ordered: list[float], share: float) -> float:
    """Return the value below which ``share`` (0 to 1) of an ascending list lies; 0 of none."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]
