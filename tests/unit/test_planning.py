"""``ivr staffing`` and ``ivr simulate`` as a planner meets them."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result

from ivr.calls.record import CallRecord
from ivr.cli import load_profile as spread
from ivr.cli import planning
from ivr.cli.main import main
from ivr.hotline.files.reading import load as load_book
from ivr.reports.load_profile import BUILT_IN
from ivr.store.store import Batch, Store
from ivr.tickets.numbers import take
from ivr.tickets.ticket import call_row

SHIPPED = Path(__file__).parents[2] / "queues"
DAY = ("--calls-per-day", "1562", "--aht", "210", "--patience", "90")


@pytest.fixture(autouse=True)
def _shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IVR_HOME", str(tmp_path))
    monkeypatch.setenv("IVR_CONFIG", str(SHIPPED))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def answer(*arguments: str) -> dict[str, Any]:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_the_document_is_the_one_of_the_contract() -> None:
    document = answer("staffing", *DAY, "--on-duty", "6/6/6")
    assert document["day"]["connection_rate"] == pytest.approx(0.824, abs=0.001)
    assert document["day"]["answered_15s_of_offered"] == pytest.approx(0.650, abs=0.001)
    assert len(document["hours"]) == 24
    assert document["hours"][10]["on_duty"] == 6
    assert document["profile"]["source"] == "built-in"
    assert "needed" not in document["hours"][0]


def test_the_needed_people_come_with_the_hours() -> None:
    hours = answer("staffing", *DAY, "--on-duty", "6/6/6", "--need")["hours"]
    assert hours[10]["needed"] > hours[3]["needed"] >= 1


def test_the_table_has_chinese_headings_and_the_whole_day() -> None:
    said = run("staffing", *DAY, "--on-duty", "6/6/6")
    assert said.exit_code == 0
    for words in ("接通率", "平均等待", "10–11", "全天", "82.4%"):
        assert words in said.stdout


def test_the_page_is_written_where_it_was_asked_for(tmp_path: Path) -> None:
    page = tmp_path / "plan.html"
    assert run("staffing", *DAY, "--on-duty", "6/6/6", "--html", str(page)).exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert "乐山市" in text
    assert "<svg" in text


def test_a_page_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    said = run("staffing", *DAY, "--on-duty", "6/6/6", "--html", str(tmp_path / "none" / "plan.html"))
    assert said.exit_code == 1
    assert "cannot be written" in said.stderr
    assert said.stdout == ""


@pytest.mark.parametrize("command", ["staffing", "simulate"])
def test_a_day_has_one_plan_and_not_two(command: str) -> None:
    assert run(command, *DAY, "--on-duty", "6/6/6", "--roster", "roster.yaml").exit_code == 2


@pytest.mark.parametrize("command", ["staffing", "simulate"])
def test_a_plan_that_is_none_is_refused_with_one_sentence(command: str) -> None:
    said = run(command, *DAY, "--on-duty", "6-6-6")
    assert said.exit_code == 1
    assert "6/6/6" in said.stderr
    assert said.stdout == ""


def test_planning_works_before_anything_is_configured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IVR_CONFIG", str(tmp_path / "nothing"))
    assert answer("staffing", *DAY, "--on-duty", "6/6/6")["profile"]["source"] == "built-in"


def test_a_profile_can_be_a_file(tmp_path: Path) -> None:
    flat = tmp_path / "flat.txt"
    flat.write_text("1 " * 24, encoding="utf-8")
    hours = answer("staffing", *DAY, "--on-duty", "6/6/6", "--profile", str(flat))["hours"]
    assert {hour["calls"] for hour in hours} == {round(1562 / 24, 3)}


@pytest.mark.parametrize("profile", ["journal", "no-such-file.txt"])
def test_a_profile_that_is_not_there_is_refused(profile: str) -> None:
    said = run("staffing", *DAY, "--on-duty", "6/6/6", "--profile", profile)
    assert said.exit_code == 1
    assert len(said.stderr.strip().splitlines()) == 1


def calls_of_days(home: Path, days: int) -> None:
    """Put calls into the hotline's database: 60 a day, all at nine in the morning of Shanghai."""
    nine = datetime.now(ZoneInfo("Asia/Shanghai")).replace(hour=9, minute=0) - timedelta(days=days)
    rows = [
        call_row(
            CallRecord(
                f"c-{day}.{minute}", started_at=(nine + timedelta(days=day, minutes=minute)).timestamp()
            )
        )
        for day in range(days)
        for minute in range(60)
    ]

    async def write() -> None:
        store = Store(f"sqlite+aiosqlite:///{home / 'hotline.sqlite3'}", "511100", take)
        await store.open()
        await store.write(Batch("journal:a1", None, "1:1", [], rows))
        await store.close()

    asyncio.run(write())


def test_the_hotlines_own_calls_are_used_once_there_are_enough(tmp_path: Path) -> None:
    calls_of_days(tmp_path, 16)
    assert max(range(24), key=spread.profile_of("auto").weights.__getitem__) == 9
    own = answer("staffing", *DAY, "--on-duty", "6/6/6")["profile"]
    assert (own["source"], own["days"], own["calls"]) == ("journal", 14, 840)


def test_a_few_days_of_calls_are_used_only_when_asked_for(tmp_path: Path) -> None:
    calls_of_days(tmp_path, 5)
    assert spread.profile_of("auto") is BUILT_IN
    assert spread.profile_of("journal").days == 3
    assert spread.profile_of("built-in") is BUILT_IN


def test_a_simulated_day_is_told_with_its_tickets() -> None:
    arguments = ("--calls-per-day", "300", "--aht", "210", "--patience", "90", "--on-duty", "4/4/4")
    document = answer("simulate", *arguments, "--runs", "2", "--seed", "5")
    day = document["day"]
    assert document["runs"] == 2
    assert day["calls"] == day["tickets"] == day["answered"] + day["abandoned"]
    assert day["connection_rate_lowest"] <= day["connection_rate"] <= day["connection_rate_highest"]
    assert sum(hour["calls"] for hour in document["hours"]) == day["calls"]
    again = answer("simulate", *arguments, "--runs", "2", "--seed", "5")
    assert again["day"] == day


def test_a_simulated_day_says_which_seats_were_made_up() -> None:
    arguments = ("--calls-per-day", "50", "--aht", "210", "--patience", "90", "--on-duty", "30/4/4")
    assert answer("simulate", *arguments)["seats_added"] == 6
    said = run("simulate", *arguments)
    assert "6 seats" in said.stdout
    assert "接通率" in said.stdout


def thinner_night(folder: Path) -> Path:
    """Copy the shipped files with nobody but the leader on one night; return the folder."""
    shutil.copytree(SHIPPED, folder)
    roster = folder / "roster.yaml"
    text = roster.read_text(encoding="utf-8")
    book = load_book(folder)
    day = datetime.now(ZoneInfo(book.timezone)).date() + timedelta(days=2)
    duties = book.roster.duties(day)
    lines = [f"  '{day}':"]
    for duty in duties:
        people = duty.operators if duty.shift.id != "late" else (duty.leader,)
        lines.append(
            f"    {duty.shift.id}: {{leader: '{duty.leader}', operators: [{', '.join(map(repr, people))}]}}"
        )
    roster.write_text(
        text.partition("\ndays:")[0] + "\n" + "days:\n" + "\n".join(lines) + "\n", encoding="utf-8"
    )
    return folder


def test_check_shows_what_a_new_roster_does_to_callers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(SHIPPED, home / "running")
    monkeypatch.setenv("IVR_HOME", str(home))
    folder = thinner_night(tmp_path / "new")
    page = tmp_path / "effect.html"
    said = run("check", str(folder), "--html", str(page))
    assert said.exit_code == 0, said.output
    assert "人工接通率" in said.stdout
    assert re.search(r"connection rate\D*9\d\.\d%\D*8\d\.\d%\D*-1\d\.\d", said.stdout), said.stdout
    assert "<svg" in page.read_text(encoding="utf-8")


def test_the_same_roster_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IVR_HOME", str(tmp_path))
    said = run("check", str(SHIPPED))
    assert "97.2%" in said.stdout
    assert "before" not in said.stdout


def test_check_judges_a_roster_by_the_hotlines_own_hours_once_there_are_enough_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(SHIPPED, home / "running")
    monkeypatch.setenv("IVR_HOME", str(home))
    folder = thinner_night(tmp_path / "new")
    calls_of_days(home, 5)
    said = run("check", str(folder)).stdout
    assert "built in" in said
    assert "180 calls of 3 whole days" in said
    assert re.search(r"connection rate\D*9\d\.\d%\D*8\d\.\d%\D*-1\d\.\d", said), said


def test_a_city_that_calls_in_the_morning_misses_few_people_at_night(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(SHIPPED, home / "running")
    monkeypatch.setenv("IVR_HOME", str(home))
    folder = thinner_night(tmp_path / "new")
    calls_of_days(home, 130)
    said = run("check", str(folder)).stdout
    assert "7680 calls of 128 whole days of this hotline" in said
    assert "built in, reconstructed" not in said
    change = re.search(r"connection rate\D*[\d.]+%\D*[\d.]+%\D*(-?\d+\.\d)", said)
    assert change, said
    assert abs(float(change[1])) < 5, "these callers come at nine in the morning"


def test_staffing_reads_a_roster_file_as_it_would_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IVR_HOME", str(tmp_path / "home"))
    folder = thinner_night(tmp_path / "new")
    day = str(datetime.now(ZoneInfo("Asia/Shanghai")).date() + timedelta(days=2))
    arguments = ("--calls-per-day", "400", "--aht", "210", "--patience", "90", "--date", day)
    shipped = answer("staffing", *arguments)
    thinner = answer("staffing", *arguments, "--roster", str(folder / "roster.yaml"))
    assert {hour["on_duty"] for hour in shipped["hours"]} == {4}
    assert [hour["on_duty"] for hour in thinner["hours"]] == [4] * 16 + [1] * 8
    spoilt = tmp_path / "roster.yaml"
    spoilt.write_text("cycle: {", encoding="utf-8")
    refused = run("staffing", *arguments, "--roster", str(spoilt))
    assert refused.exit_code == 1
    assert "roster.yaml:" in refused.output
    missing = run("staffing", *arguments, "--roster", str(tmp_path / "none.yaml"))
    assert missing.exit_code == 1
    assert "none.yaml" in missing.output


@pytest.mark.parametrize("command", ["staffing", "simulate"])
def test_a_roster_says_who_is_on_duty_on_the_day_that_was_asked_for(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dataclass(frozen=True)
    class Shift:
        operators: tuple[str, ...]

    class Week:
        def on_duty(self, at: datetime) -> tuple[Shift, ...]:
            people = ("1001", "1002", "1003") if at.day == 24 else ("1001",)
            return (Shift(people),)

    monkeypatch.setattr(planning, "roster_of", lambda path: Week())
    arguments = ("--calls-per-day", "50", "--aht", "210", "--patience", "90", "--roster", "roster.yaml")
    for day, people in (("2026-11-23", 1), ("2026-11-24", 3)):
        hours = answer(command, *arguments, "--date", day)["hours"]
        assert {hour["on_duty"] for hour in hours} == {people}
    assert run(command, *arguments, "--date", "tomorrow").exit_code == 2


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "2026-02-30", "morgen"])
@pytest.mark.parametrize("command", [("staffing", *DAY), ("roster",)])
def test_a_day_that_cannot_be_is_wrong_usage_and_no_crash(command: tuple[str, ...], day: str) -> None:
    said = run(*command, "--date", day)
    assert (said.exit_code, said.stdout) == (2, "")
    assert "ISO 8601" in said.stderr


@pytest.mark.parametrize("option", ["--calls-per-day", "--aht", "--patience"])
@pytest.mark.parametrize("command", ["staffing", "simulate"])
def test_a_number_that_is_none_is_refused_and_not_reckoned_with_for_ever(command: str, option: str) -> None:
    words = ["--calls-per-day", "500", "--aht", "200", "--patience", "90", "--on-duty", "6/6/6"]
    words[words.index(option) + 1] = "nan"
    done = CliRunner().invoke(main, [command, *words])
    assert done.exit_code == 2
    assert option in done.output and "not a number" in done.output
