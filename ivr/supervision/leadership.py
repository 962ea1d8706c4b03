"""Who leads the shift (值班长): one at a time, the rostered one or whoever acts for them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from ivr.errors import HotlineError
from ivr.hotline.book import HotlineBook


class NotTheLeader(HotlineError):
    """Somebody who does not lead the shift wants what only the shift leader may."""

    code = "not_the_leader"


@dataclass(frozen=True)
class Leader:
    """The person who leads now; ``acting`` where the rostered one is not logged in."""

    operator: str
    acting: bool


def shift_leader(book: HotlineBook, at: datetime, logged_in: Collection[str]) -> Leader | None:
    """Return who leads the shift at a moment.

    The rostered leader who is logged in; else a person who may lead and is logged in: one of this
    shift before others, then by number, so that it does not change with every call.

    Args:
        book: the configuration.
        at: aware.
        logged_in: operators who are logged in.
    """
    duties = book.roster.on_duty(at)
    for duty in duties:
        if duty.leader in logged_in:
            return Leader(duty.leader, acting=False)
    on_shift = {operator for duty in duties for operator in duty.operators}
    able = [person.number for person in book.operators if person.leads and person.number in logged_in]
    if not able:
        return None
    return Leader(min(able, key=lambda number: (number not in on_shift, number)), acting=True)


def require_leader(book: HotlineBook, operator: str, leader: Leader | None) -> None:
    """Let only the shift leader pass; where there is none, anybody who may lead.

    Raises:
        NotTheLeader: with the reason.
    """
    person = book.operator(operator)
    if person is None:
        raise NotTheLeader(
            f"there is no operator {operator!r}; operators are listed by `ivr operators list`.",
            f"没有工号为 {operator} 的话务员;可用 ivr operators list 查看。",
        )
    if leader is not None and leader.operator == operator:
        return
    if leader is not None:
        raise NotTheLeader(
            f"operator {operator} does not lead this shift; ask the shift leader, {leader.operator}.",
            f"话务员 {operator} 不是当班值班长;请找值班长 {leader.operator}。",
        )
    if not person.leads:
        raise NotTheLeader(
            f"operator {operator} may not lead a shift, and no shift leader is logged in; "
            "ask somebody who may lead.",
            f"话务员 {operator} 没有值班长资格,且当前没有值班长在岗;请找有资格的人。",
        )
