"""`agi://…/leader`: the shift leader listens, whispers, speaks with both, or takes a call over."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ivr.asterisk.fastagi import AgiSession
from ivr.calls.book import CallBook
from ivr.calls.events import Event, Kind, seat_stream
from ivr.calls.record import CallRecord
from ivr.calls.states import CallState
from ivr.errors import HotlineError
from ivr.hotline.book import HotlineBook
from ivr.transfers import told
from ivr.transfers.floor import Taking
from ivr.transfers.wishes import Wishes

log = logging.getLogger(__name__)

_WAYS = {"5": ("listen", ""), "6": ("whisper", "w"), "7": ("barge", "B"), "8": ("take over", "")}
"""Digit after ``*1``: what is wanted, and ChanSpy's option for it."""
_TALKED = (CallState.TALKING, CallState.THREE_WAY, CallState.HANDED_OFF)


class LeaderRoute:
    """The handler of ``agi://…/leader,digit,seat,endpoint,channel``.

    Args:
        book: gives the present configuration.
        calls: the calls of this moment, and where looking in is journalled.
        wishes: carries a take-over out.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        book: Callable[[], HotlineBook],
        calls: CallBook,
        wishes: Wishes,
        clock: Callable[[], float],
    ) -> None:
        self._book = book
        self._calls = calls
        self._wishes = wishes
        self._clock = clock

    async def __call__(self, session: AgiSession) -> None:
        """Say where to listen or which room to enter; without that the dialplan says S059."""
        digit, wanted, username, channel = [*session.args, "", "", "", ""][:4]
        seat = self._book().seat_by_username(username)
        person = self._book().operator(self._calls.operator_on(seat.id) or "") if seat else None
        call = self._call_of(wanted)
        if seat is None or digit not in _WAYS or wanted == seat.id:
            return
        way, options = _WAYS[digit]
        if person is None or not person.leads:
            log.warning("security: seat %s wants to %s on seat %s and does not lead", seat.id, way, wanted)
            data = {"what": f"refused to {way}", "seat": wanted}
            self._calls.record(Event(seat_stream(seat.id), self._clock(), Kind.NOTED, data))
            return
        spied = told.channel_of(call, "operator") or told.channel_of(call, "caller")
        if call is None or not spied:
            return
        facts = {"how": way, "by": person.number, "from_seat": seat.id, "seat": wanted}
        self._calls.record(Event(call.call_id, self._clock(), Kind.LISTENED, facts))
        if digit != "8":
            await session.set_variables({"IVR_SPY": spied, "IVR_SPY_OPTIONS": options})
            return
        try:
            self._wishes.take_over(call.call_id, Taking(seat.id, person.number, channel))
        except HotlineError as error:
            log.info("seat %s: %s", seat.id, error.sentence)
            return
        await session.set_variables({"IVR_CALL": call.call_id})

    def _call_of(self, seat_id: str) -> CallRecord | None:
        """Return the call of a seat; also one its operator has left to a third party."""
        found = [c for c in self._calls.calls.values() if c.seat == seat_id and c.state in _TALKED]
        return max(found, key=lambda call: call.answered_at or 0.0, default=None)
