"""What was said becomes text, and whatever a recording or a model is like, the engine goes on."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import wave
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.errors import HotlineError
from ivr.speech import models, recognizer
from ivr.speech.audio import sides, to_mp3
from ivr.speech.prompts import SHIPPED
from ivr.speech.recognizer import Turn
from ivr.speech.transcriber import (
    SpeechUnavailable,
    State,
    Transcriber,
    TranscriptionFailed,
)

pytestmark = pytest.mark.slow

SECOND = bytes(16000)
MODEL = models.DEMONSTRATION
SPEAKERS = ("caller", "operator")
TRANSFER, HOLD_ON = "P004", "P022"
TRANSFER_TEXT, HOLD_ON_TEXT = "正在为您转接人工请稍候", "座席正忙请继续等候感谢您的耐心"


def _pcm(prompt: str) -> bytes:
    with wave.open(str(SHIPPED / "zh" / f"{prompt}.wav"), "rb") as sound:
        return sound.readframes(sound.getnframes())


def _call(path: Path, caller: bytes, operator: bytes | None = None) -> Path:
    """Write a call recording; with an operator, one side a channel."""
    frames = caller
    if operator is not None:
        size = max(len(caller), len(operator))
        left, right = caller.ljust(size, b"\0"), operator.ljust(size, b"\0")
        frames = b"".join(left[at : at + 2] + right[at : at + 2] for at in range(0, size, 2))
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1 if operator is None else 2)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(frames)
    return path


def _alike(said: str, text: str) -> float:
    return difflib.SequenceMatcher(None, said, text).ratio()


async def _until(true: Callable[[], bool], limit_s: float = 20.0) -> None:
    deadline = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


@pytest.fixture
async def transcriber() -> AsyncIterator[Transcriber]:
    speech = Transcriber(MODEL)
    await speech.start()
    yield speech
    await speech.close()


@pytest.fixture(scope="module")
def loaded() -> recognizer.Recognizer:
    return recognizer.Recognizer(MODEL)


@pytest.fixture
def long_call(tmp_path: Path) -> Path:
    """Five minutes of speech: long enough to do something to the worker meanwhile."""
    return _call(tmp_path / "long.wav", (_pcm(TRANSFER) + _pcm(HOLD_ON)) * 45)


async def test_both_sides_of_a_call_are_written_down_in_order(
    transcriber: Transcriber, tmp_path: Path
) -> None:
    caller = SECOND + _pcm(TRANSFER) + SECOND * 8 + _pcm(TRANSFER)
    operator = SECOND * 6 + _pcm(HOLD_ON)
    written = await transcriber.transcribe(_call(tmp_path / "call.wav", caller, operator), SPEAKERS)
    assert [turn.start for turn in written.turns] == sorted(turn.start for turn in written.turns)
    mine = "".join(turn.text for turn in written.turns if turn.speaker == "caller")
    theirs = "".join(turn.text for turn in written.turns if turn.speaker == "operator")
    assert _alike(mine, TRANSFER_TEXT * 2) > 0.8
    assert _alike(theirs, HOLD_ON_TEXT) > 0.8
    assert " " not in written.text
    assert written.demonstration
    assert written.model
    assert written.seconds == pytest.approx(len(caller) / 16000, abs=0.01)


async def test_the_words_of_a_turn_lie_where_they_were_spoken(
    transcriber: Transcriber, tmp_path: Path
) -> None:
    length = len(_pcm(HOLD_ON)) / 16000
    # A long digital silence before and between: what is skipped must not move the times.
    audio = SECOND * 20 + _pcm(HOLD_ON) + SECOND * 30 + _pcm(HOLD_ON)
    written = await transcriber.transcribe(_call(tmp_path / "call.wav", audio), ["caller"])
    first = [turn for turn in written.turns if turn.start < 40]
    second = [turn for turn in written.turns if turn.start >= 40]
    assert first[0].start == pytest.approx(20.0, abs=0.6)
    assert first[-1].end == pytest.approx(20.0 + length, abs=0.6)
    assert second[0].start == pytest.approx(50.0 + length, abs=0.6)
    assert second[-1].end == pytest.approx(50.0 + 2 * length, abs=0.6)


async def test_a_silent_call_has_no_words(transcriber: Transcriber, tmp_path: Path) -> None:
    written = await transcriber.transcribe(_call(tmp_path / "call.wav", SECOND * 60, SECOND * 60), SPEAKERS)
    assert (written.text, written.turns) == ("", ())


@pytest.mark.parametrize("pause_s", [1, 2, 5])
def test_skipping_silence_changes_no_word(
    loaded: recognizer.Recognizer, tmp_path: Path, pause_s: int
) -> None:
    audio = (_pcm(TRANSFER) + SECOND * pause_s + _pcm(HOLD_ON) + SECOND * pause_s) * 2
    wav = _call(tmp_path / "call.wav", audio)
    skipped = loaded.transcribe(sides(wav)[0])
    # One tick of noise per chunk keeps the silence from counting as digital.
    noisy = (chunk[:-2] + b"\x20\0" for chunk in sides(wav)[0])
    assert [turn.text for turn in skipped] == [turn.text for turn in loaded.transcribe(noisy)]


async def test_a_recording_in_another_format_is_written_down_too(
    transcriber: Transcriber, tmp_path: Path
) -> None:
    brought = to_mp3(SHIPPED / "zh" / f"{TRANSFER}.wav", tmp_path / "a.mp3")
    written = await transcriber.transcribe(brought, ["caller"])
    assert _alike(written.text, TRANSFER_TEXT) > 0.6


async def test_a_bad_recording_fails_alone(transcriber: Transcriber, tmp_path: Path) -> None:
    whole = _call(tmp_path / "whole.wav", _pcm(TRANSFER)).read_bytes()
    cases = {
        "recording_missing": None,
        "recording_empty": b"",
        "recording_damaged": whole[: len(whole) // 2],
        "not_audio": b"RIFF and then nothing that makes sense" * 9,
    }
    for code, content in cases.items():
        path = tmp_path / f"{code}.wav"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(TranscriptionFailed) as failed:
            await transcriber.transcribe(path, SPEAKERS)
        assert failed.value.reason_code == code
        assert code in failed.value.sentence or str(path) in failed.value.sentence
    no_length = _call(tmp_path / "no_length.wav", b"")
    with pytest.raises(TranscriptionFailed, match="no length"):
        await transcriber.transcribe(no_length, SPEAKERS)
    assert (await transcriber.transcribe(tmp_path / "whole.wav", ["caller"])).text
    assert transcriber.status.state is State.LIVE


async def test_a_recording_cut_in_mid_sample_is_read_to_its_last_whole_one(
    transcriber: Transcriber, tmp_path: Path
) -> None:
    path = _call(tmp_path / "odd.wav", _pcm(TRANSFER))
    with path.open("ab") as file:
        file.write(b"\1")
    assert _alike((await transcriber.transcribe(path, ["caller"])).text, TRANSFER_TEXT) > 0.8


async def test_a_worker_killed_in_mid_job_costs_no_transcript(
    transcriber: Transcriber, long_call: Path
) -> None:
    first = transcriber.status.pid
    job = asyncio.create_task(transcriber.transcribe(long_call, ["caller"]))
    await asyncio.sleep(0.3)
    assert first is not None
    os.kill(first, signal.SIGKILL)
    written = await job
    assert len(written.text) > 45 * len(TRANSFER_TEXT)
    assert transcriber.status.pid not in (None, first)


async def test_a_recording_that_kills_the_worker_twice_fails_and_the_next_is_fine(
    transcriber: Transcriber, long_call: Path, tmp_path: Path
) -> None:
    job = asyncio.create_task(transcriber.transcribe(long_call, ["caller"]))
    for _ in range(2):
        await _until(lambda: transcriber.status.state is State.LIVE)
        pid = transcriber.status.pid
        await asyncio.sleep(0.3)
        assert pid is not None
        os.kill(pid, signal.SIGSEGV)
        await _until(lambda pid=pid: transcriber.status.pid != pid)  # type: ignore[misc]
    with pytest.raises(TranscriptionFailed) as failed:
        await job
    assert failed.value.reason_code == "recording_breaks_recognizer"
    assert (await transcriber.transcribe(_call(tmp_path / "next.wav", _pcm(TRANSFER)), ["caller"])).text


async def test_a_worker_that_dies_while_idle_comes_back_by_itself(transcriber: Transcriber) -> None:
    first = transcriber.status.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await _until(lambda: transcriber.status.state is State.LIVE and transcriber.status.pid != first)


async def test_a_recording_that_takes_too_long_is_given_up(long_call: Path, tmp_path: Path) -> None:
    speech = Transcriber(MODEL, job_timeout_s=0.3)
    await speech.start()
    try:
        with pytest.raises(TranscriptionFailed) as failed:
            await speech.transcribe(long_call, ["caller"])
        assert failed.value.reason_code == "transcription_timed_out"
        await _until(lambda: speech.status.state is State.LIVE)
    finally:
        await speech.close()


async def test_a_cancelled_job_does_not_answer_the_next_one(
    transcriber: Transcriber, long_call: Path, tmp_path: Path
) -> None:
    job = asyncio.create_task(transcriber.transcribe(long_call, ["caller"]))
    await asyncio.sleep(0.2)
    job.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await job
    written = await transcriber.transcribe(_call(tmp_path / "next.wav", _pcm(TRANSFER)), ["caller"])
    assert _alike(written.text, TRANSFER_TEXT) > 0.8


async def test_a_worn_out_worker_is_replaced(tmp_path: Path) -> None:
    speech = Transcriber(MODEL, recycle_after=2)
    await speech.start()
    path = _call(tmp_path / "a.wav", _pcm(TRANSFER))
    try:
        pids = []
        for _ in range(5):
            await speech.transcribe(path, ["caller"])
            pids.append(speech.status.pid)
        assert len(set(pids)) == 3
    finally:
        await speech.close()


async def test_closing_leaves_no_process_behind_even_in_mid_job(long_call: Path) -> None:
    speech = Transcriber(MODEL)
    pid = (await speech.start()).pid
    job = asyncio.create_task(speech.transcribe(long_call, ["caller"]))
    await asyncio.sleep(0.2)
    await speech.close()
    with pytest.raises(SpeechUnavailable):
        await job
    assert pid is not None
    assert _is_gone(pid)
    assert speech.status.state is State.DOWN


async def test_closing_while_the_model_loads_leaves_no_process_behind() -> None:
    speech = Transcriber(MODEL)
    start = asyncio.create_task(speech.start())
    await asyncio.sleep(0.1)
    await speech.close()
    await start
    assert speech.status.state is State.DOWN
    assert not [child for child in psutil.Process().children() if "ivr.speech.worker" in child.cmdline()]


async def test_the_worker_ends_with_a_killed_engine(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys, pathlib\n"
        "from ivr.speech.transcriber import Transcriber\n"
        "async def main():\n"
        f"    speech = Transcriber(pathlib.Path({str(MODEL)!r}))\n"
        "    print((await speech.start()).pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    engine = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
    )
    assert engine.stdout is not None
    worker = int(await engine.stdout.readline())
    engine.kill()
    await engine.wait()
    await _until(lambda: _is_gone(worker))


def _is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def _state_with(model: Path) -> Transcriber:
    speech = Transcriber(model)
    await speech.start()
    return speech


async def test_a_missing_model_leaves_the_engine_running(tmp_path: Path) -> None:
    speech = await _state_with(tmp_path / "none")
    assert speech.status.state is State.DOWN
    assert "does not exist" in speech.status.reason
    assert "不存在" in speech.status.reason_zh
    with pytest.raises(SpeechUnavailable, match="does not exist") as refused:
        await speech.transcribe(tmp_path / "a.wav", SPEAKERS)
    assert not refused.value.retry
    await speech.close()


@pytest.mark.parametrize("name", ["am/final.mdl", "graph/Gr.fst", "graph/HCLr.fst", "conf/mfcc.conf"])
@pytest.mark.parametrize("fault", ["missing", "empty", "garbage"])
@pytest.mark.parametrize("checksums", [True, False])
async def test_a_broken_model_is_reported_and_never_crashes_the_engine(
    tmp_path: Path, name: str, fault: str, checksums: bool
) -> None:
    model = tmp_path / "model"
    shutil.copytree(MODEL, model)
    if not checksums:
        (model / "SHA256SUMS").unlink()
    match fault:
        case "missing":
            (model / name).unlink()
        case "empty":
            (model / name).write_bytes(b"")
        case _:
            (model / name).write_bytes(b"--no-such-option=\xff\0garbage\n" * 50)
    speech = await _state_with(model)
    assert speech.status.state is State.DOWN
    assert speech.status.reason
    with pytest.raises(SpeechUnavailable):
        await speech.transcribe(tmp_path / "a.wav", SPEAKERS)
    await speech.close()


async def test_a_worker_that_cannot_be_started_is_reported(tmp_path: Path) -> None:
    speech = Transcriber(MODEL, python=str(tmp_path / "no-python"))
    await speech.start()
    assert speech.status.state is State.DOWN
    assert "cannot be started" in speech.status.reason
    assert "无法启动" in speech.status.reason_zh
    with pytest.raises(SpeechUnavailable) as refused:
        await speech.transcribe(tmp_path / "a.wav", SPEAKERS)
    assert "无法启动" in refused.value.zh, "also while it is not tried again yet"
    await speech.close()


def test_an_installed_model_goes_before_the_demonstration_model(tmp_path: Path) -> None:
    assert models.find_model(Path("/chosen")) == Path("/chosen")
    service = tmp_path / models.SERVICE_MODEL
    (service / "am").mkdir(parents=True)
    (service / "am" / "final.mdl").touch()
    assert models.find_model(None, {"VOSK_MODEL_PATH": str(tmp_path)}) == service


def test_a_model_of_16_khz_is_fed_what_it_can_take(tmp_path: Path) -> None:
    model = _model_folder(tmp_path)
    assert (models.check_model(model).rate_hz, models.check_model(model).feed_hz) == (16000, 16000)
    (model / "conf" / "mfcc.conf").write_text("--sample-frequency=16000\n--allow-upsample=true\n")
    assert models.check_model(model).feed_hz == 8000
    doubled = b"".join(recognizer._at_rate([SECOND, SECOND], 16000))
    assert len(doubled) == pytest.approx(4 * len(SECOND), abs=8)


def _model_folder(parent: Path, name: str = "model") -> Path:
    model = parent / name
    for file in ("am/final.mdl", "conf/model.conf", "graph/HCLG.fst"):
        (model / file).parent.mkdir(parents=True, exist_ok=True)
        (model / file).write_text("x")
    (model / "conf" / "mfcc.conf").write_text("--sample-frequency=16000\n")
    return model


def _zip(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder.parent))
    return target


def test_a_model_is_installed_only_if_it_is_the_right_file(tmp_path: Path) -> None:
    archive = _zip(_model_folder(tmp_path / "made", "vosk-x"), tmp_path / "m.zip")
    with pytest.raises(models.ModelFileWrong, match="not the expected model"):
        models.install_model(archive, tmp_path / "models")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    for _ in range(2):
        facts = models.install_model(archive, tmp_path / "models", expected_sha256=digest)
        assert facts.path == tmp_path / "models" / "vosk-x"
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["vosk-x"]


def test_a_zip_that_is_no_model_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "made" / "vosk-x").mkdir(parents=True)
    (tmp_path / "made" / "vosk-x" / "readme").write_text("x")
    archive = _zip(tmp_path / "made" / "vosk-x", tmp_path / "m.zip")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    with pytest.raises(models.ModelBroken):
        models.install_model(archive, tmp_path / "models", expected_sha256=digest)
    with zipfile.ZipFile(archive, "w") as evil:
        evil.writestr("../evil/am/final.mdl", "x")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    with pytest.raises(models.ModelFileWrong):
        models.install_model(archive, tmp_path / "models", expected_sha256=digest)
    assert list((tmp_path / "models").iterdir()) == []
    with pytest.raises(models.ModelFileWrong):
        models.install_model(tmp_path / "none.zip", tmp_path / "models")


def test_a_grammar_is_made_of_known_words_only() -> None:
    known = {"社保", "医保", "公", "积", "金"}
    grammar, left_out = recognizer.build_grammar(["社保", "公积金", "外星人", ""], known.__contains__)
    assert json.loads(grammar) == ["社保", "公 积 金", "[unk]"]
    assert left_out == ("外星人", "")
    with pytest.raises(recognizer.GrammarWrong):
        recognizer.build_grammar(["外星人"], known.__contains__)
    with pytest.raises(recognizer.GrammarWrong):
        recognizer.build_grammar([], known.__contains__)


@given(phrases=st.lists(st.text(max_size=12), max_size=6))
def test_no_phrase_whatever_can_crash_the_recogniser(
    loaded: recognizer.Recognizer, phrases: list[str]
) -> None:
    try:
        grammar, _ = recognizer.build_grammar([*phrases, '"]', "{}", "a\0b", "社保"], loaded.knows)
    except HotlineError:
        return
    loaded.transcribe([SECOND], grammar=grammar)


def test_a_menu_word_is_recognised_with_a_grammar(loaded: recognizer.Recognizer) -> None:
    grammar, left_out = recognizer.build_grammar(["投诉举报", "咨询", "求助"], loaded.knows)
    assert left_out == ()
    sound = SECOND[:4000] + _pcm("category_complaint_report") + SECOND
    assert "".join(turn.text for turn in loaded.transcribe([sound], grammar=grammar)) == "投诉举报"


def test_words_are_written_as_people_write_them() -> None:
    assert (
        recognizer.join_words(["您好", "[unk]", "社保", "for", "English", "热线"])
        == "您好社保for English热线"
    )


def test_the_worker_answers_every_line_and_nothing_else(tmp_path: Path) -> None:
    good = json.dumps(
        {"id": 7, "path": str(_call(tmp_path / "a.wav", _pcm(TRANSFER))), "speakers": ["caller"]}
    )
    bad = ["not json", "[]", '{"id": 1}', '{"id": 2, "path": 3, "speakers": []}', "null"]
    done = subprocess.run(
        [sys.executable, "-m", "ivr.speech.worker", "--model", str(MODEL)],
        input="\n".join([*bad, good]) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    first, *replies = [json.loads(line) for line in done.stdout.splitlines()]
    assert first["ready"] is True
    assert first["demonstration"] is True
    assert [reply["ok"] for reply in replies] == [False] * len(bad) + [True]
    assert {reply["error"]["code"] for reply in replies[:-1]} == {"transcription_request_wrong"}
    assert replies[-1]["id"] == 7
    assert replies[-1]["turns"][0]["speaker"] == "caller"


def test_the_engine_never_loads_the_recogniser() -> None:
    code = (
        "import sys, ivr.speech.transcriber, ivr.speech.prompts, ivr.speech.audio, ivr.speech.models\n"
        "print([name for name in ('vosk', 'numpy', 'pydub', 'audioop') if name in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


def test_a_turn_is_the_same_thing_on_both_sides_of_the_wire() -> None:
    assert Turn(0.5, 1.0, "您好", "caller").speaker == "caller"
