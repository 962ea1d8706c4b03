"""Citizens who were called back: what Asterisk says of their channel, as if they had called.

A caller's channel has the call's own id.  A citizen who was called back is on a channel that we
placed, with ids of its own; everywhere else they are a caller like any other.
"""

from __future__ import annotations

from collections.abc import Mapping

from ivr.asterisk.ami.codec import Message


def as_caller(message: Message, called_back: Mapping[str, str]) -> Message:
    """Return a message of such a channel with the ids of the call, any other as it is.

    Args:
        message: what Asterisk tells.
        called_back: the calls of citizens who were called back, by channel.
    """
    call_id = called_back.get(message.get("Channel")) if called_back else None
    if call_id is None:
        return message
    return message.replacing({"Uniqueid": call_id, "Linkedid": call_id, "DestLinkedid": call_id})
