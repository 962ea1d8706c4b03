"""Commands that look: ``ivr queues``, ``lines``, ``calls``, ``tickets``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from ivr.api.socket import ask
from ivr.cli.common import (
    echo,
    json_option,
    plain_errors,
    print_json,
    print_json_pieces,
    print_table,
    refused,
    say,
    settings_and_book,
    with_store,
)
from ivr.cli.match import match
from ivr.cli.refused import list_refused
from ivr.home.settings import load

if TYPE_CHECKING:
    from ivr.api.views import Views
    from ivr.store.store import Store


@click.group()
def queues() -> None:
    """Queues. 队列。"""


@queues.command("list")
@json_option
@plain_errors
def list_queues(as_json: bool) -> None:
    """List who waits and who could answer. 列出队列。"""
    rows: list[dict[str, Any]] = ask(load().run, "queues")
    if as_json:
        print_json(rows)
        return
    columns = ("queue", "waiting", "longest_wait_s", "seats_ready", "seats_busy")
    print_table(columns, [[row[name] for name in columns] for row in rows])


@click.group()
def lines() -> None:
    """Department lines. 部门线。"""


@lines.command("list")
@json_option
@plain_errors
def list_lines(as_json: bool) -> None:
    """List the lines of the running configuration. 列出部门线。"""
    _, book = settings_and_book()
    rows = [
        {
            "line_id": line.id,
            "number": line.number,
            "name": line.name,
            "department": line.department,
            "merge_mode": line.merge_mode.value,
            "aliases": list(line.aliases),
        }
        for line in book.lines
    ]
    if as_json:
        print_json(rows)
        return
    columns = ("line_id", "number", "name", "department", "merge_mode")
    print_table(columns, [[row[name] for name in columns] for row in rows])


lines.add_command(match)


@click.group()
def calls() -> None:
    """Calls. 来电。"""


@calls.command("list")
@click.option("--refused", "only_refused", is_flag=True, help="Calls that were not let in. 未能接入的来电。")
@click.option(
    "--full", is_flag=True, help="Of refused calls the whole number (journalled). 显示完整号码（留痕）。"
)
@json_option
@plain_errors
def list_calls(only_refused: bool, full: bool, as_json: bool) -> None:
    """List the newest 1000 calls, the newest first. 列出最近 1000 通来电。"""
    if full and not only_refused:
        raise click.UsageError("--full goes with --refused only. --full 只能与 --refused 同用。")
    if only_refused:
        list_refused(full=full, as_json=as_json)
        return

    async def work(store: Store, views: Views) -> list[dict[str, Any]]:
        return [views.call(row) for row in await store.calls()]

    rows = with_store(work)
    if as_json:
        print_json(rows)
        return
    columns = ("call_id", "state", "caller", "dialled_number", "line_id", "seat", "operator", "started_at")
    print_table(columns, [[row[name] for name in columns] for row in rows])


@calls.command("show")
@click.argument("call_id")
@json_option
@plain_errors
def show_call(call_id: str, as_json: bool) -> None:
    """Show a call with every journalled event. 查看来电。"""

    async def work(store: Store, views: Views) -> dict[str, Any] | None:
        rows = await store.calls(call_id)
        if not rows:
            return None
        return views.call(rows[0], (await store.events([call_id]))[call_id])

    call = with_store(work)
    if call is None:
        raise refused(f"there is no call {call_id}.", f"没有编号为 {call_id} 的来电。")
    if as_json:
        print_json(call)
    else:
        _print_story(call)


@click.group()
def tickets() -> None:
    """Tickets. 工单。"""


@tickets.command("list")
@click.option("--since", help="ISO 8601 date or time. 起始时间。")
@click.option("--state", help="State or outcome. 状态或结果。")
@click.option("--line", help="Line id. 部门线。")
@json_option
@plain_errors
def list_tickets(since: str | None, state: str | None, line: str | None, as_json: bool) -> None:
    """List tickets, the oldest first. 列出工单。"""
    wanted: dict[str, Any] = {"since": _moment(since) if since else None, "state": state, "line": line}
    if as_json:
        with_store(lambda store, views: print_json_pieces(_whole_tickets(store, views, wanted)))
        return
    columns = (
        "ticket_no",
        "state",
        "outcome",
        "caller",
        "line_id",
        "operator",
        "waited_s",
        "talk_s",
        "opened_at",
    )
    stored = [{"caller": "caller_mask"}.get(name, name) for name in columns]

    async def work(store: Store, views: Views) -> list[list[Any]]:
        return [
            [*(row[name] for name in stored[:-1]), views.moment(row["opened_at"])]
            async for rows in store.ticket_pieces(**wanted, columns=stored)
            for row in rows
        ]

    print_table(columns, with_store(work))


async def _whole_tickets(
    store: Store, views: Views, wanted: dict[str, Any]
) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield tickets with the events of their calls, some at a time."""
    async for rows in store.ticket_pieces(**wanted):
        found = await store.events([row["call_id"] for row in rows if row["call_id"]])
        yield [views.ticket(row, found.get(row["call_id"])) for row in rows]


@tickets.command("show")
@click.argument("number")
@json_option
@plain_errors
def show_ticket(number: str, as_json: bool) -> None:
    """Show a ticket by its number or query code. 按编号或查询码查看工单。"""

    async def work(store: Store, views: Views) -> list[dict[str, Any]]:
        rows = await store.tickets(number=number)
        found = await store.events([row["call_id"] for row in rows if row["call_id"]])
        return [views.ticket(row, found.get(row["call_id"])) for row in rows]

    rows = with_store(work)
    if not rows:
        raise refused(f"there is no ticket {number}.", f"没有编号为 {number} 的工单。")
    if len(rows) > 1:
        numbers = ", ".join(row["ticket_no"] for row in rows)
        raise refused(
            f"{number} is the query code of several tickets: {numbers}.", f"查询码对应多张工单:{numbers}。"
        )
    if as_json:
        print_json(rows[0])
    else:
        _print_story(rows[0])
        _print_words(rows[0]["transcript"])


def _print_story(row: dict[str, Any]) -> None:
    for name, value in row.items():
        if name not in ("events", "legs", "transcript", "recordings") and value not in (None, []):
            echo(f"{name:15} {value}")
    for event in row["events"]:
        rest = " ".join(
            f"{k}={v}" for k, v in event.items() if k not in ("seq", "at", "kind", "turns", "text")
        )
        echo(f"  {event['at'][11:23]}  {event['kind']:18} {rest}")


def _print_words(transcript: dict[str, Any]) -> None:
    if transcript["demonstration"]:
        say(
            "words by the demonstration model (synthetic voices, a small vocabulary):",
            "以下文字来自演示模型(合成语音、小词表),不代表真实识别率:",
        )
    names = {"caller": "市民", "operator": "话务员"}
    for turn in transcript["turns"]:
        echo(f"  {turn['start']:7.2f} s  {names.get(turn['speaker'], turn['speaker'])}: {turn['text']}")


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r} is not ISO 8601, for example 2026-11-21T08:00. 时间格式有误。"
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(settings_and_book()[1].timezone))
    return moment.timestamp()
