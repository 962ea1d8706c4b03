"""What callers would notice if the shipped demonstration model were broken; needs vosk only."""

import hashlib
import json
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import pytest
import vosk

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "ivr" / "speech" / "models" / "demonstration"
SPEECH = ROOT / "tests" / "data" / "speech"
RATE = 8_000
RECORDINGS = [row.split("\t") for row in (SPEECH / "transcripts.tsv").read_text("utf-8").splitlines()]
EMERGENCY_WORDS = (SPEECH / "emergency_words.txt").read_text("utf-8").split()


@pytest.fixture(scope="module")
def model() -> Any:
    vosk.SetLogLevel(-1)
    return vosk.Model(str(MODEL))


def sound(name: str) -> bytes:
    with wave.open(str(SPEECH / f"{name}.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        pcm: bytes = file.readframes(file.getnframes())
    return pcm


def listen(model: Any, pcm: bytes, grammar: list[str] | None = None) -> list[dict[str, Any]]:
    """Return the words heard, with times, when sound arrives in pieces of 100 ms as in a call."""
    extra = [json.dumps(grammar, ensure_ascii=False)] if grammar else []
    recognizer = vosk.KaldiRecognizer(model, RATE, *extra)
    recognizer.SetWords(True)
    results = []
    for at in range(0, len(pcm), RATE // 5):
        if recognizer.AcceptWaveform(pcm[at : at + RATE // 5]):
            results.append(json.loads(recognizer.Result()))
    results.append(json.loads(recognizer.FinalResult()))
    return [word for result in results for word in result.get("result", [])]


def text_of(words: list[dict[str, Any]]) -> str:
    return "".join(word["word"] for word in words).replace("幺", "一")


def errors(said: str, heard: str) -> int:
    row = list(range(len(heard) + 1))
    for i, a in enumerate(said, 1):
        corner, row[0] = row[0], i
        for j, b in enumerate(heard, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (a != b))
    return row[-1]


def vocabulary() -> set[str]:
    rows = (MODEL / "graph" / "words.txt").read_text("utf-8").splitlines()
    return {row.split()[0] for row in rows}


@pytest.mark.parametrize(("name", "voice", "said"), RECORDINGS, ids=[row[0] for row in RECORDINGS])
def test_the_operator_reads_what_the_caller_said(model: Any, name: str, voice: str, said: str) -> None:
    heard = text_of(listen(model, sound(name)))
    assert errors(said, heard) <= 0.2 * len(said), f"{voice} said {said}, heard {heard}"


def test_all_recordings_together_are_nearly_free_of_errors(model: Any) -> None:
    wrong = sum(errors(said, text_of(listen(model, sound(name)))) for name, _, said in RECORDINGS)
    assert wrong / sum(len(said) for _, _, said in RECORDINGS) <= 0.06


@pytest.mark.parametrize(("name", "word"), [("fire", "着火"), ("gas_leak", "泄漏")])
def test_an_emergency_is_heard_as_a_word_of_its_own(model: Any, name: str, word: str) -> None:
    assert word in [heard["word"] for heard in listen(model, sound(name))]


LINE_NAMES = [("line_labour", "欠薪"), ("line_gas", "燃气"), ("line_law", "法律援助")]


@pytest.mark.parametrize(("name", "alias"), LINE_NAMES)
def test_the_name_of_a_line_is_heard(model: Any, name: str, alias: str) -> None:
    assert alias in text_of(listen(model, sound(name)))


def test_words_come_with_times_inside_the_sound(model: Any) -> None:
    pcm = sound("housing_fund")
    words = listen(model, pcm)
    assert all(0 <= word["start"] < word["end"] <= len(pcm) / 2 / RATE + 0.1 for word in words)
    assert [word["start"] for word in words] == sorted(word["start"] for word in words)


def test_a_grammar_hears_its_words_and_nothing_else(model: Any) -> None:
    grammar = ["我", "想", "咨询", "一", "下", "公积金", "怎么", "提取", "社保", "路灯", "[unk]"]
    heard = [word["word"] for word in listen(model, sound("housing_fund"), grammar)]
    assert "公积金" in heard
    assert set(heard) <= set(grammar)


def test_a_sentence_outside_the_grammar_is_unknown_and_no_wrong_choice(model: Any) -> None:
    grammar = ["公积金", "社保卡", "护照", "[unk]"]
    heard = [word["word"] for word in listen(model, sound("power_cut"), grammar)]
    assert heard and set(heard) == {"[unk]"}


def test_silence_is_no_words(model: Any) -> None:
    assert listen(model, bytes(RATE * 2 * 3)) == []


def test_every_name_of_every_line_can_be_spelled_with_the_vocabulary() -> None:
    text = (ROOT / "tools" / "speech_model" / "corpus" / "lines.tsv").read_text("utf-8")
    names = "".join(row for row in text.splitlines() if not row.startswith("#"))
    assert {c for c in names if "\u4e00" <= c <= "\u9fff"} <= vocabulary()


def test_emergency_words_and_digits_are_words(model: Any) -> None:
    for word in [*EMERGENCY_WORDS, *"零一二三四五六七八九十百幺两", "人工", "满意", "[unk]"]:
        assert model.vosk_model_find_word(word) >= 0, word


def test_the_card_tells_the_truth() -> None:
    card = json.loads((MODEL / "model.json").read_text("utf-8"))
    assert card["demonstration"] is True
    assert card["sample_rate"] == RATE
    assert card["words"] == len(vocabulary() - {"<eps>", "[unk]"})
    assert "demonstration" in (MODEL / "README.md").read_text("utf-8")
    assert "演示" in (MODEL / "README.md").read_text("utf-8")


def test_the_files_are_the_ones_that_were_made() -> None:
    rows = (row.split("  ") for row in (MODEL / "SHA256SUMS").read_text().splitlines())
    sums = {name: expected for expected, name in rows}
    files = {str(p.relative_to(MODEL)) for p in MODEL.rglob("*") if p.is_file()} - {"SHA256SUMS"}
    assert set(sums) == files
    for name, expected in sums.items():
        assert hashlib.sha256((MODEL / name).read_bytes()).hexdigest() == expected, name
    assert sum((MODEL / name).stat().st_size for name in files) < 8_000_000


def test_vosk_loads_it_without_complaint() -> None:
    program = f"import vosk; vosk.KaldiRecognizer(vosk.Model({str(MODEL)!r}), {RATE})"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "ERROR" not in result.stderr and "WARNING" not in result.stderr, result.stderr
