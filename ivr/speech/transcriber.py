"""The engine's side of writing down what was said: one worker process, kept alive.

Recordings are handed to ``worker.py`` one after the other. The native library may take that process
down; here it is started again, and only the recording that did it fails. This module must never
import the recogniser's library: the engine stays small and cannot be taken down with it.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import itertools
import json
import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ivr.errors import HotlineError
from ivr.speech.recognizer import Turn

log = logging.getLogger(__name__)

__all__ = [
    "SpeechStatus",
    "SpeechUnavailable",
    "State",
    "Transcriber",
    "Transcript",
    "TranscriptionFailed",
    "Turn",
]

# A file that takes the worker down twice will do so a third time.
TRIES_PER_JOB = 2
# After a failed start the model is looked at again this much later, so that mending it is enough.
LOOK_AGAIN_S = 30.0
LONGEST_PAUSE_S = 30.0
CLOSE_LIMIT_S = 2.0
# A reply holds the words of a whole call; an hour of speech is below 200 KB.
_LINE_LIMIT = 1 << 24
_NOISE_LINES = 20
_ROOT = Path(__file__).parents[2]


class SpeechUnavailable(HotlineError):
    """Nothing can be written down on this machine until somebody mends the model."""

    code = "speech_unavailable"


class TranscriptionFailed(HotlineError):
    """One recording could not be written down; ``reason_code`` is the worker's code for why."""

    code = "transcription_failed"

    def __init__(self, sentence: str, zh: str = "", *, reason_code: str = "", retry: bool = False) -> None:
        super().__init__(sentence, zh, retry=retry)
        self.reason_code = reason_code or self.code


class State(StrEnum):
    """What ``ivr status`` shows."""

    LIVE = "live"
    SYNCING = "syncing"
    DOWN = "down"


@dataclass(frozen=True)
class SpeechStatus:
    """The recogniser's part of ``ivr status``.

    Attributes:
        state: live, syncing (being started) or down.
        reason: one sentence while it is not live; which model, and whether it is the demonstration one.
        pid: process id of the worker; None while there is none.
        reason_zh: the same in Chinese.
    """

    state: State
    reason: str
    pid: int | None = None
    model: str = ""
    demonstration: bool = False
    reason_zh: str = ""


@dataclass(frozen=True)
class Transcript:
    """What was said on a call.

    Attributes:
        text: everything, in the order it was said.
        turns: who said what when, seconds from the beginning of the recording.
        model: name of the recogniser's model.
        demonstration: the model only proves the pipeline; say so wherever the words are shown.
        seconds: length of the recording.
    """

    text: str
    turns: tuple[Turn, ...]
    model: str
    demonstration: bool
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return what a ticket and ``ivr transcribe --json`` show."""
        return {
            "text": self.text,
            "turns": [
                {"speaker": turn.speaker, "start": turn.start, "end": turn.end, "text": turn.text}
                for turn in self.turns
            ],
            "model": self.model,
            "demonstration": self.demonstration,
        }


class _WorkerDied(Exception):
    """The worker process ended without an answer."""


class Transcriber:
    """Writes recordings down, one at a time, in a process that may die.

    Args:
        model_path: folder of a vosk model.
        python: interpreter the worker runs on.
        recycle_after: recordings after which the worker is replaced (native memory is never given back).
        job_timeout_s: seconds after which one recording is given up.
        start_timeout_s: seconds the model may take to load.
    """

    def __init__(
        self,
        model_path: Path,
        *,
        python: str = sys.executable,
        recycle_after: int = 200,
        job_timeout_s: float = 900.0,
        start_timeout_s: float = 60.0,
    ) -> None:
        self._command = (python, "-m", "ivr.speech.worker", "--model", str(model_path), "--die-with-parent")
        self._recycle_after = recycle_after
        self._job_timeout_s = job_timeout_s
        self._start_timeout_s = start_timeout_s
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._watches: set[asyncio.Task[None]] = set()
        self._ids = itertools.count(1)
        self._jobs_done = 0
        self._deaths_in_a_row = 0
        self._failed_at = 0.0
        self._closed = False
        self._status = SpeechStatus(State.DOWN, "not started", reason_zh="尚未启动")
        self._noise: collections.deque[str] = collections.deque(maxlen=_NOISE_LINES)

    @property
    def status(self) -> SpeechStatus:
        """The state now; never waits."""
        return self._status

    async def start(self) -> SpeechStatus:
        """Start the worker and wait until its model is loaded or refused; a bad model does not raise."""
        async with self._lock:
            self._closed = False
            if self._process is None:
                with contextlib.suppress(SpeechUnavailable):
                    await self._spawn()
        return self._status

    async def close(self) -> None:
        """End the worker, also in mid-job; the job then fails with ``SpeechUnavailable``."""
        self._closed = True
        if self._process is not None:
            if self._lock.locked():
                # In mid-job or still loading; the recording can be handed in again at the next start.
                _kill(self._process)
            await self._end(self._process)
        for task in tuple(self._watches):
            task.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        async with self._lock:
            self._process = None
            self._status = SpeechStatus(State.DOWN, "stopped", reason_zh="已停止")

    async def transcribe(self, path: Path, speakers: Sequence[str]) -> Transcript:
        """Write one recording down.

        Args:
            path: any audio file; a stereo one has one speaker a channel.
            speakers: who is on the first (left) and on the second channel.

        Raises:
            SpeechUnavailable: no usable model; ``retry`` is False.
            TranscriptionFailed: this recording cannot be written down; the next one can.
        """
        job = {"id": next(self._ids), "path": str(path.absolute()), "speakers": list(speakers)}
        async with self._lock:
            for _ in range(TRIES_PER_JOB):
                process = await self._ready()
                try:
                    reply = await self._ask(process, job)
                except _WorkerDied:
                    log.warning("speech worker %d died over %s", process.pid, path)
                    self._died(process)
                    continue
                self._jobs_done += 1
                self._deaths_in_a_row = 0
                return _transcript(reply)
        raise TranscriptionFailed(
            f"The recogniser breaks down over {path}; listen to the recording instead.",
            f"语音识别在处理 {path} 时崩溃；请直接收听录音。",
            reason_code="recording_breaks_recognizer",
        )

    async def _ready(self) -> asyncio.subprocess.Process:
        """Return a living worker that is not worn out, starting one where needed."""
        if self._closed:
            raise _unavailable("stopped", "已停止")
        process = self._process
        if process is not None and self._jobs_done >= self._recycle_after:
            self._process = None
            await self._end(process)
        elif process is not None and process.returncode is None:
            return process
        if self._status.state is State.DOWN and time.monotonic() - self._failed_at < LOOK_AGAIN_S:
            raise _unavailable(self._status.reason, self._status.reason_zh)
        return await self._spawn()

    async def _spawn(self) -> asyncio.subprocess.Process:
        self._status = SpeechStatus(State.SYNCING, "loading the speech model", reason_zh="正在加载语音模型")
        self._process = None
        self._noise.clear()
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=_LINE_LIMIT,
                env=_environment(),
            )
        except OSError as error:
            raise self._down(
                f"the speech worker cannot be started: {error}", f"无法启动语音识别进程：{error}"
            ) from error
        self._process = process
        noise = self._background(self._listen_to_noise(process))
        try:
            first = await asyncio.wait_for(_line(process), self._start_timeout_s)
        except (_WorkerDied, TimeoutError) as error:
            await self._end(process)
            # Whoever died has often said why on stderr; let that arrive first.
            await asyncio.wait({noise}, timeout=CLOSE_LIMIT_S)
            why = self._noise[-1] if self._noise else f"status {process.returncode}, {error!r}"
            raise self._down(
                f"the speech worker did not start ({why}); install the model again",
                f"语音识别进程未能启动（{why}）；请重新安装模型",
            ) from error
        except asyncio.CancelledError:
            _kill(process)
            self._process = None
            raise
        if not first.get("ready"):
            await self._end(process)
            raise self._down(first["error"]["sentence"], first["error"]["zh"])
        self._live(process, first)
        return process

    def _live(self, process: asyncio.subprocess.Process, first: Mapping[str, Any]) -> None:
        self._jobs_done = 0
        model, demonstration = first["model"], first["demonstration"]
        about = " (demonstration model: proves the pipeline, not accuracy)" if demonstration else ""
        about_zh = "（演示模型：只验证流程，不代表准确率）" if demonstration else ""
        self._status = SpeechStatus(
            State.LIVE, f"{model}{about}", process.pid, model, demonstration, f"{model}{about_zh}"
        )
        self._background(self._watch(process))

    async def _ask(self, process: asyncio.subprocess.Process, job: Mapping[str, Any]) -> Mapping[str, Any]:
        assert process.stdin is not None
        try:
            async with asyncio.timeout(self._job_timeout_s):
                process.stdin.write(json.dumps(job, ensure_ascii=False).encode() + b"\n")
                await process.stdin.drain()
                while (reply := await _line(process)).get("id") != job["id"]:
                    log.warning("speech worker answered something nobody asked: %s", reply)
                return reply
        except (ConnectionError, BrokenPipeError) as error:
            raise _WorkerDied from error
        except TimeoutError as error:
            self._died(process)
            raise TranscriptionFailed(
                f"{job['path']} was not written down within {self._job_timeout_s:.0f} s; given up.",
                f"{job['path']} 未能在 {self._job_timeout_s:.0f} 秒内转写完成，已放弃。",
                reason_code="transcription_timed_out",
                retry=True,
            ) from error
        except asyncio.CancelledError:
            # Its answer would come while the next recording is waited for.
            self._died(process)
            raise

    def _died(self, process: asyncio.subprocess.Process) -> None:
        """Give a worker up; the next recording gets a new one."""
        _kill(process)
        if self._process is process:
            self._process = None
            self._status = SpeechStatus(
                State.SYNCING,
                "the speech worker ended and is started again",
                reason_zh="语音识别进程已退出，正在重新启动",
            )
            if not self._closed:
                self._background(self._bring_back(process))

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Notice a worker that dies while it has nothing to do."""
        await process.wait()
        async with self._lock:
            if self._process is process and not self._closed:
                log.warning("speech worker %d ended with status %s", process.pid, process.returncode)
                self._died(process)

    async def _bring_back(self, dead: asyncio.subprocess.Process) -> None:
        """Start a new worker, later each time in a row, unless a recording already did."""
        pause_s = min(LONGEST_PAUSE_S, 2.0**self._deaths_in_a_row - 1)
        self._deaths_in_a_row += 1
        await dead.wait()
        await asyncio.sleep(pause_s)
        async with self._lock:
            if self._process is None and not self._closed:
                with contextlib.suppress(SpeechUnavailable):
                    await self._spawn()

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """Let a worker go: its stdin ends, and after a moment it is killed."""
        if process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), CLOSE_LIMIT_S)
        except TimeoutError:
            _kill(process)
            await process.wait()

    async def _listen_to_noise(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while line := await process.stderr.readline():
            self._noise.append(line.decode(errors="replace").rstrip())
            log.debug("speech worker %d: %s", process.pid, self._noise[-1])

    def _background(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._watches.add(task)
        task.add_done_callback(self._watches.discard)
        return task

    def _down(self, sentence: str, zh: str) -> SpeechUnavailable:
        self._failed_at = time.monotonic()
        self._process = None
        self._status = SpeechStatus(State.DOWN, sentence, reason_zh=zh)
        log.error("speech is down: %s", sentence)
        return _unavailable(sentence, zh)


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()


async def _line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """Read one message of the worker.

    Raises:
        _WorkerDied: there will be none.
    """
    assert process.stdout is not None
    try:
        line = await process.stdout.readline()
        message = json.loads(line) if line.endswith(b"\n") else None
    except ValueError as error:
        raise _WorkerDied from error
    if not isinstance(message, dict):
        raise _WorkerDied
    return message


def _transcript(reply: Mapping[str, Any]) -> Transcript:
    if not reply.get("ok"):
        error = reply["error"]
        raise TranscriptionFailed(
            error["sentence"], error["zh"], reason_code=error["code"], retry=bool(error.get("retry"))
        )
    turns = tuple(Turn(turn["start"], turn["end"], turn["text"], turn["speaker"]) for turn in reply["turns"])
    return Transcript(reply["text"], turns, reply["model"], reply["demonstration"], reply["seconds"])


def _environment() -> dict[str, str]:
    """Let the worker find this package, and keep numeric libraries to the one core it is meant for."""
    paths = [str(_ROOT), os.environ.get("PYTHONPATH", "")]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _unavailable(sentence: str, zh: str) -> SpeechUnavailable:
    return SpeechUnavailable(f"Speech recognition is not available: {sentence}", f"语音识别不可用：{zh}")
