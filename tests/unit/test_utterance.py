"""A caller's few words: understood in a moment or not at all, and never kept."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest

from ivr.errors import HotlineError
from ivr.speech.transcriber import SpeechStatus, SpeechUnavailable, State, Transcriber, Transcript
from ivr.speech.utterance import Utterances


class Recogniser:
    """A recogniser that is told what to hear."""

    def __init__(self, text: str = "", error: HotlineError | None = None) -> None:
        self.text = text
        self.error = error
        self.status = SpeechStatus(State.LIVE, "")
        self.busy = asyncio.Event()
        self.busy.set()
        self.finished = 0
        self.started = 0

    async def transcribe(self, path: Path, speakers: tuple[str, ...]) -> Transcript:
        assert path.exists()
        await self.busy.wait()
        self.finished += 1
        if self.error is not None:
            raise self.error
        return Transcript(self.text, (), "demo", True, 1.0)

    async def start(self) -> SpeechStatus:
        self.started += 1
        self.status = SpeechStatus(State.LIVE, "")
        return self.status

    async def close(self) -> None:
        """Nothing to end."""


def ears(recogniser: Recogniser, folder: Path, limit_s: float = 1.0) -> Utterances:
    return Utterances(cast(Transcriber, recogniser), folder / "said", limit_s)


def spoken(utterances: Utterances, call_id: str = "a1-1.1") -> Path:
    path = utterances.path(call_id)
    path.with_name(path.name + ".wav").write_bytes(b"RIFF")
    return path


async def settled() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_was_said_is_understood_and_deleted(tmp_path: Path) -> None:
    utterances = ears(Recogniser("社保 卡"), tmp_path)
    assert await utterances.words(spoken(utterances)) == "社保卡"
    assert not list((tmp_path / "said").iterdir())
    assert (tmp_path / "said").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("call_id", ["..", ".", "a1-1.1"])
async def test_no_call_id_leads_out_of_the_folder(tmp_path: Path, call_id: str) -> None:
    assert ears(Recogniser(), tmp_path).path(call_id).parent == tmp_path / "said"


async def test_a_recogniser_that_fails_means_nothing_was_understood(tmp_path: Path) -> None:
    utterances = ears(Recogniser(error=SpeechUnavailable("broken")), tmp_path)
    assert await utterances.words(spoken(utterances)) == ""
    assert not list((tmp_path / "said").iterdir())


async def test_a_caller_does_not_wait_for_a_slow_recogniser_and_does_not_break_it(tmp_path: Path) -> None:
    recogniser = Recogniser("社保卡")
    recogniser.busy.clear()
    utterances = ears(recogniser, tmp_path, limit_s=0.01)
    assert await utterances.words(spoken(utterances)) == ""
    recogniser.busy.set()
    await settled()
    assert not list((tmp_path / "said").iterdir())
    assert recogniser.finished == 1
    await utterances.close()


async def test_a_recogniser_that_is_down_is_started_for_the_next_caller(tmp_path: Path) -> None:
    recogniser = Recogniser()
    recogniser.status = SpeechStatus(State.DOWN, "not started")
    utterances = ears(recogniser, tmp_path)
    assert not utterances.ready
    assert not utterances.ready, "it is started once"
    await settled()
    assert utterances.ready
    assert recogniser.started == 1


async def test_words_left_by_an_engine_that_was_killed_are_deleted_at_the_next_start(tmp_path: Path) -> None:
    spoken(ears(Recogniser(), tmp_path))
    ears(Recogniser(), tmp_path)
    assert not list((tmp_path / "said").iterdir())
