"""Payloads of what is recorded of a call, and written down."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.events.payloads.payload import Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackBegun(Payload):
    """Something is recorded beside the main recording: one party alone, or another part.

    Attributes:
        path: of the track, without extension.
        sides: who is on it: ``caller``, ``operator``, ``third``.
    """

    path: str
    sides: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackNotClosed(Payload):
    """A track cannot be closed; its raw file stays.

    Attributes:
        path: name of the raw file.
    """

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageNotClosed(Payload):
    """A caller's message cannot be closed.

    Attributes:
        path: name of the file.
    """

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingClosed(Payload):
    """A recording is whole and can be listened to.

    Attributes:
        path: relative to the folder of the recordings.
        sha256: of the file, hexadecimal.
        sides: who is on its channels, left to right.
        seconds: length.
        track: a track beside the main recording.
        remark: what the caller said after a bad score.
        from_s: the second of the main recording at which a track begins.
    """

    path: str
    sha256: str
    sides: tuple[str, ...]
    seconds: float | None = None
    track: bool = False
    remark: bool = False
    from_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFailed(Payload):
    """There is no recording, or it is shorter than the talk.

    Attributes:
        reason: why.
        postponed: it is tried again.
    """

    reason: str
    postponed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptPending(Payload):
    """What was recorded waits to be written down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one party said without a pause.

    Attributes:
        speaker: ``caller``, ``operator`` or ``third``.
        start: seconds from the beginning of the main recording.
        end: seconds from there.
        text: the words.
        message: said on the message before the talk.
    """

    speaker: str
    start: float
    end: float
    text: str
    message: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptDone(Payload):
    """The recording was written down.

    Attributes:
        text: everything, in the order it was said.
        turns: who said what when.
        model: the recogniser's model.
        demonstration: the model only proves the pipeline.
    """

    text: str = ""
    turns: tuple[Turn, ...] = ()
    model: str = ""
    demonstration: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptFailed(Payload):
    """The recording cannot be written down.

    Attributes:
        reason: why.
    """

    reason: str
