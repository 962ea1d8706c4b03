"""Calls with PostgreSQL instead of SQLite: also while the server shuts us out, is frozen, or is set back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.asterisk.hotline import SPEECH, Hotline, running, wait_for
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


def _shut(server: Server, *work: str) -> None:
    """Shut everybody out of the database, do this to it, and let them in again."""
    for statement in (
        "ALTER DATABASE hotline ALLOW_CONNECTIONS false",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'hotline'",
        *work,
        "ALTER DATABASE hotline ALLOW_CONNECTIONS true",
    ):
        asyncio.run(server.execute(statement))


def _alarms(hotline: Hotline) -> set[str]:
    return {alarm["alarm"] for alarm in hotline.engine("alarms")}


def _answered_call(hotline: Hotline, number: str) -> None:
    """Have a call that an operator answers, however busy the machine is, and end it."""
    hotline.phones.caller(number=number, after_ms=120_000)

    def talks() -> bool:
        calls = hotline.engine("open_calls")
        return any(c["state"] == "talking" and c["caller"].endswith(number[-4:]) for c in calls)

    wait_for(talks, 60, lambda: f"{number} talks\n{hotline.logs()}")
    hotline.engine("end_calls")


@pytest.fixture
def database(postgresql: Server) -> str:
    """The URL of an empty database, which nothing holds any more."""
    for name in ("hotline", "standby"):
        asyncio.run(postgresql.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
    asyncio.run(postgresql.execute("CREATE DATABASE hotline"))
    return postgresql.url("hotline")


@pytest.mark.timeout(400)
def test_a_frozen_server_is_seen_by_everybody_but_the_callers(
    tmp_path: Path, postgresql: Server, database: str
) -> None:
    with running(tmp_path, quick=True, IVR_DATABASE_URL=database) as hotline:
        hotline.man("01", "1001")
        with postgresql.frozen():
            wait_for(lambda: hotline.engine("status")["database"]["state"] == "down", why="it is shown")
            assert hotline.parts()["database"]["reason"].startswith("it does not answer")
            for words in (("calls", "list"), ("tickets", "list", "--json")):
                done = hotline.run(*words)
                assert done.returncode == 1
                assert "does not answer" in done.stderr
                assert len(done.stderr.splitlines()) == 1
            _answered_call(hotline, "15400000001")
            wait_for(lambda: "database_away" in _alarms(hotline), 60, "an alarm for people")
        assert hotline.ticket_of("15400000001")["outcome"] == "answered"
        hotline.wait_live()
        wait_for(lambda: "database_away" not in _alarms(hotline), 60, "the alarm is over")
        assert hotline.run("tickets", "list").returncode == 0
        assert len(hotline.tickets()) == 1


@pytest.mark.timeout(400)
def test_a_second_hotline_on_the_database_is_refused_and_disturbs_nobody(
    tmp_path: Path, postgresql: Server, database: str
) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    with running(tmp_path / "first", quick=True, IVR_DATABASE_URL=database) as first:
        first.man("01", "1001")
        first.phones.caller(number="15400000001", after_ms=120_000)
        wait_for(lambda: first.call_state("15400000001") == "talking", why="somebody talks")
        second = Hotline(tmp_path / "second", quick=True, IVR_DATABASE_URL=database)
        try:
            done = second.run("up", "--detach")
            assert done.returncode == 1
            assert str(first.home) in done.stderr
            assert len(done.stderr.splitlines()) == 1
            assert not second.processes()
        finally:
            second.down()
        assert first.call_state("15400000001") == "talking"
        first.engine("end_calls")
        assert first.ticket_of("15400000001")["outcome"] == "answered"
        first.kill("engine")  # it starts again though its lease has not run out
        first.wait_live()
        _answered_call(first, "15400000002")
        assert first.ticket_of("15400000002")["outcome"] == "answered"


@pytest.mark.timeout(400)
def test_a_standby_that_lacks_the_last_calls_gets_them_again_with_their_numbers(
    tmp_path: Path, postgresql: Server, database: str
) -> None:
    with running(tmp_path, quick=True, IVR_DATABASE_URL=database) as hotline:
        hotline.man("01", "1001")
        _answered_call(hotline, "15400000001")
        hotline.ticket_of("15400000001")
        _shut(postgresql, "CREATE DATABASE standby TEMPLATE hotline")
        later = ("15400000002", "15400000003")
        for number in later:
            _answered_call(hotline, number)
        told = {number: hotline.ticket_of(number)["ticket_no"] for number in later}
        _shut(postgresql, "DROP DATABASE hotline", "ALTER DATABASE standby RENAME TO hotline")
        _answered_call(hotline, "15400000004")
        told_again = {number: hotline.ticket_of(number)["ticket_no"] for number in later}
        assert told_again == told
        assert hotline.ticket_of("15400000004")["ticket_no"] not in told.values()
        assert len(hotline.tickets()) == 4
        assert all(len({e["at"] for e in t["events"]}) > 3 for t in hotline.tickets())
        hotline.wait_live()
