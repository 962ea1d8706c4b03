"""Secrets: only their owner reads them, and none is ever lost."""

from __future__ import annotations

import base64
import json
import multiprocessing
import os
import re
import stat
from dataclasses import asdict
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from ivr.home.secrets import Keys, KeysError, open_keys

SEATS, PEOPLE = ["seat01", "seat02", "from-110"], ["1001", "1002"]


def a_key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


KEYS = Keys(data=a_key(), lookup=a_key())


def test_the_first_start_makes_every_secret_for_its_owner_alone(tmp_path: Path) -> None:
    keys = open_keys(tmp_path / "new" / "home", SEATS, PEOPLE)
    path = tmp_path / "new/home/secrets.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(keys.sip) == set(SEATS)
    assert set(keys.pins) == set(PEOPLE)
    assert len(base64.b64decode(keys.data)) == 32
    assert keys.data != keys.lookup
    passwords = [keys.ami, *keys.sip.values()]
    assert len(set(passwords)) == len(passwords)
    assert min(map(len, passwords)) >= 20
    assert all(re.fullmatch(r"[\w-]+", word) for word in passwords), "they stand in Asterisk's files"
    assert all(re.fullmatch(r"\d{6}", pin) for pin in keys.pins.values())


def test_a_second_start_finds_the_same_secrets(tmp_path: Path) -> None:
    first = open_keys(tmp_path, SEATS, PEOPLE)
    before = (tmp_path / "secrets.json").stat()
    assert open_keys(tmp_path, SEATS, PEOPLE) == first
    after = (tmp_path / "secrets.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns), "not even written again"


def test_nothing_is_lost_when_seats_or_people_are_added_or_leave(tmp_path: Path) -> None:
    first = asdict(open_keys(tmp_path, SEATS, PEOPLE))
    grown = asdict(open_keys(tmp_path, [*SEATS, "seat03"], ["1009"]))
    assert set(grown["sip"]) == {*SEATS, "seat03"}
    assert set(grown["pins"]) == {*PEOPLE, "1009"}
    for name in ("ami", "data", "lookup"):
        assert grown[name] == first[name]
    for table in ("sip", "pins"):
        assert grown[table] | first[table] == grown[table]
    assert asdict(open_keys(tmp_path, [], [])) == grown


@pytest.mark.parametrize(
    "broken",
    [b"", b"{", b"[]", b"null", b'"x"', b'{"unknown": 1}', b'{"sip": []}', b'{"pins": null}', b"\xff\xfe",
     b'{"data": "x"'],
)  # fmt: skip
def test_a_broken_file_is_refused_and_left_as_it_is(tmp_path: Path, broken: bytes) -> None:
    path = tmp_path / "secrets.json"
    path.write_bytes(broken)
    with pytest.raises(KeysError, match="restore it from a backup") as refused:
        open_keys(tmp_path, SEATS, PEOPLE)
    assert str(path) in refused.value.sentence
    assert path.read_bytes() == broken


def test_a_refusal_never_shows_a_secret(tmp_path: Path) -> None:
    keys = open_keys(tmp_path, SEATS, PEOPLE)
    path = tmp_path / "secrets.json"
    path.write_text(path.read_text()[:-3])
    with pytest.raises(KeysError) as refused:
        open_keys(tmp_path, SEATS, PEOPLE)
    assert not any(word in refused.value.sentence for word in (keys.ami, keys.data, *keys.sip.values()))


def test_a_file_left_half_written_by_a_kill_harms_nothing(tmp_path: Path) -> None:
    first = open_keys(tmp_path, SEATS, PEOPLE)
    left = tmp_path / "secrets.new"
    left.write_text('{"ami": "')
    left.chmod(0o666)
    grown = open_keys(tmp_path, [*SEATS, "seat03"], PEOPLE)
    assert grown.data == first.data
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    assert json.loads((tmp_path / "secrets.json").read_text())["sip"]["seat03"] == grown.sip["seat03"]


def _open(home: Path, seat: str) -> None:
    open_keys(home, [seat], [])


def test_two_programs_that_start_at_once_keep_each_other_s_secrets(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    started = [context.Process(target=_open, args=(tmp_path, f"seat{n:02d}")) for n in range(6)]
    for process in started:
        process.start()
    for process in started:
        process.join(20)
        assert process.exitcode == 0
    assert set(open_keys(tmp_path, [], []).sip) == {f"seat{n:02d}" for n in range(6)}


@given(st.text(max_size=80))
def test_a_number_is_read_back_by_its_own_key_and_by_no_other(text: str) -> None:
    sealed = KEYS.encrypt(text)
    assert KEYS.decrypt(sealed) == text
    assert KEYS.encrypt(text) != sealed, "equal numbers must not look equal"
    with pytest.raises(InvalidTag):
        Keys(data=a_key()).decrypt(sealed)
    raw = bytearray(base64.b64decode(sealed))
    raw[-1] ^= 1
    with pytest.raises(InvalidTag):
        KEYS.decrypt(base64.b64encode(bytes(raw)).decode())


def test_equal_numbers_are_found_by_their_fingerprint_alone() -> None:
    assert KEYS.fingerprint("13800001234") == KEYS.fingerprint("13800001234")
    assert KEYS.fingerprint("13800001234") != KEYS.fingerprint("13800001235")
    assert KEYS.fingerprint("13800001234") != Keys(lookup=a_key()).fingerprint("13800001234")
    assert re.fullmatch(r"[0-9a-f]{64}", KEYS.fingerprint("1"))


def test_an_upgrade_adds_the_key_that_keeps_other_programs_from_the_engine(tmp_path: Path) -> None:
    first = open_keys(tmp_path, SEATS, PEOPLE)
    path = tmp_path / "secrets.json"
    older = json.loads(path.read_text())
    del older["agi"]
    path.write_text(json.dumps(older))
    upgraded = open_keys(tmp_path, SEATS, PEOPLE)
    assert re.fullmatch(r"[\w-]{20,}", upgraded.agi, re.ASCII)  # goes into the dialplan as it is
    assert upgraded.agi != first.agi
    assert asdict(upgraded) | {"agi": first.agi} == asdict(first)
    assert open_keys(tmp_path, SEATS, PEOPLE) == upgraded
