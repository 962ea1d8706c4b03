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
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from ivr.asterisk.contract import WAY_OUT, CdrLine, CelLine, Context, Noted
from ivr.calls.facts import RecordRow

log = logging.getLogger(__name__)

_SEAT = re.compile(r"^PJSIP/(seat\w+)-")
RECEPTION = Noted.RECEPTION
_DEFINED: Mapping[str, str] = {
    Noted.RECEPTION: "reception",
    Noted.VOICEMAIL: "voicemail",
    Noted.HELP: "help",
}
"""What our dialplan tells by CELGenUserEvent."""
_OURS = (
    Context.RECEPTION,
    Context.AWAY,
    Context.QUEUE,
    Context.AFTER_QUEUE,
    Context.IN_QUEUE,
    Context.VOICEMAIL,
    Context.SURVEY,
    Context.STAR,
)
_HELP = f"PJSIP/{WAY_OUT}-"


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


_PLACEHOLDER = re.compile(rf"^Local/([\w.-]{{1,64}})@{Context.CALLBACK}-[0-9a-f]+;([12])$", re.ASCII)


def called_back(channel: str) -> str | None:
    """Return the call that a placeholder's channel keeps the place of, None for other channels."""
    match = _PLACEHOLDER.match(channel)
    return match.group(1) if match else None


def read_cel(data: bytes) -> Iterator[RecordRow]:
    """Tell the facts of channel event lines."""
    for line in map(CelLine._make, _lines(data, _CEL_BEGINS, len(CelLine._fields))):
        call_id, kind, channel, moment = line.call_id, line.kind, line.channel, _number(line.at)
        if not call_id or not moment:
            continue
        caller_leg = line.unique_id == call_id
        if line.defined in _DEFINED:
            told = {"caller": line.caller, "channel": channel, "extra": _told(line.extra)}
            yield RecordRow(call_id, moment, _DEFINED[line.defined], told)
        elif kind == "APP_START" and caller_leg:
            yield RecordRow(call_id, moment, "queued", {})
        elif kind == "BRIDGE_ENTER":
            other = line.peer.split(",")[0] if caller_leg else channel
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


REFUSED = Noted.REFUSED
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
    for line in map(CelLine._make, _lines(lines, _CEL_BEGINS, len(CelLine._fields))):
        trunk, at = _TRUNK.match(line.channel), _number(line.at)
        if line.defined == REFUSED and line.call_id and at and trunk:
            reason, _, dialled = _told(line.extra).partition("/")
            yield RefusedRow(line.call_id, at, line.caller, dialled, reason, trunk[1])


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
    for line in map(CdrLine._make, _lines(data, _CDR_BEGINS, len(CdrLine._fields))):
        call_id, start, end = line.call_id, _number(line.start), _number(line.end)
        if not call_id or call_id != line.unique_id or line.context not in _OURS:
            continue
        if not start or not end:
            continue
        answered = _number(line.answer)
        yield RecordRow(call_id, start, "reception", {"caller": line.caller, "channel": "", "extra": ""})
        if answered:
            yield RecordRow(call_id, answered, "greeted", {})
        if line.application == "Queue":
            yield RecordRow(call_id, answered or start, "queued", {})
        if line.disposition == "ANSWERED" and seat_user(line.seat_channel):
            yield RecordRow(call_id, answered or start, "answered", {"channel": line.seat_channel})
        yield RecordRow(call_id, end, "ended", {"channel": ""})
