"""Recognise, in an Asterisk program's own code, the check that drops media which begin anew; take it out of a copy.

Debian's patch ``2016_opus_plc`` lets ``ast_translate`` look at the RTP sequence number before it translates a frame:

    if (path->f.seqno <= 0xffff && path->f.seqno != f->seqno) {  /* how many frames are missing? */
        ...; if (0x8000 < frames_missing) return NULL;           /* "late": dropped */
    } else frames_missing = 0;

The first comparison is ``cmp $0xffff`` and one conditional jump to the else branch, which is all that upstream's
Asterisk has.  Made unconditional, that jump is the mend: one instruction of the same length.  Only programs in which
exactly this was found are touched, and nothing here decides that a program is sound: that takes a call
(:mod:`ivr.asterisk.mends.media_proof`).
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ivr.asterisk.mends.elf import DAMAGED, function

FUNCTION = b"ast_translate"
_HEAD = 160
"""Bytes at the beginning of the function in which the check stands."""
_X86_64, _AARCH64 = 62, 183


class Code(StrEnum):
    """What the code tells."""

    DROPS = "drops"
    MENDED = "mended"
    OTHER = "other"
    """Not what we know: upstream's own, a compiler's other way to write it, or no Asterisk at all."""


@dataclass(frozen=True)
class Jump:
    """The jump after the comparison: where it stands in the file, its bytes as found and as mended."""

    offset: int
    found: bytes
    mended: bytes


def look(program: Path) -> Code:
    """Tell what the code of a program is; what cannot be read is other."""
    try:
        jump = _jump(program.read_bytes())
    except (OSError, *DAMAGED):
        return Code.OTHER
    if jump is None:
        return Code.OTHER
    return Code.MENDED if jump.found == jump.mended else Code.DROPS


def mend(program: Path, copy: Path) -> bool:
    """Write a mended copy of a program; the program itself is never touched.

    Args:
        program: an Asterisk.
        copy: where to write; what stands there is replaced.

    Returns:
        Whether the check was recognised; nothing was written where it was not.

    Raises:
        OSError: the copy cannot be written.
    """
    whole = program.read_bytes()
    try:
        jump = _jump(whole)
    except DAMAGED:
        return False
    if jump is None or jump.found == jump.mended:
        return False
    end = jump.offset + len(jump.mended)
    copy.unlink(missing_ok=True)
    with copy.open("xb") as file:
        file.write(whole[: jump.offset] + jump.mended + whole[end:])
        file.flush()
        os.fsync(file.fileno())
    copy.chmod(program.stat().st_mode & 0o777)
    return True


def _jump(elf: bytes) -> Jump | None:
    """Find the jump in a whole program."""
    if elf[:6] != b"\x7fELF\x02\x01":
        return None
    reader = _MACHINES.get(struct.unpack_from("<H", elf, 18)[0])
    place = function(elf, FUNCTION)
    if reader is None or place is None:
        return None
    start, size = place
    if not 0 < start < len(elf):
        return None
    found = list(reader(elf[start : start + size]))
    if len(found) != 1:
        return None
    return Jump(start + found[0].offset, found[0].found, found[0].mended)


# mov 0x88(%rdi),%reg (path->f.seqno); cmp $0xffff,%reg; ja, or jmp where it was mended
_X86_CHECK = re.compile(
    rb"\x44?\x8b[\x87\x8f\x97\x9f\xa7\xaf\xb7\xbf]\x88\x00\x00\x00(?:\x41?\x81[\xf8-\xff]|\x3d)\xff\xff\x00\x00"
    rb"(?P<jump>\x77.|\xeb.|\x0f\x87....|\x90\xe9....)",
    re.DOTALL,
)
_X86_LATE = re.compile(rb"(?:\x41?\x81[\xf8-\xff]|\x3d)\x00\x80\x00\x00")  # cmp $0x8000,%reg


def _x86_64(code: bytes) -> Iterator[Jump]:
    if not _X86_LATE.search(code):
        return
    for match in _X86_CHECK.finditer(code[:_HEAD]):
        found = match["jump"]
        short = found[:1] in (b"\x77", b"\xeb")
        yield Jump(match.start("jump"), found, b"\xeb" + found[1:] if short else b"\x90\xe9" + found[2:])


def _aarch64(code: bytes) -> Iterator[Jump]:
    words = struct.unpack(f"<{len(code) // 4}I", code[: len(code) // 4 * 4])
    if not any(word & 0xFFFFFC1F == 0x7140201F for word in words):  # cmp wN, #0x8, lsl #12
        return
    head = words[: _HEAD // 4]
    limits = {word & 31 for word in head if word & 0xFFFFFFE0 == 0x529FFFE0}  # mov wN, #0xffff
    numbers = {word & 31 for word in head if word & 0xFFFFFFE0 == 0xB9408800}  # ldr wN, [x0, #0x88]
    for n in range(len(head) - 1):
        compared, jump = head[n], head[n + 1]
        right, left = compared >> 16 & 31, compared >> 5 & 31
        if compared & 0xFFE0FC1F != 0x6B00001F or left not in numbers or right not in limits:
            continue
        found = struct.pack("<I", jump)
        if jump & 0xFF00001F == 0x54000008:  # b.hi, its distance 19 bits
            distance = jump >> 5 & 0x7FFFF
            distance |= 0x3F80000 if distance & 0x40000 else 0
            yield Jump((n + 1) * 4, found, struct.pack("<I", 0x14000000 | distance))
        elif jump & 0xFC000000 == 0x14000000:  # b
            yield Jump((n + 1) * 4, found, found)


_MACHINES: Mapping[int, Callable[[bytes], Iterator[Jump]]] = {_X86_64: _x86_64, _AARCH64: _aarch64}
