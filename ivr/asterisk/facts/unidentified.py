"""How many packets Asterisk had from addresses it does not know.

Asterisk counts them by address whatever we do; asking for the counts costs one answer, hearing of each packet
costs as much as the packet.  The answer is read to a limit, because a flood may name any number of addresses.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping

from ivr.asterisk.install.instance import Instance

READ_BYTES = 256 * 1024
"""What is read of an answer: about 3,000 addresses."""
LIMIT_S = 5.0

_ROW = re.compile(r"^ *Request: +([0-9A-Fa-f.:]+) +(\d+) +[0-9.]+ *$", re.MULTILINE)


def counts(instance: Instance) -> dict[str, int]:
    """Ask for the counts by address; nothing when Asterisk does not answer in time."""
    command = [
        *instance.installation.command,
        "-C",
        str(instance.config),
        "-rx",
        "pjsip show unidentified_requests",
    ]
    asked = subprocess.Popen(
        ["timeout", str(LIMIT_S), *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert asked.stdout is not None
    with asked.stdout:
        said = asked.stdout.read(READ_BYTES)
    asked.wait()  # whoever writes on is ended by the closed pipe
    return read(said.decode("ascii", "replace"))


def read(said: str) -> dict[str, int]:
    """Return the count of each address in what Asterisk printed."""
    return {address: int(count) for address, count in _ROW.findall(said)}


def grown(before: Mapping[str, int], now: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Yield each address with more packets than before; Asterisk begins anew now and then."""
    for address, count in now.items():
        had = before.get(address, 0)
        more = count - had if count >= had else count
        if more:
            yield address, more
