"""The files an administrator edits: what is shipped works, what is wrong is named and changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ivr.hotline.book import EMERGENCY_NUMBERS, HotlineBook, MergeMode, QueueSpec
from ivr.hotline.files.reading import ConfigurationError, load
from ivr.hotline.telephone import digits

SHIPPED = Path(__file__).parents[2] / "queues"
Edit = Callable[[str, str, str], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path in SHIPPED.glob("*.yaml"):
        shutil.copy(path, tmp_path)
    return tmp_path


@pytest.fixture
def edit(folder: Path) -> Edit:
    def change(name: str, old: str, new: str) -> None:
        path = folder / name
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), "utf-8")

    return change


def fault(folder: Path) -> str:
    with pytest.raises(ConfigurationError) as error:
        load(folder)
    assert error.value.code == "configuration"
    return error.value.sentence


def test_the_shipped_hotline_is_whole() -> None:
    book = load(SHIPPED)
    assert (book.number, book.region, book.area_code) == ("12345", "511100", "0833")
    assert len(book.lines) == 82
    assert len(book.seats) == 24
    assert len(book.operators) == 18
    assert [seat.extension for seat in book.seats] == [str(8001 + n) for n in range(24)]
    assert [seat.id for seat in book.seats] == [f"{n:02d}" for n in range(1, 25)]
    assert [person.number for person in book.operators] == [str(1001 + n) for n in range(18)]
    assert book.general_queue.id == "q_general"
    assert {line.merge_mode for line in book.lines} <= set(MergeMode)
    assert book.trunks.lab
    assert book.trunks.addresses == ("127.0.0.1",)


def test_every_shipped_line_is_found_by_each_way_to_dial_it() -> None:
    book = load(SHIPPED)
    for line in book.lines:
        for form in book.number_forms(line.number):
            assert book.line_by_number(form) == line
    assert book.line_by_number(book.number) is None


def test_no_emergency_number_is_ever_answered_by_the_hotline() -> None:
    book = load(SHIPPED)
    assert not set(EMERGENCY_NUMBERS) & set(book.answered)


def test_every_shipped_number_is_spelt_with_digits_only_in_the_dialplan() -> None:
    numbers = load(SHIPPED).answered
    assert len(numbers) == len(set(numbers)) == 83 * 8
    assert all(number.isascii() and number.isdigit() for number in numbers)


@pytest.mark.parametrize("number", ["110", "119", "120", "122", "1-1-0", "-119"])
def test_an_emergency_number_can_never_become_a_line(folder: Path, edit: Edit, number: str) -> None:
    edit("lines.yaml", "'12396'", f"'{number}'")
    assert "lines.yaml" in (said := fault(folder))
    assert "can never be a line" in said


@pytest.mark.parametrize("number", ["110", "119", "120", "122"])
def test_an_emergency_number_can_never_become_the_hotline(folder: Path, edit: Edit, number: str) -> None:
    edit("hotline.yaml", "'12345'", f"'{number}'")
    assert "can never be the hotline" in fault(folder)


FROM_110 = "username: from-110"
FAULTS = [
    (
        "a number twice",
        "lines.yaml",
        "'12396'",
        "'12330'",
        "line number 12330 stands twice",
    ),
    ("the hotline's own number", "lines.yaml", "'12396'", "'12345'", "stands twice"),
    ("a number that only looks different", "lines.yaml", "'12396'", "'0833-12330'", "083312330"),
    ("a number without digits", "lines.yaml", "'12396'", "'----'", "at least three digits"),
    ("a line id twice", "lines.yaml", "tech_12396", "ip_12330", "line id ip_12330 stands twice"),
    ("an unknown merge mode", "lines.yaml", "merge_mode: whole", "merge_mode: half", "merge_mode"),
    ("a misspelt field", "lines.yaml", "department:", "departement:", "departement"),
    ("a seat id twice", "seats.yaml", "'02'", "'01'", "seat id 01 stands twice"),
    ("an extension twice", "seats.yaml", "'8002'", "'8001'", "extension 8001 stands twice"),
    ("a seat number without its zero", "seats.yaml", "'02'", "'2'", "seats[2].id"),
    (
        "a number written without quotes",
        "seats.yaml",
        "'8002'",
        "8002",
        "8002 without quotes is a number to YAML; put it in quotes: '8002'",
    ),
    ("an operator twice", "operators.yaml", "'1002'", "'1001'", "operator number 1001 stands twice"),
    ("an unknown queue", "operators.yaml", "[q_general, ", "[q_nowhere, ", "operator 1001 serves q_nowhere"),
    ("Asterisk's own section name", "queues.yaml", "q_general", "general", "Asterisk keeps the name general"),
    ("a queue name with a bracket", "queues.yaml", "q_general", "q]x", "queues[1].id"),
    ("a ring of no length", "queues.yaml", "ring_s: 15", "ring_s: 0", "ring_s"),
    ("a region of five digits", "hotline.yaml", "'511100'", "'51110'", "region"),
    ("no such time zone", "hotline.yaml", "Asia/Shanghai", "Asia/Beijing", "Asia/Beijing"),
    ("a time zone that is a path", "hotline.yaml", "Asia/Shanghai", "../../etc/passwd", "time zone"),
    ("a greeting that is no prompt", "reception.yaml", "P001", "../P001", "greeting"),
    ("an address that is none", "trunks.yaml", "[127.0.0.1]", "['x; y']", "addresses"),
    ("110 under the trunk's name", "trunks.yaml", FROM_110, "username: trunk", "something else in Asterisk"),
    ("110 under a seat's name", "trunks.yaml", FROM_110, "username: seat01", "something else in Asterisk"),
    ("110 under our own prefix", "trunks.yaml", FROM_110, "username: ivr-seat", "something else in Asterisk"),
    ("an unknown strategy", "queues.yaml", "rrmemory", "linear", "strategy"),
    (
        "a control character in a name",
        "lines.yaml",
        "name: 科技公益服务热线",
        'name: "a\\nb"',
        "lines[1].name",
    ),
    ("a quote in a name", "operators.yaml", "name: 话务员01", "name: '话\"务员'", "operators[1].name"),
]


@pytest.mark.parametrize(
    ("name", "old", "new", "words"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS]
)
def test_a_wrong_value_is_refused_with_its_file_and_what_is_wrong(
    folder: Path, edit: Edit, name: str, old: str, new: str, words: str
) -> None:
    edit(name, old, new)
    said = fault(folder)
    rows = [row for row in said.splitlines() if row.startswith(f"{folder / name}:")]
    assert any(words in row for row in rows)


def test_a_seat_that_does_not_answer_is_passed_over_unless_a_city_wants_otherwise(
    folder: Path, edit: Edit
) -> None:
    (shipped,) = [queue for queue in load(folder).queues if queue.id == "q_general"]
    assert shipped.strategy == QueueSpec("q", "q").strategy == "rrmemory"
    edit("queues.yaml", "strategy: rrmemory", "")
    assert load(folder).general_queue.strategy == "rrmemory"


@pytest.mark.parametrize(
    ("text", "line"),
    [("lines:\n  - id: a\n    number: '1\n", 4), ("lines: [a, b\n", 2), ("a: b: c\n", 1), ("\ta: 1\n", 1)],
)
def test_broken_yaml_is_refused_with_file_and_line(folder: Path, text: str, line: int) -> None:
    (folder / "lines.yaml").write_text(text)
    assert fault(folder).startswith(f"{folder / 'lines.yaml'}:{line}: ")


def test_a_file_saved_in_gbk_is_refused_with_the_remedy(folder: Path) -> None:
    path = folder / "hotline.yaml"
    path.write_bytes(path.read_text("utf-8").encode("gb18030"))
    said = fault(folder)
    assert said.startswith(str(path))
    assert "saved as GBK (ANSI); save it as UTF-8" in said


@pytest.mark.parametrize("name", sorted(path.name for path in SHIPPED.glob("*.yaml")))
def test_a_missing_or_empty_file_is_named(folder: Path, name: str) -> None:
    path = folder / name
    text = path.read_text("utf-8")
    path.unlink()
    assert fault(folder).startswith(f"{path}:1: the file is missing")
    path.mkdir()
    assert fault(folder).startswith(str(path))
    path.rmdir()
    for broken in ("", "# a comment\n", "- a\n", "x: 1\n", "17\n"):
        path.write_text(broken)
        assert f"{path}:1: " in fault(folder)
    path.write_text(text, "utf-8")
    load(folder)


def test_a_yaml_file_cannot_run_a_program(folder: Path) -> None:
    (folder / "hotline.yaml").write_text('city: !!python/object/apply:os.system ["touch x"]\n')
    assert "hotline.yaml:1" in fault(folder)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "nowhere") in fault(tmp_path / "nowhere")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from(["hotline.yaml", "queues.yaml", "trunks.yaml", "seats.yaml"]))
def test_no_bytes_in_a_file_do_more_than_refuse_it(folder: Path, raw: bytes, name: str) -> None:
    path = folder / name
    before = path.read_bytes()
    path.write_bytes(raw)
    try:
        assert isinstance(load(folder), HotlineBook)
    except ConfigurationError as error:
        assert str(path) in error.sentence
    finally:
        path.write_bytes(before)


@given(st.text(max_size=30))
def test_digits_are_only_those_a_telephone_has(text: str) -> None:
    assert set(digits(text)) <= set("0123456789")
