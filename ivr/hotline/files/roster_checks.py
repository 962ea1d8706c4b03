"""Rules of shifts and the roster: every hour covered, one leader, rest between two shifts.

三班倒, 值班长负责制 (宁乡报道): a shift has exactly one leader; nobody works two shifts running.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from ivr.hotline.files import schema as models
from ivr.hotline.files.explain import ended, suggestion
from ivr.hotline.files.parsed import WrittenFolder

_DAY_MIN = 24 * 60
Place = tuple[str | int, ...]
Spans = Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class _Work:
    """Somebody's shift: minutes from the first day looked at, and where it is written."""

    start: int
    end: int
    shift: str
    day: str
    day_zh: str
    place: Place


def minutes(clock: str) -> int:
    """Return minutes from midnight of ``HH:MM``."""
    return int(clock[:2]) * 60 + int(clock[3:])


def spans(shifts: models.ShiftsFile) -> dict[str, tuple[int, int]]:
    """Return begin and end of each shift in minutes from midnight; an end may lie on the next day."""
    found = {}
    for shift in shifts.shifts:
        start, end = minutes(shift.start), minutes(shift.end)
        found[shift.id] = (start, end if end > start else end + _DAY_MIN)
    return found


def check_roster(folder: WrittenFolder) -> None:
    """Note every fault of ``shifts.yaml`` and ``roster.yaml``."""
    shifts = folder.whole("shifts.yaml", models.ShiftsFile)
    if shifts is not None:
        _shifts(folder, shifts)
    roster = folder.whole("roster.yaml", models.RosterFile)
    if roster is None:
        return
    _teams(folder, roster)
    for place, crew in _crews(roster):
        _crew(folder, roster, place, crew)
    if shifts is not None:
        _rests(folder, roster, spans(shifts))


def _shifts(folder: WrittenFolder, shifts: models.ShiftsFile) -> None:
    owner: list[str | None] = [None] * _DAY_MIN
    for n, shift in enumerate(shifts.shifts):
        start, end = spans(shifts)[shift.id]
        other = next((o for m in range(start, end) if (o := owner[m % _DAY_MIN])), None)
        if other is not None:
            folder.add(
                "shifts.yaml",
                ("shifts", n),
                f"shift {shift.id} overlaps shift {other}; let one end when the other begins.",
                f"班次 {shift.id} 与 {other} 重叠;请首尾相接。",
            )
        for minute in range(start, end):
            owner[minute % _DAY_MIN] = shift.id
    free = [minute for minute in range(_DAY_MIN) if owner[minute] is None]
    if free:
        first = free[0]
        last = next((m for m in range(first, _DAY_MIN) if owner[m] is not None), _DAY_MIN)
        when = f"{first // 60:02}:{first % 60:02}-{last // 60 % 24:02}:{last % 60:02}"
        folder.add(
            "shifts.yaml",
            ("shifts",),
            f"no shift covers {when}; 12345 is answered at every hour, so let the shifts meet.",
            f"{when} 没有班次;12345 须 24 小时有人接听,请使班次首尾相接。",
        )


def _crews(roster: models.RosterFile) -> Iterator[tuple[Place, models.CrewEntry]]:
    for n, crews in enumerate(roster.cycle.days):
        yield from ((("cycle", "days", n, shift), crew) for shift, crew in crews.items())
    for day, crews in roster.days.items():
        yield from ((("days", day, shift), crew) for shift, crew in crews.items())


def members(roster: models.RosterFile, crew: models.CrewEntry) -> list[str]:
    """Return the operators of a crew, those of its teams first; somebody named twice stands twice."""
    people = [number for team in crew.teams for number in roster.teams.get(team, ())]
    return people + list(crew.operators)


def _known(
    folder: WrittenFolder, place: Place, what: tuple[str, str], wanted: str, known: set[str] | None
) -> None:
    if known is None or wanted in known:
        return
    hint = suggestion(wanted, sorted(known))
    folder.add(
        "roster.yaml",
        place,
        ended(f"there is no {what[0]} {wanted}{hint[0]}", "."),
        ended(f"没有{what[1]} {wanted}{hint[1]}", "。"),
    )


def _teams(folder: WrittenFolder, roster: models.RosterFile) -> None:
    operators = folder.ids("operators.yaml", "operators", "number")
    for team, people in roster.teams.items():
        for n, number in enumerate(people):
            _known(folder, ("teams", team, n), ("operator", "话务员"), number, operators)


def _crew(folder: WrittenFolder, roster: models.RosterFile, place: Place, crew: models.CrewEntry) -> None:
    shifts = folder.ids("shifts.yaml", "shifts", "id")
    operators = folder.ids("operators.yaml", "operators", "number")
    _known(folder, place, ("shift", "班次"), str(place[-1]), shifts)
    for n, team in enumerate(crew.teams):
        _known(folder, (*place, "teams", n), ("team", "班组"), team, set(roster.teams))
    for n, number in enumerate(crew.operators):
        _known(folder, (*place, "operators", n), ("operator", "话务员"), number, operators)
    people = members(roster, crew)
    twice = sorted({number for number in people if people.count(number) > 1})
    if twice:
        folder.add(
            "roster.yaml",
            place,
            f"operator {', '.join(twice)} stands twice on this shift; keep one.",
            f"话务员 {'、'.join(twice)} 在同一班次出现两次;请只保留一个。",
        )
    if crew.leader not in people:
        folder.add(
            "roster.yaml",
            (*place, "leader"),
            f"the leader {crew.leader} does not work this shift; add the operator, or name another leader.",
            f"值班长 {crew.leader} 不在该班次;请加入此人或改选值班长。",
        )
    _may_lead(folder, (*place, "leader"), crew.leader)


def _may_lead(folder: WrittenFolder, place: Place, number: str) -> None:
    operators = folder.model("operators.yaml", models.OperatorsFile)
    person = next((p for p in operators.operators if p.number == number), None) if operators else None
    if person is not None and not person.leads:
        folder.add(
            "roster.yaml",
            place,
            f"operator {number} may not lead; write leads: true in operators.yaml, or name another leader.",
            f"话务员 {number} 不能任值班长;请在 operators.yaml 写 leads: true,或改选他人。",
        )


def _rests(folder: WrittenFolder, roster: models.RosterFile, hours: Spans) -> None:
    """Nobody works two shifts running: in the cycle, over its seam, and around single days."""
    length = len(roster.cycle.days)
    turn = [_day_work(roster, hours, n % length, None, n) for n in range(length + 2)]
    told: set[tuple[str, Place]] = set()
    _tell_short(folder, roster.rest_h, turn, told)
    start = date.fromisoformat(roster.cycle.start)
    for written in roster.days:
        day = date.fromisoformat(written)
        if not timedelta(days=2) < day - date.min < date.max - date.min - timedelta(days=2):
            continue
        around = [day + timedelta(days=ahead) for ahead in (-2, -1, 0, 1, 2)]
        works = [_day_work(roster, hours, (d - start).days % length, d, n) for n, d in enumerate(around)]
        _tell_short(folder, roster.rest_h, works, told, only="days")


def _day_work(
    roster: models.RosterFile, hours: Spans, cycle_day: int, day: date | None, offset: int
) -> dict[str, list[_Work]]:
    """Return the work of each operator on one day, ``offset`` days after the first one looked at.

    ``day`` None: a day of the cycle, whatever single days say.
    """
    place: Place = ("cycle", "days", cycle_day)
    crews: dict[str, tuple[Place, models.CrewEntry]] = {
        shift: ((*place, shift), crew) for shift, crew in roster.cycle.days[cycle_day].items()
    }
    name = (f"day {cycle_day + 1} of the cycle", f"周期第 {cycle_day + 1} 天")
    if day is not None:
        name = (day.isoformat(), day.isoformat())
        own = roster.days.get(day.isoformat(), {})
        crews |= {shift: (("days", day.isoformat(), shift), crew) for shift, crew in own.items()}
    found: dict[str, list[_Work]] = {}
    for shift, (where, crew) in crews.items():
        if shift not in hours:
            continue
        start, end = (offset * _DAY_MIN + minute for minute in hours[shift])
        for number in dict.fromkeys(members(roster, crew)):
            found.setdefault(number, []).append(_Work(start, end, shift, *name, where))
    return found


def _tell_short(
    folder: WrittenFolder,
    rest_h: int,
    days: Iterable[dict[str, list[_Work]]],
    told: set[tuple[str, Place]],
    only: str = "",
) -> None:
    work: dict[str, list[_Work]] = {}
    for day in days:
        for number, rows in day.items():
            work.setdefault(number, []).extend(rows)
    for number, rows in sorted(work.items()):
        rows.sort(key=lambda row: (row.start, row.end))
        for before, after in itertools.pairwise(rows):
            short = after.start - before.end < rest_h * 60
            ours = not only or only in (before.place[0], after.place[0])
            place = after.place if not only or after.place[0] == only else before.place
            if not short or not ours or (number, place) in told:
                continue
            told.add((number, place))
            folder.add(
                "roster.yaml",
                place,
                f"operator {number} works {before.shift} ({before.day}) and {after.shift} ({after.day}) "
                f"with less than {rest_h} hours between them; give one to somebody else.",
                f"话务员 {number} 连续上 {before.shift}({before.day_zh})和 {after.shift}({after.day_zh}),"
                f"间隔不足 {rest_h} 小时;请换人。",
            )
