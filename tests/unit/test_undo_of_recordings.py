"""A city's own recording that was replaced or removed comes back with ``ivr apply --undo``."""

from __future__ import annotations

import json
import os
import wave

import pytest
from click.testing import CliRunner, Result

from ivr.cli.main import main
from ivr.home.settings import Settings
from ivr.rollout.history import Change, History
from ivr.rollout.prepare import history_of
from ivr.rollout.states import ApplyState
from tests.unit.kit import T0
from tests.unit.test_applying import home, start

__all__ = ["home"]  # a fixture


class Desk:
    """An administrator whose hotline ran once and stands still now."""

    def __init__(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings = settings
        self.own = settings.config / "prompts/P012.wav"
        values = {"HOME": settings.home, "CONFIG": settings.config, "ASTERISK": "external", "LANGUAGE": "en"}
        for name, value in values.items():
            monkeypatch.setenv(f"IVR_{name}", str(value))

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(main, list(words))

    def bring(self, tone: int) -> bytes:
        """Import a recording; return what callers hear from now on."""
        path = self.settings.config / f"{tone}.wav"
        with wave.open(str(path), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(8000)
            sound.writeframes(
                b"".join((3000, -3000)[n // tone % 2].to_bytes(2, "little", signed=True) for n in range(8000))
            )
        done = self.run("prompts", "import", "P012", str(path))
        assert done.exit_code == 0, done.output
        return self.own.read_bytes()


@pytest.fixture
def desk(home: Settings, monkeypatch: pytest.MonkeyPatch) -> Desk:
    start(home)
    return Desk(home, monkeypatch)


def test_what_an_import_replaced_comes_back_and_then_the_shipped_prompt(desk: Desk) -> None:
    first, second = desk.bring(5), desk.bring(9)
    assert first != second
    done = desk.run("apply", "--undo", "--by", "李四")
    assert done.exit_code == 0, done.output
    assert "P012" in done.output
    assert desk.own.read_bytes() == first
    assert desk.run("apply", "--undo").exit_code == 0
    assert not desk.own.exists()
    assert [path.name for path in desk.own.parent.iterdir()] == []
    refused = desk.run("apply", "--undo")
    assert (refused.exit_code, "no earlier version" in refused.output) == (1, True)


def test_what_was_removed_comes_back(desk: Desk) -> None:
    heard = desk.bring(5)
    assert desk.run("prompts", "remove", "P012").exit_code == 0
    assert not desk.own.exists()
    assert desk.run("apply", "--undo").exit_code == 0
    assert desk.own.read_bytes() == heard


def test_the_history_says_who_changed_which_recording(desk: Desk) -> None:
    desk.bring(5)
    desk.run("apply", "--undo", "--by", "李四")
    rows = json.loads(desk.run("apply", "--history", "--json").output)
    undone, brought = rows[0], rows[1]
    assert (undone["how"], undone["by"], brought["how"]) == ("undo", "李四", "prompts")
    assert brought["changes"] == {"recordings": {"added": [], "removed": [], "changed": ["P012"]}}
    assert brought["version"] == brought["former"] == 1
    assert brought["result"] == "verified"
    assert [row["running"] for row in rows] == [True, False, False]
    assert all(row["at"].endswith("+08:00") for row in rows), "the hotline's own time, as everywhere"


def test_a_long_history_is_read_once_and_not_once_a_line(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(20):
        history_of(desk.settings).begin(Change(0, 1, 1, ApplyState.REFUSED, T0))
    real, read = History.changes, [0]

    def counted(history: History) -> list[Change]:
        read[0] += 1
        return real(history)

    monkeypatch.setattr(History, "changes", counted)
    assert len(json.loads(desk.run("apply", "--history", "--json").output)) == 21
    assert read[0] < 5


def test_a_configuration_applied_after_an_import_is_what_an_undo_takes_back_first(desk: Desk) -> None:
    from ivr.rollout import prompt_recordings as recordings

    heard = desk.bring(5)
    history_of(desk.settings).begin(Change(0, 2, 1, ApplyState.VERIFIED, T0, how="apply"))
    assert recordings.newest(desk.settings) is None
    history_of(desk.settings).begin(Change(0, 1, 2, ApplyState.VERIFIED, T0, how="undo"))
    assert desk.own.read_bytes() == heard
    assert desk.run("apply", "--undo").exit_code == 0
    assert not desk.own.exists()


def test_an_import_changes_nothing_about_what_the_next_start_takes_up(desk: Desk) -> None:
    desk.bring(5)
    assert start(desk.settings)[1] == 1
    assert len(history_of(desk.settings).changes()) == 2


def test_before_the_first_start_a_recording_is_taken_without_a_history(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(home, monkeypatch)
    desk.bring(5)
    assert history_of(home).changes() == []


def test_nothing_is_imported_while_a_change_is_not_over(desk: Desk) -> None:
    heard = desk.bring(5)
    history_of(desk.settings).begin(Change(0, 2, 1, ApplyState.SWAPPED, T0))
    done = desk.run("prompts", "remove", "P012")
    assert done.exit_code == 1
    assert "not settled" in done.output
    assert desk.own.read_bytes() == heard


def test_a_full_disk_is_told_in_one_sentence_and_the_former_recording_plays(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = desk.bring(5)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for words in (
        ("prompts", "import", "P012", str(desk.settings.config / "5.wav")),
        ("prompts", "remove", "P012"),
    ):
        (desk.settings.versions / "recordings").rename(desk.settings.versions / f"gone-{words[1]}")
        done = desk.run(*words)
        assert (done.exit_code, done.stdout) == (1, "")
        assert "the disk is full; make room" in done.stderr
        assert [path.name for path in desk.own.parent.iterdir()] == ["P012.wav"]
        assert desk.own.read_bytes() == heard
