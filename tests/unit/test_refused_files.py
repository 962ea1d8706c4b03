"""What Asterisk writes of calls it did not let in is read to the last line, wherever its files are rotated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ivr.asterisk.facts.refused_files import RefusedFiles


class Logs:
    """Asterisk's log folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cel = folder / "cel-custom/ivr12345.csv"
        self.log = folder / "messages.log"
        self.cel.parent.mkdir(parents=True)

    def refuse(self, name: str, extra: str = "busy/12345", caller: str = "13800138000") -> None:
        told = json.dumps({"extra": extra}).replace('"', '""')
        with self.cel.open("a", encoding="utf-8") as file:
            file.write(
                f'"IVR_REFUSED","1795800698.743725","{name}","{name}","PJSIP/trunk-0000000a","{caller}",'
                f'"ivr-full","","IVR_REFUSED","{told}"\n'
            )

    def other(self, caller: str = "1") -> None:
        with self.cel.open("a", encoding="utf-8") as file:
            file.write(
                f'"HANGUP","1795800698.74","x","x","PJSIP/trunk-00000001","{caller}","ivr-queue","","",""\n'
            )

    def no_ports(self, moment: str, thread: int = 15966, who: str = "trunk") -> None:
        with self.log.open("a", encoding="utf-8") as file:
            head = f"[2026-11-27 17:26:{moment}] ERROR[{thread}]"
            file.write(
                f"{head} res_rtp_asterisk.c: Oh dear... we couldn't allocate a port for RTP instance '0x7f'\n"
            )
            file.write(
                f"{head} res_pjsip_session.c:  {who}: Couldn't negotiate stream 0:audio-0:audio:sendrecv (nothing)\n"
            )


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path)


def names(files: RefusedFiles) -> list[str]:
    return [row.call_id for rows in files.read() for row in rows]


def test_a_refused_call_is_read_with_its_number(logs: Logs) -> None:
    logs.other()
    logs.refuse("c1", "unknown_number/5551234", "张三")
    logs.other(caller='IVR_REFUSED","x')
    (row,) = [row for rows in RefusedFiles(logs.folder, {}).read() for row in rows]
    assert row == ("c1", 1795800698.743725, "张三", "5551234", "unknown_number", "trunk")


def test_a_caller_called_like_our_event_is_no_refused_call(logs: Logs) -> None:
    logs.other(caller="IVR_REFUSED")
    assert names(RefusedFiles(logs.folder, {})) == []


def test_calls_refused_for_want_of_ports_are_read_from_the_log(logs: Logs) -> None:
    logs.no_ports("42.691")
    logs.no_ports("42.701")
    logs.no_ports("42.703", who="PJSIP/trunk-00000005")  # a call that goes on
    rows = [row for some in RefusedFiles(logs.folder, {}).read() for row in some]
    assert [(row.reason, row.trunk, row.caller) for row in rows] == [("no_ports", "trunk", "")] * 2
    assert len({row.call_id for row in rows}) == 2


def test_a_restart_goes_on_where_it_was(logs: Logs) -> None:
    files = RefusedFiles(logs.folder, {})
    assert names(files) == []
    logs.refuse("c1")
    assert names(files) == ["c1"]
    kept: dict[str, Any] = json.loads(json.dumps(files.places))
    logs.refuse("c2")
    assert names(RefusedFiles(logs.folder, kept)) == ["c2"]
    assert names(RefusedFiles(logs.folder, {})) == ["c1", "c2"]


def test_a_file_that_was_rotated_away_is_read_to_its_end(logs: Logs) -> None:
    files = RefusedFiles(logs.folder, {})
    logs.refuse("c1")
    logs.no_ports("42.691")
    assert len(names(files)) == 2
    logs.refuse("c2")
    logs.no_ports("43.000")
    logs.cel.rename(logs.cel.with_suffix(".old.csv"))
    logs.log.rename(logs.log.with_name("messages.log.0"))
    logs.refuse("c3")
    logs.no_ports("44.000")
    assert names(files) == ["c2", "c3", "2026-11-27 17:26:43.000/15966", "2026-11-27 17:26:44.000/15966"]
    assert names(files) == []


def test_half_a_line_is_read_when_it_is_whole(logs: Logs) -> None:
    files = RefusedFiles(logs.folder, {})
    logs.refuse("c1")
    whole = logs.cel.read_bytes()
    logs.cel.write_bytes(whole[:-30])
    assert names(files) == []
    logs.cel.write_bytes(whole)
    assert names(files) == ["c1"]


def test_a_refused_call_that_a_full_disk_wrote_half_of_hides_none_of_the_next(logs: Logs) -> None:
    logs.refuse("c1")
    whole = logs.cel.read_bytes()
    for cut in range(len(whole)):
        logs.cel.write_bytes(whole[:cut])
        logs.refuse("c2")
        logs.other()
        logs.refuse("c3", caller="1\n2")
        assert names(RefusedFiles(logs.folder, {}))[-2:] == ["c2", "c3"], whole[:cut]
