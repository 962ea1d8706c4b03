"""`agi://…/reception`: where a caller goes."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote

from ivr.asterisk.fastagi import AgiSession, Handler
from ivr.calls.book import CallBook
from ivr.calls.reception import DIVERSION_110, Arrival, Placement, receive
from ivr.hotline.book import HotlineBook
from ivr.routes.guard import PromptPath

log = logging.getLogger(__name__)

_CALL_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


class AgiCaller:
    """A caller on an AGI session."""

    def __init__(self, session: AgiSession, sound: PromptPath) -> None:
        self._session = session
        self._sound = sound

    async def place(self, placement: Placement) -> None:
        """Hand the whole decision over in one command; ``^`` separates queue, priority and prompts."""
        sounds = "&".join(self._sound(prompt) for prompt in placement.prompts)
        await self._session.set_variables(
            {"IVR_PLACEMENT": f"{placement.queue}^{placement.priority}^{sounds}"}
        )


def arrival_of(session: AgiSession) -> Arrival:
    """Read the arguments that ``extensions.conf`` gives to ``/reception``."""
    arguments = [*session.args, *[""] * 7]
    call_id, dialled, source, recording, diverted, first, headers = arguments[:7]
    if not _CALL_ID.fullmatch(call_id):
        raise ValueError(f"{call_id[:80]!r} is not the id of a call")
    forwarded = [unquote(headers), diverted, first]
    return Arrival(
        call_id,
        "" if session.caller == "unknown" else session.caller,
        dialled[:40],
        source if source in ("live", DIVERSION_110) else "live",
        tuple(value for value in forwarded if value.strip(", ")),
        session.channel,
        recording,
    )


def reception_route(
    book: Callable[[], HotlineBook],
    calls: CallBook,
    sound: PromptPath,
    identify: Callable[[str], Mapping[str, str]],
    clock: Callable[[], float],
    priority_110: int,
) -> Handler:
    """Return the handler of ``agi://…/reception``."""

    async def handle(session: AgiSession) -> None:
        await receive(
            arrival_of(session),
            AgiCaller(session, sound),
            book(),
            calls.record,
            now=clock(),
            identify=identify,
            priority_110=priority_110,
        )

    return handle
