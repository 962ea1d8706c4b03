"""A PostgreSQL of several servers is written as `ivr up` advises, and then really works."""

from __future__ import annotations

import pytest

from ivr.store.database import open_engine
from ivr.store.urls import wrong_with
from tests.store.conftest import Server


@pytest.mark.parametrize("wanted", ["primary", "read-write"])
async def test_where_the_first_of_several_servers_is_away_the_next_is_written_to(
    postgresql: Server, wanted: str
) -> None:
    [socket] = postgresql.folder.glob(".s.PGSQL.*[0-9]")
    port = socket.suffix.removeprefix(".")
    away = "127.0.0.1:1"  # nobody listens there
    url = f"postgresql+asyncpg://ivr@/postgres?host={away}&host={postgresql.folder}:{port}"
    assert [wrong for wrong in wrong_with(url, {}) if "target_session_attrs=primary" in wrong.en]
    url += f"&target_session_attrs={wanted}"
    assert wrong_with(url, {}) == []
    engine = open_engine(url)
    try:
        async with engine.connect() as connection:
            answer = await connection.exec_driver_sql("SELECT pg_is_in_recovery()")
            assert answer.scalar_one() is False
    finally:
        await engine.dispose()
