"""Nobody is moved at a moment when Asterisk would hang up on them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest

from ivr.asterisk.ami.codec import Message
from ivr.asterisk.ami.link import Link
from ivr.asterisk.control.rooms import Rooms


class Wire:
    """Answers as Asterisk would; ``contexts`` are where a channel is, one look after the other."""

    def __init__(self, contexts: dict[str, list[str]]) -> None:
        self.contexts = contexts
        self.asked: list[tuple[str, str]] = []

    async def action(self, name: str, headers: Mapping[str, Any]) -> Message:
        channel = headers["Channel"]
        self.asked.append((name, channel))
        left = self.contexts[channel]
        return Message(f"Response: Success\r\nValue: {left.pop(0) if len(left) > 1 else left[0]}")


def looked(*contexts: str) -> int:
    """Return how often it was looked where somebody is, before they may be redirected."""
    wire = Wire({"operator": list(contexts)})
    rooms = Rooms(cast(Link, wire), lambda *_, **__: "", lambda *_: None)
    asyncio.run(rooms.keys_done("operator"))
    return len(wire.asked)


def test_whoever_still_keys_is_not_redirected_before_the_keys_are_read() -> None:
    assert looked("ivr-from-seat") == 1
    assert looked("ivr-keys", "ivr-keys", "ivr-from-seat") == 3
    assert looked("ivr-room-keys", "ivr-queue") == 2


def test_whoever_keys_for_ever_is_redirected_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivr.asterisk.control.rooms.KEYS_LIMIT_S", 0.2)
    assert 10 < looked("ivr-keys") < 100
