"""Everything the city configured, as frozen data with look-ups.

Pure: no files, no sockets, no clock.  ``ivr.hotline.files.reading`` builds a book from ``queues/``.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from ivr.hotline.duty import ExpectedDemand, Operator, Roster, Shift
from ivr.hotline.modes import DEFAULT_MODES, ModeName, ModeSpec, Priorities, ReceptionSpec
from ivr.hotline.telephone import NumberPlan, digits, number_in, numbers_named
from ivr.hotline.units import Unit
from ivr.hotline.workdays import Calendar, OpeningHours

__all__ = [
    "EMERGENCY_NUMBERS",
    "AmbiguousName",
    "EmergencyWords",
    "HotlineBook",
    "Line",
    "MergeMode",
    "Operator",
    "QueueKind",
    "QueueSpec",
    "Referral",
    "Seat",
    "Trunks",
]

EMERGENCY_NUMBERS = ("110", "119", "120", "122")
"""Never a line: they stay separate, one key away (国办发〔2020〕53号)."""


class MergeMode(enum.StrEnum):
    """How a department's number was merged (归并方式)."""

    WHOLE = "whole"
    PARALLEL = "parallel"
    SUBCENTER = "subcenter"
    RESIDENT = "resident"


@dataclass(frozen=True)
class Line:
    """A department line with its number and the names people call it by."""

    id: str
    number: str
    name: str
    department: str
    merge_mode: MergeMode
    category: str = ""
    aliases: tuple[str, ...] = ()
    queue: str = ""
    """Its own expert queue; empty: the general queue."""


@dataclass(frozen=True)
class AmbiguousName:
    """A name that several lines share, with the question that tells them apart.

    ``candidates`` are line ids or emergency numbers.
    """

    text: str
    ask: str
    candidates: tuple[str, ...]


@dataclass(frozen=True)
class EmergencyWords:
    """What people say when it is a matter for 110, 119, 120 or 122; such words go before everything.

    ``transfer``: handed over at once; otherwise the caller is told the number.
    """

    number: str
    name: str
    words: tuple[str, ...]
    transfer: bool = True


@dataclass(frozen=True)
class Referral:
    """A service of somebody else (a court, a bank's ombudsman) whose number the caller is told."""

    number: str
    name: str
    words: tuple[str, ...]


class QueueKind(enum.StrEnum):
    """The general queue's kind, or a department's own experts (专家座席)."""

    GENERAL = "general"
    EXPERT = "expert"


@dataclass(frozen=True)
class QueueSpec:
    """A queue that holds callers for people; names that end in ``_s`` are seconds.

    ``ring_s``: one seat rings.  ``hours``: None is always.  ``overflow_to``: the queue whose
    operators help out after ``overflow_after_s``; empty for none.
    """

    id: str
    name: str
    ring_s: int = 15
    strategy: str = "rrmemory"
    kind: QueueKind = QueueKind.GENERAL
    hours: OpeningHours | None = None
    wrap_up_s: int = 30
    callback_after_s: int = 60
    max_wait_s: int = 900
    overflow_to: str = ""
    overflow_after_s: int = 60

    def is_open(self, at: datetime, calendar: Calendar) -> bool:
        """Tell whether the queue takes calls at ``at`` (aware).

        Raises:
            CalendarMissing: its hours are of workdays, and that year is not published.
        """
        return self.hours is None or self.hours.is_open(at, calendar)


@dataclass(frozen=True)
class Seat:
    """A place with an extension."""

    id: str
    extension: str

    @property
    def username(self) -> str:
        """The SIP user of the seat; never digits alone, so no caller's number can look like it."""
        return f"seat{self.id}"


@dataclass(frozen=True)
class Trunks:
    """Where calls come from and may go to."""

    addresses: tuple[str, ...] = ("127.0.0.1",)
    from_110_username: str = "from-110"
    reference_header: str = "X-Police-Ref"
    """SIP header in which 110 gives its own number of the matter."""
    lab: bool = True
    destinations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class HotlineBook:
    """One whole, checked configuration."""

    city: str
    region: str
    area_code: str
    number: str
    timezone: str
    greeting: str
    lines: tuple[Line, ...]
    queues: tuple[QueueSpec, ...]
    seats: tuple[Seat, ...]
    operators: tuple[Operator, ...]
    trunks: Trunks
    ambiguous: tuple[AmbiguousName, ...] = ()
    emergencies: tuple[EmergencyWords, ...] = ()
    referrals: tuple[Referral, ...] = ()
    shifts: tuple[Shift, ...] = ()
    roster: Roster = field(default_factory=Roster)
    calendar: Calendar = field(default_factory=Calendar)
    units: tuple[Unit, ...] = ()
    modes: Mapping[ModeName, ModeSpec] = field(default_factory=lambda: DEFAULT_MODES)
    reception: ReceptionSpec = field(default_factory=ReceptionSpec)
    priorities: Priorities = field(default_factory=Priorities)
    demand: ExpectedDemand | None = None

    @cached_property
    def _line_by_number(self) -> dict[str, Line]:
        return {form: line for line in self.lines for form in self.number_forms(line.number)}

    @property
    def seat_digits(self) -> int:
        """How many digits the id of a seat has; all have the same."""
        return len(self.seats[0].id) if self.seats else 2

    @cached_property
    def _seat_by_id(self) -> dict[str, Seat]:
        return {seat.id: seat for seat in self.seats}

    @cached_property
    def _operator_by_number(self) -> dict[str, Operator]:
        return {person.number: person for person in self.operators}

    @cached_property
    def _seat_by_username(self) -> dict[str, Seat]:
        return {seat.username: seat for seat in self.seats}

    @cached_property
    def _queue_by_id(self) -> dict[str, QueueSpec]:
        return {queue.id: queue for queue in self.queues}

    @cached_property
    def _unit_by_id(self) -> dict[str, Unit]:
        return {unit.id: unit for unit in self.units}

    @property
    def general_queue(self) -> QueueSpec:
        """The queue of everything that nothing else claims: the first one configured."""
        return self.queues[0]

    @cached_property
    def plan(self) -> NumberPlan:
        """How numbers are dialled in the city."""
        return NumberPlan(self.area_code)

    def number_forms(self, number: str) -> tuple[str, ...]:
        """Return the digit strings that reach ``number``."""
        return self.plan.forms(number)

    @cached_property
    def answered(self) -> tuple[str, ...]:
        """Every digit string that is answered, each once, in order."""
        numbers = (self.number, *(line.number for line in self.lines))
        return tuple(dict.fromkeys(form for number in numbers for form in self.number_forms(number)))

    def line_by_number(self, dialled: str) -> Line | None:
        """Find the department line a dialled number belongs to; None for 12345 itself."""
        return self._line_by_number.get(digits(number_in(dialled)))

    def find_line(self, dialled: str, diverted_from: Iterable[str]) -> Line | None:
        """Find the line by the number dialled, else by the numbers the call was forwarded from.

        Args:
            dialled: the number dialled, digits or any spelling.
            diverted_from: numbers, or headers that name some, the last diverting one first.
        """
        numbers = (dialled, *numbers_named(diverted_from))
        return next((line for number in numbers if (line := self.line_by_number(number))), None)

    def queue(self, queue_id: str) -> QueueSpec | None:
        """Find a queue by its id."""
        return self._queue_by_id.get(queue_id)

    def queue_of(self, line: Line | None) -> QueueSpec:
        """Return the line's own queue; the general one where it has none."""
        return self._queue_by_id.get(line.queue if line else "", self.general_queue)

    def unit(self, unit_id: str) -> Unit | None:
        """Find a handling unit by its id."""
        return self._unit_by_id.get(unit_id)

    def seat(self, seat_id: str) -> Seat | None:
        """Find a seat by its id."""
        return self._seat_by_id.get(seat_id)

    def seat_by_username(self, username: str) -> Seat | None:
        """Find a seat by its SIP user."""
        return self._seat_by_username.get(username)

    def operator(self, number: str) -> Operator | None:
        """Find an operator by number."""
        return self._operator_by_number.get(number)
