"""The journal on disk: a kill, a power cut or a full disk costs no line that was appended."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.events.event import Event, Kind
from ivr.store.journal_file import JournalFile
from tests.store.conftest import fill

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _first_segment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new journal begins at the number of its second; here the first one."""
    monkeypatch.setattr("ivr.store.journal_file.time", SimpleNamespace(time=lambda: 1.0))


def line(number: int, size: int = 0) -> bytes:
    return Event(f"a1-{number}.1", 1.0, Kind.NOTED, {"text": "水" * size}).to_line()


def read_all(journal: JournalFile, position: str | None = None, max_bytes: int = 1_000_000) -> list[bytes]:
    """Read from a position (the oldest) to the end, as the recorder does."""
    position, lines = position or journal.start(), []
    while True:
        some, after = journal.read(position, max_bytes)
        lines += some
        if after == position:
            return lines
        position = after


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_appended_is_read_back_in_order(tmp_path: Path) -> None:
    woken: list[int] = []
    journal = JournalFile(tmp_path / "new/journal", lambda: woken.append(1))
    lines = [line(n, n) for n in range(50)]
    for one in lines:
        journal.append(one)
    assert len(woken) == 50
    assert [one + b"\n" for one in read_all(journal)] == lines
    assert journal.trouble == ""
    assert (tmp_path / "new/journal/0000000001.jsonl").stat().st_mode & 0o077 == 0
    journal.close()


@settings(max_examples=80)
@given(
    sizes=st.lists(st.integers(0, 120), max_size=40),
    segment=st.integers(1, 2000),
    piece=st.integers(1, 500),
    restarts=st.sets(st.integers(0, 40)),
    forgets=st.booleans(),
)
def test_every_line_is_read_once_however_the_file_is_cut_into_segments_and_pieces(
    tmp_path_factory: pytest.TempPathFactory,
    sizes: list[int],
    segment: int,
    piece: int,
    restarts: set[int],
    forgets: bool,
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    journal = JournalFile(folder, segment_bytes=segment, keep_s=0)
    position, seen = journal.start(), []
    for number, size in enumerate(sizes):
        if number in restarts:
            journal.close()
            journal = JournalFile(folder, segment_bytes=segment, keep_s=0)
        journal.append(line(number, size))
        if number % 3 == 0:
            some, position = journal.read(position, piece)
            seen += some
            if forgets:
                journal.sync()
                journal.forget(position)
    seen += read_all(journal, position, piece)
    assert [one + b"\n" for one in seen] == [line(number, size) for number, size in enumerate(sizes)]
    journal.close()


def test_segments_behind_the_reader_are_deleted_and_the_others_kept(tmp_path: Path) -> None:
    journal = JournalFile(tmp_path, segment_bytes=100, keep_s=0)
    for number in range(6):
        journal.append(line(number, 20))
    assert len(names(tmp_path)) == 7
    journal.forget("3:0")
    assert names(tmp_path)[:2] == ["0000000002.gone", "0000000003.jsonl"]
    journal.forget("3:0")
    assert journal.start() == "3:0"
    assert len(read_all(journal)) == 4
    assert len(read_all(journal, "1:0")) == 4, "a reader left behind begins with what there is"
    journal.close()


def _age(folder: Path, name: str, seconds: float) -> None:
    at = (folder / name).stat().st_mtime - seconds
    os.utime(folder / name, (at, at))


def test_a_segment_stays_for_a_day_after_its_last_line(tmp_path: Path) -> None:
    journal = JournalFile(tmp_path, segment_bytes=100)
    first = int(journal.start().split(":")[0])
    for number in range(4):
        journal.append(line(number, 20))
    journal.forget(journal.end())
    assert len(names(tmp_path)) == 5
    assert journal.find(f"{first}:0") == (f"{first}:0", True, False)
    for number in (first, first + 1):
        _age(tmp_path, f"{number:010d}.jsonl", 86_500)
    journal.forget(journal.end())
    assert len(list(tmp_path.glob("*.jsonl"))) == 3
    assert journal.kept.shortened_s is None, "nothing went before its time"
    assert journal.find(f"{first}:0") == (f"{first + 2}:0", False, True)
    assert journal.find(None) == (f"{first + 2}:0", False, True)
    assert journal.find(f"{first + 3}:0").lost is False
    journal.close()


def test_too_much_for_the_room_goes_earlier_and_that_is_known(tmp_path: Path) -> None:
    journal = JournalFile(tmp_path, segment_bytes=1000, keep_bytes=2500)
    for number in range(8):
        journal.append(line(number, 350))
        journal.forget(journal.end())
    kept = sorted(tmp_path.glob("*.jsonl"))
    assert 2 <= len(kept) <= 4
    assert journal.kept.shortened_s is not None
    journal.close()


def test_a_cursor_in_the_middle_of_a_line_is_no_place_of_this_journal(tmp_path: Path) -> None:
    journal = JournalFile(tmp_path)
    journal.append(line(0))
    journal.append(line(1))
    size = len(line(0))
    assert journal.find(f"1:{size}") == (f"1:{size}", True, False)
    assert journal.find(f"1:{size - 3}") == ("1:0", False, False)
    assert journal.find("1:99999") == ("1:0", False, False)
    assert journal.find("9:0") == ("1:0", False, False)
    journal.close()


def test_a_restart_goes_on_in_the_newest_segment(tmp_path: Path) -> None:
    journal = JournalFile(tmp_path, segment_bytes=100, keep_s=0)
    for number in range(4):
        journal.append(line(number, 20))
    journal.forget("4:0")
    journal.close()
    again = JournalFile(tmp_path, segment_bytes=100)
    again.append(line(9))
    assert read_all(again, "4:0")[-1] + b"\n" == line(9)
    assert min(path.name for path in tmp_path.glob("*.jsonl")) >= "0000000004.jsonl"
    again.close()


@pytest.mark.parametrize("cut", [1, 7, 20])
def test_a_line_torn_by_a_power_cut_harms_neither_its_forerunners_nor_its_successors(
    tmp_path: Path, cut: int
) -> None:
    journal = JournalFile(tmp_path)
    for number in range(3):
        journal.append(line(number))
    journal.close()
    path = tmp_path / "0000000001.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    again = JournalFile(tmp_path)
    again.append(line(7))
    lines = read_all(again)
    assert [one + b"\n" for one in (*lines[:2], lines[-1])] == [line(0), line(1), line(7)]
    if cut > 1:
        with pytest.raises(ValueError, match=r"."):
            Event.from_line(lines[2])
    again.close()


def test_a_line_without_its_end_is_not_read_yet(tmp_path: Path) -> None:
    journal = JournalFile(tmp_path)
    journal.append(line(0))
    with (tmp_path / "0000000001.jsonl").open("ab") as file:
        file.write(b'{"half":')
    lines, position = journal.read(journal.start())
    assert len(lines) == 1
    assert journal.read(position) == ([], position)
    journal.close()


def test_a_line_longer_than_a_piece_is_read_whole(tmp_path: Path) -> None:
    journal = JournalFile(tmp_path)
    long = line(1, 5000)
    for one in (line(0), long, line(2)):
        journal.append(one)
    assert [one + b"\n" for one in read_all(journal, max_bytes=100)] == [line(0), long, line(2)]
    journal.close()


# -- a full disk -------------------------------------------------------------------------------
class Disk:
    """A disk with so many bytes left; writes are cut short where it is full."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.write = os.write
        self.open = os.open

    def __call__(self, descriptor: int, data: bytes) -> int:
        if self.left <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self.write(descriptor, data[: self.left])
        self.left -= written
        return written


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Disk]:
    def make(left: int) -> Disk:
        disk = Disk(left)
        monkeypatch.setattr("ivr.store.journal_file.os.write", disk)
        return disk

    return make


@pytest.mark.parametrize("left", [0, 1, 60, 61, 62, 150])
def test_on_a_full_disk_lines_wait_in_memory_and_are_written_when_it_is_not(
    tmp_path: Path, full: Callable[[int], Disk], left: int
) -> None:
    journal = JournalFile(tmp_path)
    disk = full(left)
    lines = [line(n) for n in range(5)]
    for one in lines:
        journal.append(one)
    assert "wait in memory" in journal.trouble
    assert "No space left" in journal.trouble
    assert "仍在内存中（磁盘已满）" in journal.trouble_zh
    disk.left = 10**6
    assert [one + b"\n" for one in read_all(journal)] == lines
    assert journal.trouble == ""
    journal.append(line(9))
    assert read_all(journal)[-1] + b"\n" == line(9)
    journal.close()


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 200)), min_size=1, max_size=25),
    st.integers(50, 800),
)
def test_a_disk_that_fills_and_empties_by_turns_loses_no_line(
    tmp_path_factory: pytest.TempPathFactory, turns: list[tuple[int, int]], segment: int
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    with pytest.MonkeyPatch.context() as patch:
        journal = JournalFile(folder, segment_bytes=segment)
        disk = Disk(0)
        patch.setattr("ivr.store.journal_file.os.write", disk)
        for number, (size, freed) in enumerate(turns):
            journal.append(line(number, size))
            disk.left += freed
        disk.left = 10**6
        lines = read_all(journal)
        journal.close()
    assert [one + b"\n" for one in lines] == [line(n, size) for n, (size, _) in enumerate(turns)]


def test_a_next_segment_that_cannot_be_begun_stops_no_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = JournalFile(tmp_path, segment_bytes=100)

    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("ivr.store.journal_file.os.open", refuse)
        for number in range(5):
            journal.append(line(number, 30))
    assert names(tmp_path) == ["0000000001.jsonl"]
    journal.append(line(5))
    journal.append(line(6))
    assert [one + b"\n" for one in read_all(journal)] == [*(line(n, 30) for n in range(5)), line(5), line(6)]
    assert len(names(tmp_path)) == 2
    journal.close()


_FILLS_THE_DISK = """
import resource, signal, sys
from pathlib import Path
from ivr.events.event import Event, Kind
from ivr.store.journal_file import JournalFile

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = JournalFile(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
for number in range(200):
    journal.append(Event(f"a1-{number}.1", 1.0, Kind.NOTED).to_line())
assert journal.trouble, "the disk was not full"
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.append(Event("a1-200.1", 1.0, Kind.NOTED).to_line())
assert not journal.trouble, journal.trouble
journal.close()
"""

_IS_KILLED = """
import os, signal, sys
from pathlib import Path
from ivr.events.event import Event, Kind
from ivr.store.journal_file import JournalFile

journal = JournalFile(Path(sys.argv[1]), segment_bytes=3000)
for number in range(10**9):
    journal.append(Event(f"a1-{number}.1", 1.0, Kind.NOTED).to_line())
    os.write(1, b"%d\\n" % number)
"""


def test_a_real_file_size_limit_is_a_full_disk_too(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FILLS_THE_DISK, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    journal = JournalFile(tmp_path)
    streams = [Event.from_line(one).stream for one in read_all(journal)]
    assert streams == [f"a1-{n}.1" for n in range(201)]
    journal.close()


def test_a_kill_at_any_moment_costs_no_line_that_was_appended(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", _IS_KILLED, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    try:
        for _ in range(300):
            told = writer.stdout.readline()
    finally:
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read()
        writer.stdout.close()
        writer.wait()
    whole = (told + rest).split(b"\n")[:-1]
    last = int(whole[-1])
    assert last >= 299
    journal = JournalFile(tmp_path, segment_bytes=3000)
    streams = [Event.from_line(one).stream for one in read_all(journal)]
    assert streams[: last + 1] == [f"a1-{n}.1" for n in range(last + 1)]
    assert len(streams) <= last + 2, "at most the line that was not yet confirmed"
    journal.close()


# -- against a power cut -----------------------------------------------------------------------
def test_a_sync_reaches_the_segment_that_was_just_finished_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def note(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    monkeypatch.setattr("ivr.store.journal_file.os.fdatasync", note)
    journal = JournalFile(tmp_path, segment_bytes=100)
    journal.append(line(0, 5))
    journal.append(line(1, 30))
    journal.append(line(2, 5))
    journal.sync()
    assert synced == ["0000000001.jsonl", "0000000002.jsonl"]
    journal.sync()
    assert synced[2:] == ["0000000002.jsonl"]
    journal.close()


def test_no_segment_stays_open_once_it_is_synced(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    journal = JournalFile(tmp_path, segment_bytes=50)
    for number in range(20):
        journal.append(line(number))
    journal.sync()
    assert len(list(Path("/proc/self/fd").iterdir())) == before + 1
    for number in range(3):
        journal.append(line(number))
    journal.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("position", ["9:0", "9:500", "1:99999", "0:5"])
def test_a_position_of_a_journal_that_was_lost_means_its_beginning(tmp_path: Path, position: str) -> None:
    journal = JournalFile(tmp_path)
    journal.append(line(0))
    journal.append(line(1))
    assert len(read_all(journal, position)) == 2
    journal.close()


@pytest.mark.parametrize("segment_bytes", [200, 1_000_000])
def test_the_end_is_where_a_reader_stops(tmp_path: Path, segment_bytes: int) -> None:
    journal = JournalFile(tmp_path, segment_bytes=segment_bytes)
    assert journal.end() == journal.start() == "1:0"
    position = journal.start()
    for number in range(20):
        journal.append(line(number))
        while (after := journal.read(position)[1]) != position:
            position = after
        assert position == journal.end()
    end = journal.end()
    journal.close()
    reopened = JournalFile(tmp_path, segment_bytes=segment_bytes)
    assert reopened.end() == end
    reopened.close()


def test_a_disk_that_others_filled_costs_no_event_even_when_the_engine_is_killed(small_disk: Path) -> None:
    journal = JournalFile(small_disk / "journal")
    others = fill(small_disk)
    for number in range(3000):
        journal.append(line(number, 100))
    assert "the disk is full" in journal.trouble
    assert "memory" not in journal.trouble
    fill(small_disk)
    after_a_kill = JournalFile(small_disk / "journal")
    for number in range(3000, 6000):
        after_a_kill.append(line(number, 100))
    assert len(read_all(after_a_kill)) == 6000
    assert "the disk is full" in after_a_kill.trouble
    assert after_a_kill.trouble_zh.startswith("磁盘已满")
    others.unlink()
    assert after_a_kill.trouble == after_a_kill.trouble_zh == ""
    journal.close()
    after_a_kill.close()


def test_when_the_kept_space_is_used_up_too_events_wait_in_memory_until_there_is_room(
    small_disk: Path,
) -> None:
    journal = JournalFile(small_disk / "journal", segment_bytes=100_000)
    others = fill(small_disk)
    lines = [line(number, 5000) for number in range(400)]
    for one in lines:
        journal.append(one)
    assert "wait in memory" in journal.trouble
    others.unlink()
    assert [one + b"\n" for one in read_all(journal)] == lines
    assert journal.trouble == ""
    journal.close()


def test_a_disk_that_cannot_keep_space_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr("ivr.store.journal_file.allocate_ahead", never)
    journal = JournalFile(tmp_path, segment_bytes=100)
    for number in range(20):
        journal.append(line(number, 10))
    assert journal.trouble == ""
    assert len(read_all(journal)) == 20
    journal.close()


def test_the_kept_space_is_seen_by_nobody_and_given_back_with_its_segment(tmp_path: Path) -> None:
    journal = JournalFile(tmp_path, segment_bytes=10_000)
    for number in range(100):
        journal.append(line(number, 100))
    paths = sorted(tmp_path.iterdir())
    assert len(paths) > 2
    assert all(path.stat().st_size < 11_000 for path in paths)
    assert all(path.stat().st_blocks * 512 < 100_000 for path in paths[:-1])
    journal.close()
