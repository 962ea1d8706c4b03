"""Ready configurations of three cities: each is whole, and taking one loses nothing."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ivr.cli.main import main
from ivr.hotline.book import EMERGENCY_NUMBERS, HotlineBook, MergeMode
from ivr.hotline.files.reading import FILES, load, read
from ivr.hotline.modes import ModeName, ModeSpec, Priorities, ReceptionSpec, ReceptionStyle
from tests.unit.configuration_kit import CITIES, SHIPPED, SPRING


def book(city: str) -> HotlineBook:
    return load(SHIPPED / "profiles" / city)


@pytest.mark.parametrize("city", CITIES)
def test_every_profile_has_no_fault_and_needs_no_advice(city: str) -> None:
    assert read(SHIPPED / "profiles" / city, SPRING).faults == ()


@pytest.mark.parametrize(
    ("city", "lines", "region", "area_code"),
    [("leshan", 82, "511100", "0833"), ("ningxiang", 39, "430182", "0731"), ("ankang", 33, "610900", "0915")],
)
def test_a_profile_is_that_of_its_city(city: str, lines: int, region: str, area_code: str) -> None:
    found = book(city)
    assert len(found.lines) == len({line.number for line in found.lines}) == lines
    assert (found.region, found.area_code) == (region, area_code)
    assert not set(EMERGENCY_NUMBERS) & set(found.answered)
    assert len(found.operators) == 18


def test_the_merge_modes_are_those_of_the_cities() -> None:
    assert Counter(line.merge_mode for line in book("leshan").lines) == {
        MergeMode.WHOLE: 60,
        MergeMode.PARALLEL: 17,
        MergeMode.SUBCENTER: 5,
    }
    assert {line.merge_mode for line in book("ningxiang").lines} == {MergeMode.WHOLE}
    modes = {city: book(city).line_by_number("12333") for city in CITIES}
    assert [line and line.merge_mode for line in modes.values()] == ["parallel", "whole", "resident"]
    ankang = {line.number: line.merge_mode for line in book("ankang").lines}
    assert ankang["12369"] == ankang["12328"] == MergeMode.PARALLEL


def test_experts_of_a_line_are_reached_through_its_own_queue_in_office_hours() -> None:
    found = book("ankang")
    line = found.line_by_number("12333")
    queue = found.queue_of(line)
    assert queue.id == "q_hr_12333"
    assert queue.overflow_to == found.general_queue.id
    assert queue.is_open(datetime(2026, 11, 20, 2, tzinfo=UTC), found.calendar)
    assert not queue.is_open(datetime(2026, 11, 20, 12, tzinfo=UTC), found.calendar)
    assert found.queue_of(None) == found.general_queue
    ningxiang = book("ningxiang")
    assert ningxiang.queue_of(ningxiang.line_by_number("12333")) == ningxiang.general_queue


@pytest.mark.parametrize("city", CITIES)
def test_every_queue_is_served_by_somebody(city: str) -> None:
    found = book(city)
    for queue in found.queues:
        assert [person for person in found.operators if queue.id in person.queues]


def test_sub_centres_have_a_way_out_and_stay_with_general_operators_until_then() -> None:
    found = book("leshan")
    subs = [line for line in found.lines if line.merge_mode == MergeMode.SUBCENTER]
    assert len(subs) == 5
    assert all(f"subcenter:{line.id}" in found.trunks.destinations for line in subs)
    assert all(found.queue_of(line) == found.general_queue for line in subs)


def test_the_units_are_as_many_as_published_and_villages_never_handle_alone() -> None:
    units = book("ningxiang").units
    assert Counter(unit.level for unit in units) == {1: 59, 2: 38, 3: 25}
    assert {unit.can_be_main for unit in units if unit.level == 3} == {False}
    assert book("ningxiang").unit("town_01") in units


def test_the_shipped_configuration_is_the_profile_of_leshan() -> None:
    for path in (SHIPPED / "profiles/leshan").glob("*.yaml"):
        assert path.read_text("utf-8").replace("../../schema", "schema") == (SHIPPED / path.name).read_text(
            "utf-8"
        )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return shutil.copytree(SHIPPED, tmp_path / "queues")


def ivr(config: Path, *words: str) -> Result:
    return CliRunner().invoke(main, words, env={"IVR_CONFIG": str(config), "IVR_LANGUAGE": "en"})


def test_taking_a_profile_keeps_what_was_there_and_the_rest(config: Path) -> None:
    before = {name: (config / name).read_bytes() for name in FILES}
    result = ivr(config, "profile", "use", "ankang")
    assert result.exit_code == 0, result.output
    assert "ivr apply" in result.output
    assert len(load(config).lines) == 33
    (kept,) = (config / "kept").iterdir()
    assert str(kept) in result.output
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before
    assert (config / "roster.yaml").read_bytes() == before["roster.yaml"]
    assert ivr(config, "profile", "use", "leshan").exit_code == 0
    assert {name: (config / name).read_bytes() for name in FILES} == before
    assert len(list((config / "kept").iterdir())) == 2
    assert not list(config.glob(".*"))


def test_a_profile_that_does_not_fit_is_refused_and_changes_nothing(config: Path) -> None:
    path = config / "reception.yaml"
    path.write_text(path.read_text("utf-8").replace("keys: {}", "keys: {'1': tax_12366}"), "utf-8")
    before = {name: (config / name).read_bytes() for name in FILES}
    result = ivr(config, "profile", "use", "ningxiang")
    assert result.exit_code == 1
    assert "key 1 leads to line tax_12366, which does not exist" in result.output
    assert {name: (config / name).read_bytes() for name in FILES} == before
    assert not (config / "kept").exists()


def test_a_profile_that_cannot_be_written_leaves_the_old_files(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: (config / name).read_bytes() for name in FILES}
    plain, moves = Path.replace, []

    def full(self: Path, target: Path) -> Path:
        moves.append(target)
        if len(moves) == 3:
            raise OSError(28, "No space left on device")
        return plain(self, target)

    monkeypatch.setattr(Path, "replace", full)
    result = ivr(config, "profile", "use", "ankang")
    assert result.exit_code == 1
    assert "No space left on device" in result.output
    assert {name: (config / name).read_bytes() for name in FILES} == before


def test_the_list_of_profiles_marks_the_one_in_use(config: Path) -> None:
    rows = json.loads(ivr(config, "profile", "list", "--json").output)
    assert [(row["profile"], row["lines"], row["in_use"]) for row in rows] == [
        ("ankang", 33, False),
        ("leshan", 82, True),
        ("ningxiang", 39, False),
    ]
    assert "宁乡市" in ivr(config, "profile", "list").output


def test_a_profile_nobody_has_is_refused_with_those_there_are(config: Path) -> None:
    result = ivr(config, "profile", "use", "ankan")
    assert (result.exit_code, result.output) == (1, "there is no profile ankan; did you mean ankang?\n")


def test_check_prints_every_fault_and_its_document(config: Path) -> None:
    good = ivr(config, "check", "--json")
    assert good.exit_code == 0
    document = json.loads(good.output)
    assert document["ok"] is True
    assert {row["severity"] for row in document["faults"]} <= {"advice"}
    path = config / "seats.yaml"
    path.write_text(path.read_text("utf-8").replace("'8002'", "8002"), "utf-8")
    (config / "modes.yaml").unlink()
    bad = ivr(config, "check", str(config), "--json")
    assert bad.exit_code == 1
    document = json.loads(bad.output)
    faults = [row for row in document["faults"] if row["severity"] == "fault"]
    assert document["ok"] is False
    assert [(Path(row["file"]).name, row["line"]) for row in faults] == [("seats.yaml", 5), ("modes.yaml", 1)]
    assert set(faults[0]) == {"file", "line", "severity", "sentence", "sentence_zh"}
    words = ivr(config, "check", str(config))
    assert words.exit_code == 1
    assert f"{path}:5: seats[2].extension: 8002 without quotes" in words.output
    chinese = CliRunner().invoke(main, ["check", str(config)], env={"IVR_LANGUAGE": "zh"})
    assert "请加引号" in chinese.output


def test_check_of_a_folder_that_is_not_there_says_so_once(tmp_path: Path) -> None:
    result = ivr(tmp_path, "check", str(tmp_path / "nowhere"))
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert "there is no such folder" in result.output


def test_modes_reception_and_priorities_are_as_written(config: Path) -> None:
    path = config / "modes.yaml"
    path.write_text(path.read_text("utf-8").replace("priority: {}", "priority: {loc_flood: 5}"), "utf-8")
    path = config / "reception.yaml"
    text = (
        path.read_text("utf-8")
        .replace("style: direct", "style: menu")
        .replace("keys: {}", "keys: {'1': hr_12333}")
    )
    path.write_text(text.replace("callback: 10", "callback: 11"), "utf-8")
    found = load(config)
    assert found.modes[ModeName.REGULAR] == ModeSpec(ModeName.REGULAR)
    assert found.modes[ModeName.HOLIDAY] == ModeSpec(ModeName.HOLIDAY, prompt="P041", experts_closed=True)
    emergency = found.modes[ModeName.EMERGENCY]
    assert (emergency.prompt, emergency.overflow_at_once, emergency.priority) == (
        "P040",
        True,
        {"loc_flood": 5},
    )
    assert found.reception == ReceptionSpec(style=ReceptionStyle.MENU, keys={"1": "hr_12333"})
    assert found.priorities == Priorities(callback=11)
    general = found.general_queue
    assert (general.wrap_up_s, general.callback_after_s, general.max_wait_s) == (30, 60, 900)
