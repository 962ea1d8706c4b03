"""Calls that Asterisk itself refuses for what stands in their INVITE: it tells nobody but the carrier.

No event, no record and no line of a log tells of a ``488`` to a codec that nobody here speaks, or of a ``420`` to an
extension; so the answers are read in the packets (:mod:`ivr.asterisk.facts.sip_capture`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ivr.asterisk.facts.records import RefusedRow
from ivr.asterisk.facts.sip_capture import Packet

REASONS = {
    400: "bad_request",
    413: "bad_request",
    415: "bad_request",
    416: "bad_request",
    420: "extension",
    421: "extension",
    488: "no_codec",
    505: "bad_request",
}
"""Why, by status; what the dialplan refuses is told by the dialplan, and a challenge (401) refuses nobody."""
CALLS = 10_000
"""Calls that are remembered, at most."""

_STATUS = re.compile(rb"SIP/2\.0 (\d{3}) ")
_CSEQ = re.compile(rb"^CSeq[ \t]*:[ \t]*\d+[ \t]+INVITE", re.IGNORECASE | re.MULTILINE)
_CALL_ID = re.compile(rb"^(?:Call-ID|i)[ \t]*:[ \t]*([^\r\n]{1,256})", re.IGNORECASE | re.MULTILINE)
_FROM = re.compile(rb"^(?:From|f)[ \t]*:[ \t]*([^\r\n]{1,512})", re.IGNORECASE | re.MULTILINE)
_TO = re.compile(rb"^(?:To|t)[ \t]*:[ \t]*([^\r\n]{1,512})", re.IGNORECASE | re.MULTILINE)
_DIALLED = re.compile(rb"INVITE (?:sips?|tel):([^@ >]{1,200})", re.IGNORECASE)
_OURS = re.compile(rb"^m=audio \d+ \S+((?: \d+)+)", re.MULTILINE)
_G711 = re.compile(rb"^a=rtpmap:\d+ PCM[AU]/8000", re.IGNORECASE | re.MULTILINE)
_SEAT = re.compile(rb"sips?:(seat\w{1,30})@", re.IGNORECASE)
_HARMLESS = re.compile(r"[^0-9A-Za-z+*#;=._-]")


class _Invite(NamedTuple):
    """What is kept of an INVITE: never the message, which may be 64 kB."""

    caller: str
    dialled: str
    trunk: str
    g711: bool


class RefusedOffers:
    """Reads packets as they come and tells which calls were refused."""

    def __init__(self) -> None:
        self._invites: dict[bytes, _Invite] = {}
        """INVITEs that begin a call and have no answer yet, by Call-ID."""
        self._told: dict[bytes, None] = {}
        """Calls that were told: an answer that was lost is given again."""

    def read(self, packets: Iterable[Packet]) -> Iterator[RefusedRow]:
        """Yield the calls that were refused, in the order of their answers."""
        for packet in packets:
            head = packet.message[:7]
            if head == b"INVITE " and not packet.sent:
                self._remember(packet.message)
            elif head == b"SIP/2.0" and packet.sent and (row := self._answered(packet)):
                yield row

    def _remember(self, message: bytes) -> None:
        call, to = _CALL_ID.search(message), _TO.search(message)
        if call and not (to and b"tag=" in to[1].lower()):  # one with a tag changes a call that goes on
            self._invites[call[1].strip()] = _read(message)
            _forget(self._invites)

    def _answered(self, packet: Packet) -> RefusedRow | None:
        status, call = _STATUS.match(packet.message), _CALL_ID.search(packet.message)
        if not status or not call or not _CSEQ.search(packet.message):
            return None
        code = int(status[1])
        if code < 180:
            return None
        invite = self._invites.pop(call[1].strip(), None)
        if invite is None or code not in REASONS:
            return None
        if call[1] in self._told:
            return None
        if code == 488 and invite.g711:  # no ports were left, which Asterisk's log tells
            return None
        self._told[call[1]] = None
        _forget(self._told)
        name = "sip-" + hashlib.sha256(call[1]).hexdigest()[:16]
        return RefusedRow(name, packet.at, invite.caller, invite.dialled, REASONS[code], invite.trunk)


def _read(message: bytes) -> _Invite:
    said, dialled = _FROM.search(message), _DIALLED.match(message)
    seat = _SEAT.search(said[1]) if said else None
    return _Invite(
        _text(said[1]) if said else "",
        _HARMLESS.sub("", _text(dialled[1]))[:40] if dialled else "",
        _text(seat[1]) if seat else "trunk",
        _speaks_g711(message),
    )


def _speaks_g711(invite: bytes) -> bool:
    """Tell whether an offer has A-law or µ-law; one without an offer takes ours."""
    lines = _OURS.findall(invite)
    return not lines or bool(_G711.search(invite)) or any({b"0", b"8"} & set(line.split()) for line in lines)


def _forget(calls: dict[bytes, Any]) -> None:
    """Forget the oldest of too many calls."""
    if len(calls) > CALLS:
        del calls[next(iter(calls))]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").strip()
