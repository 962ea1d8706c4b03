"""One call's conversation over AGI, as a handler sees it.

It must never let a reply answer another command than its own, wait for ever, or go on as if
nothing had happened after the caller hung up.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import Mapping
from typing import Final

from ivr.asterisk.agi.codec import MAX_COMMAND, AgiReply, AgiRequest, encode_command
from ivr.asterisk.ami.values import UnsafeValue, cut_utf8
from ivr.errors import HotlineError

log = logging.getLogger(__name__)

_UNSENDABLE: Final = str.maketrans(
    {
        **{code: " " for code in (0x0D, 0x0A, 0x00)},
        **{code: "\N{REPLACEMENT CHARACTER}" for code in range(0xD800, 0xE000)},
    }
)
_VARIABLE: Final = re.compile(r"_{0,2}[A-Za-z]\w*(\([\w,.:/-]*\))?", re.ASCII)


class AgiError(HotlineError):
    """Something about an AGI conversation."""

    code = "agi"


class AgiHangup(AgiError):
    """The caller is gone: hung up, or the connection to Asterisk ended."""

    code = "agi_hangup"


class AgiTimeout(AgiError):
    """A command was not answered in time; the connection is closed."""

    code = "agi_timeout"


class AgiCommandError(AgiError):
    """Asterisk refused a command (510, 520), or carried it out without success.

    Args:
        status: AGI status code.
        sentence: what Asterisk said.
    """

    code = "agi_command"

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(f"Asterisk answered {status}: {sentence}")
        self.status = status


class AgiSession:
    """A call that is waiting for instructions.

    ``env``: header by name (``agi_callerid`` …), decoded; ``args``: the dialplan's arguments;
    ``script``, ``query``: from the URL.
    """

    __slots__ = (
        "_deadline",
        "_deferred",
        "_ended",
        "_limit_s",
        "_loop",
        "_owed",
        "_pending",
        "_request",
        "_timed_out",
        "_timer",
        "_transport",
        "_wake_at",
        "args",
        "env",
        "query",
        "script",
    )

    def __init__(
        self,
        request: AgiRequest,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        command_timeout_s: float,
    ) -> None:
        self.env = request.env
        self._request = request
        self.args = request.args
        self.script = request.script
        self.query = request.query
        self._transport = transport
        self._loop = loop
        self._limit_s = command_timeout_s
        self._pending: asyncio.Future[AgiReply] | None = None
        self._owed = False
        """Whether Asterisk still works on a command whose caller was cancelled."""
        self._deferred: bytes | None = None
        """The command that waits for that.  Asterisk polls its socket but reads through a
        buffer: of two commands that arrive together it leaves the second lying there."""
        self._ended = False
        self._timed_out = False
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = math.inf
        self._wake_at = math.inf

    @property
    def raw(self) -> dict[str, bytes]:
        """``env`` exactly as received."""
        return self._request.raw

    # -- who is calling --------------------------------------------------------------------
    @property
    def uniqueid(self) -> str:
        """Asterisk's id of the channel."""
        return self.env.get("agi_uniqueid", "")

    @property
    def channel(self) -> str:
        """The channel's name."""
        return self.env.get("agi_channel", "")

    @property
    def caller(self) -> str:
        """The caller's number, ``''`` if unknown."""
        number = self.env.get("agi_callerid", "")
        return "" if number == "unknown" else number

    @property
    def caller_name(self) -> str:
        """The caller's name, ``''`` if unknown; from outside: use ``clean`` before reuse."""
        name = self.env.get("agi_calleridname", "")
        return "" if name == "unknown" else name

    @property
    def hung_up(self) -> bool:
        """Whether the next await will raise AgiHangup."""
        return self._ended

    # -- commands --------------------------------------------------------------------------
    async def command(self, *words: str, timeout_s: float | None = None) -> AgiReply:
        """Send one command and wait for its reply.

        Args:
            words: the command's words, unquoted.
            timeout_s: seconds; None: the server's limit; ``math.inf``: until the hangup.

        Raises:
            AgiHangup: the caller is gone, before or meanwhile.
            AgiCommandError: Asterisk does not know the command or its arguments.
            AgiTimeout: no reply in time; the connection is closed, the dialplan goes on.
            UnsafeValue: a word cannot stand on one line; nothing was sent.
        """
        if self._ended:
            raise self._gone()
        if self._pending is not None:
            raise RuntimeError("an AGI session carries one command at a time")
        data = encode_command(*words)
        future = self._pending = self._loop.create_future()
        limit_s = self._limit_s if timeout_s is None else timeout_s
        if limit_s != math.inf:
            self._deadline = self._loop.time() + limit_s
            if self._deadline < self._wake_at:
                self._arm(self._deadline)
        if self._owed:
            self._deferred = data
        else:
            self._transport.write(data)
        try:
            reply: AgiReply = await future
        except asyncio.CancelledError:
            if self._pending is future and future.cancelled():
                # Sent, so its reply will come; or deferred, then that of the one before it will.
                self._owed, self._deferred = True, None
            raise
        finally:
            self._pending = None
            self._deadline = math.inf
        if reply.code != 200:
            raise AgiCommandError(reply.code, f"{reply.data or ''} (command {words[0]})")
        return reply

    async def stream_file(self, path: str, escape_digits: str = "", *, timeout_s: float | None = None) -> str:
        """Play a sound file to its end or until one of ``escape_digits``.

        Args:
            path: file without extension, as Asterisk finds it.
            escape_digits: keys that stop it.
            timeout_s: longest playback in seconds; None: the server's limit.

        Returns:
            The key, or ``''``.

        Raises:
            AgiCommandError: the file cannot be played.
        """
        reply = await self.command("STREAM", "FILE", path, escape_digits, timeout_s=timeout_s)
        await self._check_done(reply, f"cannot play {path!r}")
        return _key(reply)

    async def get_data(self, path: str, timeout_s: float, max_digits: int) -> tuple[str, bool]:
        """Play a file and collect keys until ``#``, ``max_digits`` of them, or a pause.

        Args:
            path: file without extension.
            timeout_s: longest pause in seconds after the file and between keys.
            max_digits: at least 1.

        Returns:
            The digits so far and whether a pause ended them.
        """
        limit_s = self._limit_s + timeout_s * (max_digits + 1)
        milliseconds = str(max(1, round(timeout_s * 1000)))
        reply = await self.command("GET", "DATA", path, milliseconds, str(max_digits), timeout_s=limit_s)
        await self._check_done(reply, f"cannot play {path!r}")
        return reply.result, reply.data == "timeout"

    async def wait_for_digit(self, timeout_s: float) -> str:
        """Wait for one key; return it, or ``''`` after ``timeout_s`` seconds."""
        reply = await self.command("WAIT", "FOR", "DIGIT", str(max(1, round(timeout_s * 1000))))
        await self._check_done(reply, "cannot wait for a key")
        return _key(reply)

    async def record_file(self, path: str, *, limit_s: float, silence_s: int) -> str:
        """Record the caller as 8 kHz 16-bit mono wav until a key, a silence or the limit.

        Args:
            path: file without extension; ``.wav`` is added.
            limit_s: longest recording in seconds.
            silence_s: seconds of silence that end it, whole ones: Asterisk reads no fractions.

        Returns:
            The key that ended it, or ``''``.

        Raises:
            AgiCommandError: the file cannot be written.
        """
        milliseconds = str(max(1, round(limit_s * 1000)))
        reply = await self.command(
            "RECORD", "FILE", path, "wav", "0123456789*#", milliseconds, f"s={silence_s}"
        )
        await self._check_done(reply, f"cannot record {path!r}")
        return _key(reply) if reply.data == "dtmf" else ""

    async def get_variable(self, name: str) -> str | None:
        """Return a channel variable or ``FUNCTION(...)``, None if it is not set.

        Asterisk gives the first 1,023 bytes; :meth:`full_variable` gives 4,095.
        """
        reply = await self.command("GET", "VARIABLE", name)
        return (reply.data or "") if reply.result == "1" else None

    async def full_variable(self, expression: str) -> str | None:
        """Return an expression with its ``${...}`` put in (``${CDR(src)}-${EXTEN}``)."""
        reply = await self.command("GET", "FULL", "VARIABLE", expression)
        return (reply.data or "") if reply.result == "1" else None

    async def set_variables(self, variables: Mapping[str, str]) -> None:
        """Set channel variables to exactly these values.

        One ``SET VARIABLE`` each: it takes a value as it is, while ``EXEC MSet`` would split
        it at commas and drop its quotes.  CR, LF and NUL become blanks, and what is longer
        than Asterisk reads (2,046 bytes a command) is cut, both with a line in the log: a
        strange caller name must not cost the call.

        Raises:
            UnsafeValue: a name that is neither a variable's nor a ``FUNCTION(argument)``.
        """
        for name, value in variables.items():
            if not _VARIABLE.fullmatch(name):
                raise UnsafeValue(f"{name!r} is not the name of a channel variable")
            await self.command("SET", "VARIABLE", name, _fitting(name, value))

    async def execute(self, app: str, *args: str, timeout_s: float | None = None) -> AgiReply:
        """Run a dialplan application.

        Args:
            app: its name.
            args: its arguments, without commas: AGI hands them over as one text.
            timeout_s: seconds; ``math.inf`` for one that lasts as long as the call (Queue).

        Raises:
            UnsafeValue: a comma in an argument would make it two.
            AgiCommandError: there is no such application.
        """
        for argument in args:
            if "," in argument:
                raise UnsafeValue(
                    f"an argument of {app} contains a comma and was not sent: {argument[:60]!r}"
                )
        reply = await self.command("EXEC", app, ",".join(args), timeout_s=timeout_s)
        if reply.result == "-2":
            raise AgiCommandError(200, f"there is no application {app}")
        return reply

    async def hangup(self) -> None:
        """End the call; returns when Asterisk has taken note, every later await raises."""
        try:
            await self.command("HANGUP")
        except AgiHangup:
            return
        self.note_hangup()

    async def _check_done(self, reply: AgiReply, failure: str) -> None:
        if reply.result != "-1":
            return
        # -1 is a hangup or a failure.  A hung-up channel sends HANGUP before it answers again,
        # and with AGISIGHUP=no this command gets 511: either way it tells the two apart.
        await self.command("CHANNEL", "STATUS")
        raise AgiCommandError(200, failure)

    # -- told by the connection ------------------------------------------------------------
    def note_reply(self, reply: AgiReply) -> None:
        """Give a reply to the command that waits, and to no other."""
        if self._owed:
            self._owed = False
            if self._deferred is not None:
                self._transport.write(self._deferred)
                self._deferred = None
            return
        pending = self._pending
        if pending is None or pending.done():
            # Either nobody asked, or who asked was cancelled an instant ago: then this was
            # his reply, and none is owed any more.
            self._pending = None
            log.info("AGI reply that answers nothing dropped: %s", reply.code)
        elif reply.code == 511:
            self.note_hangup()
        else:
            pending.set_result(reply)

    def note_hangup(self) -> None:
        """End the conversation: what waits and what will be asked raises AgiHangup."""
        self._ended = True
        self._disarm()
        pending = self._pending
        if pending is not None and not pending.done():
            pending.set_exception(self._gone())

    def finish(self) -> None:
        """Close the socket: the handler is done, the dialplan goes on."""
        self._ended = True
        self._disarm()
        self._transport.close()

    def _gone(self) -> AgiError:
        if self._timed_out:
            return AgiTimeout("the AGI conversation was closed after a command without reply")
        return AgiHangup("the caller hung up", "来电者已挂机")

    # -- time limits -----------------------------------------------------------------------
    def _arm(self, when: float) -> None:
        """Look at the clock at ``when``; one lazy timer serves all commands of a session."""
        self._disarm()
        self._wake_at = when
        self._timer = self._loop.call_at(when, self._look_at_clock)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._wake_at = math.inf

    def _look_at_clock(self) -> None:
        self._disarm()
        if self._deadline == math.inf:
            return
        if self._loop.time() < self._deadline:
            self._arm(self._deadline)
            return
        self._ended = self._timed_out = True
        if self._pending is not None and not self._pending.done():
            self._pending.set_exception(AgiTimeout("Asterisk did not answer an AGI command in time"))
        self._transport.abort()


def _key(reply: AgiReply) -> str:
    """Return the key that a reply names by its ASCII code."""
    return chr(int(reply.result)) if reply.result.isdigit() and int(reply.result) > 0 else ""


def _fitting(name: str, value: str) -> str:
    fitting = value.translate(_UNSENDABLE)
    room = MAX_COMMAND - len('SET VARIABLE  ""') - len(name.encode())
    # Quotes and backslashes take two bytes on the wire.
    while len(fitting.encode()) + fitting.count('"') + fitting.count("\\") > room:
        excess = len(fitting.encode()) + fitting.count('"') + fitting.count("\\") - room
        fitting = cut_utf8(fitting, len(fitting.encode()) - max(1, excess // 2))
    if fitting != value:
        log.warning("value of %s was changed to fit AGI: %d bytes", name, len(fitting.encode()))
    return fitting
