"""Who may ask over FastAGI, and how prompts are named to Asterisk."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable

from ivr.asterisk.agi.server import AgiSession, Handler

log = logging.getLogger(__name__)

PromptPath = Callable[..., str]
"""The sound of a prompt (its id, and its slots by name) as Asterisk wants it: paths without
extension, joined by ``&``."""


def guarded(handler: Handler, key: str) -> Handler:
    """Let only Asterisk in: it knows the key from its own configuration, other local programs do not."""

    async def handle(session: AgiSession) -> None:
        given = session.query.get("key", "")
        if not hmac.compare_digest(given.encode(), key.encode()):
            log.warning("security: an AGI request for %s without our key was refused", session.script)
            return
        result = handler(session)
        if result is not None:
            await result

    return handle
