"""How many callers a range of RTP ports holds, and what is kept back for everybody else.

Asterisk gives every audio leg a pair of ports (RTP and RTCP) the moment it is offered, before the
dialplan is asked, and refuses the leg with 488 when none is left.  A hotline that lets callers
take all of them cannot ring the seats that would answer them.  So callers are admitted only as
far as what may follow from them finds its ports too; the table is :class:`Capacity`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from ivr.alarms.board import Fault

WANTED_SEATS = 24
WANTED_WAITING = 500
"""What the shipped range must hold: a city's seats, all talking, and so many more who wait."""

FILES_PER_LEG = 7
"""File handles a leg may take: Asterisk opens five for a caller in a queue, and two more to record."""
FILES_BESIDE_LEGS = 200
"""Logs, sockets, databases, a reload."""

OVERLOADED = "overloaded"
OVERLOADED_SHARE = 0.8
_OVER_S = 10.0
"""Seconds that fewer callers must last before the alarm goes."""
_MOST_HELP = 40
_MOST_POLICE = 8


@dataclass(frozen=True)
class Capacity:
    """Pairs of ports, by what they are for.

    Attributes:
        pairs: all there are.
        callers: callers who are admitted at the same time, talking or waiting.
        seats: each seat that can be rung or talks; never more than there are callers.
        third_parties: every second operator may have somebody in at the same time.
        help: callers who press ``*`` at the same time, one in twenty.
        callbacks: citizens called back; each takes a seat as well.
        police: calls that 110 hands over; they are never refused.
        told: callers above the limit who hear why, at the same time.
        passing: callers above the limit who are just being refused: a moment each, seconds on a machine out of breath.
    """

    pairs: int
    callers: int
    seats: int
    third_parties: int
    help: int
    callbacks: int
    police: int
    told: int
    passing: int

    @property
    def taken(self) -> int:
        """Pairs that may be in use at the same time."""
        reserve = self.seats + self.third_parties + self.help + self.callbacks + self.police
        return self.callers + reserve + self.told + self.passing

    @property
    def holds_all(self) -> bool:
        """Whether everything fits; where not, somebody rings in vain."""
        return self.taken <= self.pairs


def pairs_of(first: int, last: int) -> int:
    """Return the pairs of a range, both ends included: an even port and the one behind it."""
    return (last + 1) // 2 - (first + 1) // 2


def pairs_of_files(files: int) -> int:
    """Return the pairs for which a process with so many file handles can open everything."""
    return max(0, files - FILES_BESIDE_LEGS) // FILES_PER_LEG


def files_for(pairs: int) -> int:
    """Return the file handles with which a process can open everything for so many pairs."""
    return FILES_BESIDE_LEGS + FILES_PER_LEG * pairs


def capacity(pairs: int, seats: int) -> Capacity:
    """Return how many callers are admitted; one at least, however small the range."""
    few, many = 1, max(1, pairs)
    while few < many:
        middle = (few + many + 1) // 2
        if _with(middle, pairs, seats).holds_all:
            few = middle
        else:
            many = middle - 1
    return _with(few, pairs, seats)


def pairs_for(callers: int, seats: int) -> int:
    """Return the fewest pairs that admit so many callers."""
    pairs = callers
    while capacity(pairs, seats).callers < callers or not capacity(pairs, seats).holds_all:
        pairs += 1
    return pairs


def overloaded(callers: int, held: Capacity, strained: int | None = None) -> list[Fault]:
    """Return the fault that nearly as many callers are there as are admitted.

    Args:
        callers: who is there.
        held: what ports and file handles hold.
        strained: what the machine carries, where that is less; None: it is not strained.
    """
    if strained is not None and strained < held.callers:
        english = (
            f"Asterisk fills the processors of this machine: no more than {strained} callers are let in ({callers} are "
            "there) until it has room again; more cores are needed."
        )
        chinese = f"Asterisk 已占满本机处理器：缓解前最多接入 {strained} 通来电（当前 {callers} 通）；请增加处理器核数。"
        return [Fault(OVERLOADED, "", english, chinese, gone_s=_OVER_S)]
    if callers < OVERLOADED_SHARE * held.callers:
        return []
    english = f"{callers} callers of the {held.callers} that are admitted: more people are needed, or more RTP ports."
    chinese = f"当前来电 {callers} 通，最多接入 {held.callers} 通：请增加话务员，或扩大 RTP 端口范围。"
    if callers > held.callers:  # a change has lowered the limit while they were in
        english = f"{callers} callers, above the limit of {held.callers}: more people are needed, or more RTP ports."
        chinese = f"当前来电 {callers} 通，超出上限 {held.callers}：请增加话务员，或扩大 RTP 端口范围。"
    return [Fault(OVERLOADED, "", english, chinese, gone_s=_OVER_S)]


def _with(callers: int, pairs: int, seats: int) -> Capacity:
    busy = min(seats, callers)
    return Capacity(
        pairs=pairs,
        callers=callers,
        seats=busy,
        third_parties=ceil(busy / 2),
        help=min(callers, max(2, ceil(callers / 20)), _MOST_HELP),
        callbacks=ceil(busy / 4),
        police=min(pairs // 20, _MOST_POLICE),
        told=max(1, pairs * 3 // 32),
        passing=max(1, pairs // 8),
    )
