"""The recordings of one hotline: looked at while they grow, closed when the talk is over, and written down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ivr.calls.open_calls import CallBook
from ivr.calls.record import CallRecord
from ivr.calls.states import CallState
from ivr.events.event import Event
from ivr.recordings.after_call import AfterCall, raws, talk_over
from ivr.speech.models import sha256
from ivr.speech.recording import checked_wav, raw_to_wav
from ivr.speech.stills import LOOK_S, Still, Stills
from ivr.speech.transcriber import Transcriber


class Recordings:
    """What is recorded of calls.

    Args:
        folder: where recordings are.
        calls: open calls.
        transcriber: writes down what was said.
        goes_on: tells whether the talk of a call goes on without its operator.
    """

    def __init__(
        self, folder: Path, calls: CallBook, transcriber: Transcriber, goes_on: Callable[[str], bool]
    ) -> None:
        self._calls = calls
        self._transcriber = transcriber
        self._goes_on = goes_on
        self._stills = Stills()
        self.aftercall = AfterCall(
            folder,
            calls.record,
            self._close,
            self._transcribe,
            time.time,
            lambda raw, wav: _close(raw, wav, 1),
        )

    def on_event(self, event: Event, call: CallRecord | None) -> None:
        """Close what was recorded of a talk that is over."""
        if call is not None and talk_over(event, call) and not self._goes_on(call.call_id):
            for raw in raws(call):
                self._stills.ended(raw)
            self.aftercall.ended(call)

    async def watch(self) -> None:
        """Know where recordings stand still, so that they are as long as the talk; until cancelled."""
        while True:
            talks = (call for call in self._calls.calls.values() if call.state is CallState.TALKING)
            alone = [call for call in talks if not self._goes_on(call.call_id)]
            self._stills.look([raws(call)[-1] for call in alone if raws(call)])
            await asyncio.sleep(LOOK_S)

    def _close(self, raw: Path, wav: Path) -> tuple[float, str]:
        return _close(raw, wav, stills=self._stills.take(raw))

    async def _transcribe(self, path: Path, speakers: tuple[str, ...]) -> Mapping[str, Any]:
        return (await self._transcriber.transcribe(path, speakers)).as_json()


def checked_remark(wav: Path) -> tuple[float, str]:
    """Return the length (seconds) and checksum of a whole file of Asterisk's, which nobody else may read."""
    wav.chmod(0o600)
    return checked_wav(wav)[0], sha256(wav)


def _close(raw: Path, wav: Path, channels: int = 2, stills: Sequence[Still] = ()) -> tuple[float, str]:
    if not raw.exists() and wav.exists():  # closed before a kill, and not yet journalled
        seconds, _ = checked_wav(wav)
        return seconds, sha256(wav)
    closed = raw_to_wav(raw, wav, channels, salvage=True, stills=stills)
    raw.unlink(missing_ok=True)
    return closed.seconds, closed.sha256
