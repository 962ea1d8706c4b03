"""A caller's few words, understood while the caller waits; never for longer than a moment.

What was said is deleted as soon as it was understood: the conversation with a person is what gets
recorded and kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from ivr.errors import HotlineError
from ivr.speech.transcriber import State, Transcriber, Transcript

log = logging.getLogger(__name__)

UNDERSTAND_S = 3.0


class Utterances:
    """Understands utterances with a recogniser of its own, so that no caller waits behind a recording.

    Args:
        transcriber: the recogniser; started when words are first wanted.
        folder: where Asterisk records; emptied now.
        limit_s: seconds a caller waits for the recogniser.
    """

    def __init__(self, transcriber: Transcriber, folder: Path, limit_s: float = UNDERSTAND_S) -> None:
        self._transcriber = transcriber
        self._folder = folder
        self._limit_s = limit_s
        self._work: set[asyncio.Task[None]] = set()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in folder.glob("*.wav"):
            left.unlink(missing_ok=True)

    @property
    def ready(self) -> bool:
        """Whether words would be understood now; a recogniser that is down is started for the next caller."""
        if self._transcriber.status.state is State.LIVE:
            return True
        if not self._work:
            self.start()
        return False

    def start(self) -> None:
        """Start the recogniser in the background."""
        self._spawn(self._start())

    async def close(self) -> None:
        """End the recogniser."""
        for task in tuple(self._work):
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        await self._transcriber.close()

    def path(self, call_id: str) -> Path:
        """Return where the words of a call are recorded, without extension."""
        return self._folder / f"said-{call_id}"

    def forget(self, path: Path) -> None:
        """Delete a recording; ``path`` has no extension."""
        _file(path).unlink(missing_ok=True)

    async def words(self, path: Path) -> str:
        """Return what was said; ``''`` when that is not known in time. The recording is deleted.

        Args:
            path: without extension.
        """
        heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        # a task of its own: giving up on a busy recogniser must not end it
        self._spawn(self._understand(path, heard))
        done, _ = await asyncio.wait({heard}, timeout=self._limit_s)
        if not done:
            log.info("what a caller said was not understood within %.1f s", self._limit_s)
            return ""
        return heard.result()

    async def _understand(self, path: Path, heard: asyncio.Future[str]) -> None:
        text = ""
        try:
            said: Transcript = await self._transcriber.transcribe(_file(path), ("caller",))
            text = said.text.replace(" ", "")
        except HotlineError as error:
            log.warning("what a caller said is not known: %s", error.sentence)
        finally:
            self.forget(path)
            if not heard.done():
                heard.set_result(text)

    async def _start(self) -> None:
        status = await self._transcriber.start()
        log.info("speech at reception: %s %s", status.state, status.reason)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)


def _file(path: Path) -> Path:
    return path.with_name(path.name + ".wav")
