"""From what was written to the frozen book: nothing is checked here any more."""

from __future__ import annotations

from datetime import date, time
from typing import TypeVar

from ivr.hotline import book as _book
from ivr.hotline.duty import Crew, ExpectedDemand, Operator, Roster, Shift
from ivr.hotline.files import schema as models
from ivr.hotline.files.parsed import WrittenFolder
from ivr.hotline.files.roster_checks import members
from ivr.hotline.modes import DEFAULT_MODES, ModeName, ModeSpec, Priorities, ReceptionSpec
from ivr.hotline.units import Unit
from ivr.hotline.workdays import Calendar, OpeningHours, YearOfDays

_Model = TypeVar("_Model", bound=models.Written)


def assemble(folder: WrittenFolder) -> _book.HotlineBook:
    """Build the book of a folder without faults."""

    def get(name: str, model: type[_Model]) -> _Model:
        found = folder.model(name, model)
        assert found is not None  # a file that could not be read is a fault
        return found

    hotline = get("hotline.yaml", models.HotlineFile)
    lines = get("lines.yaml", models.LinesFile)
    reception = get("reception.yaml", models.ReceptionFile)
    shifts = tuple(_shift(e) for e in get("shifts.yaml", models.ShiftsFile).shifts)
    return _book.HotlineBook(
        city=hotline.city,
        region=hotline.region,
        area_code=hotline.area_code,
        number=hotline.number,
        timezone=hotline.timezone,
        demand=ExpectedDemand(**hotline.demand.model_dump()) if hotline.demand else None,
        greeting=reception.greeting,
        lines=tuple(_line(e) for e in lines.lines),
        ambiguous=tuple(_book.AmbiguousName(e.text, e.ask, tuple(e.candidates)) for e in lines.ambiguous),
        emergencies=tuple(
            _book.EmergencyWords(e.number, e.name, tuple(e.words), e.transfer) for e in lines.emergencies
        ),
        referrals=tuple(_book.Referral(e.number, e.name, tuple(e.words)) for e in lines.referrals),
        queues=tuple(_queue(e, hotline.timezone) for e in get("queues.yaml", models.QueuesFile).queues),
        seats=tuple(_book.Seat(e.id, e.extension) for e in get("seats.yaml", models.SeatsFile).seats),
        operators=tuple(
            Operator(e.number, e.name, tuple(e.queues), tuple(e.skills), e.leads)
            for e in get("operators.yaml", models.OperatorsFile).operators
        ),
        trunks=_trunks(get("trunks.yaml", models.TrunksFile)),
        shifts=shifts,
        roster=_roster(get("roster.yaml", models.RosterFile), shifts, hotline.timezone),
        calendar=_calendar(get("calendar.yaml", models.CalendarFile)),
        units=tuple(Unit(**e.model_dump()) for e in get("units.yaml", models.UnitsFile).units),
        modes=_modes(get("modes.yaml", models.ModesFile)),
        reception=_reception(reception),
        priorities=Priorities(**reception.priorities.model_dump()),
    )


def _modes(written: models.ModesFile) -> dict[ModeName, ModeSpec]:
    return dict(DEFAULT_MODES) | {
        name: ModeSpec(name, e.prompt, e.overflow_at_once, e.experts_closed, dict(e.priority))
        for name, e in written.modes.items()
    }


def _reception(written: models.ReceptionFile) -> ReceptionSpec:
    return ReceptionSpec(
        greeting=written.greeting,
        style=written.style,
        parallel_prompt=written.parallel_prompt,
        merged_prompt=written.merged_prompt,
        keys=dict(written.keys),
        speech=written.speech,
        star_number=written.star_number,
    )


def _line(entry: models.LineEntry) -> _book.Line:
    return _book.Line(
        id=entry.id,
        number=entry.number,
        name=entry.name,
        department=entry.department,
        merge_mode=entry.merge_mode,
        category=entry.category,
        aliases=tuple(entry.aliases),
        queue=entry.queue,
    )


def _queue(entry: models.QueueEntry, timezone: str) -> _book.QueueSpec:
    return _book.QueueSpec(**(entry.model_dump() | {"hours": opening_hours(entry.hours, timezone)}))


def opening_hours(text: str, timezone: str) -> OpeningHours | None:
    """Return the hours of ``workdays 09:00-17:00``; None for ``always``."""
    if text == "always":
        return None
    days, _, clock = text.partition(" ")
    start, _, end = clock.partition("-")
    return OpeningHours(time.fromisoformat(start), time.fromisoformat(end), days == "workdays", timezone)


def _trunks(trunks: models.TrunksFile) -> _book.Trunks:
    return _book.Trunks(
        addresses=tuple(trunks.trunk.addresses),
        from_110_username=trunks.from_110.username,
        reference_header=trunks.from_110.reference_header,
        lab=trunks.lab,
        destinations={target: tuple(uris) for target, uris in trunks.destinations.items()},
    )


def _shift(entry: models.ShiftEntry) -> Shift:
    start, end = time.fromisoformat(entry.start), time.fromisoformat(entry.end)
    return Shift(entry.id, entry.name, start, end, entry.min_on_duty)


def _roster(roster: models.RosterFile, shifts: tuple[Shift, ...], timezone: str) -> Roster:
    def crews(written: models.Crews) -> dict[str, Crew]:
        return {
            shift: Crew(crew.leader, tuple(dict.fromkeys(members(roster, crew))))
            for shift, crew in written.items()
        }

    return Roster(
        shifts=shifts,
        cycle_from=date.fromisoformat(roster.cycle.start),
        cycle=tuple(crews(day) for day in roster.cycle.days),
        days={date.fromisoformat(day): crews(written) for day, written in roster.days.items()},
        timezone=timezone,
    )


def _calendar(calendar: models.CalendarFile) -> Calendar:
    return Calendar(
        {
            int(year): YearOfDays(
                frozenset(date.fromisoformat(day) for day in entry.holidays),
                frozenset(date.fromisoformat(day) for day in entry.makeup_workdays),
            )
            for year, entry in calendar.years.items()
        }
    )
