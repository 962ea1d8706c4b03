"""Blocks of a file that nobody else can take.

``posix_fallocate``, which Python has, lengthens the file; Linux can allocate behind its end
(fallocate(2), ``FALLOC_FL_KEEP_SIZE``), so that readers see nothing of it and it outlives a kill.
"""

from __future__ import annotations

import ctypes
import os

_KEEP_SIZE = 1


def allocate_ahead(descriptor: int, start: int, length: int) -> None:
    """Allocate ``length`` bytes from ``start`` on; the file's size stays.

    Raises:
        OSError: the disk is full, or this kind of disk knows no such thing (``EOPNOTSUPP``).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    wanted = (
        ctypes.c_int(descriptor),
        ctypes.c_int(_KEEP_SIZE),
        ctypes.c_int64(start),
        ctypes.c_int64(length),
    )
    if libc.fallocate64(*wanted) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
