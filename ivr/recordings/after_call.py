"""After the call: close the recording, transcribe it, and say so in the journal.

Nothing here is on the call path.  A recording that is missing, empty or cut short, and a
recogniser that is not there, each leave their word in the ticket.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ivr.calls.file_names import RAW, SPARE, WAV
from ivr.calls.record import CallRecord, talked_since
from ivr.calls.states import CallState
from ivr.errors import HotlineError
from ivr.events.event import Event, Kind
from ivr.recordings import tracks

log = logging.getLogger(__name__)

SIDES = ("caller", "operator")
MESSAGE_SIDES = ("caller",)
_SETTLE_S = 0.2
_SETTLE_TRIES = 25
_EMPTY_TRIES = 10
"""Looks after which a file that is empty or missing counts as that: a busy machine writes late."""
_SHORT_BY_S = 3.0


class ClosedRecording(NamedTuple):
    """A finished recording: its length in seconds and its SHA-256."""

    seconds: float
    sha256: str


def _path_of(call: CallRecord) -> str:
    """Return what was recorded of a call, without extension: the caller's message where nobody answered, else the talk.

    A talk with help alone, which the star key called, is a track beside a talk that never was.
    """
    return call.message if call.answered_at is None and call.message else call.recording


def _work_of(call: CallRecord) -> tuple[str, int, int]:
    """Return what there is to do after a talk, so that it is done once: which talk it was, and what is beside it."""
    return _path_of(call), call.talks, len(call.tracks)


def _sides(call: CallRecord) -> tuple[str, ...]:
    return SIDES if call.answered_at is not None else MESSAGE_SIDES


CloseRecording = Callable[[Path, Path], tuple[float, str]]
"""Wraps a raw two-sided recording (8 kHz 16-bit) into a wav: (raw, wav) -> (seconds, sha256)."""


class Transcribe(Protocol):
    """Turns a recording into words."""

    async def __call__(self, path: Path, speakers: tuple[str, ...]) -> Mapping[str, Any]:
        """Return ``text``, ``turns``, ``model`` and ``demonstration``."""


def raws(call: CallRecord) -> list[Path]:
    """Return what Asterisk writes of caller and operator together: the main recording, and later parts."""
    paths = [_path_of(call), *(track.path for track in call.tracks if track.both)]
    return [Path(path + RAW) for path in paths if path]


def talk_over(event: Event, call: CallRecord) -> bool:
    """Tell whether an event ends the talk of a call with its operator.

    Not when a shift leader has relieved the operator, nor when a third party stays with the caller.
    """
    if event.kind in (Kind.HUNG_UP, Kind.CALLBACK_FAILED):
        return True
    if event.kind is Kind.ANSWERED:  # told only after the end
        return call.state is CallState.ENDED
    if event.kind is not Kind.OPERATOR_LEFT or event.data.get("reason") == "transfer":
        return False
    return call.state is not CallState.HANDED_OFF and not call.was_relieved(event)


class AfterCall:
    """Finishes recordings and transcripts one after the other.

    Args:
        root: folder of the recordings; journalled paths are relative to it.
        record: journals an event.
        close: wraps a raw recording into a wav, off the event loop.
        transcribe: turns a recording into words.
        clock: seconds since the epoch.
        close_one_side: wraps a raw recording of one party alone; ``close`` where it is not given.
    """

    def __init__(
        self,
        root: Path,
        record: Callable[[Event], object],
        close: CloseRecording,
        transcribe: Transcribe,
        clock: Callable[[], float],
        close_one_side: CloseRecording | None = None,
    ) -> None:
        self._root = root
        self._record = record
        self._close = close
        self._close_one_side = close_one_side or close
        self._transcribe = transcribe
        self._clock = clock
        self._queue: asyncio.Queue[CallRecord] = asyncio.Queue()
        self._closing: set[asyncio.Task[None]] = set()
        self._under_way: set[tuple[str, int, int]] = set()

    def ended(self, call: CallRecord) -> None:
        """Take over a call whose talk has ended, once, also while the caller is still asked how it was."""
        if call.callback is not None and call.state is CallState.ENDED:
            _remove_spares(call)
        if call.answered_at is None and not call.message and not call.tracks:
            return
        work = _work_of(call)
        if work in self._under_way or call.transcript.get("status") in ("done", "failed"):
            return
        self._under_way.add(work)
        if call.state is not CallState.ENDED:  # the book goes on with it; what we tell it, it must fold once
            call = replace(call, recordings=list(call.recordings), transcript=dict(call.transcript))
        if call.recording_settled:
            if call.recordings:
                self._queue.put_nowait(call)
            return
        task = asyncio.ensure_future(self._close_one(call))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def run(self) -> None:
        """Transcribe until cancelled."""
        while True:
            await self._transcribe_one(await self._queue.get())

    async def _close_one(self, call: CallRecord) -> None:
        if not _path_of(call):
            self._fail(call, "the call was not recorded: no recording was begun")
            return
        beside = await self._close_tracks(call)
        await self._close_message(call)
        raw = Path(_path_of(call) + RAW)
        wav = Path(_path_of(call) + WAV)
        if self._is_closed(call, wav):  # an earlier talk; what was said since is a part of its own
            self._write_down(call)
            return
        message_only = call.answered_at is None and bool(call.message)
        try:
            await self._settled(wav if message_only else raw)
            unrecorded = not message_only and not raw.exists() and not wav.exists()
            if unrecorded and (beside or call.answered_at is None):
                # only help answered, or it did not and the talk came after another wait: a part of its own
                self._write_down(call)
                return
            closed = ClosedRecording(*await asyncio.to_thread(self._close, raw, wav))
        except HotlineError as error:
            self._under_way.discard(_work_of(call))
            if error.retry:  # a full disk: the raw recording stays, the next start tries again
                self._tell(call, Kind.RECORDING_FAILED, {"reason": error.sentence, "postponed": True})
                return
            self._fail(call, error.sentence)
            return
        except OSError as error:
            self._fail(call, f"the recording could not be closed: {error.strerror or error}")
            return
        except Exception as error:  # one recording must not keep the engine from the others
            log.exception("call %s: the recording could not be closed", call.call_id)
            self._fail(call, f"internal error: {error!r}")
            return
        data = {
            "path": self._stored(wav),
            "sha256": closed.sha256,
            "sides": list(_sides(call)),
            "seconds": round(closed.seconds, 3),
        }
        self._tell(call, Kind.RECORDING_CLOSED, data)
        talked = max(0.0, (call.talk_s or 0.0) - tracks.held_s(call))
        whole = all(len(track.sides) == 1 for track in call.tracks)  # else it goes on in another part
        if whole and closed.seconds < talked - _SHORT_BY_S:
            reason = f"the recording holds {closed.seconds:.1f} s of a talk of {talked:.1f} s"
            self._tell(call, Kind.RECORDING_FAILED, {"reason": reason})
        self._write_down(call)

    def _write_down(self, call: CallRecord) -> None:
        self._tell(call, Kind.TRANSCRIPT_PENDING, {})
        self._queue.put_nowait(call)

    def _stored(self, wav: Path) -> str:
        """Return a recording's path as the journal has it."""
        return str(wav.relative_to(self._root)) if wav.is_relative_to(self._root) else str(wav)

    def _is_closed(self, call: CallRecord, wav: Path) -> bool:
        return any(one["path"] == self._stored(wav) for one in call.recordings)

    async def _close_message(self, call: CallRecord) -> None:
        """Close the message of a caller who was called back, where that was not done before the talk."""
        raw, wav = Path(call.message + RAW), Path(call.message + WAV)
        if call.answered_at is None or not call.message or self._is_closed(call, wav):
            return
        try:
            closed = ClosedRecording(*await asyncio.to_thread(self._close, raw, wav))
        except (HotlineError, OSError) as error:
            log.warning("call %s: the message could not be closed: %s", call.call_id, error)
            self._tell(call, Kind.MESSAGE_NOT_CLOSED, {"path": wav.name})
            return
        data = {"path": self._stored(wav), "sha256": closed.sha256, "sides": list(MESSAGE_SIDES)}
        self._tell(call, Kind.RECORDING_CLOSED, {**data, "track": True})

    async def _close_tracks(self, call: CallRecord) -> bool:
        """Close what was recorded beside the main recording; what cannot be closed only leaves its word.

        Returns:
            Whether there is any.
        """
        found = False
        for track in call.tracks:
            raw, wav = Path(track.path + RAW), Path(track.path + WAV)
            if self._is_closed(call, wav) or (track.both and not talked_since(call, track.at)):
                continue  # the second: a part that nobody answered
            try:
                await self._settled(raw)
                close = self._close_one_side if len(track.sides) == 1 else self._close
                closed = ClosedRecording(*await asyncio.to_thread(close, raw, wav))
            except (HotlineError, OSError) as error:
                log.warning("call %s: a track could not be closed: %s", call.call_id, error)
                self._tell(call, Kind.TRACK_NOT_CLOSED, {"path": raw.name})
                continue
            data = {
                "path": self._stored(wav),
                "sha256": closed.sha256,
                "sides": list(track.sides),
                "track": True,
            }
            self._tell(call, Kind.RECORDING_CLOSED, data | {"from_s": tracks.from_s(call, track)})
            found = True
        _remove_spares(call)
        return found

    async def _settled(self, raw: Path) -> None:
        """Wait until Asterisk's recording thread has let go of the file."""
        size = -1
        for look in range(_SETTLE_TRIES):
            await asyncio.sleep(_SETTLE_S)
            now = raw.stat().st_size if raw.exists() else 0
            if now == size and (now or look >= _EMPTY_TRIES):
                return
            size = now

    async def _transcribe_one(self, call: CallRecord) -> None:
        try:
            words = await tracks.transcribe_all(self._root, _to_write_down(call), self._transcribe)
        except HotlineError as error:
            self._under_way.discard(_work_of(call))
            if error.retry:  # the engine is stopping, or the disk is full: the next start tries again
                log.warning("call %s: transcript postponed: %s", call.call_id, error.sentence)
                return
            self._tell(call, Kind.TRANSCRIPT_FAILED, {"reason": error.sentence})
        except Exception as error:  # one recording must not end the transcripts of all others
            log.exception("call %s: transcript failed", call.call_id)
            self._tell(call, Kind.TRANSCRIPT_FAILED, {"reason": f"internal error: {error!r}"})
        else:
            self._tell(call, Kind.TRANSCRIPT_DONE, dict(words))

    def _fail(self, call: CallRecord, reason: str) -> None:
        log.warning("call %s: %s", call.call_id, reason)
        self._tell(call, Kind.RECORDING_FAILED, {"reason": reason})
        if any("from_s" in one and one["sides"] == list(SIDES) for one in call.recordings):
            self._write_down(call)  # another talk of the same call was recorded
            return
        self._tell(call, Kind.TRANSCRIPT_FAILED, {"reason": "there is no recording"})

    def _tell(self, call: CallRecord, kind: Kind, data: Mapping[str, Any]) -> None:
        event = Event(call.call_id, self._clock(), kind, data)
        call.apply(event)
        self._record(event)


def _remove_spares(call: CallRecord) -> None:
    """Remove what queues recorded of an expert's channel or of a placeholder: it is on other tracks."""
    for path in {call.recording, call.callback.recording if call.callback else ""} - {""}:
        for spare in Path(path).parent.glob(f"{Path(path).name}{SPARE}*"):
            spare.unlink(missing_ok=True)


def _to_write_down(call: CallRecord) -> list[dict[str, Any]]:
    """Return a message before the talk, the newest main recording and the tracks beside it; no remark."""
    main = [one for one in call.recordings if "from_s" not in one and one["sides"] == list(_sides(call))]
    name = Path(call.message + WAV).name if call.message and call.answered_at is not None else ""
    message = [{**one, "message": True} for one in call.recordings if Path(one["path"]).name == name]
    paused = {Path(one.path + WAV).name: tracks.pauses(call, one) for one in call.tracks if not one.both}
    beside = [one for one in call.recordings if "from_s" in one]
    return message + main[-1:] + [{**one, "pauses": paused.get(Path(one["path"]).name, [])} for one in beside]
