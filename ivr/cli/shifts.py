"""``ivr roster``, ``ivr mode`` and ``ivr alarms``: shifts, the mode of the day, what needs a person."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import click

from ivr.api.socket import ask
from ivr.cli.common import (
    day_of,
    json_option,
    language,
    plain_errors,
    print_json,
    print_table,
    say,
    settings_and_book,
)
from ivr.home.settings import load

_MODES_ZH = {"regular": "常规", "holiday": "假日", "emergency": "应急"}


@click.command()
@click.option("--date", "day", help="ISO 8601 day, for example 2026-11-21; today if left out. 日期。")
@json_option
@plain_errors
def roster(day: str | None, as_json: bool) -> None:
    """Print who works which shift of a day, and who leads. 查看排班和值班长。"""
    _, book = settings_and_book()
    wanted = day_of(day, ZoneInfo(book.timezone))
    rows: list[dict[str, Any]] = [
        {
            "shift": duty.shift.id,
            "name": duty.shift.name,
            "starts_at": duty.starts_at.isoformat(),
            "ends_at": duty.ends_at.isoformat(),
            "leader": duty.leader,
            "operators": list(duty.operators),
            "min_on_duty": duty.shift.min_on_duty,
        }
        for duty in book.roster.duties(wanted)
    ]
    if as_json:
        print_json(rows)
        return
    if not rows:
        say(f"nobody is rostered on {wanted}.", f"{wanted} 没有排班。")
        return
    cells = [
        [
            row["shift"],
            row["name"],
            f"{row['starts_at'][5:16]} - {row['ends_at'][5:16]}".replace("T", " "),
            row["leader"],
            " ".join(row["operators"]),
            row["min_on_duty"],
        ]
        for row in rows
    ]
    print_table(("shift", "name", "from - to", "leader", "operators", "min_on_duty"), cells)


@click.group()
def mode() -> None:
    """The mode: regular, holiday, emergency. 运行模式:常规、假日、应急。"""


@mode.command("show")
@json_option
@plain_errors
def show_mode(as_json: bool) -> None:
    """Show the mode in force and who leads the shift. 查看当前模式和值班长。"""
    now: dict[str, Any] = ask(load().run, "mode")
    if as_json:
        print_json(now)
    else:
        _print_mode(now)


def _print_mode(now: dict[str, Any]) -> None:
    by = f", set by {now['by']} at {now['at'][:19]}" if now["by"] else ""
    by_zh = f",由 {now['by']} 于 {now['at'][:19]} 设定" if now["by"] else ""
    acting, acting_zh = (" (acting)", "(代理)") if now["acting"] else ("", "")
    say(
        f"mode {now['mode']}{by}; shift leader {now['leader'] or 'nobody'}{acting}.",
        f"当前为{_MODES_ZH[now['mode']]}模式{by_zh};值班长 {now['leader'] or '无'}{acting_zh}。",
    )
    if now["event"] or now["fact"]:
        say(f"callers are told: {now['event']} {now['fact']}", f"告知来电人:{now['event']} {now['fact']}")


@mode.command("set")
@click.argument("name", type=click.Choice(["regular", "holiday", "emergency"]))
@click.option("--by", required=True, help="Operator number of the shift leader. 值班长工号。")
@click.option("--event", default="", help="Why many people call. 事件。")
@click.option("--fact", default="", help="What they should know. 告知内容。")
@json_option
@plain_errors
def set_mode(name: str, by: str, event: str, fact: str, as_json: bool) -> None:
    """Set the mode; only the shift leader may. 切换模式(仅限当班值班长)。"""
    now: dict[str, Any] = ask(load().run, "set_mode", mode=name, by=by, event=event, fact=fact)
    if as_json:
        print_json(now)
    else:
        _print_mode(now)


@click.command()
@click.option(
    "--done",
    nargs=2,
    metavar="ALARM ABOUT",
    help="Take an alarm off the board: somebody saw to it. 告警已处理。",
)
@json_option
@plain_errors
def alarms(done: tuple[str, str] | None, as_json: bool) -> None:
    """Show what needs a person now. 查看告警。"""
    if done is not None:
        ask(load().run, "alarm_done", alarm=done[0], about=done[1])
        say("the alarm is off the board.", "告警已处理。")
        return
    rows: list[dict[str, Any]] = ask(load().run, "alarms")
    if as_json:
        print_json(rows)
        return
    if not rows:
        say("no alarms.", "没有告警。")
        return
    sentence = "sentence_zh" if language() == "zh" else "sentence"
    print_table(("since", "alarm", "about", "sentence"), [_alarm(row, sentence) for row in rows])


def _alarm(row: dict[str, Any], sentence: str) -> list[str]:
    return [row["since"][:19], row["alarm"], row["about"], row[sentence]]
