"""``ivr calls list --refused``: calls that were not let in, so that the city can call back."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ivr.api.socket import ask
from ivr.cli.common import print_json, print_table, settings_and_book, with_store
from ivr.home.settings import load

if TYPE_CHECKING:
    from ivr.api.views import Views
    from ivr.store.store import Store

DAYS = 31
NEWEST = 1000
COLUMNS = ("at", "caller", "dialled_number", "reason", "trunk", "calls")


def list_refused(*, full: bool, as_json: bool) -> None:
    """Print the newest refused calls of the last month.

    Args:
        full: with whole numbers; that somebody looked is journalled before.
        as_json: one JSON document.
    """
    rows = with_store(newest_refused)
    if full:
        ask(load().run, "audit", at=time.time(), action="numbers_shown", data={"what": "refused calls"})
        rows = _unmasked(rows)
    rows = [{name: value for name, value in row.items() if name != "sealed"} for row in rows]
    if as_json:
        print_json(rows)
        return
    print_table(COLUMNS, [[row[name] for name in COLUMNS] for row in rows])


async def newest_refused(store: Store, views: Views) -> list[dict[str, Any]]:
    """Return the newest refused calls; a day is looked at after another, which needs no table of its own."""
    from ivr.events.event import Kind, refused_stream

    today = datetime.now(views.zone).date()
    found: list[dict[str, Any]] = []
    for back in range(-1, DAYS):  # a clock that was set may have written tomorrow
        stream = refused_stream(today - timedelta(days=back))
        found += (await store.last_events(stream, [Kind.CALL_REFUSED], NEWEST - len(found)))[::-1]
        if len(found) >= NEWEST:
            break
    return [views.refused(row) for row in found]


def _unmasked(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    from ivr.home.secrets import open_keys
    from ivr.rollout import staging as deployment

    settings, book = settings_and_book()
    keys = open_keys(settings.home, deployment.sip_users(book), [person.number for person in book.operators])
    return [{**row, "caller": keys.decrypt(row["sealed"]) if row["sealed"] else ""} for row in rows]
