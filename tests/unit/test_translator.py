"""Debian's check is recognised by its code and taken out of a copy; what is not recognised is never touched."""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.asterisk.mends.translator import Code, look, mend

X86, ARM = 62, 183
_ENTRY = bytes.fromhex("f30f1efa41574989f041564989fe4155415455534881eca80100004189d5")
_LATE = bytes.fromhex("3d00800000")  # cmp $0x8000,%eax
DEBIAN = _ENTRY + bytes.fromhex("8b97880000" "00" "81faffff0000" "7768" "8bae80000000") + _LATE + b"\x90" * 200  # fmt: skip
"""How 22.10.1 begins: mov 0x88(%rdi),%edx; cmp $0xffff,%edx; ja +0x68."""
FAR = _ENTRY + bytes.fromhex("448b8f88000000" "4181f9ffff0000" "0f8768010000") + _LATE + b"\x90" * 400  # fmt: skip
"""The same with another register and a distant jump."""
UPSTREAM = _ENTRY + bytes.fromhex("833e0f" "7468" "8bae80000000") + b"\x90" * 200  # fmt: skip
"""Without any check."""
ARM_WORDS = (
    0xD503233F,
    0x2A0203F9,
    0x529FFFE2,
    0xAA0003FB,
    0xB9408800,
    0xF9400023,
    0x6B02001F,
    0x54001808,
    0x7140201F,
)
DEBIAN_ARM = struct.pack("<9I", *ARM_WORDS) + b"\x1f\x20\x03\xd5" * 200


def program(code: bytes, machine: int = X86, name: bytes = b"ast_translate") -> bytes:
    """Return the least ELF file in which a function has a name."""
    names = b"\0other\0" + name + b"\0"
    address, at = 0x400000, 64
    text_end = at + len(code)
    symbols = struct.pack("<IBBHQQ", 1, 18, 0, 1, address, 4)
    symbols += struct.pack("<IBBHQQ", 7, 18, 0, 1, address, len(code))
    symbols_at, names_at = text_end, text_end + len(symbols)
    table = names_at + len(names)
    sections = [
        (0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        (0, 1, 6, address, at, len(code), 0, 0, 16, 0),
        (0, 11, 2, 0, symbols_at, len(symbols), 3, 0, 8, 24),
        (0, 3, 2, 0, names_at, len(names), 0, 0, 1, 0),
    ]
    head = (
        b"\x7fELF\x02\x01\x01"
        + bytes(9)
        + struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 0, table, 0, 64, 56, 0, 64, 4, 0)
    )
    return head + code + symbols + names + b"".join(struct.pack("<IIQQQQIIQQ", *row) for row in sections)


def write(folder: Path, whole: bytes) -> Path:
    """Write a program and return it."""
    path = folder / "asterisk"
    path.write_bytes(whole)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("code", "machine", "found", "mended"),
    [
        (DEBIAN, X86, "7768", "eb68"),
        (FAR, X86, "0f8768010000", "90e968010000"),
        (DEBIAN_ARM, ARM, struct.pack("<I", 0x54001808).hex(), struct.pack("<I", 0x140000C0).hex()),
    ],
)
def test_one_jump_of_a_copy_is_changed_and_nothing_else(
    tmp_path: Path, code: bytes, machine: int, found: str, mended: str
) -> None:
    before = program(code, machine)
    path, copy = write(tmp_path, before), tmp_path / "copy"
    assert look(path) is Code.DROPS
    assert mend(path, copy)
    assert path.read_bytes() == before, "the program itself is never touched"
    assert copy.read_bytes() == before.replace(bytes.fromhex(found), bytes.fromhex(mended), 1)
    assert look(copy) is Code.MENDED
    assert copy.stat().st_mode == path.stat().st_mode
    assert not mend(copy, tmp_path / "again"), "mended once"


@pytest.mark.parametrize(
    "whole",
    [
        program(UPSTREAM),
        program(DEBIAN, name=b"ast_translato"),
        program(DEBIAN, machine=3),
        program(DEBIAN.replace(_LATE, b"\x90" * 5)),
        program(DEBIAN.replace(b"\x77\x68", b"\x76\x68")),
        program(DEBIAN[:60] + DEBIAN[28:60] + DEBIAN[60:]),
        program(b"\x90" * 200 + DEBIAN),
        program(DEBIAN)[:300],
        b"#!/bin/sh\nexec asterisk\n",
        b"",
    ],
    ids=[
        "upstream",
        "no name",
        "machine",
        "no half",
        "other jump",
        "twice",
        "far down",
        "cut",
        "script",
        "empty",
    ],
)
def test_what_is_not_recognised_is_left_alone(tmp_path: Path, whole: bytes) -> None:
    path, copy = write(tmp_path, whole), tmp_path / "copy"
    assert look(path) is Code.OTHER
    assert not mend(path, copy)
    assert not copy.exists()
    assert path.read_bytes() == whole


@given(st.binary(max_size=64), st.integers(0, 600), st.integers(0, 80))
def test_a_damaged_program_is_refused_and_never_an_error(noise: bytes, at: int, length: int) -> None:
    whole = bytearray(program(DEBIAN))
    whole[at : at + length] = noise
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), bytes(whole))
        assert look(path) in Code
        mend(path, Path(folder) / "copy")


def test_a_file_that_is_not_there_is_no_program(tmp_path: Path) -> None:
    assert look(tmp_path / "nothing") is Code.OTHER
