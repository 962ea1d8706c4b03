"""Who found a seat free and was not answered there is told their place after all, once."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path
from typing import Any, cast

import pytest

from ivr.asterisk.ami.codec import Message
from ivr.asterisk.ami.link import AmiRefused, Link, LinkState
from ivr.events.event import Kind
from ivr.queueing.announcements import FIRST, FREE, NOBODY, VARIANTS
from ivr.queueing.place_told import PlaceTold
from ivr.speech.announcements import write_variants
from ivr.speech.prompts import PromptBook
from tests.unit.kit import Journal, calls_of, event

CALL, CALLER = "a1-1.1", "PJSIP/trunk-0"


class Switch:
    """An Asterisk with one caller, or with none."""

    state = LinkState.LIVE

    def __init__(self, language: str) -> None:
        self.language = language

    async def action(self, name: str, headers: dict[str, Any]) -> Message:
        if not self.language:
            raise AmiRefused("no such channel")
        assert (headers["Channel"], headers["Variable"]) == (CALLER, "CHANNEL(language)")
        self.language = headers.get("Value", self.language)
        return Message(f"Response: Success\r\nValue: {self.language}")


@pytest.mark.parametrize(
    ("before", "kind", "after"),
    [
        (FREE, Kind.SEAT_NO_ANSWER, FIRST),
        (FREE, Kind.SEAT_RINGING, FREE),
        ("zh", Kind.SEAT_NO_ANSWER, "zh"),
        (FIRST, Kind.SEAT_NO_ANSWER, FIRST),
        ("", Kind.SEAT_NO_ANSWER, ""),
    ],
)
async def test_the_place_is_told_to_whom_the_queue_has_not_told_it(
    before: str, kind: Kind, after: str
) -> None:
    calls, switch = calls_of(Journal()), Switch(before)
    for at, what, data in (
        (0, Kind.CALL_STARTED, {"channel": CALLER}),
        (1, Kind.QUEUED, {"queue": "q_general"}),
        (2, kind, {"seat": "01"}),
    ):
        calls.record(event(CALL, at, what, **data))
    place_told = PlaceTold(calls, cast(Link, switch))
    place_told.on_event(event(CALL, 2, kind, seat="01"))
    await asyncio.gather(*place_told._telling)
    assert switch.language == after


def test_a_placeholder_hears_nothing_and_who_is_first_hears_the_place_before_the_notice(
    tmp_path: Path,
) -> None:
    write_variants(PromptBook(tmp_path / "none"), VARIANTS, tmp_path)

    def seconds(name: str) -> float:
        with wave.open(str(tmp_path / f"{name}.wav")) as sound:
            length: float = sound.getnframes() / sound.getframerate()
        return length

    assert seconds(f"{FIRST}/P012") > 5
    assert all(0 < seconds(name) < 0.1 for name in VARIANTS if name.startswith((FREE, NOBODY)))
