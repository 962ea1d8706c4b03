"""`agi://…/reception` and `agi://…/menu`: where a caller goes."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ivr.asterisk.agi.server import AgiSession, Handler
from ivr.asterisk.agi.session import AgiCommandError
from ivr.calls.menu import Matcher, ask
from ivr.calls.reception import Arrival, Placement, Reception, Said, told_arrival
from ivr.errors import HotlineError
from ivr.hotline.book import HotlineBook
from ivr.phone.guard import PromptPath

log = logging.getLogger(__name__)

ANY_KEY = "0123456789*#"
UTTERANCE_S = 6.0
UTTERANCE_SILENCE_S = 2
MUSIC = "ivr12345"

_CALL_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


class Ears(Protocol):
    """Understands a caller's few words."""

    @property
    def ready(self) -> bool:
        """Whether words would be understood now."""

    def path(self, call_id: str) -> Path:
        """Return where the words of a call are recorded, without extension."""

    async def words(self, path: Path) -> str:
        """Return what was said, ``''`` when that is not known in time; the file is deleted."""

    def forget(self, path: Path) -> None:
        """Delete a recording that nobody needs."""


class AgiCaller:
    """A caller on an AGI session."""

    def __init__(self, session: AgiSession, sound: PromptPath, ears: Ears | None = None) -> None:
        self._session = session
        self._sound = sound
        self._ears = ears

    async def place(self, placement: Placement) -> None:
        """Hand the whole decision over in one command; ``^`` separates queue, priority, prompts and line.

        An announcement for the queue is a class of music that begins with it.
        """
        if placement.announcement:
            await self._session.set_variables({"CHANNEL(musicclass)": f"{MUSIC}-{placement.announcement}"})
        sounds = "&".join(filter(None, (self._path(said) for said in placement.prompts)))
        await self._session.set_variables(
            {"IVR_PLACEMENT": f"{placement.queue}^{placement.priority}^{sounds}^{placement.line_id}"}
        )

    async def open_menu(self) -> None:
        """Have the dialplan answer and come back to `agi://…/menu`."""
        await self._session.set_variables({"IVR_MENU": "1"})

    async def call_help(self) -> None:
        """Have the dialplan do what the star key does everywhere else."""
        await self._session.set_variables({"IVR_STAR": "1"})

    async def say(self, prompt: str) -> str:
        """Play a prompt; return the key that cut it short, or ``''``."""
        for path in filter(None, self._path(Said(prompt)).split("&")):
            try:
                if key := await self._session.stream_file(path, ANY_KEY):
                    return key
            except AgiCommandError as error:  # a sentence less, not a caller less
                log.error("%s", error.sentence)
        return ""

    async def key(self, wait_s: float) -> str:
        """Return the next key, ``''`` after ``wait_s`` seconds without one."""
        return await self._session.wait_for_digit(wait_s)

    @property
    def can_speak(self) -> bool:
        """Whether words would be understood now."""
        return self._ears is not None and self._ears.ready

    async def words(self) -> tuple[str, str]:
        """Listen; return (what was said, the key that was pressed instead)."""
        assert self._ears is not None
        await self.say("beep")
        path = self._ears.path(self._session.args[0])
        try:
            key = await self._session.record_file(
                str(path), limit_s=UTTERANCE_S, silence_s=UTTERANCE_SILENCE_S
            )
        except AgiCommandError as error:  # Asterisk cannot write there: then nobody speaks
            log.error("%s", error.sentence)
            return "", ""
        except (HotlineError, asyncio.CancelledError):
            self._ears.forget(path)
            raise
        if key:
            self._ears.forget(path)
            return "", key
        return await self._ears.words(path), ""

    def _path(self, said: Said) -> str:
        """Return the sound of a prompt; ``''`` for one that cannot be played."""
        try:
            return self._sound(said.prompt, **said.slots)
        except HotlineError as error:
            log.error("%s", error.sentence)
            return ""


def arrival_of(session: AgiSession) -> Arrival:
    """Read what ``extensions.conf`` gives to ``/reception`` and ``/menu``: the call's id and its story."""
    call_id, story = [*session.args, "", ""][:2]
    if not _CALL_ID.fullmatch(call_id):
        raise ValueError(f"{call_id[:80]!r} is not the id of a call")
    caller = "" if session.caller == "unknown" else session.caller
    return told_arrival(call_id, story, caller=caller, channel=session.channel)


def reception_route(reception: Reception, sound: PromptPath) -> Handler:
    """Return the handler of ``agi://…/reception``, asked before the call is answered."""

    async def handle(session: AgiSession) -> None:
        await reception.receive(arrival_of(session), AgiCaller(session, sound))

    return handle


def menu_route(
    reception: Reception,
    sound: PromptPath,
    ears: Ears,
    matcher: Callable[[HotlineBook], Matcher | None],
) -> Handler:
    """Return the handler of ``agi://…/menu``, asked after the call was answered.

    Args:
        reception: places the caller.
        sound: where prompts are.
        ears: understands a few words.
        matcher: builds what finds a line by words; asked once for each configuration that wants speech.
    """
    built: list[tuple[HotlineBook, Matcher | None]] = []

    def matcher_for(book: HotlineBook) -> Matcher | None:
        if not book.reception.speech:
            return None
        if not built or built[0][0] is not book:
            built[:] = [(book, matcher(book))]
        return built[0][1]

    async def handle(session: AgiSession) -> None:
        arrival = arrival_of(session)
        caller = AgiCaller(session, sound, ears)
        book = reception.book()
        choice = await ask(caller, book, matcher_for(book))
        await reception.chosen(arrival, caller, choice)

    return handle
