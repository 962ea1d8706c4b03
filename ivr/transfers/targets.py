"""Who can be brought in: the word or the digits a target is named by, and the routes that lead there."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ivr.calls.reception import DIVERSION_110
from ivr.calls.record import CallRecord
from ivr.hotline.book import EMERGENCY_NUMBERS, HotlineBook, Line, MergeMode
from ivr.hotline.destinations import Own, usable
from ivr.transfers.errors import TransferRefused, loop, unknown

RING_S = 25.0
"""A third party that has not answered by then is given up (P034)."""
HELP_RING_S = 10.0
"""An emergency route that has not answered by then is given up for the next (P011)."""
UNIT_RING_S = 15.0
"""A unit has up to four telephones; the caller should not wait much more than a minute for all (own value)."""
KEYS: Mapping[str, str] = {"0": "110", "9": "119", "2": "120", "3": "122"}
"""One key for each emergency number."""


class By(enum.StrEnum):
    """How a route is dialled."""

    SIP = "sip"
    QUEUE = "queue"
    SEAT = "seat"


@dataclass(frozen=True)
class Route:
    """One way to a target; ``ring_s`` seconds it may ring."""

    by: By
    address: str
    ring_s: float = RING_S


@dataclass(frozen=True)
class Target:
    """A third party with its routes in the order they are tried; ``name`` is what people call it."""

    id: str
    name: str
    routes: tuple[Route, ...]
    emergency: bool = False


def codes_of(book: HotlineBook) -> dict[str, str]:
    """Return the target of each code of keys, as it is dialled after ``*1``.

    Numbers follow the order of the files: what is appended at the end moves nobody's code.  A queue
    that nobody serves keeps its number and is not listed.
    """
    table = dict(KEYS)
    served = {queue for person in book.operators for queue in person.queues}
    experts = [queue.id for queue in book.queues if queue is not book.general_queue]
    reached = book.trunks.destinations
    centres = [
        line.id
        for line in book.lines
        if line.merge_mode is MergeMode.SUBCENTER or f"subcenter:{line.id}" in reached
    ]
    table |= {f"5{n:02d}": f"expert:{queue}" for n, queue in enumerate(experts[:99], 1) if queue in served}
    table |= {f"6{n:02d}": f"subcenter:{line}" for n, line in enumerate(centres[:99], 1)}
    table |= {f"7{n:03d}": f"unit:{unit.id}" for n, unit in enumerate(book.units[:999], 1)}
    return table | {f"8{seat.id}": f"seat:{seat.id}" for seat in book.seats}


def moved_codes(old: HotlineBook, new: HotlineBook) -> list[tuple[str, str, str]]:
    """Return the codes that lead elsewhere in a new configuration: (code, before, after); '' is nowhere."""
    before, after = codes_of(old), codes_of(new)
    return [(code, name, after.get(code, "")) for code, name in before.items() if after.get(code) != name]


class Targets:
    """The third parties of one hotline.

    Args:
        book: the configuration.
        manned: tells whether somebody could answer in a queue now.
        leader_seat: the seat of the shift leader, None when nobody leads.
        own: where we ourselves are.
    """

    def __init__(
        self,
        book: HotlineBook,
        manned: Callable[[str], bool],
        leader_seat: Callable[[], str | None] = lambda: None,
        own: Own | None = None,
    ) -> None:
        self._book = book
        self._own = own
        self._manned = manned
        self._leader_seat = leader_seat

    @property
    def star_number(self) -> str:
        """The number to which the caller's ``*`` leads."""
        return self._book.reception.star_number

    def codes(self) -> dict[str, str]:
        """Return the target of each code of keys, as it is dialled after ``*1``."""
        return codes_of(self._book)

    def routes(self, name: str) -> int:
        """Return how many ways to a target could be dialled; 0: nobody can be brought in there."""
        if name.partition(":")[0] in ("expert", "seat"):
            return 1
        return len(self._destinations(name, RING_S))

    def resolve(self, name: str, call: CallRecord) -> Target:
        """Find a target and the routes that lead there now.

        Raises:
            TransferRefused: there is no such target, nobody is there, or the call came from there.
        """
        kind, _, rest = name.partition(":")
        if name in EMERGENCY_NUMBERS:
            return self._emergency(name, call)
        find = {"expert": self._expert, "subcenter": self._centre, "unit": self._unit, "seat": self._seat}
        if kind not in find or not rest:
            raise unknown(name)
        return find[kind](name, rest, call)

    def _emergency(self, number: str, call: CallRecord) -> Target:
        # once diverted to us by 110, never back: the two would send the caller round in circles
        if number == "110" and call.source == DIVERSION_110:
            raise loop(number)
        routes = self._destinations(number, HELP_RING_S)
        return Target(number, number, routes, emergency=True)

    def _expert(self, name: str, queue_id: str, _: CallRecord) -> Target:
        queue = self._book.queue(queue_id)
        if queue is None or queue is self._book.general_queue:
            raise unknown(name)
        if not self._manned(queue_id):
            raise TransferRefused(
                "nobody",
                f"nobody can answer in {queue.name} now; register a ticket.",
                f"{queue.name}现在无人值守，请登记工单。",
            )
        return Target(name, queue.name, (Route(By.QUEUE, queue_id),))

    def _centre(self, name: str, line_id: str, call: CallRecord) -> Target:
        line = next((line for line in self._book.lines if line.id == line_id), None)
        if line is None:
            raise unknown(name)
        if line.merge_mode is MergeMode.SUBCENTER and self._came_from(line, call):
            raise loop(line.name)
        return Target(name, line.name, self._required(name, RING_S))

    def _unit(self, name: str, unit_id: str, _: CallRecord) -> Target:
        unit = self._book.unit(unit_id)
        if unit is None:
            raise unknown(name)
        routes = self._required(name, UNIT_RING_S)
        leader = self._leader_seat()
        if leader is not None and (seat := self._book.seat(leader)) is not None:
            routes += (Route(By.SEAT, seat.username, UNIT_RING_S),)
        return Target(name, unit.name, routes)

    def _seat(self, name: str, seat_id: str, call: CallRecord) -> Target:
        seat = self._book.seat(seat_id)
        if seat is None or call.seat == seat_id:
            raise unknown(name)
        return Target(name, f"{seat_id} 号座席", (Route(By.SEAT, seat.username),))

    def _came_from(self, line: Line, call: CallRecord) -> bool:
        return bool(set(self._book.number_forms(line.number)) & set(call.diverted))

    def _required(self, name: str, ring_s: float) -> tuple[Route, ...]:
        routes = self._destinations(name, ring_s)
        if not routes:
            raise TransferRefused(
                "wrong",
                f"{name} has no destination; write one into trunks.yaml (in lab mode only loopback addresses).",
                f"{name} 没有配置去向；请在 trunks.yaml 的 destinations 中填写（实验模式只允许本机地址）。",
            )
        return routes

    def _destinations(self, name: str, ring_s: float) -> tuple[Route, ...]:
        trunks = self._book.trunks
        uris = trunks.destinations.get(name, ())
        return tuple(Route(By.SIP, uri, ring_s) for uri in uris if usable(uri, trunks.lab, self._own))
