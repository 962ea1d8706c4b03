"""Parties are moved by the commands Asterisk expects, and not at a moment when it would hang up on them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from ivr.asterisk.ami_codec import Message
from ivr.asterisk.ami_states import AmiRefused
from ivr.asterisk.manager import Link
from ivr.asterisk.rooms import Rooms


class Wire:
    """Answers as Asterisk would; ``contexts`` are where a channel is, one look after the other."""

    def __init__(self, contexts: dict[str, list[str]]) -> None:
        self.contexts = contexts
        self.asked: list[tuple[str, str]] = []

    async def action(self, name: str, headers: Mapping[str, Any]) -> Message:
        channel = headers["Channel"]
        self.asked.append((name, channel))
        if name != "Getvar":
            return Message("Response: Success")
        if channel not in self.contexts:
            raise AmiRefused("No such channel")
        left = self.contexts[channel]
        return Message(f"Response: Success\r\nValue: {left.pop(0) if len(left) > 1 else left[0]}")


def moved(wire: Wire) -> list[tuple[str, str]]:
    rooms = Rooms(cast(Link, wire), lambda *_, **__: "", lambda *_: None)
    asyncio.run(rooms.gather("caller", "operator", hold=True))
    return wire.asked


def test_whoever_still_keys_is_not_redirected_before_the_keys_are_read() -> None:
    wire = Wire({"caller": ["ivr-reception"], "operator": ["ivr-keys", "ivr-keys", "ivr-from-seat"]})
    asked = moved(wire)
    assert asked == [("Getvar", "caller"), *[("Getvar", "operator")] * 3, ("Redirect", "caller")]


def test_a_caller_who_presses_star_again_and_again_is_brought_all_the_same() -> None:
    wire = Wire({"caller": ["ivr-room-keys"], "operator": ["ivr-from-seat"]})
    assert moved(wire)[-1] == ("Redirect", "caller")


def test_somebody_who_has_gone_is_no_reason_to_wait() -> None:
    wire = Wire({"operator": ["ivr-from-seat"]})
    assert moved(wire) == [("Getvar", "caller"), ("Getvar", "operator"), ("Redirect", "caller")]
