"""Where calls may go out to: what makes a SIP address of ``trunks.yaml`` usable, asked by checks and by calls alike.

One rule for both, so that what is checked is what is dialled: an address that would be passed over
when somebody needs it is told when the file is written.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

SIP_PORT = 5060
CALLBACK = "callback"
"""The destination whose addresses get the citizen's number before the ``@``."""

_THIRD = re.compile(r"sip:[A-Za-z0-9_.+*#-]{1,40}@(?P<host>[A-Za-z0-9.-]{1,100})(?::(?P<port>[0-9]{2,5}))?")
_CALLBACK = re.compile(
    r"sips?:(?:[0-9+*#]*@)?(?P<host>[A-Za-z0-9.-]{1,100}|\[[0-9a-fA-F:]+\])(?::(?P<port>[0-9]{1,5}))?"
)
_LOOPBACK = re.compile(r"127(?:\.[0-9]{1,3}){3}|localhost|\[::1\]")


class Unusable(enum.StrEnum):
    """Why an address is never dialled."""

    MALFORMED = "malformed"
    OUTSIDE = "outside"
    OURSELVES = "ourselves"


@dataclass(frozen=True)
class Own:
    """Where we ourselves can be reached: no destination may lead back there."""

    host: str = "127.0.0.1"
    port: int = 0


def why_unusable(uri: str, lab: bool, own: Own | None = None, target: str = "") -> Unusable | None:
    """Return why an address may not be dialled, None where it may.

    Args:
        uri: the address.
        lab: whether only this machine may be dialled.
        own: where our Asterisk takes calls, None where nobody knows.
        target: whose address it is; a callback's may have less before the ``@``.
    """
    match = (_CALLBACK if target == CALLBACK else _THIRD).fullmatch(uri)
    if match is None:
        return Unusable.MALFORMED
    local = _LOOPBACK.fullmatch(match["host"]) is not None
    ours = own is not None and int(match["port"] or SIP_PORT) == own.port
    if ours and own is not None and (local or match["host"] == own.host):
        return Unusable.OURSELVES
    return Unusable.OUTSIDE if lab and not local else None


def usable(uri: str, lab: bool, own: Own | None = None, target: str = "") -> bool:
    """Tell whether an address may be dialled: harmless in a dialplan, loopback in lab mode, and not ourselves."""
    return why_unusable(uri, lab, own, target) is None
