"""Let every request inside a call be answered, in the Asterisk that we unpacked.

``session_on_rx_request`` (``res_pjsip_session.c``) claims a request for Asterisk where a supplement is for its method,
and takes one that names no method for every method.  Two are always there and answer nothing, so NOTIFY, MESSAGE,
SUBSCRIBE, PUBLISH and unknown methods stay without an answer and are sent for 32 s.  One jump is led on to the next
supplement instead; pjsip then answers by itself, with 500 where RFC 3261 21.5.2 has 501: one number is changed too.
Only code that is exactly this is touched; no other machine's is known.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ivr.asterisk.mends.elf import DAMAGED, function

_X86_64 = 62


class Place(NamedTuple):
    """One byte: where it stands in the file, as found and as mended."""

    offset: int
    found: bytes
    mended: bytes


_CLAIM = re.compile(
    rb"\x49\x8b\x7c\x24\x08\x48\x85\xff\x74(?P<byte>[\x05\x54])"  # method of the supplement; none: claimed
    rb"\x80\x3f\x00\x75\x31\x41\x8b\x55\x00.{45}"
    rb"\x48\x89\x7d\xb0\xe8.{4}\x48\x8d\x7d\xb0\x48\x89\xde\x48\x89\x45\xb8\xe8.{4}"  # strlen, pj_stristr
    rb"\x48\x85\xc0\x75\xb1\x4d\x8b\x64\x24\x50\x4d\x85\xe4\x75\x98",  # the next supplement
    re.DOTALL,
)
_MID_DIALOG = b"on_rx_request called for INVITE in mid-dialog?"
_ANSWER = re.compile(
    rb"\x48\x89\xef\xba(?P<byte>[\xf4\xf5])\x01\x00\x00\xe8.{4}\x85\xc0\x0f\x85.{4}"  # pjsip_dlg_create_response
    rb"\x48\x8b\x54\x24.\x48\x8b\x74\x24.\x48\x89\xef\xe8",  # pjsip_dlg_send_response
    re.DOTALL,
)


def _claimed(module: bytes) -> Place | None:
    """Find, in ``res_pjsip_session.so``, where a supplement without a method claims a request."""
    if _MID_DIALOG not in module:
        return None
    return _only(_CLAIM.finditer(module), b"\x05", b"\x54")


def _answered(library: bytes) -> Place | None:
    """Find, in ``libasteriskpj.so.2``, the status of an answer to what nobody took."""
    start, size = function(library, b"pjsip_dlg_on_rx_request") or (0, 0)
    return _only(_ANSWER.finditer(library[: start + size], start), b"\xf4", b"\xf5") if size else None


def _only(matches: Iterator[re.Match[bytes]], found: bytes, mended: bytes) -> Place | None:
    places = [match.start("byte") for match in matches]
    return Place(places[0], found, mended) if len(places) == 1 else None


_FILES = (
    ("usr/lib/*/libasteriskpj.so.2", _answered),
    ("usr/lib/*/asterisk/modules/res_pjsip_session.so", _claimed),
)


def mend(root: Path) -> bool:
    """Mend what stands in a folder with an unpacked Asterisk, each file by rename: processes keep what they have.

    Args:
        root: the folder.

    Returns:
        Whether a file was changed; one that is not known, or was mended before, is left alone.

    Raises:
        OSError: a file cannot be written.
    """
    changed = False
    for pattern, find in _FILES:
        for file in root.glob(pattern):
            whole = file.read_bytes()
            try:
                known = whole[:6] == b"\x7fELF\x02\x01" and struct.unpack_from("<H", whole, 18)[0] == _X86_64
                place = find(whole) if known else None
            except DAMAGED:
                continue
            if place is not None and whole[place.offset : place.offset + 1] == place.found:
                _replace(file, whole[: place.offset] + place.mended + whole[place.offset + 1 :])
                changed = True
    return changed


def _replace(file: Path, content: bytes) -> None:
    copy = file.with_name(f"{file.name}.{os.getpid()}.mended")
    try:
        with copy.open("xb") as fresh:
            fresh.write(content)
            fresh.flush()
            os.fsync(fresh.fileno())
        copy.chmod(file.stat().st_mode & 0o777)
        copy.replace(file)
    finally:
        copy.unlink(missing_ok=True)
