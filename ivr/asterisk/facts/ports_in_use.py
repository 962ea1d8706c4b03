"""What is taken of this machine, and of the Asterisk that runs on it: UDP ports, callers counted by the dialplan."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ivr.asterisk.ami.link import Link

_TABLES = (Path("/proc/net/udp"), Path("/proc/net/udp6"))
CALLERS = "GROUP_COUNT(caller@ivr12345)"


def udp_ports_in_use(first: int, last: int) -> int:
    """Return how many UDP ports of a range are bound, by whomever: none of them is free for a call."""
    ports: set[int] = set()
    for table in _TABLES:
        with contextlib.suppress(OSError):  # a kernel without IPv6
            rows = table.read_text().splitlines()[1:]
            ports.update(int(row.split(None, 2)[1].rpartition(":")[2], 16) for row in rows)
    return sum(first <= port <= last for port in ports)


async def admitted(link: Link) -> int:
    """Return how many callers are admitted now, as the dialplan counts them.

    Raises:
        AmiError: Asterisk does not say.
    """
    told = (await link.action("Getvar", {"Variable": CALLERS})).get("Value")
    return int(told) if told.isdigit() else 0


async def let_in(link: Link, limit: int, until: int) -> None:
    """Let the dialplan admit so many callers, fewer than ports would hold.

    Args:
        link: the link to Asterisk.
        limit: callers.
        until: seconds since the epoch; in the past: the ports alone decide again.

    Raises:
        AmiError: Asterisk does not do it.
    """
    for name, value in (("IVR_STRAINED_LIMIT", limit), ("IVR_STRAINED_UNTIL", until)):
        await link.action("Setvar", {"Variable": name, "Value": str(value)})
