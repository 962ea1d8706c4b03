"""What a dialogue over AGI needs: one key, asked for with a sentence of several recordings."""

from __future__ import annotations

from ivr.asterisk.agi.server import AgiSession

KEYS = "0123456789*#"


async def one_key(session: AgiSession, sound: str, wait_s: float) -> str:
    """Play recordings and return the first key pressed during or after them.

    ``GET DATA`` takes one file; those before the last are streamed, and a key stops them.

    Args:
        session: the call.
        sound: paths without extension, joined by ``&``.
        wait_s: seconds after the last recording.

    Returns:
        The key, ``''`` when none came.
    """
    *before, last = sound.split("&")
    for path in before:
        key = await session.stream_file(path, KEYS)
        if key:
            return key
    keyed, _late = await session.get_data(last, wait_s, 1)
    return keyed
