"""What the name of a channel tells; everything else about channels is the business of who carries the voice."""

from __future__ import annotations

import re

_TELEPHONE = re.compile(r"^\w+/(.+)-[0-9a-f]+$", re.ASCII)
"""``<technology>/<endpoint>-<number>``; a channel of our own making, with two ends, is nobody's telephone."""


def endpoint_of(channel: str) -> str:
    """Return whose telephone or trunk a channel is: a seat's SIP user, the trunk's name; empty where it is nobody's."""
    found = _TELEPHONE.match(channel)
    return found.group(1) if found else ""
