"""`agi://…/leader`: the shift leader listens, whispers, speaks with both, or takes a call over.

Only whoever leads the shift now may, by the rule that also guards the mode
(``ivr.supervision.leadership``): being able to lead some shift is not enough.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ivr.asterisk import contract
from ivr.asterisk.agi.server import AgiSession
from ivr.asterisk.contract import Variable
from ivr.calls.open_calls import CallBook
from ivr.calls.record import CallRecord
from ivr.calls.states import CallState
from ivr.errors import HotlineError
from ivr.events import actors
from ivr.events.event import Event, Kind
from ivr.events.streams import seat_stream
from ivr.hotline.book import HotlineBook
from ivr.phone.guard import PromptPath
from ivr.supervision.leadership import Leader, NotTheLeader, require_leader
from ivr.transfers.requests import Requests
from ivr.transfers.transfer import Taking

log = logging.getLogger(__name__)

_WAYS = {"5": ("listen", ""), "6": ("whisper", "w"), "7": ("barge", "B"), "8": ("take over", "")}
"""Digit after ``*1``: what is wanted, and ChanSpy's option for it."""
BARGE = "7"
_TALKED = (CallState.TALKING, CallState.THREE_WAY, CallState.HANDED_OFF)


NOT_THE_LEADER, NOBODY_THERE = "S059", "S057"
"""What is said to whoever does not lead the shift, and where nobody talks on that seat."""


class LeaderRoute:
    """The handler of ``agi://…/leader,digit,seat,endpoint,channel``.

    Args:
        book: gives the present configuration.
        calls: the calls of this moment, and where looking in is journalled.
        requests: carries a take-over out.
        clock: seconds since the epoch.
        leader: gives who leads the shift now, None where nobody does.
        sound: where prompts are.
    """

    def __init__(
        self,
        *,
        book: Callable[[], HotlineBook],
        calls: CallBook,
        requests: Requests,
        clock: Callable[[], float],
        leader: Callable[[], Leader | None],
        sound: PromptPath,
    ) -> None:
        self._book = book
        self._calls = calls
        self._requests = requests
        self._clock = clock
        self._leader = leader
        self._sound = sound

    async def __call__(self, session: AgiSession) -> None:
        """Say where to listen or which room to enter, or why not; without any of it the dialplan says S010."""
        asked = contract.LEADER.read(session.args)
        digit, wanted = asked["digit"], asked["seat"]
        seat = self._book().seat_by_username(asked["endpoint"])
        if seat is None or digit not in _WAYS:
            return
        way, options = _WAYS[digit]
        operator = self._calls.operator_on(seat.id) or ""
        if not self._may(operator, seat.id, way, wanted):
            await self._refuse(session, NOT_THE_LEADER)
            return
        call = self._call_of(wanted) if wanted != seat.id else None
        spied = call and (call.channel_of("operator") or call.channel_of("caller"))
        if call is None or not spied:
            await self._refuse(session, NOBODY_THERE)
            return
        facts = {"how": way, "by": operator, "from_seat": seat.id, "seat": wanted}
        actor = actors.operator(operator)
        self._calls.record(Event(call.call_id, self._clock(), Kind.LISTENED, facts, actor))
        if digit == BARGE and self._requests.in_room(call.call_id):  # ChanSpy would speak to one of them only
            await session.set_variables({Variable.CALL: call.call_id, Variable.BARGES: "1"})
            return
        if digit != "8":
            await session.set_variables({Variable.SPY: spied, Variable.SPY_OPTIONS: options})
            return
        try:
            self._requests.take_over(call.call_id, Taking(seat.id, operator, asked["channel"]))
        except HotlineError as error:
            log.info("seat %s: %s", seat.id, error.sentence)
            await self._refuse(session, NOBODY_THERE)
            return
        await session.set_variables({Variable.CALL: call.call_id})

    def _may(self, operator: str, seat_id: str, way: str, wanted: str) -> bool:
        """Tell whether an operator leads the shift now; a try of anybody else is journalled."""
        try:
            require_leader(self._book(), operator, self._leader())
        except NotTheLeader as error:
            log.warning("security: seat %s wants to %s on seat %s: %s", seat_id, way, wanted, error.sentence)
            data = {"how": way, "seat": wanted, "by": operator, "reason": error.sentence}
            told = Event(
                seat_stream(seat_id), self._clock(), Kind.LISTEN_REFUSED, data, actors.operator(operator)
            )
            self._calls.record(told)
            return False
        return True

    async def _refuse(self, session: AgiSession, prompt: str) -> None:
        await session.set_variables({Variable.SAID: "1"})
        await session.stream_file(self._sound(prompt))

    def _call_of(self, seat_id: str) -> CallRecord | None:
        """Return the call of a seat; also one its operator has left to a third party."""
        found = [call for call in self._calls.in_state(*_TALKED) if call.seat == seat_id]
        return max(found, key=lambda call: call.answered_at or 0.0, default=None)
