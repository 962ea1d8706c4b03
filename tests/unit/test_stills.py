"""A recording is as long as its talk, also where both sides suppress silence."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

from ivr.speech.recording import raw_to_wav
from ivr.speech.stills import BYTES_A_SECOND, Still, Stills
from tests.unit.kit import Clock

VOICE = b"\x01\x01\x02\x02"
PIECE_S = 1.024


class Talk:
    """A recording that Asterisk writes in pieces of 32 kB, looked at each second."""

    def __init__(self, folder: Path, free: int = 1 << 30) -> None:
        self.raw, self.now = folder / "call.raw", Clock(100.0)
        self.stills = Stills(self.now, lambda _: free)
        self.said = 0.0

    def goes_on(self, seconds: int, *, silent: bool = False, talks: bool = True) -> None:
        for _ in range(seconds):
            self.now.now += 1
            self.said += not silent
            self._write(int(self.said / PIECE_S) * PIECE_S)
            self.stills.look([self.raw] if talks else [])

    def _write(self, seconds: float) -> None:
        if seconds:
            self.raw.write_bytes(VOICE * round(seconds * BYTES_A_SECOND / 4))

    def closed(self) -> tuple[float, bytes]:
        self.stills.ended(self.raw)
        self.now.now += 2  # Asterisk lets go of the file a moment later
        self._write(self.said)
        wav = self.raw.with_suffix(".wav")
        closed = raw_to_wav(self.raw, wav, stills=self.stills.take(self.raw))
        with wave.open(str(wav)) as sound:
            assert sound.getnframes() / 8000 == pytest.approx(closed.seconds)
            return closed.seconds, sound.readframes(sound.getnframes())


def voices(sound: bytes) -> list[tuple[float, float]]:
    """Return from when to when (seconds) something is heard."""
    found: list[tuple[float, float]] = []
    for second in range(0, len(sound), BYTES_A_SECOND // 10):
        if any(sound[second : second + BYTES_A_SECOND // 10]):
            at = second / BYTES_A_SECOND
            if found and found[-1][1] >= at - 0.05:
                found[-1] = (found[-1][0], at + 0.1)
            else:
                found.append((at, at + 0.1))
    return found


def test_a_talk_without_a_pause_is_closed_as_it_was_written(tmp_path: Path) -> None:
    talk = Talk(tmp_path)
    talk.goes_on(60)
    seconds, sound = talk.closed()
    assert seconds == 60
    assert sound == VOICE * (60 * 8000)


def test_pauses_in_which_nobody_sends_anything_are_in_the_recording_at_their_place(tmp_path: Path) -> None:
    talk = Talk(tmp_path)
    talk.goes_on(5)
    talk.goes_on(8, silent=True)
    talk.goes_on(4)
    talk.goes_on(6, silent=True)
    seconds, sound = talk.closed()
    assert seconds == pytest.approx(23, abs=1.5)
    heard = voices(sound)
    assert [begin for begin, _ in heard] == pytest.approx([0, 13], abs=1.5)
    assert [end for _, end in heard] == pytest.approx([5, 17], abs=1.5)


def test_a_talk_that_begins_in_silence_is_counted_from_its_beginning(tmp_path: Path) -> None:
    talk = Talk(tmp_path)
    talk.goes_on(6, silent=True)  # there is no file yet
    talk.goes_on(6)
    seconds, sound = talk.closed()
    assert seconds == pytest.approx(12, abs=1.5)
    assert voices(sound)[0][0] == pytest.approx(6, abs=1.5)


def test_what_was_not_recorded_on_hold_is_not_put_in(tmp_path: Path) -> None:
    talk = Talk(tmp_path)
    talk.goes_on(5)
    talk.goes_on(30, silent=True, talks=False)
    talk.goes_on(5)
    assert talk.closed()[0] == pytest.approx(10, abs=1.5)


def test_a_disk_that_is_full_is_no_silence(tmp_path: Path) -> None:
    talk = Talk(tmp_path, free=0)
    talk.goes_on(5)
    talk.goes_on(30, silent=True)
    assert talk.closed()[0] == 5


def test_an_engine_that_was_busy_for_a_while_takes_nothing_for_silence(tmp_path: Path) -> None:
    talk = Talk(tmp_path)
    talk.goes_on(5)
    talk.now.now += 20
    talk.said += 20
    talk.goes_on(5)
    assert talk.closed()[0] == 30


def test_silence_is_put_in_between_whole_samples_and_never_behind_the_end(tmp_path: Path) -> None:
    raw = tmp_path / "call.raw"
    raw.write_bytes(VOICE * 8000)
    closed = raw_to_wav(raw, tmp_path / "call.wav", stills=[Still(10**9, 1.0), Still(6, 0.5)])
    with wave.open(str(tmp_path / "call.wav")) as sound:
        assert sound.getnframes() == 8000 * 2.5
        assert sound.readframes(2) == VOICE + bytes(4)
    assert closed.seconds == 2.5
