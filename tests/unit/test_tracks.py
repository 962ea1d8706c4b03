"""Who said what of three, and when."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ivr.calls.legs import Track
from ivr.calls.record import CallRecord
from ivr.recordings.tracks import from_s, held_s, pauses, transcribe_all
from tests.unit.kit import T0, told


def turn(speaker: str, start: float, text: str) -> dict[str, Any]:
    return {"speaker": speaker, "start": start, "end": start + 1.0, "text": text}


def a_call() -> CallRecord:
    return told(
        "c1",
        [
            (0, "call_started", {"channel": "PJSIP/trunk-1"}),
            (10, "answered", {"seat": "01", "operator": "1001", "channel": "PJSIP/seat01-1"}),
            (20, "transfer_wanted", {"n": 1}),
            (20, "caller_held", {}),
            (50, "three_way", {"target": "110"}),
            (80, "hung_up", {}),
        ],
    )


def test_the_music_is_not_counted_as_recorded() -> None:
    call = a_call()
    assert held_s(call) == 30.0
    assert held_s(call, T0 + 25) == 5.0


def test_a_track_begins_where_the_main_recording_was_at_that_moment() -> None:
    call = a_call()
    assert from_s(call, Track("/r/o", ("operator",), T0 + 20)) == 10.0
    assert from_s(call, Track("/r/t", ("third",), T0 + 55)) == 15.0
    assert from_s(CallRecord("c2"), Track("/r/h", ("caller", "third"), T0)) == 0.0


async def test_words_of_the_room_are_taken_from_each_partys_own_track() -> None:
    said = {
        "c1.wav": [
            turn("caller", 1.0, "停水了"),
            turn("operator", 3.0, "您好"),
            turn("operator", 12.0, "混音"),
        ],
        "c1-o.wav": [turn("operator", 2.0, "请说")],
        "c1-t.wav": [turn("third", 4.0, "水务集团")],
    }

    async def transcribe(path: Path, speakers: tuple[str, ...]) -> Mapping[str, Any]:
        assert speakers
        return {"text": "x", "turns": said[path.name], "model": "tiny", "demonstration": True}

    words = await transcribe_all(
        Path("/r"),
        [
            {"path": "c1.wav", "sides": ["caller", "operator"]},
            {"path": "c1-o.wav", "sides": ["operator"], "from_s": 10.0},
            {"path": "c1-t.wav", "sides": ["third"], "from_s": 10.5},
        ],
        transcribe,
    )
    assert [(t["speaker"], t["start"], t["text"]) for t in words["turns"]] == [
        ("caller", 1.0, "停水了"),
        ("operator", 3.0, "您好"),
        ("operator", 12.0, "请说"),
        ("third", 14.5, "水务集团"),
    ]
    assert words["text"] == "停水了 您好 请说 水务集团"
    assert words["demonstration"] is True


async def test_a_message_before_the_talk_is_told_first_and_marked() -> None:
    said = {"m.wav": [turn("caller", 9.0, "停电了")], "c1.wav": [turn("operator", 1.0, "您好")]}

    async def transcribe(path: Path, speakers: tuple[str, ...]) -> Mapping[str, Any]:
        assert speakers
        return {"text": "x", "turns": said[path.name], "model": "tiny", "demonstration": True}

    words = await transcribe_all(
        Path("/r"),
        [
            {"path": "m.wav", "sides": ["caller"], "message": True},
            {"path": "c1.wav", "sides": ["caller", "operator"]},
        ],
        transcribe,
    )
    assert [(t["text"], t.get("message", False)) for t in words["turns"]] == [
        ("停电了", True),
        ("您好", False),
    ]
    assert words["text"] == "停电了 您好"


async def test_answers_after_a_consultation_stand_behind_their_questions() -> None:
    call = a_call()  # on hold from second 10 to 40 of the talk: the main recording goes from 10 on to 10
    operator, third = Track("/r/o", ("operator",), T0 + 20.5), Track("/r/t", ("third",), T0 + 30)
    assert from_s(call, third) == 10.0
    said = {
        "c1.wav": [turn("caller", 12.0, "几点来水")],
        "o.wav": [turn("operator", 11.0, "咨询一下"), turn("operator", 34.5, "您稍等")],
        "t.wav": [turn("third", 3.5, "请讲"), turn("third", 23.0, "今晚")],
    }

    async def transcribe(path: Path, speakers: tuple[str, ...]) -> Mapping[str, Any]:
        assert speakers
        return {"text": "x", "turns": said[path.name], "model": "tiny", "demonstration": True}

    beside = [
        {"path": "o.wav", "sides": ["operator"], "from_s": 10.0, "pauses": pauses(call, operator)},
        {"path": "t.wav", "sides": ["third"], "from_s": 10.0, "pauses": pauses(call, third)},
    ]
    main = {"path": "c1.wav", "sides": ["caller", "operator"]}
    words = await transcribe_all(Path("/r"), [main, *beside], transcribe)
    assert [(one["start"], one["text"]) for one in words["turns"]] == [
        (10.0, "咨询一下"),
        (10.0, "请讲"),
        (12.0, "几点来水"),
        (13.0, "今晚"),
        (15.0, "您稍等"),
    ]
