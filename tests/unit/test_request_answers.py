"""Code that claims requests nobody answers is mended only where it is exactly what we know."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from ivr.asterisk.mends.request_answers import mend

HEAD = b"\x7fELF\x02\x01" + bytes(12) + struct.pack("<H", 62) + bytes(44)
CLAIM = (
    bytes.fromhex("498b7c24084885ff7405803f0075 31 418b5500".replace(" ", ""))
    + bytes(45)
    + bytes.fromhex("48897db0e8000000 00488d7db04889de488945b8e800000000".replace(" ", ""))
    + bytes.fromhex("4885c075b14d8b6424504d85e47598")
)
WORDS = b"on_rx_request called for INVITE in mid-dialog?\n"
ANSWER = bytes.fromhex("4889efbaf4010000e80000000085c00f8500000000488b542428488b7424184889efe8")


def library(code: bytes) -> bytes:
    """A library with one exported function, which has this code."""
    names = b"\0pjsip_dlg_on_rx_request\0"
    head = bytearray(HEAD[:64])
    at_names = 64
    at_symbols = at_names + len(names)
    at_code = at_symbols + 48
    at_table = at_code + len(code)
    head[40:48] = struct.pack("<Q", at_table)
    head[58:62] = struct.pack("<HH", 64, 4)
    section = struct.Struct("<IIQQQQIIQQ")
    symbol = struct.Struct("<IBBHQQ")
    return (
        bytes(head)
        + names
        + symbol.pack(0, 0, 0, 0, 0, 0)
        + symbol.pack(1, 0, 0, 3, 0x7000, len(code))
        + code
        + section.pack(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        + section.pack(0, 11, 0, 0, at_symbols, 48, 2, 0, 0, 24)
        + section.pack(0, 3, 0, 0, at_names, len(names), 0, 0, 0, 0)
        + section.pack(0, 1, 0, 0x7000, at_code, len(code), 0, 0, 0, 0)
    )


class Root:
    """A folder with an unpacked Asterisk."""

    def __init__(self, folder: Path, module: bytes, pj: bytes) -> None:
        self.folder = folder
        self.pj = folder / "usr/lib/x86_64-linux-gnu/libasteriskpj.so.2"
        self.module = self.pj.parent / "asterisk/modules/res_pjsip_session.so"
        self.module.parent.mkdir(parents=True)
        self.module.write_bytes(module)
        self.pj.write_bytes(pj)
        self.module.chmod(0o644)


def test_one_byte_of_each_is_changed_once(tmp_path: Path) -> None:
    module, pj = HEAD + b"\x90" * 33 + CLAIM + WORDS, library(b"\x90" * 7 + ANSWER + b"\x90" * 9)
    root = Root(tmp_path, module, pj)
    assert mend(root.folder)
    assert root.module.read_bytes() == module.replace(b"\x74\x05\x80", b"\x74\x54\x80")
    assert root.pj.read_bytes() == pj.replace(b"\xba\xf4\x01", b"\xba\xf5\x01")
    assert root.module.stat().st_mode & 0o777 == 0o644
    assert not mend(root.folder), "it is mended"
    assert sorted(path.name for path in root.pj.parent.iterdir()) == ["asterisk", "libasteriskpj.so.2"]


@pytest.mark.parametrize(
    "module",
    [
        HEAD + CLAIM,
        HEAD + CLAIM + CLAIM + WORDS,
        HEAD + CLAIM[:-1] + WORDS,
        HEAD + CLAIM.replace(b"\x75\xb1", b"\x75\xb0") + WORDS,
        HEAD[:18] + struct.pack("<H", 183) + HEAD[20:] + CLAIM + WORDS,
        b"",
        b"\x7fELF\x02\x01",
        CLAIM + WORDS,
    ],
    ids=["other words", "twice", "cut", "other jump", "ARM64", "empty", "only a head", "no ELF"],
)
def test_what_is_not_known_is_left_alone(tmp_path: Path, module: bytes) -> None:
    root = Root(tmp_path, module, b"\x7fELF\x02\x01" + b"\xff" * 90)
    assert not mend(root.folder)
    assert root.module.read_bytes() == module


@pytest.mark.parametrize("code", [ANSWER + ANSWER, ANSWER[:-1], b""], ids=["twice", "cut", "none"])
def test_a_library_that_answers_otherwise_is_left_alone(tmp_path: Path, code: bytes) -> None:
    root = Root(tmp_path, b"", library(code + bytes(3)))
    assert not mend(root.folder)
    assert root.pj.read_bytes() == library(code + bytes(3))


def test_where_nothing_is_unpacked_nothing_is_done(tmp_path: Path) -> None:
    assert not mend(tmp_path / "none")
