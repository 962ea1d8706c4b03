"""However long the packets of a phone are, nothing of its voice is lost: not at the other's ear, not in the recording.

At the ear every sample must come in a row.  In the recording Asterisk puts 40 ms of silence after each packet of
more than 80 ms (docs/decisions/offers-of-carriers.md): there what was said must be there, not that it is in a row.
"""

from __future__ import annotations

import audioop
import math
import struct
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.asterisk.floor import Floor
from tests.asterisk.hotline import Hotline, running, wait_for
from tools.phones.patience import PATIENCE_S
from tools.phones.stream import RATE_HZ
from tools.phones.tone_phone import TonePhone, until

pytestmark = pytest.mark.asterisk

SAID = {"caller": range(420, 1500, 60), "operator": range(1520, 3320, 100)}
"""Hz: eighteen tones each, so that what is heard is heard in this order."""
TONE_S = 0.2
HEARD_S = 3.0
"""After its end; what is not heard by then is lost."""
_WINDOW_S = 0.01
_WINDOW = int(_WINDOW_S * RATE_HZ) * 2
"""In bytes."""
_LOUD = 3000
"""Root mean square of 16-bit samples; a tone has 5,800."""
_WHOLE = 0.9
"""Of what was said; a recording is put together by its own clock, and a busy machine's may lose a packet."""


@pytest.fixture(scope="module")
def hotline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    with running(tmp_path_factory.mktemp("packets"), quick=True) as one:
        yield one


@pytest.fixture
def floor(hotline: Hotline) -> Iterator[Floor]:
    place = Floor(hotline)
    yield place
    place.clear()


@pytest.mark.parametrize(
    ("caller_ms", "seat_ms"), [(10, 60), (60, 10), (30, 20), (20, 30), (100, 20), (20, 100), (100, 100)]
)
def test_a_voice_in_packets_of_any_length_is_whole_at_the_other_s_ear_and_nothing_of_it_is_missing_in_the_recording(
    floor: Floor, caller_ms: int, seat_ms: int, tmp_path: Path
) -> None:
    operator = floor.man("01", 0.0, packet_ms=seat_ms)
    caller, number = floor.call(packet_ms=caller_ms)
    wait_for(lambda: caller.up and operator.up, why=floor.hotline.logs)
    caller.hertz = 0.0  # silence, until something is said
    wait_for(lambda: floor.hotline.call_state(number) == "talking", why="they talk")
    told = {"caller": tones(tmp_path / "caller.wav", SAID["caller"])}
    told["operator"] = tones(tmp_path / "operator.wav", SAID["operator"])
    for speaker, listener, who in ((caller, operator, "caller"), (operator, caller, "operator")):
        assert comes_whole(speaker, listener, tmp_path / f"{who}.wav", told[who]), (
            f"{who} was not heard whole"
        )
    caller.hang_up()
    heard = {who: share(SAID[who], track) for who, track in recorded(floor.hotline, number).items()}
    assert all(one > _WHOLE for one in heard.values()), heard


def tones(path: Path, row: range) -> bytes:
    """Write a row of tones as a recording, and return its samples."""
    count = int(TONE_S * RATE_HZ)
    samples = b"".join(
        struct.pack("<h", int(8192 * math.sin(2 * math.pi * hertz * n / RATE_HZ)))
        for hertz in row
        for n in range(count)
    )
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE_HZ)
        sound.writeframes(samples)
    return samples


def comes_whole(speaker: TonePhone, listener: TonePhone, said: Path, samples: bytes) -> bool:
    """Say something until it is heard whole; again where a machine that is busy has lost a packet."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        speaker.say(said)
        if until(lambda: not speaker.speaking) and until(lambda: whole(samples, listener), HEARD_S):
            return True
    return False


def whole(said: bytes, listener: TonePhone) -> bool:
    """Tell whether a phone has heard, in A-law, every sample that was said, in a row."""
    return audioop.alaw2lin(audioop.lin2alaw(said, 2), 2) in listener.sound()


def share(row: range, track: bytes) -> float:
    """Return how much sound a recording has, as a share of what was said: before and after there was none."""
    windows = [track[at : at + _WINDOW] for at in range(0, len(track) - _WINDOW + 1, _WINDOW)]
    return sum(audioop.rms(window, 2) > _LOUD for window in windows) * _WINDOW_S / (len(row) * TONE_S)


def recorded(hotline: Hotline, number: str) -> dict[str, bytes]:
    """Return each side of the recording of a caller's talk."""
    (recording,) = hotline.transcribed(number)["recordings"]
    with wave.open(str(hotline.recordings / recording["path"])) as sound:
        assert (sound.getframerate(), sound.getsampwidth(), sound.getnchannels()) == (RATE_HZ, 2, 2)
        samples = sound.readframes(sound.getnframes())
    return {side: audioop.tomono(samples, 2, 1 - n, n) for n, side in enumerate(recording["sides"])}
