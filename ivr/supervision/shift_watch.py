"""The watch over shifts (交接班): who should be here, who is, and what somebody must be told.

A pure look: roster, moment and seats in, faults and reminders out.  At a change of shifts nothing
is done to callers or to people: who talks finishes, who waits keeps the place, and nobody is ever
logged out by the machine.  Somebody whose shift is over is only told that they may leave, and only
when the hotline can do without them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from ivr.alarms.board import Fault
from ivr.calls.states import SeatState
from ivr.hotline.book import HotlineBook
from ivr.hotline.duty import Duty
from ivr.seats.log_in import EARLY_LOG_IN_S
from ivr.supervision.leadership import Leader, shift_leader

UNDERSTAFFED = "understaffed"
NOBODY_LOGGED_IN = "nobody_logged_in"
LEADER_ABSENT = "leader_absent"
OPERATOR_ABSENT = "operator_absent"
CALENDAR_MISSING = "calendar_missing"
PHONE_AWAY = "phone_away"
KINDS = frozenset(
    {UNDERSTAFFED, NOBODY_LOGGED_IN, LEADER_ABSENT, OPERATOR_ABSENT, CALENDAR_MISSING, PHONE_AWAY}
)

ABSENT_AFTER_S = 600.0
"""Seconds after which somebody who should be here is absent."""
HANDOVER_S = 120.0
"""Seconds of grace in which people come and go, at a change of shifts above all."""
PHONE_AWAY_S = 30.0
_CALENDAR_AHEAD = timedelta(days=31)


@dataclass(frozen=True)
class Sitting:
    """A seat with its operator; ``registered`` None where nobody can tell, ``busy`` rings or talks."""

    seat: str
    operator: str
    state: SeatState
    registered: bool | None = True
    busy: bool = False


@dataclass(frozen=True)
class Watched:
    """What the watch saw.

    ``judged``: the kinds of alarms that could be looked at.  ``may_leave``: operators whose shift
    is over and whom the hotline can spare, with the shift that ended.
    """

    faults: tuple[Fault, ...]
    judged: frozenset[str]
    may_leave: Mapping[str, Duty]
    leader: Leader | None


def watch(book: HotlineBook, now: datetime, sitting: Iterable[Sitting], waiting: int) -> Watched:
    """Look at the floor once.

    Args:
        book: the configuration.
        now: aware.
        sitting: who is logged in.
        waiting: callers in queues.
    """
    people = {entry.operator: entry for entry in sitting}
    leader = shift_leader(book, now, people.keys())
    duties = book.roster.on_duty(now)
    needed = sum(duty.shift.min_on_duty for duty in duties)
    ready = [number for number, entry in people.items() if entry.state is not SeatState.PAUSED]
    faults = [
        *_staffing(len(people), len(ready), needed, duties),
        *_absent(people, duties, leader),
        *_calendar(book, now),
        *_phones(people.values()),
    ]
    unknown = any(entry.registered is None for entry in people.values())
    judged = KINDS - {PHONE_AWAY} if unknown else KINDS
    spare = _may_leave(book, now, people, ready, needed) if not waiting else {}
    return Watched(tuple(faults), judged, spare, leader)


def _staffing(here: int, ready: int, needed: int, duties: tuple[Duty, ...]) -> list[Fault]:
    if not here:
        return [
            Fault(
                NOBODY_LOGGED_IN,
                "hotline",
                "nobody is logged in: callers wait until an operator logs in.",
                "没有话务员登录:来电将一直排队,请尽快登录。",
                lasts_s=60.0,
                gone_s=0.0,
            )
        ]
    if ready >= needed:
        return []
    names = ", ".join(duty.shift.name for duty in duties)
    return [
        Fault(
            UNDERSTAFFED,
            "+".join(duty.shift.id for duty in duties),
            f"{ready} operators take calls and shift {names} needs {needed}: call somebody in or end pauses.",
            f"可接听 {ready} 人,{names}最低要求 {needed} 人:请增派人员或结束示忙。",
            lasts_s=HANDOVER_S,
        )
    ]


def _absent(people: Mapping[str, Sitting], duties: tuple[Duty, ...], leader: Leader | None) -> list[Fault]:
    faults = []
    acting = f" Operator {leader.operator} acts." if leader else " Nobody acts for them."
    acting_zh = f"由 {leader.operator} 代理。" if leader else "无人代理。"
    for duty in duties:
        for number in duty.operators:
            if number in people:
                continue
            shift = f"{duty.day.isoformat()}:{duty.shift.id}"
            if number == duty.leader:
                english = f"shift leader {number} of shift {duty.shift.name} is not logged in.{acting}"
                chinese = f"{duty.shift.name}值班长 {number} 未登录,{acting_zh}"
                faults.append(Fault(LEADER_ABSENT, shift, english, chinese, lasts_s=ABSENT_AFTER_S))
                continue
            english = f"operator {number} is rostered for shift {duty.shift.name} and not logged in."
            chinese = f"话务员 {number} 排在{duty.shift.name},但未登录。"
            about = f"{shift}:{number}"
            faults.append(Fault(OPERATOR_ABSENT, about, english, chinese, lasts_s=ABSENT_AFTER_S))
    return faults


def _calendar(book: HotlineBook, now: datetime) -> list[Fault]:
    """Name the years that are not published: this one, and the next one a month before it begins."""
    local = now.astimezone(ZoneInfo(book.timezone))
    years = dict.fromkeys((local.year, (local + _CALENDAR_AHEAD).year))
    return [
        Fault(
            CALENDAR_MISSING,
            str(year),
            f"the holidays of {year} are not in calendar.yaml: add them as the State Council published them.",
            f"calendar.yaml 中没有 {year} 年的节假日:请按国务院办公厅通知补充。",
            gone_s=0.0,
        )
        for year in years
        if not book.calendar.has(year)
    ]


def _phones(people: Iterable[Sitting]) -> list[Fault]:
    return [
        Fault(
            PHONE_AWAY,
            entry.seat,
            f"operator {entry.operator} is logged in on seat {entry.seat} and its phone is not registered "
            "or does not answer: no call can ring there.",
            f"话务员 {entry.operator} 已在 {entry.seat} 号座席登录,但话机未注册或无响应:来电无法振铃。",
            lasts_s=PHONE_AWAY_S,
            gone_s=10.0,
        )
        for entry in people
        if entry.registered is False
    ]


def _may_leave(
    book: HotlineBook, now: datetime, people: Mapping[str, Sitting], ready: list[str], needed: int
) -> dict[str, Duty]:
    """Return who may leave, the longest over first, as long as enough stay."""
    over = {
        entry.operator: duty
        for entry in people.values()
        if not entry.busy and (duty := _ended(book, now, entry.operator)) is not None
    }
    spare = len(ready) - max(needed, 1)
    found: dict[str, Duty] = {}
    for number, duty in sorted(over.items(), key=lambda item: (item[1].ends_at, item[0])):
        if number not in ready:
            found[number] = duty  # paused: nobody is missed
        elif spare > 0:
            spare -= 1
            found[number] = duty
    return found


def _ended(book: HotlineBook, now: datetime, operator: str) -> Duty | None:
    """Return the shift of an operator that ended lately; None for who is rostered, or never was."""
    if _on_or_soon(book, now, operator):
        return None
    today = now.astimezone(ZoneInfo(book.timezone)).date()
    past = [
        duty
        for back in (1, 0)
        for duty in book.roster.duties(today - timedelta(days=back))
        if operator in duty.operators and duty.ends_at <= now
    ]
    return max(past, key=lambda duty: duty.ends_at, default=None)


def _on_or_soon(book: HotlineBook, now: datetime, operator: str) -> bool:
    """Tell whether the operator is on duty, or will be within half an hour."""
    soon = now + timedelta(seconds=EARLY_LOG_IN_S)
    return any(operator in duty.operators for at in (now, soon) for duty in book.roster.on_duty(at))
