"""The same first call, with PostgreSQL instead of SQLite, also while the server shuts us out."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.asterisk.hotline import SPEECH, running, wait_for
from tests.store.conftest import Server, postgresql

__all__ = ["postgresql"]

pytestmark = pytest.mark.asterisk


def test_a_call_on_postgresql_leaves_the_same_ticket_also_when_the_server_was_away(
    tmp_path: Path, postgresql: Server
) -> None:
    asyncio.run(postgresql.execute("CREATE DATABASE hotline"))
    url = postgresql.url("hotline")
    with running(tmp_path, quick=True, IVR_DATABASE_URL=url) as hotline:
        hotline.man("01", "1001", sound=SPEECH / "social_card.wav")
        number = "15400000001"
        caller = hotline.phones.caller(
            number=number, before_ms=2200, sound=SPEECH / "power_cut.wav", after_ms=500
        )
        assert caller.wait() == 0, caller.errors()
        ticket = hotline.transcribed(number)
        assert ticket["outcome"] == "answered"
        assert ticket["transcript"]["text"]
        assert not (hotline.home / "hotline.sqlite3").exists()

        asyncio.run(postgresql.execute("ALTER DATABASE hotline ALLOW_CONNECTIONS false"))
        asyncio.run(
            postgresql.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'hotline'"
            )
        )
        second = "15400000002"
        assert hotline.phones.caller(number=second, after_ms=1500).wait() == 0
        wait_for(lambda: hotline.parts()["database"]["state"] == "down", why="the trouble is shown")
        asyncio.run(postgresql.execute("ALTER DATABASE hotline ALLOW_CONNECTIONS true"))
        assert hotline.ticket_of(second)["source"] == "live"
        assert len(hotline.tickets()) == 2
        hotline.wait_live()
