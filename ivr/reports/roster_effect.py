"""What a new roster does to callers, on the day of the coming fortnight it changes most."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from ivr.hotline.book import HotlineBook
from ivr.hotline.duty import ExpectedDemand
from ivr.reports.load_profile import BUILT_IN, Profile
from ivr.reports.staffing import Change, Demand, DutyPlan, Forecast, effect, forecast

DAYS = 14


@dataclass(frozen=True)
class RosterEffect:
    """A day before and after; ``changes`` has a row a figure."""

    day: date
    before: Forecast
    after: Forecast

    @property
    def changes(self) -> tuple[Change, ...]:
        """Return what changes, figure by figure."""
        return effect(self.before, self.after)


def roster_effect(
    old: HotlineBook, new: HotlineBook, today: date, profile: Profile = BUILT_IN
) -> RosterEffect | None:
    """Return what ``new``'s roster does, None where no demand is configured or nobody is rostered.

    Args:
        old: the running configuration.
        new: the one that would replace it; its ``demand`` is what a day is expected to bring.
        today: the first of the days looked at.
        profile: how a day's calls spread over its hours.
    """
    if new.demand is None or not new.roster.shifts or not old.roster.shifts:
        return None
    days = [today + timedelta(days=number) for number in range(DAYS)]
    found = [
        RosterEffect(day, on_day(old, new.demand, day, profile), on_day(new, new.demand, day, profile))
        for day in days
    ]
    return max(found, key=lambda effect: abs(_connected(effect.after) - _connected(effect.before)))


def on_day(book: HotlineBook, demand: ExpectedDemand, day: date, profile: Profile = BUILT_IN) -> Forecast:
    """Forecast one day with the people the roster gives it."""
    zone = ZoneInfo(book.timezone)
    plan = DutyPlan.of_roster(book.roster, day, zone)
    return forecast(Demand(demand.calls_per_day, demand.aht_s, demand.patience_s, profile), plan)


def _connected(day: Forecast) -> float:
    return day.day.connection_rate
