"""Find a function in a program or library (ELF, 64 bits, little-endian) by its name."""

from __future__ import annotations

import struct

DAMAGED = (struct.error, IndexError, OverflowError)
"""What reading something that is no whole file raises."""
_DYNSYM = 11
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")


def function(elf: bytes, name: bytes) -> tuple[int, int] | None:
    """Return where an exported function stands in the file and how long it is; None where it is not there.

    Raises:
        struct.error, IndexError, OverflowError: the file is damaged.
    """
    (table,) = struct.unpack_from("<Q", elf, 40)
    size, count = struct.unpack_from("<HH", elf, 58)
    sections = [_SECTION.unpack_from(elf, table + n * size) for n in range(count)]
    for section in sections:
        if section[1] != _DYNSYM:
            continue
        names = sections[section[6]]
        text = elf[names[4] : names[4] + names[5]]
        wanted = text.find(b"\0" + name + b"\0") + 1
        for offset in range(section[4], section[4] + section[5], _SYMBOL.size):
            at, _, _, index, value, length = _SYMBOL.unpack_from(elf, offset)
            if wanted and at == wanted and 0 < index < count:
                home = sections[index]
                return home[4] + value - home[3], length
    return None
