"""``ivr seats`` and ``ivr operators``."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ivr.api.socket import ask
from ivr.cli.common import (
    json_option,
    language,
    plain_errors,
    print_json,
    print_table,
    say,
    settings_and_book,
)
from ivr.home.settings import load

if TYPE_CHECKING:
    from ivr.home.secrets import Keys

secrets_option = click.option("--secrets", is_flag=True, help="Add passwords (journalled). 显示密码(留痕)。")


def _keys() -> Keys:
    from ivr.home.secrets import open_keys
    from ivr.rollout import staging as deployment

    settings, book = settings_and_book()
    return open_keys(settings.home, deployment.sip_users(book), [person.number for person in book.operators])


def _note_secrets(what: str) -> None:
    """A secret is only shown after it was journalled that it was."""
    ask(load().run, "audit", at=time.time(), action="secrets_shown", data={"what": what})


def _cells(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> list[list[Any]]:
    """Return the cells of a table, reasons in the person's language."""
    from ivr.seats.log_in import REASON_NAMES

    spoken = language() == "zh"
    names = {word: both[spoken] for word, both in REASON_NAMES.items()}
    return [
        [names.get(row[name], row[name]) if name == "reason" else row[name] for name in columns]
        for row in rows
    ]


@click.group()
def seats() -> None:
    """Seats. 座席。"""


@seats.command("list")
@secrets_option
@json_option
@plain_errors
def list_seats(secrets: bool, as_json: bool) -> None:
    """List seats: who sits there, whether the phone is registered. 列出座席。"""
    rows: list[dict[str, Any]] = ask(load().run, "seats")
    if secrets:
        _note_secrets("seats")
        passwords = _keys().sip
        rows = [{**row, "password": passwords[row["username"]]} for row in rows]
    if as_json:
        print_json(rows)
        return
    columns = ["seat", "extension", "username", "registered", "operator", "state", "reason"]
    columns += ["wrap_up_left_s", "rostered"]
    columns += ["password"] if secrets else []
    print_table(columns, _cells(columns, rows))


@click.group()
def operators() -> None:
    """Operators. 话务员。"""


@operators.command("list")
@secrets_option
@json_option
@plain_errors
def list_operators(secrets: bool, as_json: bool) -> None:
    """List operators and where they sit. 列出话务员。"""
    rows: list[dict[str, Any]] = ask(load().run, "operators")
    if secrets:
        _note_secrets("operators")
        pins = _keys().pins
        rows = [{**row, "pin": pins[row["operator"]]} for row in rows]
    if as_json:
        print_json(rows)
        return
    columns = ["operator", "name", "seat", "state", "reason", "wrap_up_left_s", "rostered"]
    columns += ["pin"] if secrets else []
    print_table(columns, _cells(columns, rows))


seat_option = click.option("--seat", help="Seat id, for example 01. 座席编号。")
operator_option = click.option("--operator", help="Operator number, for example 1001. 工号。")


def _asked(what: str, **values: Any) -> None:
    told = ask(load().run, what, **{name: value for name, value in values.items() if value is not None})
    note, note_zh = told["note"], told.get("note_zh", told["note"])  # an older engine has English only
    say("done." + (f" {note}" if note else ""), "已完成。" + note_zh)


def _one_of(seat: str | None, operator: str | None) -> None:
    if seat is None and operator is None:
        raise click.UsageError("give --seat or --operator. 请指定 --seat 或 --operator。")


@operators.command()
@click.option("--seat", required=True, help="Seat id, for example 01. 座席编号。")
@click.option("--operator", required=True, help="Operator number, for example 1001. 工号。")
@plain_errors
def login(seat: str, operator: str) -> None:
    """Log an operator in on a seat. 登录。"""
    _asked("login", seat=seat, operator=operator)


@operators.command()
@seat_option
@operator_option
@plain_errors
def logout(seat: str | None, operator: str | None) -> None:
    """Log an operator out. 退出。"""
    _one_of(seat, operator)
    _asked("logout", seat=seat, operator=operator)


@operators.command()
@seat_option
@operator_option
@click.option("--reason", required=True, help="rest, meal, training, ticket, other, or its digit. 示忙原因。")
@plain_errors
def pause(seat: str | None, operator: str | None, reason: str) -> None:
    """Let no calls come to a seat. 示忙。"""
    _one_of(seat, operator)
    _asked("pause", seat=seat, operator=operator, reason=reason)


@operators.command()
@seat_option
@operator_option
@plain_errors
def resume(seat: str | None, operator: str | None) -> None:
    """Let calls come again: after a pause, or before a wrap-up is over. 示闲,或提前结束话后处理。"""
    _one_of(seat, operator)
    _asked("resume", seat=seat, operator=operator)
