"""`agi://…/survey`: the operator has hung up, and the caller says how it was (P060)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from ivr.asterisk import contract
from ivr.asterisk.agi.server import AgiSession
from ivr.calls.file_names import REMARK, WAV
from ivr.calls.open_calls import CallBook
from ivr.errors import HotlineError
from ivr.events import actors
from ivr.events.event import Event, Kind
from ivr.phone.dialogue import one_key
from ivr.phone.guard import PromptPath

log = logging.getLogger(__name__)

KEY_WAIT_S = 6.0
REMARK_S = 60
REMARK_SILENCE_S = 5
UNHAPPY = frozenset({4, 5})
"""1 is very content, 5 is not at all (好差评); these are asked why."""
SURVEY_LIMIT_S = "150"

Closed = tuple[float, str]


class SurveyRoute:
    """The handler of ``agi://…/survey,call``.

    Args:
        calls: where the score goes.
        sound: where prompts are.
        close: checks a recording: path -> (seconds, sha256).
        recordings: the folder that journalled paths are relative to.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        calls: CallBook,
        sound: PromptPath,
        close: Callable[[Path], Closed],
        recordings: Path,
        clock: Callable[[], float],
    ) -> None:
        self._calls = calls
        self._sound = sound
        self._close = close
        self._recordings = recordings
        self._clock = clock

    async def __call__(self, session: AgiSession) -> None:
        """Ask for one key; 0 leads back to a person, at the head of the queue."""
        call_id = contract.SURVEY.read(session.args)["call"]
        if call_id not in self._calls and call_id not in self._calls.over:
            return  # we cannot tell whose score it would be
        await session.set_variables({"TIMEOUT(absolute)": SURVEY_LIMIT_S})
        key = await self._key(session)
        if key == "0":
            await session.set_variables({contract.Variable.AGAIN: "1"})
            return
        score = int(key) if key in ("1", "2", "3", "4", "5") else None
        data = {"score": score}
        self._calls.record(Event(call_id, self._clock(), Kind.SURVEYED, data, actors.CALLER))
        if score is None:
            return
        if score in UNHAPPY:
            await self._remark(session, call_id)
        await session.execute("Playback", self._sound("P062"))

    async def _key(self, session: AgiSession) -> str:
        for prompt in ("P060", "P063"):
            key = await one_key(session, self._sound(prompt), KEY_WAIT_S)
            if key in ("0", "1", "2", "3", "4", "5"):
                return key
        return ""

    async def _remark(self, session: AgiSession, call_id: str) -> None:
        """Record why; a caller who says nothing, or hangs up, leaves a score all the same."""
        recording = await session.get_variable(contract.Variable.RECORDING)
        if not recording:
            return
        path = Path(recording + REMARK + WAV)
        if not path.is_relative_to(self._recordings):
            return
        # not RECORD's own BEEP: it is a sound of Asterisk's that is not here, and without it nothing is recorded
        await session.execute("Playback", "&".join((self._sound("P061"), self._sound("beep"))))
        try:
            await session.command(
                "RECORD", "FILE", str(path.with_suffix("")), "wav", "#", str(REMARK_S * 1000),
                f"s={REMARK_SILENCE_S}", timeout_s=REMARK_S + 10.0,
            )  # fmt: skip
        finally:
            await self._keep(path, call_id)

    async def _keep(self, path: Path, call_id: str) -> None:
        try:
            seconds, digest = await asyncio.to_thread(self._close, path)
        except (HotlineError, OSError) as error:
            log.info("call %s: no remark: %s", call_id, error)
            return
        relative = str(path.relative_to(self._recordings))
        data = {"path": relative, "sha256": digest, "sides": ["caller"], "seconds": round(seconds, 3)}
        self._tell(call_id, Kind.RECORDING_CLOSED, **data, remark=True)

    def _tell(self, call_id: str, kind: Kind, **data: object) -> None:
        self._calls.record(Event(call_id, self._clock(), kind, data))
