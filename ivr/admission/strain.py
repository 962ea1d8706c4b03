"""How many callers this machine carries: ports are not all that a crowd uses up.

Asterisk sends every caller fifty packets of music a second, each a wake-up of a thread of its own, some 3 ms of a core
a caller and second. When that fills the cores, everything waits in line with it: seats ring late, voices break, and
``*`` reaches help after seconds. So while Asterisk alone takes most of the machine nobody more is let in; as many
as leave may follow. A machine with cores to spare never comes to that.
"""

from __future__ import annotations

from dataclasses import dataclass

STRAINED = 0.65
"""Share of all cores that Asterisk alone takes, from which nobody more is let in: engine and network need the rest."""
RELAXED = 0.55
BREATHLESS = 0.75
"""From here on fewer are let in than are there now."""
PER_CORE_AT_LEAST = 150
"""So many callers a core are always let in: a flood of packets strains the machine too, and must not close the hotline."""


@dataclass
class Strain:
    """The limit of a machine that is strained.

    Attributes:
        cores: processors this machine has.
        limit: callers who are let in; None while ports alone decide.
    """

    cores: int
    limit: int | None = None

    def may_matter(self, used: float) -> bool:
        """Tell whether it is worth asking how many callers there are."""
        return self.limit is not None or used / self.cores >= STRAINED

    def judge(self, used: float, callers: int) -> int | None:
        """Take in a moment and return the limit.

        Args:
            used: cores that Asterisk kept busy.
            callers: callers who are there.
        """
        share = used / self.cores
        if share >= STRAINED:
            fewer = int(callers * 0.95) if share >= BREATHLESS else callers
            self.limit = max(PER_CORE_AT_LEAST * self.cores, min(fewer, self.limit or callers))
        elif share < RELAXED:
            self.limit = None
        return self.limit
