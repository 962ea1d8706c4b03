"""Whose database it is: the claim of this hotline, and whether another one runs on it."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from ivr.home.settings import Settings
from ivr.store.causes import StoreAway
from ivr.store.lease import Claim, LeaseWaits
from ivr.store.store import Store
from ivr.tickets.numbers import take

LOOK_S = 2.0
"""Seconds the look before a start may take; a database that is away keeps nobody from answering calls."""


def claim_of(settings: Settings, instance: str) -> Claim:
    """Return the claim of a hotline to its database.

    Args:
        settings: where things are.
        instance: the id of this hotline.
    """
    file = None
    with contextlib.suppress(ArgumentError):  # the store tells what is wrong with it
        url = make_url(settings.database)
        file = url.database if url.get_backend_name() == "sqlite" else None
    return Claim(instance, settings.home, Path(file) if file and file != ":memory:" else None)


def refuse_if_taken(settings: Settings) -> None:
    """See before a start whether another hotline runs on the database; one that is away is not waited for.

    Raises:
        LeaseHeld: which one, where, since when.
    """
    asyncio.run(_look(settings))


async def _look(settings: Settings) -> None:
    claim = claim_of(settings, "")
    if claim.database_file is not None and not claim.database_file.exists():
        return
    store = Store(settings.database, "", take, read_only=True, claim=claim)
    try:
        with contextlib.suppress(TimeoutError, StoreAway, LeaseWaits):  # then it is found out later
            async with asyncio.timeout(LOOK_S):
                await store.see_whether_free()
    finally:
        claim.release()
        await store.close()
