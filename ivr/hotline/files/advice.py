"""What is legal and unwise: said, never refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from ivr.hotline.book import EMERGENCY_NUMBERS, MergeMode, QueueKind
from ivr.hotline.files import schema as models
from ivr.hotline.files.parsed import WrittenFolder
from ivr.hotline.files.roster_checks import members
from ivr.hotline.modes import ReceptionStyle
from ivr.hotline.names.phrases import normal

_AHEAD = timedelta(days=60)


def advise(folder: WrittenFolder, today: date) -> None:
    """Note everything an administrator should look at.

    Args:
        folder: the files.
        today: the local date, for what will be wanted soon.
    """
    _crews(folder)
    _idle(folder)
    _queues(folder)
    _shared_names(folder)
    _short_names(folder)
    _next_year(folder, today)
    _subcenters(folder)
    _menu(folder)
    _emergencies(folder)


def _crews(folder: WrittenFolder) -> None:
    roster = folder.whole("roster.yaml", models.RosterFile)
    shifts = folder.whole("shifts.yaml", models.ShiftsFile)
    if roster is None or shifts is None:
        return
    for shift in shifts.shifts:
        for n, crews in enumerate(roster.cycle.days):
            name = (f"day {n + 1} of the cycle", f"周期第 {n + 1} 天")
            _crew(folder, ("cycle", "days", n), name, shift, crews, roster)
        for day, crews in roster.days.items():
            if shift.id in crews:
                _crew(folder, ("days", day), (day, day), shift, crews, roster)


def _crew(
    folder: WrittenFolder,
    place: tuple[str | int, ...],
    day: tuple[str, str],
    shift: models.ShiftEntry,
    crews: Mapping[str, models.CrewEntry],
    roster: models.RosterFile,
) -> None:
    crew = crews.get(shift.id)
    people = set(members(roster, crew)) if crew else set()
    when = f"{shift.start}-{shift.end}"
    if not people:
        folder.advise(
            "roster.yaml",
            place,
            f"nobody is on duty and nobody leads on {day[0]}, shift {shift.id} ({when}); roster somebody.",
            f"{day[1]} {shift.id} 班({when})无人值班、无值班长;请排班。",
        )
    elif len(people) < shift.min_on_duty:
        folder.advise(
            "roster.yaml",
            (*place, shift.id),
            f"{len(people)} on duty on {day[0]}, shift {shift.id} ({when}); {shift.min_on_duty} are wanted.",
            f"{day[1]} {shift.id} 班({when})仅 {len(people)} 人,应有 {shift.min_on_duty} 人。",
        )


def _idle(folder: WrittenFolder) -> None:
    roster = folder.whole("roster.yaml", models.RosterFile)
    operators = folder.whole("operators.yaml", models.OperatorsFile)
    if roster is None or operators is None:
        return
    days = [*roster.cycle.days, *roster.days.values()]
    rostered = {number for crews in days for crew in crews.values() for number in members(roster, crew)}
    for n, person in enumerate(operators.operators):
        if person.number not in rostered:
            folder.advise(
                "operators.yaml",
                ("operators", n),
                f"operator {person.number} is never rostered; add them to roster.yaml.",
                f"话务员 {person.number} 从未排班;请加入 roster.yaml。",
            )


def _queues(folder: WrittenFolder) -> None:
    queues = folder.whole("queues.yaml", models.QueuesFile)
    lines = folder.whole("lines.yaml", models.LinesFile)
    operators = folder.whole("operators.yaml", models.OperatorsFile)
    if queues is None or lines is None or operators is None:
        return
    used = {queues.queues[0].id, *(line.queue for line in lines.lines)}
    used |= {queue.overflow_to for queue in queues.queues}
    served = {queue for person in operators.operators for queue in person.queues}
    for n, queue in enumerate(queues.queues):
        if queue.id not in used:
            folder.advise(
                "queues.yaml",
                ("queues", n),
                f"no line goes to queue {queue.id}; name it in lines.yaml, or delete it.",
                f"没有部门线使用队列 {queue.id};请在 lines.yaml 中指定或删除。",
            )
        if queue.id not in served and queue.overflow_to not in served:
            kind = ("expert queue", "专家队列") if queue.kind == QueueKind.EXPERT else ("queue", "队列")
            folder.advise(
                "queues.yaml",
                ("queues", n),
                f"nobody serves {kind[0]} {queue.id} and it overflows nowhere; name it in operators.yaml.",
                f"没有话务员服务{kind[1]} {queue.id},也没有溢出队列;请在 operators.yaml 中指定。",
            )


def _shared_names(folder: WrittenFolder) -> None:
    found = folder.whole("lines.yaml", models.LinesFile)
    if found is None:
        return
    asked = {name.text: set(name.candidates) for name in found.ambiguous}
    first: dict[str, str] = {}
    for n, line in enumerate(found.lines):
        for k, alias in enumerate(line.aliases):
            other = first.setdefault(alias, line.id)
            if other != line.id and not {other, line.id} <= asked.get(alias, set()):
                folder.advise(
                    "lines.yaml",
                    ("lines", n, "aliases", k),
                    f"{alias} names {other} and {line.id}, and no question tells them apart; "
                    "add it under ambiguous, or delete one.",
                    f"“{alias}”同时指 {other} 和 {line.id},没有区分的提问;请写入 ambiguous 或删除其一。",
                )


def _short_names(folder: WrittenFolder) -> None:
    found = folder.whole("lines.yaml", models.LinesFile)
    for place, name, urgent in _names(found) if found else ():
        heard = len(normal(name))
        if heard == 0:
            en = f"{name} has neither a character nor a digit, so nobody can say it; delete it."
            zh = f"“{name}”没有文字或数字,来电人说不出来;请删除。"
        elif heard == 1 and urgent:
            en = f"{name} is one character and part of many harmless words; write what callers say, for example 着火."
            zh = f"“{name}”只有一个字,许多无关的词里都有;请写来电人的说法,例如“着火”。"
        elif heard == 1:
            en = f"{name} is one character: it counts only where nothing else is said; write a longer name."
            zh = f"“{name}”只有一个字,只在来电人不说别的话时才算数;请写长一些。"
        else:
            continue
        folder.advise("lines.yaml", place, en, zh)


def _names(found: models.LinesFile) -> Iterator[tuple[tuple[str | int, ...], str, bool]]:
    """Yield everything that callers may say: where it stands, the words, whether they tell of an emergency."""
    for n, line in enumerate(found.lines):
        yield from ((("lines", n, "aliases", k), alias, False) for k, alias in enumerate(line.aliases))
    for n, asked in enumerate(found.ambiguous):
        yield ("ambiguous", n, "text"), asked.text, False
    for n, emergency in enumerate(found.emergencies):
        yield from ((("emergencies", n, "words", k), word, True) for k, word in enumerate(emergency.words))
    for n, referral in enumerate(found.referrals):
        yield from ((("referrals", n, "words", k), word, False) for k, word in enumerate(referral.words))


def _next_year(folder: WrittenFolder, today: date) -> None:
    calendar = folder.whole("calendar.yaml", models.CalendarFile)
    for year in sorted({today.year, (today + _AHEAD).year}) if calendar else ():
        if calendar is not None and str(year) not in calendar.years:
            folder.advise(
                "calendar.yaml",
                ("years",),
                f"the holidays of {year} are missing, and deadlines will soon need them; "
                "add them as the State Council published them.",
                f"缺少 {year} 年节假日,工单时限即将用到;请按国务院办公厅通知补充。",
            )


def _subcenters(folder: WrittenFolder) -> None:
    lines = folder.whole("lines.yaml", models.LinesFile)
    trunks = folder.whole("trunks.yaml", models.TrunksFile)
    if lines is None or trunks is None:
        return
    for n, line in enumerate(lines.lines):
        if line.merge_mode == MergeMode.SUBCENTER and f"subcenter:{line.id}" not in trunks.destinations:
            folder.advise(
                "lines.yaml",
                ("lines", n),
                f"line {line.id} is a sub-centre, and trunks.yaml has no destination 'subcenter:{line.id}'; "
                "nobody can be transferred there.",
                f"{line.id} 设分中心,但 trunks.yaml 没有 'subcenter:{line.id}';无法转接。",
            )


def _menu(folder: WrittenFolder) -> None:
    reception = folder.whole("reception.yaml", models.ReceptionFile)
    if reception is not None and reception.style == ReceptionStyle.MENU and not reception.keys:
        folder.advise(
            "reception.yaml",
            ("style",),
            "a menu without keys only makes callers wait; write keys, or style: direct.",
            "没有按键的菜单只会让来电人多等;请填写 keys 或改为 style: direct。",
        )


def _emergencies(folder: WrittenFolder) -> None:
    """An emergency number nobody can be connected with, above all the one a caller's ``*`` leads to."""
    trunks = folder.whole("trunks.yaml", models.TrunksFile)
    reception = folder.whole("reception.yaml", models.ReceptionFile)
    if trunks is None or reception is None:
        return
    for number in EMERGENCY_NUMBERS:
        if number not in trunks.destinations and number != reception.star_number:
            folder.advise(
                "trunks.yaml",
                ("destinations",),
                f"{number} has no destination: operators cannot bring it in; write its address.",
                f"{number} 没有配置去向,话务员无法接入;请填写地址。",
            )
    star = reception.star_number
    if star not in trunks.destinations:
        folder.advise(
            "reception.yaml",
            ("star_number",),
            f"* leads to {star}, which has no destination in trunks.yaml: a caller in an emergency reaches nobody; "
            f"write '{star}' there.",
            f"按 * 应接通 {star},但 trunks.yaml 没有它的去向:紧急来电将无人接听;请填写 '{star}'。",
        )
