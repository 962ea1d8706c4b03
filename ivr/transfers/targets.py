"""Who can be brought in: the word or the digits a target is named by, and the routes that lead there."""

from __future__ import annotations

import re

_URI = re.compile(r"sip:[A-Za-z0-9_.+*#-]{1,40}@(?P<host>[A-Za-z0-9.-]{1,100})(?::[0-9]{2,5})?")
_LOOPBACK = re.compile(r"127(?:\.[0-9]{1,3}){3}|localhost")


def usable(uri: str, lab: bool) -> bool:
    """Tell whether a SIP address may be dialled: harmless in a dialplan, and loopback in lab mode."""
    match = _URI.fullmatch(uri)
    return match is not None and (not lab or _LOOPBACK.fullmatch(match["host"]) is not None)
