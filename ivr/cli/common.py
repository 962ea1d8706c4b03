"""What all commands share: language, printing, and the way to the store and the engine."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import math
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from zoneinfo import ZoneInfo

import click

from ivr.errors import HotlineError
from ivr.home.links import unwritable
from ivr.home.settings import Settings, load, load_to_look
from ivr.host.terminal import shown

if TYPE_CHECKING:  # a command that only asks the engine should not wait for SQLAlchemy to load
    from ivr.api.views import Views
    from ivr.hotline.book import HotlineBook
    from ivr.store.store import Store

P = ParamSpec("P")
R = TypeVar("R")

_DRAWN_ROWS = 1000
"""A longer table is only lined up: drawing it takes more than a millisecond a row."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document. 输出 JSON。")


class Number(click.FloatRange):
    """A number within limits; ``nan`` lies within any, and would be reckoned with for ever."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number, or refuse it."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number. 不是数字。", param, ctx)
        return number


def language() -> str:
    """Return ``zh`` where the person's locale (or IVR_LANGUAGE) is Chinese, else ``en``."""
    try:
        chosen = load_to_look().language
    except HotlineError:  # the sentence about a wrong setting must be printed too
        chosen = os.environ.get("IVR_LANGUAGE", "")
    if not chosen.lower().startswith(("zh", "en")):  # none, or one we do not speak
        chosen = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return "zh" if chosen.lower().startswith("zh") else "en"


def echo(text: str, *, err: bool = False) -> None:
    """Print lines for people; what came from outside moves no cursor and sets no title."""
    click.echo("\n".join(shown(line) for line in text.split("\n")), err=err)


_NOT_FOR_TERMINALS = re.compile("[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def _escaped(document: str) -> str:
    """Return the same JSON with the signs that a terminal would obey written as their code."""
    return _NOT_FOR_TERMINALS.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def say(english: str, chinese: str) -> None:
    """Print a sentence in the person's language."""
    echo(chinese if language() == "zh" else english)


def refused(english: str, chinese: str) -> SystemExit:
    """Print one sentence on stderr and return the exit to raise."""
    echo(chinese if language() == "zh" else english, err=True)
    return SystemExit(1)


def plain_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn our errors, and a folder of another user, into one sentence and exit status 1."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except HotlineError as error:
            raise refused(error.sentence, error.zh) from error
        except PermissionError as error:
            raise refused(
                f"{error.filename} is closed to this user: run this as the user who runs the hotline.",
                f"当前用户无权访问 {error.filename}:请以运行热线的用户执行本命令。",
            ) from error

    return wrapped


@contextlib.contextmanager
def told_if_unwritable() -> Iterator[None]:
    """Turn a full disk, or a folder nobody may write to, into one sentence.

    Raises:
        PointerError: with that sentence.
    """
    try:
        yield
    except BrokenPipeError:  # whoever read our output has gone
        raise
    except OSError as error:
        raise unwritable(error) from error


def print_json(document: Any) -> None:
    """Print one JSON document and nothing else."""
    click.echo(_escaped(json.dumps(document, ensure_ascii=False, indent=2)))


async def print_json_pieces(pieces: AsyncIterator[Sequence[Any]]) -> None:
    """Print one JSON document, a list, as its pieces come: all of it may not fit into memory."""
    import orjson

    before = "["
    async for piece in pieces:
        for row in piece:
            text = _escaped(orjson.dumps(row, option=orjson.OPT_INDENT_2).decode())
            click.echo(before + ("\n" + text).replace("\n", "\n  "), nl=False)
            before = ","
    click.echo("[]" if before == "[" else "\n]")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows under their columns; wide characters line up."""
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [["" if cell is None else shown(str(cell)) for cell in row] for row in rows]
    if len(cells) > _DRAWN_ROWS:
        widths = [max(map(cell_len, column)) for column in zip(columns, *cells, strict=True)]
        lines = [
            "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
            for row in (columns, *cells)
        ]
        echo("\n".join(lines))
        return
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in cells:
        table.add_row(*map(Text, row))  # a name in square brackets is no markup
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else 200).print(table)


def day_of(text: str | None, zone: ZoneInfo) -> date:
    """Return the day of an option ``--date``; today where there is none.

    Raises:
        click.BadParameter: it is no day, or one so far away that no shift can be reckoned.
    """
    try:
        day = date.fromisoformat(text) if text else datetime.now(zone).date()
        if not date.min.year < day.year < date.max.year:
            raise ValueError("the next or the last day may not be there")
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r} is not ISO 8601, for example 2026-11-21. 日期格式有误。", param_hint="--date"
        ) from error
    return day


def settings_and_book() -> tuple[Settings, HotlineBook]:
    """Read the settings and the running configuration."""
    from ivr.hotline.files.reading import load as load_book

    settings = load()
    running = settings.running_config
    return settings, load_book(running if running.is_dir() else settings.config)


def with_store(work: Callable[[Store, Views], Awaitable[R]]) -> R:
    """Run ``work`` with a store that only looks, and the views of this hotline.

    Raises:
        HotlineError: there is no database yet, or it does not answer.
    """
    settings = load()
    if not settings.database_url and not (settings.home / "hotline.sqlite3").exists():
        raise HotlineError(
            f"there is no database in {settings.home} yet; start with `ivr up`.",
            f"{settings.home} 中还没有数据库;请先运行 ivr up。",
        )
    from ivr.api.views import Views
    from ivr.store.store import Store
    from ivr.tickets.numbers import take

    _, book = settings_and_book()

    async def run() -> R:
        store = Store(settings.database, book.region, take, read_only=True)
        try:
            return await work(store, Views(ZoneInfo(book.timezone), settings.recordings))
        finally:
            await store.close()

    return asyncio.run(run())
