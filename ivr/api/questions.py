"""Asking over a Unix socket whether somebody is there, without ever waiting.

A process has a pid also when it is stopped, deadlocked or busy for ever.  Only an answer tells that
it works.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from enum import Enum
from pathlib import Path

from ivr.api.socket import NAME, short_path
from ivr.host.silence import Silence

_LIMIT = 65536


class Outcome(Enum):
    """What became of a question until now."""

    WAITING = "waiting"
    ANSWERED = "answered"
    NOBODY = "nobody"
    """There is no such socket, nobody listens on it, or the line was closed without an answer."""


class Question:
    """One line asked, one line awaited.

    Args:
        folder: where the socket is.
        name: its name.
        line: what to say; empty where the other side speaks first.
    """

    def __init__(self, folder: Path, name: str, line: bytes = b"") -> None:
        self._folder, self._name, self._line = folder, name, line
        self._socket: socket.socket | None = None
        self._said = False
        self.answer = b""

    def look(self) -> Outcome:
        """Go on as far as that is possible at once."""
        try:
            if self._socket is None:
                self._socket = self._connected()
            if not self._said:
                self._said = self._line == b"" or self._socket.send(self._line) == len(self._line)
            while not self.answer.endswith(b"\n") and len(self.answer) < _LIMIT:
                piece = self._socket.recv(4096)
                if not piece:
                    return Outcome.NOBODY
                self.answer += piece
        except BlockingIOError:  # also where so many wait already that no more are let in
            return Outcome.WAITING
        except OSError:
            return Outcome.NOBODY
        return Outcome.ANSWERED

    def _connected(self) -> socket.socket:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            with short_path(self._folder, self._name) as path:
                line.connect(path)
        except OSError:
            line.close()
            raise
        return line

    def close(self) -> None:
        """Want no answer any more."""
        if self._socket is not None:
            self._socket.close()


def to_engine(run: Path, what: str = "alive") -> Question:
    """Return a question to the engine, answered by its event loop."""
    return Question(run, NAME, json.dumps({"what": what}).encode() + b"\n")


def to_asterisk(run: Path) -> Question:
    """Return a question to Asterisk: who connects to its console is told its name and version at once."""
    return Question(run, "asterisk.ctl")


class Asking:
    """Asks again and again.

    Args:
        question: makes one.
        accepts: whether an answer is one; anything else counts as silence.
        every_s: seconds between an answer and the next question.
        nobody_is_silence: whether a socket on which nobody listens is as bad as no answer.
    """

    def __init__(
        self,
        question: Callable[[], Question],
        accepts: Callable[[bytes], bool] = lambda _: True,
        *,
        every_s: float = 2.0,
        nobody_is_silence: bool = True,
    ) -> None:
        self._make, self._accepts, self._every_s = question, accepts, every_s
        self._nobody_is_silence = nobody_is_silence
        self._silence = Silence()
        self._question: Question | None = None
        self._next_at = 0.0
        self._owed = True
        self.answered = False
        """Whether there ever was an answer."""

    def look(self, now: float) -> float:
        """Ask, or look for the answer; return for how many seconds none came.

        Args:
            now: seconds of a clock that only grows.
        """
        if self._question is None and now >= self._next_at:
            self._question = self._make()
        if self._question is not None:
            self._take_in(self._question, self._question.look(), now)
        return self._silence.look(now, silent=self._owed)

    def _take_in(self, question: Question, outcome: Outcome, now: float) -> None:
        if outcome is Outcome.WAITING:
            self._owed = True
            return
        if outcome is Outcome.ANSWERED and self._accepts(question.answer):
            self._owed, self.answered = False, True
        else:
            self._owed = outcome is Outcome.ANSWERED or self._nobody_is_silence
        self.close()
        self._next_at = now + (self._every_s if not self._owed else self._every_s / 4)

    def forgive(self) -> None:
        """Count from now on: there was another sign of life."""
        self._silence.seconds = 0.0

    def close(self) -> None:
        """Drop what was asked."""
        if self._question is not None:
            self._question.close()
            self._question = None
