"""Asterisk's own records of calls: CEL and CDR files, read as they grow.

Fields are those of ``asterisk_conf/ivr12345/cel_custom.conf.j2`` and ``cdr_custom.conf.j2``.
Lines are CSV in whatever encoding a caller's name had; a line that is not what we wrote there is
passed over.
"""

from __future__ import annotations

import csv
import json
import logging
import os
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

log = logging.getLogger(__name__)

_CEL_FIELDS = 10
_CDR_FIELDS = 10
_SEAT = re.compile(r"^PJSIP/(seat\w+)-")
RECEPTION = "IVR_RECEPTION"
_DEFINED = {RECEPTION: "reception", "IVR_VOICEMAIL": "voicemail", "IVR_HELP": "help"}
"""What our dialplan tells by CELGenUserEvent."""
_OURS = (
    "ivr-reception",
    "ivr-away",
    "ivr-queue",
    "ivr-after-queue",
    "ivr-in-queue",
    "ivr-voicemail",
    "ivr-survey",
    "ivr-star",
)
_HELP = "PJSIP/ivr-out-"


class RecordRow(NamedTuple):
    """One fact: (call id, seconds since the epoch, what, data)."""

    call_id: str
    at: float
    what: str
    data: dict[str, Any]


def read_whole_lines(path: Path, offset: int, max_bytes: int = 4_000_000) -> tuple[bytes, int]:
    """Return whole lines from an offset on and the offset behind them.

    A file that is shorter than the offset was rotated away: it is read from its start.  A line of
    ``max_bytes`` or more is none that Asterisk writes and is passed over.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < offset:
                offset = 0
            file.seek(offset)
            chunk = file.read(max_bytes)
    except FileNotFoundError:
        return b"", 0
    except OSError as error:
        log.error("%s cannot be read: %s", path, error.strerror or error)
        return b"", offset
    end = chunk.rfind(b"\n") + 1
    if not end and len(chunk) == max_bytes:
        return b"", offset + len(chunk)
    return chunk[:end], offset + end


_CEL_BEGINS = re.compile(r'"[A-Z_]+","\d+\.\d+",(?=")')
_CDR_BEGINS = re.compile(r'"[\w.-]+","[\w.-]+","\d+\.\d+",(?=")')
"""How a line begins. Inside a field no quote stands alone: CSV_QUOTE doubles it."""


def _lines(data: bytes, begins: re.Pattern[str], fields: int) -> Iterator[list[str]]:
    """Return the fields of each line.

    A full disk cuts a line anywhere, its end included, and the next one goes on there: what begins behind the cut is
    a line of its own, and a quote that was left open swallows no others.
    """
    text = data.decode("utf-8", "replace").replace("\0", "")
    starts = [found.start() for found in begins.finditer(text)]
    for start, end in pairwise([*starts, len(text)]):
        for row in csv.reader(text[start:end].splitlines()):
            if len(row) == fields:
                yield row


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _told(extra: str) -> str:
    """Return what CELGenUserEvent was given; newer versions wrap it in JSON."""
    try:
        wrapped = json.loads(extra)
    except ValueError:
        return extra
    return str(wrapped.get("extra", "")) if isinstance(wrapped, dict) else extra


def seat_user(channel: str) -> str | None:
    """Return the SIP user of a seat's channel, ``PJSIP/seat01-0000001a`` -> ``seat01``."""
    match = _SEAT.match(channel)
    return match.group(1) if match else None


_ENDPOINT = re.compile(r"^PJSIP/(.+)-[0-9a-f]{8}$", re.ASCII)


def trunk_of(channel: str) -> str:
    """Return the SIP endpoint of a caller's channel, ``PJSIP/trunk-0000001a`` -> ``trunk``; empty for none."""
    match = _ENDPOINT.match(channel)
    return match.group(1) if match else ""


_PLACEHOLDER = re.compile(r"^Local/([\w.-]{1,64})@ivr-callback-[0-9a-f]+;([12])$", re.ASCII)


def called_back(channel: str) -> str | None:
    """Return the call that a placeholder's channel keeps the place of, None for other channels."""
    match = _PLACEHOLDER.match(channel)
    return match.group(1) if match else None


def read_cel(data: bytes) -> Iterator[RecordRow]:
    """Tell the facts of channel event lines."""
    for kind, at, call_id, unique_id, channel, caller, _context, peer, defined, extra in _lines(
        data, _CEL_BEGINS, _CEL_FIELDS
    ):
        moment = _number(at)
        if not call_id or not moment:
            continue
        caller_leg = unique_id == call_id
        if defined in _DEFINED:
            told = {"caller": caller, "channel": channel, "extra": _told(extra)}
            yield RecordRow(call_id, moment, _DEFINED[defined], told)
        elif kind == "APP_START" and caller_leg:
            yield RecordRow(call_id, moment, "queued", {})
        elif kind == "BRIDGE_ENTER":
            other = peer.split(",")[0] if caller_leg else channel
            if what := _who_answers(other):
                yield RecordRow(call_id, moment, what, {"channel": other})
        elif kind == "BRIDGE_EXIT" and caller_leg:
            yield RecordRow(call_id, moment, "left", {})
        elif kind == "HANGUP" and caller_leg:
            yield RecordRow(call_id, moment, "ended", {"channel": channel})
        elif kind == "LINKEDID_END":
            yield RecordRow(call_id, moment, "ended", {})


class RefusedRow(NamedTuple):
    """A call that was not let in; ``caller`` and ``dialled`` are empty where nobody could read them."""

    call_id: str
    at: float
    caller: str
    dialled: str
    reason: str
    trunk: str


REFUSED = "IVR_REFUSED"
_TRUNK = re.compile(r"^PJSIP/(.{1,60})-[0-9a-f]+$")
_NO_PORTS = re.compile(
    rb"^\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)\] ERROR\[(\d+)\] res_pjsip_session\.c:\s+([\w.-]{1,60}): "
    rb"Couldn't negotiate stream",
    re.MULTILINE,
)
"""Of a new call the line names the endpoint; of one that goes on, the channel (with a slash)."""


def read_refused(data: bytes) -> Iterator[RefusedRow]:
    """Tell the calls that our dialplan did not let in, from channel event lines."""
    lines = b"".join(line for line in data.splitlines(keepends=True) if REFUSED.encode() in line)
    for _, at, call_id, _, channel, caller, _context, _, defined, extra in _lines(
        lines, _CEL_BEGINS, _CEL_FIELDS
    ):
        trunk = _TRUNK.match(channel)
        if defined == REFUSED and call_id and _number(at) and trunk:
            reason, _, dialled = _told(extra).partition("/")
            yield RefusedRow(call_id, _number(at), caller, dialled, reason, trunk[1])


def read_unheard(data: bytes) -> Iterator[RefusedRow]:
    """Tell the calls that Asterisk refused before the dialplan, from its log: no RTP ports were left (488)."""
    for said in _NO_PORTS.finditer(data):
        at, thread, trunk = (part.decode() for part in said.groups())
        moment = datetime.fromisoformat(at).timestamp()  # Asterisk logs in the machine's own time
        yield RefusedRow(f"{at}/{thread}", moment, "", "", "no_ports", trunk)


def _who_answers(channel: str) -> str:
    """Return ``answered`` for a seat's channel, ``helped`` for one outside, empty for others."""
    if seat_user(channel):
        return "answered"
    return "helped" if channel.startswith(_HELP) else ""


def read_cdr(data: bytes) -> Iterator[RecordRow]:
    """Tell the facts of call detail lines."""
    for call_id, unique_id, start, answer, end, context, disposition, app, seat, caller in _lines(
        data, _CDR_BEGINS, _CDR_FIELDS
    ):
        if not call_id or call_id != unique_id or context not in _OURS:
            continue
        if not _number(start) or not _number(end):
            continue
        yield RecordRow(call_id, _number(start), "reception", {"caller": caller, "channel": "", "extra": ""})
        if _number(answer):
            yield RecordRow(call_id, _number(answer), "greeted", {})
        if app == "Queue":
            yield RecordRow(call_id, _number(answer) or _number(start), "queued", {})
        if disposition == "ANSWERED" and seat_user(seat):
            yield RecordRow(call_id, _number(answer) or _number(start), "answered", {"channel": seat})
        yield RecordRow(call_id, _number(end), "ended", {"channel": ""})
