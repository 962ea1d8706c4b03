"""``python -m ivr.speech.worker --model PATH``: the recogniser as a process of its own.

One JSON object a line on stdin, one on stdout, in order; the first line says whether the model is
ready. Runs nice'd, because people talking come before words being written down. It must never write
anything else to stdout: whatever a library prints goes to stderr.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from ivr.errors import HotlineError
from ivr.speech.audio import telephone_wav
from ivr.speech.recognizer import Recognizer, Turn, join_words
from ivr.speech.recording import checked_wav, sides

NICENESS = 10
_PR_SET_PDEATHSIG = 1


class RequestWrong(HotlineError):
    """A line on stdin is not a request."""

    code = "transcription_request_wrong"


def main(arguments: list[str] | None = None) -> int:
    """Serve requests until stdin ends; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m ivr.speech.worker", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of a vosk model")
    parser.add_argument("--die-with-parent", action="store_true", help="end when the starting process ends")
    options = parser.parse_args(arguments)
    if options.die_with_parent:
        _die_with_parent()
    os.nice(NICENESS)
    replies = _private_stdout()
    try:
        recognizer = Recognizer(options.model)
    except HotlineError as error:
        _say(replies, {"ready": False, "error": _error(error)})
        return 1
    facts = recognizer.facts
    _say(replies, {"ready": True, "model": facts.name, "demonstration": facts.demonstration})
    serve(recognizer, sys.stdin.buffer, replies)
    return 0


def serve(recognizer: Recognizer, requests: Iterable[bytes], replies: BinaryIO) -> None:
    """Answer every request line with one reply line; a bad request or file never ends the service."""
    for line in requests:
        request_id: object = None
        try:
            request = _request(line)
            request_id = request["id"]
            reply = _transcript(recognizer, Path(request["path"]), request["speakers"])
        except HotlineError as error:
            reply = {"ok": False, "error": _error(error)}
        except (OSError, EOFError, ValueError) as error:
            reply = {"ok": False, "error": _error(HotlineError(f"The recording cannot be read: {error}."))}
        _say(replies, {"id": request_id, **reply})


def transcribe_file(recognizer: Recognizer, path: Path, speakers: list[str]) -> tuple[list[Turn], float]:
    """Write down a recording, one speaker a channel.

    Args:
        recognizer: the loaded model.
        path: a recording in any format; wav of 8 kHz 16 bit is read as it is.
        speakers: who is on the first (left) and second channel; more names than channels are not used.

    Returns:
        the turns of all speakers in the order they began, and the length in seconds.

    Raises:
        HotlineError: the recording is missing, empty, damaged or no audio.
    """
    with telephone_wav(path) as wav:
        seconds = checked_wav(wav)[0]
        turns: list[Turn] = []
        for channel, chunks in enumerate(sides(wav)):
            speaker = speakers[channel] if channel < len(speakers) else f"speaker{channel + 1}"
            said = recognizer.transcribe(chunks)
            turns += [Turn(turn.start, turn.end, turn.text, speaker) for turn in said]
    turns.sort(key=lambda turn: (turn.start, turn.end))
    return turns, seconds


def _transcript(recognizer: Recognizer, path: Path, speakers: list[str]) -> dict[str, Any]:
    turns, seconds = transcribe_file(recognizer, path, speakers)
    return {
        "ok": True,
        "turns": [asdict(turn) for turn in turns],
        "text": join_words(turn.text for turn in turns),
        "model": recognizer.facts.name,
        "demonstration": recognizer.facts.demonstration,
        "seconds": round(seconds, 3),
    }


def _request(line: bytes) -> Mapping[str, Any]:
    """Read one request.

    Raises:
        RequestWrong: it is not JSON or lacks a field.
    """
    try:
        request = json.loads(line)
        speakers = request["speakers"]
        if not (isinstance(request["path"], str) and isinstance(speakers, list) and "id" in request):
            raise TypeError
        if "\0" in request["path"] or not all(isinstance(speaker, str) for speaker in speakers):
            raise TypeError
    except (ValueError, KeyError, TypeError) as error:
        raise RequestWrong(
            'A request is one line of JSON with "id", "path" and "speakers" (a list of names).',
            "请求须为一行 JSON，含 id、path 和 speakers（名称列表）。",
        ) from error
    return {"id": request["id"], "path": request["path"], "speakers": speakers}


def _error(error: HotlineError) -> dict[str, Any]:
    return {"code": error.code, "sentence": error.sentence, "zh": error.zh, "retry": error.retry}


def _say(replies: BinaryIO, message: Mapping[str, Any]) -> None:
    replies.write(json.dumps(message, ensure_ascii=False).encode() + b"\n")
    replies.flush()


def _private_stdout() -> BinaryIO:
    """Keep the real stdout for replies and send everything else that is printed to stderr."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return replies


def _die_with_parent() -> None:
    """Ask Linux to end this process with the engine (prctl(2)); stdin's end alone waits for the job."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1:
        raise SystemExit(1)


if __name__ == "__main__":
    raise SystemExit(main())
