"""Hold music and the beep, computed note by note: no recording of anybody, no advertising.

GB/T 33358 forbids advertising while callers wait, and music by others has owners; this is neither.
"""

from __future__ import annotations

import array
import math

RATE_HZ = 8000
SECONDS = 24.0
BEAT_S = 0.75
# A slow pentatonic tune (semitones above C4; None is a rest) over four quiet bass notes.
TUNE = (7, 9, 12, None, 9, 7, 4, None, 2, 4, 7, None, 4, 2, 0, None)
TUNE_AGAIN = (7, 9, 12, None, 14, 12, 9, None, 7, 4, 2, None, 4, 2, 0, None)
BASS = (-12, -15, -17, -12, -12, -15, -17, -12)
C4_HZ = 261.63
MUSIC_DBFS = -26.0
BEEP_HZ = 1000.0
BEEP_S = 0.4
BEEP_DBFS = -15.0


def hold_music() -> array.array[int]:
    """Compute the loop: 24 s, 8 kHz 16-bit mono; its end runs into its beginning without a seam."""
    loop = [0.0] * int(SECONDS * RATE_HZ)
    for at, note in enumerate(TUNE + TUNE_AGAIN):
        if note is not None:
            _ring(loop, start_s=at * BEAT_S, hertz=_pitch(note), decay_s=1.1, volume=1.0)
    for at, note in enumerate(BASS):
        _ring(loop, start_s=at * 4 * BEAT_S, hertz=_pitch(note) * 2, decay_s=2.2, volume=0.5)
    return array.array("h", (int(value * 4000) for value in loop))


def beep() -> array.array[int]:
    """Compute the tone after which people speak: 0.4 s, 1 kHz, with soft edges."""
    total = int(BEEP_S * RATE_HZ)
    edge = RATE_HZ // 50
    samples = array.array("h")
    for at in range(total):
        soft = min(1.0, at / edge, (total - 1 - at) / edge)
        samples.append(int(8000 * soft * math.sin(2 * math.pi * BEEP_HZ * at / RATE_HZ)))
    return samples


def _pitch(semitones: int) -> float:
    return float(C4_HZ * 2 ** (semitones / 12))


def _ring(loop: list[float], *, start_s: float, hertz: float, decay_s: float, volume: float) -> None:
    """Add one struck note with three harmonics; what is left at the end rings on at the beginning."""
    start = int(start_s * RATE_HZ)
    for at in range(int(decay_s * 4 * RATE_HZ)):
        seconds = at / RATE_HZ
        envelope = min(1.0, seconds / 0.03) * math.exp(-seconds / decay_s)
        turn = 2 * math.pi * hertz * seconds
        tone = math.sin(turn) + 0.3 * math.sin(2 * turn) + 0.1 * math.sin(3 * turn)
        loop[(start + at) % len(loop)] += volume * envelope * tone
