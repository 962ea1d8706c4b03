"""What callers are told while they wait: always a whole recording at the same place."""

from __future__ import annotations

import re
import wave
from pathlib import Path

import pytest

from ivr.asterisk.install.rendering import render
from ivr.home.secrets import open_keys
from ivr.home.settings import Settings
from ivr.rollout import staging as deployment
from ivr.speech import announcements
from ivr.speech.prompts import PromptBook, wav_seconds
from tests.unit.kit import small_book


def own_recording(path: Path, seconds: float = 1.5) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\1\0" * int(8000 * seconds))


def plain(*names: str) -> announcements.Said:
    return {name: (name, {}) for name in names}


def test_every_mode_s_announcement_is_one_recording_without_holes(tmp_path: Path) -> None:
    book = PromptBook()
    names = deployment.announcements(small_book())
    assert names == ["P007", "P040", "P041"]
    announcements.write(book, plain(*names), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.wav" for name in names]
    assert wav_seconds(tmp_path / "P041.wav") == book.seconds("P041")
    assert wav_seconds(tmp_path / "P040.wav") == wav_seconds(book.shipped / "zh/P040_0.wav")


def test_the_shift_leader_s_own_recording_is_what_callers_hear(tmp_path: Path) -> None:
    city = tmp_path / "prompts"
    own_recording(city / "P040.wav")
    announcements.write(PromptBook(city), plain("P040"), tmp_path / "out")
    assert wav_seconds(tmp_path / "out/P040.wav") == 1.5


def test_an_announcement_that_cannot_be_said_is_left_out_and_the_others_stay(tmp_path: Path) -> None:
    (tmp_path / "P999.wav").write_bytes(b"of an earlier configuration")
    announcements.write(PromptBook(), plain("P999", "P020", "P041"), tmp_path)
    assert [path.name for path in tmp_path.glob("*.wav")] == ["P041.wav"]


def test_a_full_disk_takes_no_recording_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    announcements.write(PromptBook(), plain("P001"), tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(wave.Wave_write, "writeframes", full)
    announcements.write(PromptBook(), plain("P001"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["P001.wav"]


PLAYED = re.compile(
    r"(?:Playback|Background)\(([^,)$]+)|^(?:queue-|entry|periodic-announce)[^=]*= ?(.+)$", re.M
)


def played_by_asterisk(settings: Settings) -> set[Path]:
    """Return every recording that Asterisk's files name."""
    book = small_book()
    keys = open_keys(settings.home / "keys", deployment.sip_users(book), [])
    places = {"home": settings.home, "run": settings.run, "modules": settings.home, "module_names": []}
    render(deployment.TEMPLATES, settings.home / "etc", deployment.context(settings, book, keys, places))
    texts = [path.read_text("utf-8") for path in (settings.home / "etc").rglob("*.conf")]
    named = [
        name for text in texts for found in PLAYED.findall(text) for name in re.split("[&,]", "".join(found))
    ]
    return {Path(f"{name}.wav") for name in named if name.startswith("/")}


def test_a_recording_is_heard_at_once_and_nobody_meets_silence_when_it_is_taken_away(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", config=tmp_path / "queues")
    own = [settings.config / f"prompts/{name}.wav" for name in ("P001", "P010", "P012", "P021", "S020")]
    for path in own:
        own_recording(path)
    with_own = played_by_asterisk(settings)
    folder = deployment.announcement_folder(settings)
    deployment.write_announcements(settings, small_book(), PromptBook(settings.config / "prompts"))
    for name in ("P001", "P010-119", "P012", "P021", "S020"):
        assert folder / f"{name}.wav" in with_own, f"nobody hears {name}"
        assert wav_seconds(folder / f"{name}.wav") == 1.5
    for path in own:
        path.unlink()
    assert played_by_asterisk(settings) == with_own
    deployment.write_announcements(settings, small_book(), PromptBook(settings.config / "prompts"))
    silence = settings.asterisk_home / "data/sounds/zh/silence.wav"
    assert [path for path in with_own if not path.exists() and path != silence] == []
    assert wav_seconds(folder / "P012.wav") == PromptBook().seconds("P012")
