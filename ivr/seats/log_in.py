"""Who sits where: log in, log out, pause, resume, and the wrap-up after a call.

What is decided here is journalled first; Asterisk's queue members are then brought in line, now
or when it is back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ivr.calls.open_calls import CallBook
from ivr.calls.states import SeatState
from ivr.errors import HotlineError
from ivr.events import actors
from ivr.events.event import Event, Kind
from ivr.events.streams import seat_stream
from ivr.hotline.book import HotlineBook, Operator, Seat
from ivr.hotline.modes import ModeName
from ivr.hotline.overflow import OVERFLOW_PENALTY, helped_queues
from ivr.seats.record import SeatRecord
from ivr.seats.refusing import PASSED_OVER, REFUSES, Refusing

PAUSE_REASONS: Mapping[str, str] = {"1": "rest", "2": "meal", "3": "training", "4": "ticket", "9": "other"}
"""Digit after ``*12`` to reason (小休、用餐、培训、填单、其他)."""


WRAP_UP = "wrap_up"
"""The reason of a wrap-up (话后处理) where Asterisk wants one."""

REASON_NAMES: Mapping[str, tuple[str, str]] = {
    "rest": ("rest", "小休"),
    "meal": ("meal", "用餐"),
    "training": ("training", "培训"),
    "ticket": ("ticket", "填单"),
    "other": ("other", "其他"),
    REFUSES: ("phone refuses", "话机拒接"),
    PASSED_OVER: ("phone refuses, tried again soon", "话机拒接，稍后再试"),
}
"""What people read for a reason, in English and Chinese."""

EARLY_LOG_IN_S = 1800.0
"""Seconds before a shift from which on its people count as rostered."""


class SeatingRefused(HotlineError):
    """The seat or the operator cannot do that now."""

    code = "seating"


@dataclass(frozen=True)
class Membership:
    """That a seat should be a member of a queue, and whether calls may come.

    ``penalty``: above 0 the seat only helps out.  ``free_since``: what the seat had to wrap up was
    over at that moment (seconds since the epoch).  ``wrap_up_s``: the longest wrap-up of its queues.
    """

    queue: str
    seat: str
    username: str
    name: str
    paused: bool
    reason: str
    penalty: int = 0
    free_since: float = 0.0
    wrap_up_s: int = 30


class Seating:
    """Seats and operators of one hotline.

    Args:
        book: gives the present configuration.
        calls: where seats are remembered.
        align: brings Asterisk's queue members of some seats in line with :meth:`memberships_of`.
        clock: seconds since the epoch.
        mode: the present mode.
        refusing: which seats are held back because their phone refuses calls.
    """

    def __init__(
        self,
        book: Callable[[], HotlineBook],
        calls: CallBook,
        align: Callable[[Collection[str]], Awaitable[None]],
        clock: Callable[[], float],
        mode: Callable[[], ModeName] = lambda: ModeName.REGULAR,
        refusing: Refusing | None = None,
    ) -> None:
        self._book = book
        self._calls = calls
        self._align = align
        self._clock = clock
        self._mode = mode
        self._refusing = refusing
        self.known = False
        """Whether it is known who sits where: not before the database was read after a start."""

    def memberships(self) -> list[Membership]:
        """Return which seat should be in which queue."""
        return [member for seat in self._book().seats for member in self.memberships_of(seat)]

    def memberships_of_users(self, users: Iterable[str]) -> list[Membership]:
        """Return which of these SIP users should be in which queue."""
        seats = (self._book().seat_by_username(user) for user in users)
        return [member for seat in seats if seat is not None for member in self.memberships_of(seat)]

    def memberships_of(self, seat: Seat) -> list[Membership]:
        """Return in which queues one seat should be: its operator's own, and those they help when callers wait long."""
        book, record = self._book(), self._calls.seat(seat.id)
        person = self._person(record)
        if person is None:
            return []
        reason = self.held_because(record)
        paused = bool(reason)
        helped = helped_queues(book, person.queues)
        at_once = book.modes[self._mode()].overflow_at_once
        helping = 0 if at_once else OVERFLOW_PENALTY
        queues = dict.fromkeys(person.queues, 0) | dict.fromkeys(helped, helping)
        wrap_up_s = max((queue.wrap_up_s for queue in book.queues if queue.id in queues), default=0)
        free_since = 0.0 if paused else record.since
        return [
            Membership(
                queue, seat.id, seat.username, person.number, paused, reason, penalty, free_since, wrap_up_s
            )
            for queue, penalty in queues.items()
        ]

    def manned(self, away: Container[str] = (), *, paused_too: bool = True) -> set[str]:
        """Return the queues that somebody is a member of.

        Args:
            away: SIP users who do not count.
            paused_too: whether those count to whom no call may come.
        """
        book = self._book()
        own: set[tuple[str, ...]] = set()
        for seat in book.seats:
            record = self._calls.seat(seat.id)
            person = self._person(record)
            if (
                person is not None
                and seat.username not in away
                and (paused_too or not self.held_because(record))
            ):
                own.add(person.queues)
        return {queue for queues in own for queue in (*queues, *helped_queues(book, queues))}

    def _person(self, record: SeatRecord) -> Operator | None:
        """Return who sits there, None where nobody does."""
        logged_out = record.state is SeatState.LOGGED_OUT
        return None if logged_out else self._book().operator(record.operator or "")

    def held_because(self, record: SeatRecord) -> str:
        """Return why no call may come to a seat; empty where one may."""
        if self._refusing is not None and (record.state is SeatState.READY or record.reason == REFUSES):
            return self._refusing.hold(record)
        return WRAP_UP if record.state is SeatState.WRAP_UP else record.reason

    async def log_in(self, seat_id: str, operator: str, by: str) -> None:
        """Put an operator on a seat; whoever moves here leaves the former seat.

        Raises:
            SeatingRefused: no such seat or operator, or somebody else sits there.
        """
        seat, person = self._seat(seat_id), self._operator(operator)
        there = self._calls.operator_on(seat.id)
        if there == person.number:
            raise SeatingRefused(
                f"operator {operator} is already logged in on seat {seat.id}.",
                f"话务员 {operator} 已在 {seat.id} 号座席登录。",
            )
        if there is not None:
            raise SeatingRefused(
                f"seat {seat.id} is taken by operator {there}; log that operator out first.",
                f"{seat.id} 号座席已有话务员 {there}；请先退出。",
            )
        former = self._calls.seat_of(person.number)
        if former is not None:
            self._tell(former, Kind.LOGGED_OUT, by)
        self._tell(
            seat.id, Kind.LOGGED_IN, by, operator=person.number, rostered=self.is_rostered(person.number)
        )
        await self._align([seat.id] if former is None else [former, seat.id])

    async def log_out(self, seat_id: str, by: str) -> None:
        """Free a seat; a call that is being talked on goes on."""
        self._occupied(seat_id)
        self._tell(seat_id, Kind.LOGGED_OUT, by)
        await self._align([seat_id])

    async def pause(self, seat_id: str, reason: str, by: str) -> None:
        """Let no more calls come to a seat; ``reason`` is a digit or a word of PAUSE_REASONS."""
        self._occupied(seat_id)
        word = PAUSE_REASONS.get(reason, reason)
        if word not in PAUSE_REASONS.values():
            known = ", ".join(f"{digit} {name}" for digit, name in PAUSE_REASONS.items())
            raise SeatingRefused(
                f"{reason!r} is no reason to pause; choose one of: {known}.",
                f"示忙原因 {reason!r} 无效；可选：{known}。",
            )
        self._tell(seat_id, Kind.PAUSED, by, reason=word)
        await self._align([seat_id])

    async def resume(self, seat_id: str, by: str) -> None:
        """Let calls come to a seat again: after a pause, or before a wrap-up is over."""
        self._occupied(seat_id)
        ends = {SeatState.PAUSED: Kind.RESUMED, SeatState.WRAP_UP: Kind.WRAP_UP_ENDED}
        kind = ends.get(self._calls.seat(seat_id).state)
        if kind is None:
            raise SeatingRefused(
                f"seat {seat_id} is not paused and has no wrap-up.",
                f"{seat_id} 号座席未示忙，也不在话后处理中。",
            )
        self._tell(seat_id, kind, by)
        await self._align([seat_id])

    def is_rostered(self, operator: str) -> bool:
        """Tell whether the roster has an operator on duty now, or soon."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        return self._book().roster.is_rostered(operator, now, EARLY_LOG_IN_S)

    def wrap_up_left_s(self, seat_id: str) -> float | None:
        """Return the seconds of wrap-up a seat still has; None when it has none."""
        seat = self._calls.seat(seat_id)
        if seat.state is not SeatState.WRAP_UP:
            return None
        return max(0.0, (seat.until or 0.0) - self._clock())

    def seat_for(self, seat_id: str | None, operator: str | None) -> str:
        """Return the seat meant by a seat id or by the operator who sits there."""
        if seat_id is not None:
            return self._seat(seat_id).id
        found = self._calls.seat_of(operator or "")
        if found is None:
            raise SeatingRefused(
                f"operator {operator} is not logged in on any seat.", f"话务员 {operator} 没有登录任何座席。"
            )
        return found

    def _seat(self, seat_id: str) -> Seat:
        if not self.known:
            raise SeatingRefused(
                "who sits where is not known yet: the database does not answer; try again in a moment.",
                "尚未读到座席登录情况：数据库没有响应，请稍后再试。",
                retry=True,
            )
        seat = self._book().seat(seat_id)
        if seat is None:
            raise SeatingRefused(
                f"there is no seat {seat_id!r}; seats are listed by `ivr seats list`.",
                f"没有 {seat_id} 号座席；可用 ivr seats list 查看。",
            )
        return seat

    def _operator(self, number: str) -> Operator:
        person = self._book().operator(number)
        if person is None:
            raise SeatingRefused(
                f"there is no operator {number!r}; operators are listed by `ivr operators list`.",
                f"没有工号为 {number} 的话务员；可用 ivr operators list 查看。",
            )
        return person

    def _occupied(self, seat_id: str) -> None:
        self._seat(seat_id)
        if self._calls.seat(seat_id).state is SeatState.LOGGED_OUT:
            raise SeatingRefused(f"nobody is logged in on seat {seat_id}.", f"{seat_id} 号座席无人登录。")

    def _tell(self, seat_id: str, kind: Kind, by: str, **data: str | bool) -> None:
        sitting = data.get("operator") or self._calls.operator_on(seat_id)
        actor = actors.actor_of(by, str(sitting or ""))
        self._calls.record(Event(seat_stream(seat_id), self._clock(), kind, {**data, "by": by}, actor))
