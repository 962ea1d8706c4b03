"""What Asterisk wrote down of calls, and how it is read whatever is in a caller's name."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.asterisk.facts import record_files
from ivr.asterisk.facts.record_files import RecordFiles
from ivr.asterisk.facts.records import read_cdr, read_cel, read_whole_lines, seat_user
from ivr.calls.facts import RecordRow

ID = "a1-1795296848.3"
# as Asterisk 22 wrote them
_WHO = b'"a1-1795296848.3","a1-1795296848.3","PJSIP/trunk-00000002","13800138000",'
_TOLD = b'{""extra"":""12345///live//rec/2026/11/22/a1-1795296848.3""}'
_WHY = b'{""hangupcause"":0,""hangupsource"":""PJSIP/trunk-00000002"",""dialstatus"":""CANCEL""}'
REAL_CEL = b"".join(
    (
        b'"IVR_RECEPTION","1795296848.222834",'
        + _WHO
        + b'"ivr-reception","","IVR_RECEPTION","'
        + _TOLD
        + b'"\n',
        b'"APP_START","1795296854.551166",' + _WHO + b'"ivr-reception","","",""\n',
        b'"HANGUP","1795296862.906885",' + _WHO + b'"ivr-reception","","","' + _WHY + b'"\n',
        b'"LINKEDID_END","1795296862.906999",' + _WHO + b'"ivr-reception","","",""\n',
    )
)
REAL_CDR = (
    b'"a1-1795296848.3","a1-1795296848.3","1795296848.221090","1795296848.222876","1795296862.906480",'
    b'"ivr-reception","NO ANSWER","Queue","PJSIP/seat01-00000003","13800138000"\n'
)


def csv_line(*fields: str) -> str:
    """A line as Asterisk's CSV_QUOTE writes it."""
    return ",".join('"' + field.replace('"', '""') + '"' for field in fields) + "\n"


def cel(kind: str, at: float, unique: str = ID, **fields: str) -> str:
    return csv_line(
        kind,
        f"{at:.6f}",
        ID,
        unique,
        fields.get("channel", "PJSIP/trunk-1"),
        fields.get("caller", "13800138000"),
        "ivr-reception",
        fields.get("peer", ""),
        fields.get("defined", ""),
        fields.get("extra", ""),
    )


def whats(rows: Sequence[RecordRow]) -> list[str]:
    return [row.what for row in rows]


def test_the_lines_of_asterisk_22_tell_the_call() -> None:
    rows = list(read_cel(REAL_CEL))
    assert whats(rows) == ["reception", "queued", "ended", "ended"]
    assert {row.call_id for row in rows} == {ID}
    assert rows[0] == RecordRow(
        ID,
        1795296848.222834,
        "reception",
        {
            "caller": "13800138000",
            "channel": "PJSIP/trunk-00000002",
            "extra": "12345///live//rec/2026/11/22/a1-1795296848.3",
        },
    )
    assert rows[2].at == 1795296862.906885


def test_a_call_detail_line_of_asterisk_22_tells_the_call() -> None:
    rows = list(read_cdr(REAL_CDR))
    assert [(row.what, row.at) for row in rows] == [
        ("reception", 1795296848.22109),
        ("greeted", 1795296848.222876),
        ("queued", 1795296848.222876),
        ("ended", 1795296862.90648),
    ]
    assert rows[0].data["caller"] == "13800138000"
    answered = REAL_CDR.replace(b"NO ANSWER", b"ANSWERED")
    assert whats(list(read_cdr(answered))) == ["reception", "greeted", "queued", "answered", "ended"]
    assert list(read_cdr(answered))[3].data == {"channel": "PJSIP/seat01-00000003"}


def test_asterisk_20_writes_the_reception_row_without_wrapping_and_is_understood() -> None:
    line = cel("USER_DEFINED", 1795296848.5, defined="IVR_RECEPTION", extra="12345///live//rec/x")
    (row,) = read_cel(line.encode())
    assert row.data["extra"] == "12345///live//rec/x"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (cel("BRIDGE_ENTER", 2e9, peer="PJSIP/seat01-2"), ["answered"]),
        (cel("BRIDGE_ENTER", 2e9, unique="a1-9.4", channel="PJSIP/seat01-2"), ["answered"]),
        (cel("BRIDGE_ENTER", 2e9, peer="PJSIP/ivr-out-7"), ["helped"]),
        (cel("BRIDGE_ENTER", 2e9, unique="a1-9.4", channel="PJSIP/ivr-out-7"), ["helped"]),
        (cel("USER_DEFINED", 2e9, defined="IVR_HELP", extra="110/rec/x-help"), ["help"]),
        (cel("BRIDGE_ENTER", 2e9, peer="PJSIP/trunk-2"), []),
        (cel("BRIDGE_ENTER", 2e9, peer="PJSIP/trunk-seat01-2"), []),
        (cel("BRIDGE_ENTER", 2e9), []),
        (cel("BRIDGE_EXIT", 2e9), ["left"]),
        (cel("BRIDGE_EXIT", 2e9, unique="a1-9.4"), []),
        (cel("HANGUP", 2e9, unique="a1-9.4"), []),
        (cel("LINKEDID_END", 2e9, unique="a1-9.4"), ["ended"]),
        (cel("APP_START", 2e9, unique="a1-9.4"), []),
        (cel("CHAN_START", 2e9), []),
        (cel("HANGUP", 0), []),
        (cel("HANGUP", 2e9).replace("2000000000.000000", "yesterday"), []),
        (csv_line("HANGUP", "2000000000.0", ID), []),
        (csv_line("HANGUP", "2000000000.0", "", "", "", "", "", "", "", ""), []),
        ("\n\n", []),
        ("no csv at all", []),
    ],
)
def test_a_line_tells_what_it_means_and_no_more(line: str, told: list[str]) -> None:
    assert whats(list(read_cel(line.encode()))) == told


def test_call_detail_lines_of_seats_and_broken_ones_are_passed_over() -> None:
    for wrong in (
        REAL_CDR.replace(b"ivr-reception", b"ivr-seat"),
        REAL_CDR.replace(b'"a1-1795296848.3","a1-1795296848.3"', b'"a1-1795296848.3","a1-1795296848.4"'),
        REAL_CDR.replace(b'"a1-1795296848.3","a1-1795296848.3"', b'"",""'),
        REAL_CDR.replace(b"1795296848.221090", b""),
        REAL_CDR.replace(b"1795296862.906480", b"soon"),
        REAL_CDR[:50] + b"\n",
    ):
        assert list(read_cdr(wrong)) == []


ODD_CALLERS = [
    'say "hello", 12345',
    '"',
    '""',
    "line one\nHANGUP\nline three",
    "carriage\r\nreturn",
    "nul\0nul",
    "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e",
    "张三",
    ",,,,",
    "x" * 4096,
    "",
]


@pytest.mark.parametrize("caller", ODD_CALLERS)
def test_nothing_in_a_caller_s_name_hides_the_calls_around_it(caller: str) -> None:
    lines = cel("APP_START", 2e9) + cel("HANGUP", 2e9 + 1, caller=caller) + cel("LINKEDID_END", 2e9 + 2)
    assert whats(list(read_cel(lines.encode()))) == ["queued", "ended", "ended"]


def test_a_line_that_a_full_disk_cut_anywhere_hides_none_of_the_next_calls() -> None:
    first = cel("APP_START", 2e9, caller='"x" 1')
    rest = cel("BRIDGE_EXIT", 2e9 + 1, caller="a\nb") + cel("HANGUP", 2e9 + 2) + cel("LINKEDID_END", 2e9 + 3)
    for cut in range(len(first)):
        told = whats(list(read_cel((first[:cut] + rest).encode())))
        assert told[-3:] == ["left", "ended", "ended"], first[:cut]
    assert told == ["queued", "left", "ended", "ended"], "only the end of the line was lost"
    for cut in range(len(REAL_CDR)):
        rows = list(read_cdr(REAL_CDR[:cut] + REAL_CDR + REAL_CDR))
        assert whats(rows)[-8:] == ["reception", "greeted", "queued", "ended"] * 2, REAL_CDR[:cut]


def test_no_nul_travels_on_into_a_database() -> None:
    line = cel("IVR", 2e9, caller="138\x0000", defined="IVR_RECEPTION", extra="12345\0////")
    (row,) = read_cel(line.encode())
    assert (row.data["caller"], row.data["extra"]) == ("13800", "12345////")


@given(st.binary(max_size=300).filter(lambda raw: b'"' not in raw))
def test_a_name_in_gbk_or_in_no_encoding_hides_no_call(raw: bytes) -> None:
    name = raw + "李四".encode("gb18030")
    odd = cel("HANGUP", 2e9 + 1, caller="CALLER").encode().replace(b"CALLER", name)
    lines = cel("APP_START", 2e9).encode() + odd + cel("LINKEDID_END", 2e9 + 2).encode()
    assert whats(list(read_cel(lines))) == ["queued", "ended", "ended"]


@given(st.binary(max_size=400))
def test_no_bytes_in_the_files_stop_the_reading(raw: bytes) -> None:
    list(read_cel(raw))
    list(read_cdr(raw))


@given(st.text(max_size=80).filter(lambda text: "\0" not in text and "\r" not in text))
def test_what_asterisk_quotes_is_read_back_as_python_s_own_reader_would(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    line = cel("IVR", 2e9, caller=text, defined="IVR_RECEPTION", extra="12345////")
    expected = next(iter(csv.reader(io.StringIO(line, newline=""))))[5]
    (row,) = read_cel(line.encode())
    kept = "".join(expected.splitlines())  # a line break in a number is dropped
    assert row.data["caller"] == kept


def test_a_seat_is_known_by_its_channel() -> None:
    assert seat_user("PJSIP/seat01-0000001a") == "seat01"
    for other in ("PJSIP/trunk-1", "PJSIP/13800138000-1", "Local/seat01-1", "PJSIP/seat01", ""):
        assert seat_user(other) is None


# -- following the files -----------------------------------------------------------------------
def test_only_whole_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    assert read_whole_lines(path, 0) == (b"", 0)
    path.write_bytes(b"one\ntwo\nthr")
    assert read_whole_lines(path, 0) == (b"one\ntwo\n", 8)
    assert read_whole_lines(path, 8) == (b"", 8)
    with path.open("ab") as file:
        file.write(b"ee\n")
    assert read_whole_lines(path, 8) == (b"three\n", 14)
    assert read_whole_lines(path, 0, max_bytes=6) == (b"one\n", 4)


def test_a_file_rotated_away_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"new\n")
    assert read_whole_lines(path, 1000) == (b"new\n", 4)


def test_a_hole_left_by_a_power_cut_does_not_blind_the_reader_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"\0" * 1000 + b"\nlast\n")
    offset, seen = 0, b""
    for _ in range(20):
        data, offset = read_whole_lines(path, offset, max_bytes=100)
        seen += data
    assert seen.endswith(b"last\n")


def test_a_folder_we_may_not_read_is_told_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.csv").mkdir()  # what the superuser too cannot read as a file
    assert read_whole_lines(tmp_path / "x.csv", 7) == (b"", 7)


class Asterisk:
    """Writes its record files as Asterisk does."""

    def __init__(self, home: Path) -> None:
        self.logs, self.spool, self.place = home / "log", home / "spool", home / "reconcile.json"
        self.cel = self.logs / "cel-custom/ivr12345.csv"
        self.cdr = self.logs / "cdr-custom/ivr12345.csv"
        for folder in (self.cel.parent, self.cdr.parent, self.spool):
            folder.mkdir(parents=True)

    def write(self, path: Path, text: str) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)

    def files(self) -> RecordFiles:
        return RecordFiles(self.logs, self.spool, self.place)


@pytest.fixture
def asterisk(tmp_path: Path) -> Asterisk:
    return Asterisk(tmp_path)


def drain(files: RecordFiles) -> list[RecordRow]:
    rows: list[RecordRow] = []
    while more := list(files.read()):
        rows += more
    return rows


def test_each_row_is_read_once_and_a_restart_goes_on_from_the_remembered_place(asterisk: Asterisk) -> None:
    asterisk.write(asterisk.cel, cel("APP_START", 2e9))
    asterisk.cdr.write_bytes(REAL_CDR)
    files = asterisk.files()
    assert whats(drain(files)) == ["queued", "reception", "greeted", "queued", "ended"]
    assert drain(files) == []
    files.keep_from(set())
    asterisk.write(asterisk.cel, cel("HANGUP", 2e9 + 1))
    assert whats(drain(asterisk.files())) == ["ended"]


def test_a_restart_reads_again_what_open_calls_still_need(
    asterisk: Asterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_files, "CHUNK_BYTES", 150)  # about one line a chunk
    old = cel("APP_START", 2e9).replace(ID, "a1-1.1")
    asterisk.write(asterisk.cel, old + cel("APP_START", 2e9 + 1) + old)
    files = asterisk.files()
    assert len(drain(files)) == 3
    files.keep_from({ID})
    assert [row.call_id for row in drain(asterisk.files())] == [ID, "a1-1.1"]
    files.keep_from(set())
    assert drain(asterisk.files()) == []


def test_a_broken_memory_of_the_place_means_reading_all_again(asterisk: Asterisk) -> None:
    asterisk.write(asterisk.cel, cel("APP_START", 2e9))
    for broken in (
        b"",
        b"{",
        b"[1]",
        b'{"cel": "x"}',
        b'{"cel": null}',
        b'{"cel": -5}',
        b"\xff\xfe\x00",
        b"17",
    ):
        asterisk.place.write_bytes(broken)
        assert whats(drain(asterisk.files())) == ["queued"]


def test_a_full_disk_does_not_stop_reconciliation(asterisk: Asterisk) -> None:
    asterisk.write(asterisk.cel, cel("APP_START", 2e9))
    files = RecordFiles(asterisk.logs, asterisk.spool, asterisk.logs / "no/such/folder/place.json")
    assert whats(drain(files)) == ["queued"]
    files.keep_from(set())
    assert drain(files) == []


def test_a_file_that_has_grown_large_is_rotated_and_no_line_is_lost(
    asterisk: Asterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_files, "ROTATE_BYTES", 1)
    asterisk.write(asterisk.cel, cel("APP_START", 2e9))
    files = asterisk.files()
    assert whats(drain(files)) == ["queued"]
    files.keep_from({ID})
    assert asterisk.cel.exists(), "not while a call is open"
    files.keep_from(set())
    assert not asterisk.cel.exists()
    asterisk.write(asterisk.cel, cel("HANGUP", 2e9 + 1))
    assert whats(drain(files)) == ["ended"]


def test_a_line_written_while_the_file_is_renamed_is_not_lost(
    asterisk: Asterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_files, "ROTATE_BYTES", 1)
    asterisk.write(asterisk.cel, cel("APP_START", 2e9))
    files = asterisk.files()
    drain(files)
    replace = Path.replace

    def replace_late(self: Path, target: Path) -> Path:
        if self == asterisk.cel:
            asterisk.write(self, cel("HANGUP", 2e9 + 1))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", replace_late)
    files.keep_from(set())
    assert whats(drain(files)) == ["ended"]


def note(asterisk: Asterisk, name: str, **fields: Any) -> None:
    text = json.dumps(
        {"call_id": ID, "at": 2e9, "caller": "1", "channel": "c", "extra": "12345////"} | fields
    )
    (asterisk.spool / name).write_text(text)


def test_a_note_is_read_until_it_is_done(asterisk: Asterisk) -> None:
    note(asterisk, "x.json")
    files = asterisk.files()
    for _ in range(2):
        ((name, row),) = files.notes()
        assert (name, row.call_id, row.at, row.what) == ("x.json", ID, 2e9, "reception")
    files.done("x.json")
    files.done("x.json")
    assert list(files.notes()) == []


@pytest.mark.parametrize(
    "broken",
    [b"", b"{", b"[]", b'"x"', b'{"call_id": "x"}', b'{"call_id": "x", "at": "soon"}', b'{"at": 2e9}',
     b'{"call_id": "x", "at": NaN}', b'{"call_id": "x", "at": 1e300}', b'{"call_id": "x", "at": 0}',
     b'{"call_id": "x", "at": null}', bytes(range(128, 192))],
)  # fmt: skip
def test_a_broken_note_is_set_aside_and_the_others_are_read(asterisk: Asterisk, broken: bytes) -> None:
    (asterisk.spool / "a.json").write_bytes(broken)
    note(asterisk, "b.json")
    files = asterisk.files()
    assert [name for name, _ in files.notes()] == ["b.json"]
    assert (asterisk.spool / "a.broken").read_bytes() == broken
    assert not (asterisk.spool / "a.json").exists()


def test_a_half_written_note_is_not_looked_at(asterisk: Asterisk) -> None:
    (asterisk.spool / "x.new").write_text('{"call_id"')
    assert list(asterisk.files().notes()) == []
    assert (asterisk.spool / "x.new").exists()


def test_a_caller_name_in_gbk_in_a_note_is_read(asterisk: Asterisk) -> None:
    raw = (
        json.dumps({"call_id": ID, "at": 2e9, "caller": "NAME"}).encode().replace(b"NAME", "张".encode("gbk"))
    )
    (asterisk.spool / "x.json").write_bytes(raw)
    assert len(list(asterisk.files().notes())) == 1
