"""`agi://…/seat`: what a seat's star code does."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping

from ivr.asterisk import contract
from ivr.asterisk.agi.server import AgiSession
from ivr.calls.open_calls import CallBook
from ivr.errors import HotlineError
from ivr.events.event import Event, Kind
from ivr.events.streams import seat_stream
from ivr.hotline.book import HotlineBook
from ivr.hotline.modes import ModeName
from ivr.phone.guard import PromptPath
from ivr.seats.log_in import Seating
from ivr.supervision.leadership import NotTheLeader
from ivr.supervision.modes import MODE_KEYS

log = logging.getLogger(__name__)

PIN_TRIES = 3
PIN_WAIT_S = 10.0
PIN_DIGITS = 6
LOCK_OUT_AFTER = 3 * PIN_TRIES
"""Wrong PINs after which a seat or an operator has to wait LOCK_OUT_S seconds."""
LOCK_OUT_S = 900.0

_MODE_PROMPTS = {ModeName.REGULAR: "S011", ModeName.HOLIDAY: "S012", ModeName.EMERGENCY: "S013"}


class SeatRoute:
    """The handler of ``agi://…/seat,verb,value,endpoint``: the star codes of a seat.

    Args:
        book: the configuration.
        calls: where failed log-ins are journalled.
        seating: who sits where.
        pins: PIN by operator number.
        sound: where prompts are.
        clock: seconds since the epoch.
        set_mode: sets a mode for an operator; refuses whoever does not lead the shift.
    """

    def __init__(
        self,
        *,
        book: Callable[[], HotlineBook],
        calls: CallBook,
        seating: Seating,
        pins: Mapping[str, str],
        sound: PromptPath,
        clock: Callable[[], float],
        set_mode: Callable[[str, str], object] = lambda *_: None,
    ) -> None:
        self._book = book
        self._calls = calls
        self._seating = seating
        self._pins = pins
        self._sound = sound
        self._clock = clock
        self._set_mode = set_mode
        self._failed: dict[str, list[float]] = {}
        self._verbs: Mapping[str, Callable[[AgiSession, str, str], Awaitable[str | None]]] = {
            "login": self._log_in,
            "logout": self._log_out,
            "pause": self._pause,
            "resume": self._resume,
            "mode": self._mode,
        }

    async def __call__(self, session: AgiSession) -> None:
        """Do what was dialled and say the outcome; without IVR_DONE the dialplan says it failed."""
        asked = contract.SEAT.read(session.args)
        username, value = asked["endpoint"], asked["value"]
        seat = self._book().seat_by_username(username)
        action = self._verbs.get(asked["verb"])
        if seat is None or action is None:
            log.warning("a star code came from %r, which is no seat", username)
            return
        try:
            prompt = await action(session, seat.id, value)
        except HotlineError as error:
            if isinstance(error, ConnectionError):
                raise
            log.info("seat %s: %s", seat.id, error.sentence)
            return
        if prompt is None:
            return
        await session.set_variables({contract.Variable.DONE: "1"})
        await session.stream_file(self._sound(prompt))

    async def _log_in(self, session: AgiSession, seat_id: str, operator: str) -> str | None:
        if not await self._knows_pin(session, seat_id, operator):
            return None
        await self._seating.log_in(seat_id, operator, by=f"seat {seat_id}")
        return "S002"

    async def _mode(self, session: AgiSession, seat_id: str, digit: str) -> str | None:
        operator = self._calls.operator_on(seat_id) or ""
        mode = MODE_KEYS.get(digit)
        if mode is None or not operator or not await self._knows_pin(session, seat_id, operator):
            return None
        try:
            self._set_mode(mode.value, operator)
        except NotTheLeader as error:
            log.info("seat %s: %s", seat_id, error.sentence)
            return "S014"
        return _MODE_PROMPTS[mode]

    async def _knows_pin(self, session: AgiSession, seat_id: str, operator: str) -> bool:
        """Ask for an operator's PIN by voice; what is keyed wrong is counted and journalled."""
        expected = self._pins.get(operator, "")
        prompt = "S001"
        if self._locked_out(seat_id, operator):
            return False
        for _ in range(PIN_TRIES):
            keyed, _late = await session.get_data(self._sound(prompt), PIN_WAIT_S, PIN_DIGITS)
            if expected and hmac.compare_digest(keyed, expected):
                return True
            prompt = "S003"
            for who in (seat_id, operator) if keyed else ():
                self._failed.setdefault(who, []).append(self._clock())
        refused = {"operator": operator}  # whoever it was, the engine only knows who it was not
        self._calls.record(Event(seat_stream(seat_id), self._clock(), Kind.PIN_REFUSED, refused))
        return False

    def _locked_out(self, seat_id: str, operator: str) -> bool:
        """Tell whether a seat or an operator had too many wrong PINs of late."""
        since = self._clock() - LOCK_OUT_S
        self._failed = {
            who: recent
            for who, all_of in self._failed.items()
            if (recent := [at for at in all_of if at > since])
        }
        locked = any(len(self._failed.get(who, ())) >= LOCK_OUT_AFTER for who in (seat_id, operator))
        if locked:
            log.warning("security: seat %s, operator %s: too many wrong PINs, refused", seat_id, operator)
        return locked

    async def _log_out(self, _: AgiSession, seat_id: str, __: str) -> str:
        await self._seating.log_out(seat_id, by=f"seat {seat_id}")
        return "S005"

    async def _pause(self, _: AgiSession, seat_id: str, reason: str) -> str:
        await self._seating.pause(seat_id, reason, by=f"seat {seat_id}")
        return "S006"

    async def _resume(self, _: AgiSession, seat_id: str, __: str) -> str:
        await self._seating.resume(seat_id, by=f"seat {seat_id}")
        return "S007"
