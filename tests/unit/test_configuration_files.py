"""Whatever is in a file, or in place of it: one sentence says what to mend, with file and line."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic_core.core_schema import ErrorType

from ivr.hotline.files import snapshot
from ivr.hotline.files.explain import explain
from ivr.hotline.files.reading import FILES, ConfigurationError, Severity, load, read, read_snapshot
from ivr.hotline.files.schema import MAX_LINES, HotlineFile
from ivr.hotline.files.yaml_nodes import compose
from tests.unit.configuration_kit import CITIES, SHIPPED, SPRING, Desk
from tools import config_schema

CHINESE = re.compile("[\u4e00-\u9fff]")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_shipped_files_have_no_fault_and_need_no_advice() -> None:
    reading = read(SHIPPED, SPRING)
    assert reading.faults == ()
    assert reading.ok
    assert set(reading.snapshot.files) == set(FILES)


FIRST_NAME = "name: 科技公益服务热线"
MODE = "    merge_mode: whole"
SENTENCES = [
    (
        "a candidate that is none",
        "lines.yaml",
        "env_12369, loc_urbanlaw",
        "env_12369, loc_urban",
        0,
        "may mean line loc_urban, which",
    ),
    ("30 February", "calendar.yaml", "'2026-02-16'", "'2026-02-30'", 0, "there is no day 2026-02-30"),
    ("a time without quotes", "shifts.yaml", "end: '16:00'", "end: 16:00", 0, "put it in quotes: '16:00'"),
    ("a number with a zero", "hotline.yaml", "'511100'", "011100", 0, "put it in quotes: '011100'"),
    (
        "no is a truth value",
        "lines.yaml",
        FIRST_NAME,
        "name: no",
        0,
        "true or false to YAML; put it in quotes: 'no'",
    ),
    ("a misspelt key", "lines.yaml", MODE, "    merge_mod: whole", 0, "did you mean merge_mode?"),
    ("a misspelt mode", "lines.yaml", MODE, "    merge_mode: hole", 0, "did you mean whole?"),
    (
        "a misspelt queue",
        "lines.yaml",
        "queue: q_hr_12333",
        "queue: q_hr_1233",
        0,
        "did you mean q_hr_12333?",
    ),
    (
        "a key twice",
        "lines.yaml",
        MODE,
        f"{MODE}\n{MODE}",
        1,
        "merge_mode stands a second time (first in line 10)",
    ),
    ("a tab", "lines.yaml", MODE, "\tmerge_mode: whole", 0, "a tab indents this line"),
    ("a full-width colon", "lines.yaml", MODE, "    merge_mode：whole", 1, "full-width colon"),
    ("a tag", "hotline.yaml", "city: 乐山市", "city: !!python/name:os.system x", 0, "is not allowed"),
    ("a value left out", "hotline.yaml", "city: 乐山市", "city:", 0, "city: empty; write a value"),
    ("a list for a name", "hotline.yaml", "city: 乐山市", "city: [a]", 0, "write text here"),
    ("a second document", "hotline.yaml", "region:", "---\nregion:", 0, "a second document begins here"),
    ("an unknown anchor", "hotline.yaml", "city: 乐山市", "city: *a", 0, "anchor"),
    ("a list as a key", "hotline.yaml", "city: 乐山市", "? [a]\n: b", 0, "cannot be a key"),
    (
        "a number as text",
        "queues.yaml",
        "ring_s: 15 ",
        "ring_s: '15' ",
        0,
        "write a whole number without quotes",
    ),
    ("a number too big", "queues.yaml", "ring_s: 15 ", "ring_s: 500 ", 0, "write 120 or less"),
    (
        "an alias too long",
        "lines.yaml",
        "aliases: [科技",
        f"aliases: [{'长' * 99}",
        0,
        "longer than 100 characters",
    ),
    (
        "an alias twice",
        "lines.yaml",
        "科技热线, ",  # half-width kept
        "科技热线, 科技热线, ",  # half-width kept
        0,
        "alias of tech_12396 科技热线 stands twice",
    ),
    (
        "110 with the area code",
        "lines.yaml",
        "'12396'",
        "'0833110'",
        0,
        "0833110 reaches 110, which can never be a line",
    ),
    ("110 as a seat", "seats.yaml", "'8002'", "'110'", 0, "is an emergency number"),
    ("hours nobody understands", "queues.yaml", "09:00-17:00", "9-17", 0, "write always, or for example"),
    (
        "overflow to itself",
        "queues.yaml",
        "overflow_to: q_general",
        "overflow_to: q_civil_12349",
        0,
        "overflows to itself",
    ),
    (
        "a general queue that closes",
        "queues.yaml",
        "ring_s: 15 ",
        "hours: daily 08:00-18:00 #",
        -2,
        "hours always",
    ),
    (
        "a destination elsewhere",
        "trunks.yaml",
        "119@127.0.0.1:5119",
        "119@10.0.0.1",
        0,
        "is not on this machine",
    ),
    (
        "a destination like loopback",
        "trunks.yaml",
        "119@127.0.0.1:5119",
        "119@127.0.0.1.example",
        0,
        "is not on this machine",
    ),
    (
        "a destination that would be passed over",
        "trunks.yaml",
        "[sip:119@127.0.0.1:5119]",
        "['sip:119@127.0.0.1:5119', 'sips:119@127.0.0.1:5119']",
        0,
        "sips:119@127.0.0.1:5119 would never be dialled",
    ),
    (
        "a destination without a number",
        "trunks.yaml",
        "[sip:119@127.0.0.1:5119]",
        "['sip:127.0.0.1:5119']",
        0,
        "would never be dialled; write sip:NUMBER@HOST:PORT",
    ),
    (
        "a callback through a name",
        "trunks.yaml",
        "# callback: [sip:9@10.0.0.1]",
        "callback: [sip:trunk@127.0.0.1]",
        0,
        "PREFIX is digits",
    ),
    (
        "a star to somebody else",
        "reception.yaml",
        "star_number: '110'",
        "star_number: '12315'",
        0,
        "'122', in quotes",
    ),
    (
        "a star without quotes",
        "reception.yaml",
        "star_number: '110'",
        "star_number: 110",
        0,
        "put it in quotes",
    ),
    (
        "a destination with more",
        "trunks.yaml",
        "[sip:119@127.0.0.1:5119]",
        "['sip:1@127.0.0.1;x=1']",
        0,
        "is no SIP address",
    ),
    (
        "a destination of two rows",
        "trunks.yaml",
        "[sip:119@127.0.0.1:5119]",
        '["sip:1@127.0.0.1\\r\\nx"]',
        0,
        "is no SIP address",
    ),
    ("an unknown target", "trunks.yaml", "'119'", "'118'", 0, "is no target"),
    (
        "a target that is no line",
        "trunks.yaml",
        "subcenter:tax_12366",
        "subcenter:tax_1236",
        0,
        "did you mean tax_12366?",
    ),
    ("a unit's parent that is none", "units.yaml", "parent: town_01", "parent: town_1", 0, "does not exist"),
    ("a unit under a lower one", "units.yaml", "parent: town_01", "parent: village_02", 0, "is not above it"),
    (
        "a workday that is a holiday",
        "calendar.yaml",
        "- '2026-10-10'",
        "- '2026-10-03'",
        0,
        "is a holiday and a workday",
    ),
    (
        "a workday in the week",
        "calendar.yaml",
        "- '2026-10-10'",
        "- '2026-10-12'",
        0,
        "is no Saturday or Sunday",
    ),
    ("a day of another year", "calendar.yaml", "- '2026-10-10'", "- '2027-10-10'", 0, "is not in 2026"),
    ("a mode that is none", "modes.yaml", "holiday:", "holidays:", 0, "did you mean holiday?"),
    (
        "a key to no line",
        "reception.yaml",
        "keys: {}",
        "keys: {'1': nowhere}",
        0,
        "key 1 leads to line nowhere",
    ),
    (
        "a key that is no digit",
        "reception.yaml",
        "keys: {}",
        "keys: {'0': hr_12333}",
        0,
        "a digit from 1 to 9",
    ),
]


@pytest.mark.parametrize(
    ("name", "old", "new", "after", "words"), [s[1:] for s in SENTENCES], ids=[s[0] for s in SENTENCES]
)
def test_what_is_wrong_is_told_with_its_line_and_a_remedy(
    desk: Desk, name: str, old: str, new: str, after: int, words: str
) -> None:
    rows = [row for row in desk.edit(name, old, new).said() if words in row]
    assert any(row.startswith(f"{name}:{desk.edited + after}: ") for row in rows), desk.said()


BOMB = b"a: &a [x, x]\n" + b"".join(
    b"b%d: &b%d [*%s, *%s]\n" % (n, n, below, below)
    for n, below in ((n, b"b%d" % (n - 1) if n else b"a") for n in range(60))
)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "the file is empty"),
        (b"# nothing\n", "the file is empty"),
        ("city: 乐山".encode("gb18030"), "saved as GBK"),
        ("city: 乐山".encode("utf-16"), "UTF-16"),
        (b"city: \xff\xff", "0xff is not UTF-8"),
        (b"city: \x07", "control character"),
        (b"[" * 300_000, "deep in each other"),
        (b"a: &a [*a]", "stands inside itself"),
        (BOMB, "anchors counted in full"),
        (b"x" * 5_000_000, "bytes"),
        (b"city: 'x\n", "not YAML"),
    ],
)
def test_a_file_that_is_no_configuration_is_told_in_one_sentence(desk: Desk, raw: bytes, words: str) -> None:
    rows = [row for row in desk.write("hotline.yaml", raw).said() if row.startswith("hotline.yaml:")]
    assert len(rows) == 1
    assert words in rows[0]


def test_a_byte_order_mark_is_read_and_advised_against(desk: Desk) -> None:
    path = desk.folder / "seats.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert ["byte order mark" in row for row in desk.advised()] == [True]


def test_all_faults_of_all_files_are_told_at_once(desk: Desk) -> None:
    desk.edit("lines.yaml", "'12396'", "'12330'").edit("lines.yaml", MODE, "    merge_mode: half")
    desk.edit("seats.yaml", "'8002'", "8002").edit("hotline.yaml", "'511100'", "'51110'")
    desk.edit("lines.yaml", "tax_12366", "customs_12360").write("modes.yaml", b"\t")
    rows = desk.said()
    told = [row.split(":")[0] for row in rows]
    assert {"lines.yaml", "seats.yaml", "hotline.yaml", "modes.yaml", "trunks.yaml"} <= set(told)
    assert any("line id customs_12360 stands twice" in row for row in rows)
    with pytest.raises(ConfigurationError) as error:
        load(desk.folder)
    assert all(row in error.value.sentence.replace(f"{desk.folder}/", "") for row in rows)
    assert len(error.value.zh.splitlines()) == len(rows)


def test_a_wrong_entry_does_not_move_the_lines_of_the_others(desk: Desk) -> None:
    desk.edit("lines.yaml", MODE, "    merge_mode: half").edit("lines.yaml", "poverty_12317", "agri_12316")
    text = (desk.folder / "lines.yaml").read_text("utf-8").splitlines()
    second = [n for n, row in enumerate(text, 1) if row == "  - id: agri_12316"][1]
    assert f"lines.yaml:{second}: line id agri_12316 stands twice" in "\n".join(desk.said())


def _seats(*ids: str) -> bytes:
    return ("seats:\n" + "".join(f"  - {{id: '{i}', extension: '{80000 + int(i)}'}}\n" for i in ids)).encode()


def test_a_city_may_have_two_thousand_seats_and_no_more(desk: Desk) -> None:
    desk.write("seats.yaml", _seats(*(f"{n:04}" for n in range(1, 2001))))
    assert desk.said() == []
    assert load(desk.folder).seat_digits == 4
    desk.write("seats.yaml", _seats(*(f"{n:04}" for n in range(1, 2002))))
    assert ["2000 are allowed" in row for row in desk.said()] == [True]


def test_seats_whose_ids_are_of_mixed_length_are_told_where_and_what_to_write(desk: Desk) -> None:
    desk.write("seats.yaml", _seats("001", "02", "003", "04", "05"))
    (row,) = desk.said()
    assert row.startswith("seats.yaml:3: seat id 02 has 2 digits and others have 3")
    assert "write '002' here, and 3 digits in 2 more." in row
    desk.write("seats.yaml", _seats("100", "99"))
    assert desk.said()[0].endswith("so write '099'.")


@pytest.mark.parametrize("wrong", ["1", "00001", "a1", "1 2"])
def test_a_seat_id_is_two_to_four_digits(desk: Desk, wrong: str) -> None:
    desk.edit("seats.yaml", "id: '01'", f"id: '{wrong}'")
    assert any("two to four digits in quotes" in row for row in desk.said())


def _many(count: int) -> bytes:
    rows = (
        f"  - id: l{n}\n    number: '0000-{n:06}'\n    name: 线{n}\n    department: x\n    merge_mode: whole\n"
        for n in range(count)
    )
    return ("lines:\n" + "".join(rows)).encode()


def test_ten_thousand_lines_are_refused_with_the_limit_and_soon(desk: Desk) -> None:
    desk.write("lines.yaml", _many(10_000))
    began = time.process_time()
    rows = desk.said()
    spent = time.process_time() - began
    assert f"lines.yaml:1: lines: more than {MAX_LINES} entries" in rows[0]
    desk.write("lines.yaml", _many(MAX_LINES))
    began = time.process_time()
    assert not any(row.startswith("lines.yaml") for row in desk.said())
    assert spent < 20 * max(time.process_time() - began, 0.05)  # five times the lines, never their square


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _link_to(target: str, path: Path) -> None:
    path.unlink()
    path.symlink_to(target)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def test_a_pipe_a_device_and_a_folder_are_named_and_never_waited_for(desk: Desk) -> None:
    _pipe(desk.folder / "seats.yaml")
    _link_to("/dev/zero", desk.folder / "modes.yaml")
    _folder(desk.folder / "units.yaml")
    rows = [row for row in desk.said() if "put an ordinary file here" in row]
    assert [row.split(":")[0] for row in rows] == ["seats.yaml", "units.yaml", "modes.yaml"]


def test_a_link_to_itself_is_named_and_a_link_to_a_file_is_followed(desk: Desk) -> None:
    path = desk.folder / "seats.yaml"
    path.rename(desk.folder / "elsewhere")
    path.symlink_to("elsewhere")
    assert desk.said() == []
    _link_to("seats.yaml", path)
    assert ["leads back to itself" in row for row in desk.said()] == [True]


def test_a_file_with_a_name_nobody_reads_is_advised_about(desk: Desk) -> None:
    (desk.folder / "line.yaml").write_text("lines: []")
    assert desk.advised() == ["line.yaml:1: nothing reads this file; did you mean lines.yaml?"]


def test_a_file_saved_while_it_is_read_is_read_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("hotline.yaml", "seats.yaml")
    whole = (desk.folder / "hotline.yaml").read_bytes()
    pauses: list[float] = []
    reads: list[Path] = []
    plain = snapshot._read

    def slowly(path: Path) -> object:
        reads.append(path)
        if len(reads) == 2:  # the first file was read, somebody begins to save it
            (desk.folder / "hotline.yaml").write_bytes(whole[:10])
        return plain(path)

    def saved(seconds: float) -> None:
        if not pauses:
            (desk.folder / "hotline.yaml").write_bytes(whole)
        pauses.append(seconds)

    monkeypatch.setattr(snapshot, "_read", slowly)
    taken, faults = snapshot.take(desk.folder, names, saved)
    assert (taken.files["hotline.yaml"], faults) == (whole, [])
    assert pauses


def test_a_folder_that_never_rests_is_told_and_not_read_for_ever(desk: Desk) -> None:
    path = desk.folder / "hotline.yaml"
    turns = iter(range(10_000))

    def grow(_: float = 0) -> None:
        path.write_text(f"# {next(turns)}")

    taken, faults = snapshot.take(desk.folder, _Growing(grow), grow)
    assert taken.files == {}
    assert "all the time" in faults[0].en


class _Growing(tuple[str, ...]):
    """File names; whoever walks through them finds that a file has changed."""

    def __new__(cls, grow: object) -> _Growing:
        self = super().__new__(cls, ("hotline.yaml",))
        self.grow = grow
        return self

    grow: object

    def __iter__(self):  # type: ignore[no-untyped-def]
        assert callable(self.grow)
        self.grow()
        return super().__iter__()


def test_what_was_checked_is_what_can_be_kept(desk: Desk, tmp_path: Path) -> None:
    reading = desk.read()
    reading.snapshot.write(tmp_path / "kept")
    desk.write("lines.yaml", b"broken: [")
    assert load(tmp_path / "kept") == reading.book
    assert read_snapshot(reading.snapshot).book == reading.book
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == sorted(FILES)


def test_the_schemas_of_editors_are_those_of_the_reader() -> None:
    written = {path.name: path.read_text("utf-8") for path in config_schema.FOLDER.glob("*.json")}
    assert written == config_schema.schemas(), "run: python -m tools.config_schema"


@pytest.mark.parametrize(
    "folder", [SHIPPED, *(SHIPPED / "profiles" / city for city in CITIES)], ids=lambda p: p.name
)
def test_every_shipped_file_names_its_schema(folder: Path) -> None:
    for path in folder.glob("*.yaml"):
        first = path.read_text("utf-8").splitlines()[0]
        assert first.startswith("# yaml-language-server: $schema=")
        assert (folder / first.partition("=")[2]).resolve() == (SHIPPED / "schema" / path.name).with_suffix(
            ".json"
        )


def _spoilt(data: st.DataObject, text: str) -> str:
    """Return the text as a tired person leaves it."""
    rows = text.splitlines(keepends=True)
    place = data.draw(st.integers(0, len(rows) - 1))
    kind = data.draw(st.sampled_from(["drop", "twice", "swap", "cut", "indent", "value", "insert"]))
    row = rows[place]
    if kind == "drop":
        rows[place] = ""
    elif kind == "twice":
        rows[place] = row * 2
    elif kind == "swap":
        other = data.draw(st.integers(0, len(rows) - 1))
        rows[place], rows[other] = rows[other], row
    elif kind == "cut":
        return "".join(rows[:place]) + row[: data.draw(st.integers(0, len(row)))]
    elif kind == "indent":
        rows[place] = data.draw(st.sampled_from([" ", "\t", "  ", "- "])) + row
    elif kind == "value":
        odd = [
            "",
            "~",
            "no",
            "012",
            "12:30",
            "1e9",
            "[]",
            "{}",
            "'x'",
            "-1",
            "2026-02-30",
            "*a",
            "&a",
            "!!int 1",
            "999",
        ]
        rows[place] = row.partition(":")[0] + ": " + data.draw(st.sampled_from(odd)) + "\n"
    else:
        at = data.draw(st.integers(0, len(row)))
        rows[place] = row[:at] + data.draw(st.text(max_size=6)) + row[at:]
    return "".join(rows)


@pytest.mark.parametrize("kind", get_args(ErrorType))
def test_every_kind_of_fault_pydantic_knows_has_a_sentence_in_both_languages(kind: str) -> None:
    context = {"expected": "'a' or 'b'", "pattern": "^x$", "en": "write it.", "zh": "请填写。"}
    context |= dict.fromkeys(("ge", "le", "gt", "lt", "min_length", "max_length"), "7")
    error = {"type": kind, "loc": ("demand", "calls_per_day"), "msg": "Input is odd", "ctx": context}
    root, _ = compose("demand:\n  calls_per_day: odd\n")
    assert root is not None
    fault = explain("hotline.yaml", root, error, HotlineFile)
    assert CHINESE.search(fault.zh.rpartition(": ")[2]), fault
    assert fault.en.endswith((".", "?")) and fault.line == 2


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.sampled_from(sorted(FILES)), st.integers(1, 3))
def test_nothing_a_tired_person_writes_does_more_than_give_faults(
    desk: Desk, data: st.DataObject, name: str, times: int
) -> None:
    path = desk.folder / name
    before = path.read_bytes()
    text = before.decode("utf-8")
    try:
        for _ in range(times):
            text = _spoilt(data, text) or "x"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        reading = desk.read()
        rows = len(path.read_bytes().splitlines()) + 1
    finally:
        path.write_bytes(before)
    refused = [fault for fault in reading.faults if fault.severity is Severity.FAULT]
    assert reading.ok == (not refused)
    for fault in reading.faults:
        assert Path(fault.file).parent == desk.folder
        assert fault.line >= 1
        assert fault.en and CHINESE.search(fault.zh), fault
        if Path(fault.file).name == name:
            assert fault.line <= rows


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(b"\x85", "lines.yaml")
@given(st.binary(max_size=300), st.sampled_from(sorted(FILES)))
def test_no_bytes_at_all_do_more_than_give_faults(desk: Desk, raw: bytes, name: str) -> None:
    before = (desk.folder / name).read_bytes()
    try:
        reading = desk.write(name, raw).read()
    finally:
        desk.write(name, before)
    assert all(CHINESE.search(fault.zh) for fault in reading.faults)
    assert reading.ok or any(fault.file.endswith(name) for fault in reading.faults)


def test_a_fault_in_the_first_queue_does_not_blame_the_second(desk: Desk) -> None:
    desk.edit("queues.yaml", "ring_s: 15 ", "ring_s: fifteen ")
    assert [row.partition(": ")[0] for row in desk.said()] == [f"queues.yaml:{desk.edited}"]
