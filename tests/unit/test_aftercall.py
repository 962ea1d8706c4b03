"""After the call: every answered call ends with a recording and a transcript, or with the word why not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ivr.calls.record import CallRecord
from ivr.errors import HotlineError
from ivr.events.event import Event, Kind
from ivr.recordings import after_call as aftercall
from ivr.recordings.after_call import SIDES, AfterCall, talk_over
from tests.unit.kit import T0, Clock, Journal, event, told

CALL = "a1-1.1"
WORDS = {"text": "停水了", "turns": [], "model": "tiny", "demonstration": True}


class NoModel(HotlineError):
    code = "speech_model"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aftercall, "_SETTLE_S", 0.001)


class Office:
    """An AfterCall over a folder, with a recogniser and a closer that do as told."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.journal = Journal()
        self.closer: Callable[[Path, Path], tuple[float, str]] = self._close
        self.heard: list[tuple[Path, tuple[str, ...]]] = []
        self.failure: Exception | None = None
        self.after = AfterCall(
            root, self.journal.append, lambda raw, wav: self.closer(raw, wav), self._transcribe, Clock()
        )

    def _close(self, raw: Path, wav: Path) -> tuple[float, str]:
        data = raw.read_bytes()
        wav.write_bytes(data)
        raw.unlink()
        return len(data) / 32000, "ab" * 32

    async def _transcribe(self, path: Path, speakers: tuple[str, ...]) -> Mapping[str, Any]:
        self.heard.append((path, speakers))
        if self.failure is not None:
            raise self.failure
        return WORDS

    async def quiet(self) -> None:
        """Wait until nothing is under way: no file is being closed, and nothing waits to be written down."""
        async with asyncio.timeout(60):
            while self.after._closing or not self.after._queue.empty():  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)  # what was taken last: its words come at once here

    async def finish(self, call: CallRecord) -> list[str]:
        """Hand the call over and work until nothing is left; return what was journalled."""
        worker = asyncio.ensure_future(self.after.run())
        before = len(self.journal.events)
        self.after.ended(call)
        for _ in range(10_000):  # a busy machine may need long
            await asyncio.sleep(0.001)
            told_now = self.journal.events[before:]
            if any(event.kind in (Kind.TRANSCRIPT_DONE, Kind.TRANSCRIPT_FAILED) for event in told_now):
                break
        if call.state != "ended":  # the book folds what was told of a copy
            for event in told_now:
                call.apply(event)
        worker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await worker
        return self.journal.kinds(CALL)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def ended_call(recording: str = "", talk_s: float = 10.0, *, answered: bool = True) -> CallRecord:
    start = (0.0, "call_started", {"recording": recording, "caller": {}})
    answer = [(2.0, "answered", {"seat": "01"})] if answered else []
    return told(CALL, [start, (1.0, "queued", {}), *answer, (2.0 + talk_s, "hung_up", {})])


async def test_a_recording_is_closed_and_becomes_words(office: Office) -> None:
    (office.root / "2026").mkdir()
    raw = office.root / "2026/x.raw"
    raw.write_bytes(b"\0" * 320_000)
    call = ended_call(str(office.root / "2026/x"))
    assert await office.finish(call) == ["recording_closed", "transcript_pending", "transcript_done"]
    closed = office.journal.events[0].data
    assert closed == {"path": "2026/x.wav", "sha256": "ab" * 32, "sides": list(SIDES), "seconds": 10.0}
    assert office.heard == [(office.root / "2026/x.wav", SIDES)]
    assert call.transcript == {"status": "done", **WORDS}


async def test_a_recording_outside_the_folder_is_still_found_again(office: Office, tmp_path: Path) -> None:
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x.raw").write_bytes(b"\0" * 320_000)
    await office.finish(ended_call(str(elsewhere / "x")))
    assert office.journal.events[0].data["path"] == str(elsewhere / "x.wav")
    assert office.heard[0][0] == elsewhere / "x.wav"


async def test_a_missing_recording_is_told_in_the_ticket(office: Office) -> None:
    call = ended_call(str(office.root / "nowhere/x"))
    assert await office.finish(call) == ["recording_failed", "transcript_failed"]
    assert "No such file" in office.journal.events[0].data["reason"]
    assert call.transcript["status"] == "failed"
    assert not office.heard


async def test_an_empty_recording_is_told_in_the_ticket(office: Office) -> None:
    def refuse(raw: Path, wav: Path) -> tuple[float, str]:
        raise NoModel(f"{raw.name} holds no sound")

    office.closer = refuse
    (office.root / "x.raw").touch()
    assert await office.finish(ended_call(str(office.root / "x"))) == [
        "recording_failed",
        "transcript_failed",
    ]
    assert office.journal.events[0].data["reason"] == "x.raw holds no sound"


async def test_a_call_without_a_recording_says_so(office: Office) -> None:
    assert await office.finish(ended_call("")) == ["recording_failed", "transcript_failed"]
    assert "no recording was begun" in office.journal.events[0].data["reason"]


async def test_a_recording_cut_short_by_a_full_disk_is_kept_and_told(office: Office) -> None:
    (office.root / "x.raw").write_bytes(b"\0" * 32_000)  # one second of a talk of a minute
    kinds = await office.finish(ended_call(str(office.root / "x"), talk_s=60.0))
    assert kinds == ["recording_closed", "recording_failed", "transcript_pending", "transcript_done"]
    assert office.journal.events[1].data["reason"] == "the recording holds 1.0 s of a talk of 60.0 s"


async def test_a_recording_a_little_shorter_than_the_talk_is_no_fault(office: Office) -> None:
    (office.root / "x.raw").write_bytes(b"\0" * 32_000 * 8)
    kinds = await office.finish(ended_call(str(office.root / "x"), talk_s=10.0))
    assert "recording_failed" not in kinds


async def test_without_a_speech_model_the_recording_stays_and_the_ticket_says_why(office: Office) -> None:
    office.failure = NoModel("there is no speech model")
    (office.root / "x.raw").write_bytes(b"\0" * 320_000)
    call = ended_call(str(office.root / "x"))
    assert await office.finish(call) == ["recording_closed", "transcript_pending", "transcript_failed"]
    assert call.transcript == {"status": "failed", "reason": "there is no speech model"}
    assert (office.root / "x.wav").exists()


async def test_one_call_without_words_does_not_stop_the_next(office: Office) -> None:
    office.failure = NoModel("the worker died")
    (office.root / "x.raw").write_bytes(b"\0" * 320_000)
    await office.finish(ended_call(str(office.root / "x")))
    office.failure = None
    (office.root / "y.raw").write_bytes(b"\0" * 320_000)
    assert (await office.finish(ended_call(str(office.root / "y"))))[-1] == "transcript_done"


async def test_the_recording_is_not_touched_while_asterisk_still_writes(office: Office) -> None:
    raw = office.root / "x.raw"
    raw.write_bytes(b"\0" * 1000)
    sizes: list[int] = []

    def close(raw: Path, wav: Path) -> tuple[float, str]:
        sizes.append(raw.stat().st_size)
        return 10.0, "ab"

    async def write() -> None:
        for _ in range(5):
            with raw.open("ab") as file:
                file.write(b"\0" * 1000)
            await asyncio.sleep(0.02)

    office.closer = close
    aftercall._SETTLE_S = 2.0  # a busy machine may keep the writer waiting
    writer = asyncio.ensure_future(write())
    await office.finish(ended_call(str(office.root / "x")))
    await writer
    assert sizes == [6000]


async def test_a_call_nobody_answered_has_no_recording_and_no_words(office: Office) -> None:
    office.after.ended(ended_call(str(office.root / "x"), answered=False))
    await asyncio.sleep(0.01)
    assert not office.journal.events
    office.after.ended(ended_call("", answered=False))


async def test_after_a_restart_only_what_is_missing_is_done(office: Office) -> None:
    wav = office.root / "x.wav"
    wav.write_bytes(b"sound")
    call = ended_call(str(office.root / "x"))
    call.recordings.append({"path": "x.wav", "sha256": "ab", "sides": list(SIDES)})
    call.recording_settled = True
    call.transcript = {"status": "pending"}
    assert await office.finish(call) == ["transcript_done"]
    office.after.ended(call)
    await asyncio.sleep(0.01)
    assert office.journal.kinds(CALL) == ["transcript_done"]


class Later(HotlineError):
    code = "later"
    retry = True


async def working(office: Office, *calls: CallRecord) -> list[str]:
    """Work on calls until a stop finds nothing under way; return what was journalled."""
    worker = asyncio.ensure_future(office.after.run())
    for call in calls:
        office.after.ended(call)
    await office.quiet()
    assert not worker.done()
    worker.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await worker
    return office.journal.kinds(CALL)


async def test_a_transcript_waiting_at_a_stop_is_pending_not_failed(office: Office) -> None:
    (office.root / "x.raw").write_bytes(b"\0" * 320_000)
    office.failure = Later("the recogniser was stopped")
    call = ended_call(str(office.root / "x"))
    assert await working(office, call) == ["recording_closed", "transcript_pending"]
    assert call.transcript["status"] == "pending"
    office.failure = None  # the next start
    assert await office.finish(call) == ["recording_closed", "transcript_pending", "transcript_done"]


async def test_a_transcript_cut_by_a_stop_is_pending_not_failed(office: Office) -> None:
    wav = office.root / "x.wav"
    wav.write_bytes(b"sound")
    call = ended_call(str(office.root / "x"))
    call.recordings.append({"path": "x.wav", "sha256": "ab", "sides": list(SIDES)})
    call.recording_settled = True
    call.transcript = {"status": "pending"}

    async def for_ever(path: Path, speakers: tuple[str, ...]) -> Mapping[str, Any]:
        await asyncio.Event().wait()
        return WORDS

    office.after = AfterCall(office.root, office.journal.append, office._close, for_ever, Clock())
    assert await working(office, call) == []
    assert call.transcript == {"status": "pending"}


async def test_a_recording_that_finds_the_disk_full_is_postponed_not_lost(office: Office) -> None:
    def full(raw: Path, wav: Path) -> tuple[float, str]:
        raise Later("the disk is full")

    raw = office.root / "x.raw"
    raw.write_bytes(b"\0" * 320_000)
    office.closer = full
    call = ended_call(str(office.root / "x"))
    assert await working(office, call) == ["recording_failed"]
    (told,) = office.journal.events
    assert told.data == {"reason": "the disk is full", "postponed": True}
    assert raw.exists()
    assert call.transcript.get("status") not in ("done", "failed")
    assert not call.recording_settled
    office.closer = office._close  # the next start
    assert (await office.finish(call))[-1] == "transcript_done"


async def test_a_poison_recording_does_not_stop_the_others(office: Office) -> None:
    def poison(raw: Path, wav: Path) -> tuple[float, str]:
        if raw.stem == "bad":
            raise ZeroDivisionError("no frames")
        return office._close(raw, wav)

    office.closer = poison
    for name in ("bad", "good"):
        (office.root / f"{name}.raw").write_bytes(b"\0" * 320_000)
    bad, good = (ended_call(str(office.root / name)) for name in ("bad", "good"))
    await working(office, bad, good)
    assert bad.transcript == {"status": "failed", "reason": "there is no recording"}
    assert "ZeroDivisionError" in next(
        event.data["reason"] for event in office.journal.events if event.kind.value == "recording_failed"
    )
    assert good.transcript["status"] == "done"
    assert (office.root / "bad.raw").exists()


async def test_a_recording_that_breaks_the_recogniser_does_not_end_the_transcripts(office: Office) -> None:
    for name in ("bad", "good"):
        (office.root / f"{name}.raw").write_bytes(b"\0" * 320_000)
    bad, good = (ended_call(str(office.root / name)) for name in ("bad", "good"))

    async def hear(path: Path, speakers: tuple[str, ...]) -> Mapping[str, Any]:
        if path.stem == "bad":
            raise KeyError("turns")
        return WORDS

    office.after = AfterCall(office.root, office.journal.append, office._close, hear, Clock())
    await working(office, bad, good)
    assert bad.transcript == {"status": "failed", "reason": "internal error: KeyError('turns')"}
    assert good.transcript["status"] == "done"


def second_talk(root: Path) -> CallRecord:
    """A caller who pressed 0 in the survey and talked again."""
    return told(
        CALL,
        [
            (0.0, "call_started", {"recording": str(root / "x"), "caller": {}}),
            (1.0, "queued", {}),
            (2.0, "answered", {"seat": "01"}),
            (12.0, "operator_left", {}),
            (20.0, "track_begun", {"path": str(root / "x-part1"), "sides": ["caller", "operator"]}),
            (20.0, "queued", {}),
        ],
    )


async def test_a_second_talk_after_the_survey_is_a_recording_and_words_of_its_own(office: Office) -> None:
    for name in ("x", "x-part1"):
        (office.root / f"{name}.raw").write_bytes(b"\0" * 320_000)
    call = second_talk(office.root)
    assert (await office.finish(call))[-1] == "transcript_done"
    assert [one["path"] for one in call.recordings] == ["x.wav"], "nobody has answered the second time yet"
    call.apply(Event(CALL, T0 + 30.0, Kind.ANSWERED, {"seat": "02"}))
    assert call.transcript["status"] == "pending"
    call.apply(Event(CALL, T0 + 50.0, Kind.HUNG_UP, {}))
    assert (await office.finish(call))[3:] == ["recording_closed", "transcript_pending", "transcript_done"]
    part = call.recordings[-1]
    assert (part["path"], part["sides"], part["from_s"]) == ("x-part1.wav", list(SIDES), 28.0)
    assert [path.name for path, _ in office.heard] == ["x.wav", "x.wav", "x-part1.wav"]


async def test_words_of_the_first_talk_that_come_late_do_not_settle_the_second(office: Office) -> None:
    call = second_talk(office.root)
    call.apply(Event(CALL, T0 + 15.0, Kind.TRANSCRIPT_PENDING, {}))
    call.apply(Event(CALL, T0 + 30.0, Kind.ANSWERED, {"seat": "02"}))
    call.apply(Event(CALL, T0 + 31.0, Kind.TRANSCRIPT_DONE, WORDS))
    assert call.transcript["status"] == "pending"


async def test_a_second_talk_has_its_words_where_the_first_was_not_recorded(office: Office) -> None:
    (office.root / "x-part1.raw").write_bytes(b"\0" * 320_000)
    call = second_talk(office.root)
    await office.finish(call)
    assert call.transcript["status"] == "failed"
    call.apply(Event(CALL, T0 + 30.0, Kind.ANSWERED, {"seat": "02"}))
    call.apply(Event(CALL, T0 + 50.0, Kind.HUNG_UP, {}))
    await office.finish(call)
    assert call.transcript["status"] == "done"


async def test_a_message_stays_in_the_ticket_beside_the_talk_of_its_callback(office: Office) -> None:
    (office.root / "x-message.wav").write_bytes(b"\0" * 32_000)
    claim = {"queue": "q_general", "since": T0, "caller": {}, "recording": str(office.root / "x")}
    call = told(
        CALL,
        [
            (0.0, "call_started", {"recording": str(office.root / "x"), "caller": {}}),
            (1.0, "queued", {}),
            (25.0, "voicemail_left", {"message": str(office.root / "x-message")}),
            (60.0, "callback_claimed", claim),
            (60.0, "hung_up", {}),
        ],
    )

    def close(raw: Path, wav: Path) -> tuple[float, str]:
        return (1.0, "cd" * 32) if wav.exists() else office._close(raw, wav)

    office.closer = close
    assert (await office.finish(call))[-1] == "transcript_done"
    (office.root / "x-callback1.raw").write_bytes(b"\0" * 320_000)
    call.apply(Event(CALL, T0 + 90.0, Kind.CALLBACK_TRIED, {"seat": "01"}))
    call.apply(
        Event(CALL, T0 + 95.0, Kind.CALLBACK_ANSWERED, {"recording": str(office.root / "x-callback1")})
    )
    assert call.transcript["status"] == "pending"
    call.apply(Event(CALL, T0 + 120.0, Kind.HUNG_UP, {}))
    await office.finish(call)
    assert [(one["path"], one["sides"]) for one in call.recordings] == [
        ("x-callback1.wav", list(SIDES)),
        ("x-message.wav", ["caller"]),
    ]
    assert [path.name for path, _ in office.heard][1:] == ["x-message.wav", "x-callback1.wav"]
    assert (call.outcome, call.transcript["status"]) == ("answered", "done")


TAKEN: tuple[float, str, dict[str, Any]] = (
    40.0,
    "taken_over",
    {"seat": "02", "operator": "1002", "channel": "PJSIP/seat02-9"},
)
TALK: list[tuple[float, str, dict[str, Any]]] = [
    (0.0, "call_started", {"recording": "/r/x", "caller": {}}),
    (1.0, "queued", {}),
    (2.0, "answered", {"seat": "01", "channel": "PJSIP/seat01-2"}),
]


@pytest.mark.parametrize(
    ("before", "kind", "data", "over"),
    [
        ([], "operator_left", {"channel": "PJSIP/seat01-2"}, True),
        ([], "operator_left", {"channel": "PJSIP/seat01-2", "reason": "transfer"}, False),
        ([TAKEN], "operator_left", {"channel": "PJSIP/seat01-2"}, False),
        ([TAKEN], "operator_left", {"channel": "PJSIP/seat02-9"}, True),
        ([(30.0, "three_way", {})], "operator_left", {"channel": "PJSIP/seat01-2"}, False),
        ([], "hung_up", {}, True),
        ([], "third_left", {}, False),
    ],
)
def test_the_recording_of_a_talk_that_goes_on_with_somebody_else_is_not_closed(
    before: list[tuple[float, str, dict[str, Any]]], kind: str, data: dict[str, Any], over: bool
) -> None:
    call, last = told(CALL, [*TALK, *before]), event(CALL, 50.0, kind, **data)
    call.apply(last)
    assert talk_over(last, call) is over


def star_call(office: Office, call_id: str, *more: tuple[float, str, dict[str, Any]]) -> CallRecord:
    """A caller who pressed * in the greeting; what was recorded of help lies beside."""
    path = str(office.root / call_id)
    rows: list[tuple[float, str, dict[str, Any]]] = [
        (0.0, "call_started", {"recording": path, "caller": {}}),
        (1.0, "track_begun", {"path": f"{path}-help", "sides": ["caller", "third"]}),
        *(more or ((3.0, "third_answered", {}), (3.0, "handed_off", {}))),
        (30.0, "hung_up", {}),
    ]
    Path(f"{path}-help.raw").write_bytes(b"\0" * 320_000)
    return told(call_id, rows)


async def test_the_talk_of_a_caller_who_only_had_help_is_kept_and_written_down_every_time(
    office: Office,
) -> None:
    for call_id in ("a1-7.1", "a1-7.2"):  # the second as the first
        call = star_call(office, call_id)
        await office.finish(call)
        assert office.journal.kinds(call_id) == ["recording_closed", "transcript_pending", "transcript_done"]
        assert [one["sides"] for one in call.recordings] == [["caller", "third"]]
        assert office.heard[-1] == (office.root / f"{call_id}-help.wav", ("caller", "third"))


async def test_who_called_help_in_vain_and_then_talked_to_an_operator_has_both_parts(office: Office) -> None:
    part: dict[str, Any] = {"path": str(office.root / "a1-8.1-part1"), "sides": ["caller", "operator"]}
    Path(part["path"] + ".raw").write_bytes(b"\0" * 160_000)
    talk: list[tuple[float, str, dict[str, Any]]] = [
        (9.0, "queued", {}),
        (9.0, "track_begun", part),
        (12.0, "answered", {"seat": "01", "channel": "PJSIP/seat01-2"}),
    ]
    call = star_call(office, "a1-8.1", *talk)
    await office.finish(call)
    assert office.journal.kinds("a1-8.1") == [
        *["recording_closed"] * 2, "transcript_pending", "transcript_done"
    ]  # fmt: skip
    assert [one["sides"] for one in call.recordings] == [["caller", "third"], ["caller", "operator"]]
