"""``ivr transfer``: three parties by command; each does what the keys of an operator do."""

from __future__ import annotations

from typing import Any

import click

from ivr.api.socket import ask
from ivr.cli.common import json_option, language, plain_errors, print_json, print_table, say
from ivr.home.settings import load

call_option = click.option("--call", required=True, help="Call id, see `ivr calls list`. 来电编号。")


@click.group()
def transfer() -> None:
    """Three parties. 三方通话与转接。"""


def _asked(step: str, **values: Any) -> None:
    answer = ask(load().run, "transfer", step=step, **values)
    note = f" {answer['note']}" if answer["note"] else ""
    note_zh = answer.get("note_zh", answer["note"])
    say(f"{answer['state']}.{note}", f"当前状态：{answer['state']}。{note_zh}")


@transfer.command()
@call_option
@click.option("--to", required=True, help="110 119 120 122 expert:Q subcenter:L unit:U seat:NN. 转接目标。")
@plain_errors
def start(call: str, to: str) -> None:
    """Bring a third party in; the caller hears music. 发起三方或转接。"""
    _asked("start", call=call, to=to)


@transfer.command()
@call_option
@plain_errors
def complete(call: str) -> None:
    """Bring the caller in: now three talk. 三方通话。"""
    _asked("complete", call=call)


@transfer.command()
@call_option
@plain_errors
def cancel(call: str) -> None:
    """Drop the third party; the caller comes back to the operator. 取消。"""
    _asked("cancel", call=call)


@transfer.command()
@call_option
@plain_errors
def leave(call: str) -> None:
    """Let the operator go; caller and third party go on. 话务员退出。"""
    _asked("leave", call=call)


@transfer.command()
@call_option
@plain_errors
def mute(call: str) -> None:
    """Mute the third party, or let it speak again. 第三方静音或恢复。"""
    _asked("mute", call=call)


@transfer.command()
@json_option
@plain_errors
def targets(as_json: bool) -> None:
    """List who can be brought in, with the keys. 列出转接目标及按键。"""
    rows: list[dict[str, Any]] = ask(load().run, "transfer_targets")
    if as_json:
        print_json(rows)
        return
    nowhere = "没有可用去向,见 ivr check" if language() == "zh" else "no usable route, see ivr check"
    print_table(
        ("keys", "target", "note"),
        [(row["keys"], row["target"], "" if row["routes"] else nowhere) for row in rows],
    )
