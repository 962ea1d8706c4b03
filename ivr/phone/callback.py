"""`agi://…/callback`: a waiting caller pressed 1 (P023) and is asked where to call back."""

from __future__ import annotations

from collections.abc import Callable

from ivr.asterisk.agi.server import AgiSession
from ivr.calls.callback import PROMISED_S
from ivr.errors import HotlineError
from ivr.phone.dialogue import one_key
from ivr.queueing.callback_desk import CallbackDesk
from ivr.queueing.claims import Claims

Sound = Callable[..., str]
"""A prompt's recordings with its slots filled, as Asterisk plays them."""

KEY_WAIT_S = 5.0
NUMBER_WAIT_S = 8.0
NUMBER_DIGITS = 15
ROUNDS = 3
DIALOGUE_LIMIT_S = "90"


class CallbackRoute:
    """The handler of ``agi://…/callback,call,queue``.

    The caller has just left the queue.  Whatever they do but confirm, and whatever happens to us,
    leads back to it: at their place, which the dialplan knows roughly and we know exactly.

    Args:
        claims: where callbacks are claimed.
        desk: knows who stands where.
        sound: where prompts are.
    """

    def __init__(self, claims: Claims, desk: CallbackDesk, sound: Sound) -> None:
        self._claims = claims
        self._desk = desk
        self._sound = sound

    async def __call__(self, session: AgiSession) -> None:
        """Ask, claim and say so; or send the caller back."""
        call_id = (session.args or [""])[0]
        await session.set_variables({"TIMEOUT(absolute)": DIALOGUE_LIMIT_S})
        number = await self._number(session)
        if number and self._claims.claim(call_id, number, by="caller"):
            await session.set_variables({"IVR_CLAIMED": "1"})
            await session.execute("Playback", self._sound("P025", minutes=int(PROMISED_S // 60)))
            return
        await session.execute("Playback", self._sound("S027"))
        try:
            position = await self._desk.place_again(call_id)
        except HotlineError as error:
            if isinstance(error, ConnectionError):
                raise
            return  # the dialplan's own idea of the place will do
        if position:
            await session.set_variables({"IVR_POSITION": str(position)})

    async def _number(self, session: AgiSession) -> str:
        """Return the confirmed number, empty when the caller would rather wait."""
        number = self._claims.diallable(session.caller)
        for _ in range(ROUNDS):
            if not number:
                keyed, _late = await session.get_data(self._sound("P026"), NUMBER_WAIT_S, NUMBER_DIGITS)
                number = self._claims.diallable(keyed)
                if not keyed or keyed == "0":
                    return ""
                continue
            sound = self._sound("P024", last4=number[-4:])
            key = await one_key(session, sound, KEY_WAIT_S)
            if key == "1":
                return number
            if key != "2":
                return ""
            number = ""
        return ""
