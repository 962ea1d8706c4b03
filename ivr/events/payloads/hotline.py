"""Payloads of what concerns the whole hotline."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.events.payloads.payload import Number, Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSet(Payload):
    """The machine's clock was set; told in the stream of each call on the line and of each seat that is taken.

    Attributes:
        step_s: seconds by which it is later than it was; below 0 where it was set back.
    """

    step_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeSet(Payload):
    """The mode of dispatch was changed.

    Attributes:
        mode: ``regular``, ``holiday`` or ``emergency``.
        by: operator number of the shift leader.
        event: why many people call, as callers are told.
        fact: the one thing they should know.
    """

    mode: str
    by: str
    event: str = ""
    fact: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeRefused(Payload):
    """Somebody who does not lead the shift wanted to change the mode.

    Attributes:
        mode: what they wanted.
        by: their operator number, as it was given.
        reason: why not.
    """

    mode: str
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRaised(Payload):
    """Something is wrong that a person must look at.

    Attributes:
        alarm: its kind.
        about: what it is about: a call, a seat, a queue …; empty for the hotline.
        sentence: what is wrong and what to do, in English.
        sentence_zh: the same in Chinese.
    """

    alarm: str
    about: str = ""
    sentence: str = ""
    sentence_zh: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmCleared(AlarmRaised):
    """It is wrong no more, or somebody has seen to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied(Payload):
    """A version of the configuration runs from here on.

    Attributes:
        version: its number.
        by: who applied it.
    """

    version: int
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRefused(Payload):
    """A call was not let in; or one row for the calls of a minute that have none of their own.

    Attributes:
        call_id: Asterisk's id of the call; empty for such a row.
        caller: the caller's number.
        dialled: digits dialled.
        reason: ``busy``, ``unknown_number``, ``no_ports``, ``no_codec``, ``extension``, ``bad_request``.
        trunk: where it came from.
        calls: how many calls the row stands for.
    """

    call_id: str
    caller: Number
    dialled: str
    reason: str
    trunk: str
    calls: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted(Payload):
    """A word of an old version that has no kind of its own.

    Attributes:
        what: the phrase.
    """

    what: str = ""
