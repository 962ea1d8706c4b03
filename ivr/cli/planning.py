"""Commands that plan: ``ivr staffing`` and ``ivr simulate``."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from ivr.cli.common import (
    Number,
    day_of,
    json_option,
    plain_errors,
    print_json,
    print_table,
    say,
    settings_and_book,
)
from ivr.cli.load_profile import (
    own_profile,
    profile_document,
    profile_of,
    say_how_much_is_missing,
    say_profile,
)
from ivr.errors import HotlineError
from ivr.home.settings import load
from ivr.host.private import hand_over
from ivr.reports.load_profile import BUILT_IN
from ivr.reports.staffing import (
    Demand,
    DutyPlan,
    Figures,
    Forecast,
    Roster,
    StaffingRefused,
    Targets,
    forecast,
    needs,
)

if TYPE_CHECKING:
    from ivr.hotline.book import HotlineBook
    from ivr.reports.simulation import Runs

_OPTIONS = (
    click.option(
        "--calls-per-day", type=Number(0, 200_000), required=True, help="Calls a day. 每天来电数。"
    ),
    click.option(
        "--aht", type=Number(1, 7200), required=True,
        help="Mean seconds a call keeps a person: talk and wrap-up. 平均处理时长(通话+话后),秒。",
    ),
    click.option(
        "--patience", type=Number(1, 7200), required=True,
        help="Mean seconds before a waiting caller hangs up. 平均耐心,秒。",
    ),
    click.option("--roster", type=click.Path(path_type=Path), help="A roster.yaml. 排班文件。"),
    click.option("--date", "on_date", help="The day of the roster; today. 排班日期,默认今天。"),
    click.option(
        "--on-duty", help="People on the early 08-16, late 16-24, night 00-08 shift: 6/6/6. 早/中/夜班在岗人数。"
    ),
    click.option(
        "--profile", "profile_name", default="auto", show_default=True,
        help="How the day's calls spread over its hours: built-in, journal, a file of 24 numbers; auto: "
        "the journal's once it holds 14 days and 500 calls. 来电时段分布。",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """A day as it was described on the command line; times in seconds."""

    calls_per_day: float
    aht: float
    patience: float
    roster: Path | None
    on_date: str | None
    on_duty: str | None
    profile_name: str

    def demand(self) -> Demand:
        """Return who calls."""
        return Demand(self.calls_per_day, self.aht, self.patience, profile_of(self.profile_name))

    def plan(self) -> DutyPlan:
        """Return who is on duty; by the running roster unless another or a plan was given.

        Raises:
            click.UsageError: both a roster and a plan were given.
            HotlineError: the plan or the roster cannot be read.
        """
        if self.on_duty is not None and self.roster is None:
            return DutyPlan.of_shifts(self.on_duty)
        if self.on_duty is not None:
            raise click.UsageError("give either --roster or --on-duty. 请指定 --roster 或 --on-duty 之一。")
        book = settings_and_book()[1]
        zone = ZoneInfo(book.timezone)
        roster = roster_of(self.roster) if self.roster is not None else book.roster
        return DutyPlan.of_roster(roster, day_of(self.on_date, zone), zone)


def day_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that describe a day; it receives them as ``asked``."""
    names = [field.name for field in fields(Asked)]

    @functools.wraps(command)
    def wrapped(**given: Any) -> None:
        asked = Asked(**{name: given.pop(name) for name in names})
        command(asked=asked, **given)

    described: Callable[..., None] = wrapped
    for option in reversed(_OPTIONS):
        described = option(described)
    return described


def roster_of(path: Path) -> Roster:
    """Return the roster that a file would make of the running configuration.

    Raises:
        ConfigurationError: the file has faults, or does not fit beside the other files.
    """
    from ivr.hotline.files.reading import FILES, ConfigurationError, read_snapshot
    from ivr.hotline.files.snapshot import Snapshot, take

    settings = load()
    folder = settings.running_config if settings.running_config.is_dir() else settings.config
    snapshot, faults = take(folder, tuple(FILES))
    try:
        files = {**snapshot.files, "roster.yaml": path.read_bytes()}
    except OSError as error:
        raise StaffingRefused(
            f"{path}: the roster cannot be read: {error.strerror}.",
            f"{path}:无法读取排班文件:{error.strerror}。",
        ) from error
    reading = read_snapshot(Snapshot(folder, files), None, faults)
    if reading.book is None:
        raise ConfigurationError(reading.faults)
    return reading.book.roster


@click.command()
@day_options
@click.option("--need", is_flag=True, help="Also the fewest people for each hour. 同时给出每小时需要人数。")
@json_option
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page too. 另存网页。")
@plain_errors
def staffing(
    asked: Asked,
    need: bool,
    as_json: bool,
    html: Path | None,
) -> None:
    """Tell what callers meet with so many people on duty. 排班测算(Erlang A)。"""
    plan, demand = asked.plan(), asked.demand()
    expected = forecast(demand, plan)
    needed = needs(demand) if need else None
    if html is not None:
        _write_page(html, expected, needed)
    if as_json:
        document = expected.document()
        hours: Any = document["hours"]
        for hour, people in zip(hours, needed or (), strict=False):
            hour["needed"] = people
        print_json(document | {"profile": profile_document(demand.profile)})
        return
    say_profile(demand.profile)
    _print_hours(expected.hours, plan, expected.day, needed)
    if html is not None:
        say(f"written: {html}", f"已写入:{html}")


def _write_page(target: Path, expected: Forecast, needed: tuple[int | None, ...] | None) -> None:
    from ivr.reports.staffing_page import page

    try:
        city = settings_and_book()[1].city
    except HotlineError:  # a forecast needs no configuration
        city = ""
    try:
        target.write_text(page(expected, city=city, needed=needed), encoding="utf-8")
        hand_over(target)
    except OSError as error:
        raise StaffingRefused(
            f"{target} cannot be written: {error.strerror or error}.",
            f"无法写入 {target}:{error.strerror or error}。",
        ) from error


def tell_roster_effect(old: HotlineBook, new: HotlineBook, today: date, html: Path | None = None) -> None:
    """Print what a new roster does to connection rate and 15-second share; nothing where it does nothing.

    Args:
        old: the running configuration.
        new: the one that was checked or is about to be applied.
        today: the first of the days looked at.
        html: where to write it as a page with a picture, too.
    """
    from ivr.reports.roster_effect import roster_effect

    own = own_profile() if new.demand is not None else None
    profile = own if own is not None and own.enough else BUILT_IN
    found = roster_effect(old, new, today, profile)
    if found is None:
        if html is not None:
            raise StaffingRefused(
                "no picture: hotline.yaml has no `demand`, or nobody is rostered.",
                "没有图:hotline.yaml 未填写 demand,或没有排班。",
            )
        return
    if old.roster != new.roster:
        say(f"the new roster, on {found.day}:", f"新排班的影响({found.day}):")
        heads = ("指标 figure", "现在 before", "之后 after", "变化 change")
        print_table(heads, [(f"{row.zh} {row.name}", *row.cells()) for row in found.changes])
    else:
        after = found.after.day
        say(
            f"with this roster: connection rate {after.connection_rate:.1%}, within 15 s "
            f"{after.answered_15s_of_answered:.1%} of the answered, {after.answered_15s_of_offered:.1%} of all.",
            f"按此排班:接通率 {after.connection_rate:.1%},15 秒应答 {after.answered_15s_of_answered:.1%}(÷接通)、"
            f"{after.answered_15s_of_offered:.1%}(÷呼入)。",
        )
    say_profile(profile)
    if profile is BUILT_IN:
        say_how_much_is_missing(own)
    if html is not None:
        from ivr.reports.staffing_page import page

        html.write_text(page(found.after, city=new.city, changes=found.changes), encoding="utf-8")
        hand_over(html)
        say(f"written: {html}", f"已写入:{html}")


_HEADS = (
    "时段\nhour",
    "来电\ncalls",
    "在岗\non duty",
    "接通率\nconnected",
    "15秒÷呼入\nof offered",
    "15秒÷接通\nof answered",
    "平均等待\nmean wait",
    "利用率\noccupancy",
)


def _print_hours(
    hours: tuple[Figures, ...], plan: DutyPlan, day: Figures, needed: tuple[int | None, ...] | None
) -> None:
    """Print a day as a table; what misses a target is red."""
    heads = [*_HEADS, *(["需要\nneeded"] if needed else [])]
    rows = [
        [
            f"{hour:02}–{hour + 1:02}",
            *_cells(figures, plan.of_hour(hour)),
            *([needed[hour] or "–"] if needed else []),
        ]
        for hour, figures in enumerate(hours)
    ]
    rows.append(["全天 day", *_cells(day, plan.hours / 24), *([""] if needed else [])])
    print_table(heads, rows)


def _cells(figures: Figures, people: float) -> list[str]:
    targets = Targets()
    return [
        f"{figures.calls:.1f}",
        f"{people:.3g}",
        _share(figures.connection_rate, figures.connection_rate < targets.connection_rate),
        _share(figures.answered_15s_of_offered, figures.answered_15s_of_offered < targets.answered_15s),
        _share(figures.answered_15s_of_answered, figures.answered_15s_of_answered < targets.answered_15s),
        f"{figures.mean_wait_s:.1f} s",
        _share(figures.occupancy, figures.occupancy > targets.occupancy),
    ]


def _share(value: float, missed: bool) -> str:
    return f"[red]{value:.1%}[/red]" if missed else f"{value:.1%}"


@click.command()
@day_options
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same days. 随机种子。")
@click.option("--runs", type=click.IntRange(1, 1000), default=1, show_default=True, help="Days. 天数。")
@json_option
@plain_errors
def simulate(
    asked: Asked,
    seed: int,
    runs: int,
    as_json: bool,
) -> None:
    """Live a day of made-up calls in a second, with the engine's own decisions. 模拟一天的来电。"""
    from ivr.reports.simulation import Runs, scenario
    from ivr.reports.simulation import simulate as live

    plan, demand = asked.plan(), asked.demand()
    book = settings_and_book()[1]
    day = scenario(book, demand, plan)
    began = time.perf_counter()
    lived = Runs(tuple(live(day, seed + at) for at in range(runs)))
    seconds = (time.perf_counter() - began) / runs
    if as_json:
        more = {"seed": seed, "seconds_per_day": round(seconds, 3), "seats_added": _added(book, day.book)}
        print_json(lived.document(plan) | more | {"profile": profile_document(demand.profile)})
        return
    say_profile(demand.profile)
    if added := _added(book, day.book):
        say(f"{added} seats more than seats.yaml has were made up.", f"座席不足,模拟中另加 {added} 个座席。")
    _print_hours(lived.hours, plan, lived.day, None)
    _print_total(lived, plan, seconds)


def _added(book: HotlineBook, used: HotlineBook) -> int:
    return len(used.seats) - len(book.seats)


def _print_total(lived: Runs, plan: DutyPlan, seconds: float) -> None:
    total: Any = lived.document(plan)["day"]
    say(
        f"{len(lived.days)} days: {total['calls']} calls, {total['answered']} answered, "
        f"{total['abandoned']} abandoned, {total['tickets']} tickets; 90 % of the answered waited at most "
        f"{total['p90_wait_answered_s']:.1f} s; connection rate by day {total['connection_rate_lowest']:.1%} to "
        f"{total['connection_rate_highest']:.1%}; {seconds:.2f} s a day.",
        f"{len(lived.days)} 天:来电 {total['calls']},接通 {total['answered']},放弃 {total['abandoned']},"
        f"工单 {total['tickets']};90% 的接通来电等待不超过 {total['p90_wait_answered_s']:.1f} 秒;"
        f"各天接通率 {total['connection_rate_lowest']:.1%} 至 {total['connection_rate_highest']:.1%};"
        f"每天用时 {seconds:.2f} 秒。",
    )
