"""Recordings beside the main one: when each began in it, and who said what of three.

The main recording has the caller on one side and, on the other, whatever the caller heard.  In a
room that is operator and third party mixed, so their words are taken from tracks of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ivr.calls.legs import Track
from ivr.calls.record import CallRecord

MAIN_SIDES = ("caller", "operator")


class Transcribe(Protocol):
    """Turns a recording into words."""

    async def __call__(self, path: Path, speakers: tuple[str, ...]) -> Mapping[str, Any]:
        """Return ``text``, ``turns``, ``model`` and ``demonstration``."""


def last_written(call: CallRecord) -> float:
    """Return when Asterisk last wrote a raw recording of a call (seconds since the epoch), 0 where there is none."""
    paths = (call.recording, call.message, *(track.path for track in call.tracks))
    found = [Path(path + ".raw") for path in paths if path]
    return max((raw.stat().st_mtime for raw in found if raw.exists()), default=0.0)


def held_s(call: CallRecord, until: float | None = None) -> float:
    """Return the seconds the caller was on hold: the main recording has nothing of them.

    Args:
        call: the call.
        until: counted up to this moment (seconds since the epoch); None: to the end.
    """
    end = until if until is not None else (call.ended_at or 0.0)
    spans = ((start, min(stop if stop is not None else end, end)) for start, stop in call.held)
    return sum(max(0.0, stop - start) for start, stop in spans)


def from_s(call: CallRecord, track: Track) -> float:
    """Return the second of the main recording at which a track begins."""
    if call.answered_at is None:
        return 0.0
    return max(0.0, round(track.at - call.answered_at - held_s(call, track.at), 3))


def pauses(call: CallRecord, track: Track) -> list[tuple[float, float]]:
    """Return when the caller was on hold while a track went on: seconds of the track, below 0 before it began."""
    end = call.ended_at or track.at
    spans = ((start, stop if stop is not None else end) for start, stop in call.held)
    return [(start - track.at, stop - track.at) for start, stop in spans if stop > track.at]


def _placed(turn: Mapping[str, Any], recording: Mapping[str, Any]) -> tuple[float, dict[str, Any]]:
    """Return a turn with its seconds of the main recording, and how long the caller had been on hold by then.

    The main recording has nothing of a consultation: what is said there stands where the music began.
    """
    begins = float(recording.get("from_s", 0.0))
    stops: Sequence[tuple[float, float]] = recording.get("pauses", ())

    def main(second: float) -> float:
        lost = sum(max(0.0, min(second, stop) - max(0.0, start)) for start, stop in stops)
        return round(second + begins - lost, 3)

    said = float(turn["start"])
    on_hold = next((said - start for start, stop in stops if start <= said < stop), 0.0)
    return on_hold, {**turn, "start": main(said), "end": main(float(turn["end"]))}


async def transcribe_all(
    root: Path, recordings: Sequence[Mapping[str, Any]], transcribe: Transcribe
) -> dict[str, Any]:
    """Write down a call's recordings and tell the turns in the order they were said.

    The turns of a message that was left before the talk come first, marked ``message``.

    Args:
        root: the folder to which paths are relative.
        recordings: as the ticket lists them, tracks of one party with their ``pauses``.
        transcribe: turns one recording into words.
    """
    words: dict[str, Any] = {}
    placed: list[tuple[float, dict[str, Any]]] = []
    tracks = [recording for recording in recordings if "from_s" in recording]
    alone = [track for track in tracks if len(track["sides"]) == 1]
    room_from = min((track["from_s"] for track in alone), default=None)
    before: list[dict[str, Any]] = []
    for recording in recordings:
        sides = tuple(recording["sides"])
        told = dict(await transcribe(root / recording["path"], sides))
        words = words or told
        if recording.get("message"):  # left before the talk, in a time of its own
            before += [{**turn, "message": True} for turn in told["turns"]]
            continue
        for turn in told["turns"]:
            on_hold, moved = _placed(turn, recording)
            main = "from_s" not in recording
            mixed = main and room_from is not None and moved["speaker"] != MAIN_SIDES[0]
            if not (mixed and moved["start"] >= room_from):
                placed.append((on_hold, moved))
    placed.sort(key=lambda one: (one[1]["start"], one[0], one[1]["end"]))
    turns = before + [turn for _, turn in placed]
    if tracks or before:
        words |= {"turns": turns, "text": " ".join(turn["text"] for turn in turns)}
    return words
