"""Makes studio sound into telephone sound: band, level, noise, silence around it and the codec's steps."""

import audioop
import random

import numpy as np  # type: ignore[import-not-found,unused-ignore]
import soxr

from .voices import SYNTH_RATE, Samples

RATE = 8_000  # Hz
FULL_SCALE = 32_767.0


def through_codec(pcm: bytes, codec: str) -> bytes:
    """Send 16-bit samples through a codec and back; codec is "alaw", "ulaw" or "pcm" (unchanged)."""
    if codec == "alaw":
        return audioop.alaw2lin(audioop.lin2alaw(pcm, 2), 2)
    if codec == "ulaw":
        return audioop.ulaw2lin(audioop.lin2ulaw(pcm, 2), 2)
    return pcm


def to_pcm(samples: Samples) -> bytes:
    """Return 16-bit little-endian samples, clipped."""
    pcm: bytes = np.clip(np.round(samples), -32_768, FULL_SCALE).astype("<i2").tobytes()
    return pcm


def resample(samples: Samples, stretch: float = 1.0, *, naive: bool = False) -> Samples:
    """Bring synthesiser samples to 8 kHz.

    Args:
        samples: at 22,050 Hz.
        stretch: above 1 makes the speaker smaller and faster, below 1 bigger and slower.
        naive: interpolate without a filter, as simple converters do, with their aliasing.
    """
    if not naive:
        return soxr.resample(samples, SYNTH_RATE * stretch, RATE).astype(np.float32)
    count = int(len(samples) * RATE / SYNTH_RATE / stretch)
    at = np.arange(count) * (SYNTH_RATE * stretch / RATE)
    return np.interp(at, np.arange(len(samples)), samples).astype(np.float32)


def band_limit(samples: Samples, low: float, high: float) -> Samples:
    """Weaken what a telephone line does not carry; low and high in Hz."""
    spectrum = np.fft.rfft(samples)
    frequency = np.fft.rfftfreq(len(samples), 1 / RATE)
    spectrum[(frequency < low) | (frequency > high)] *= 0.05
    return np.fft.irfft(spectrum, len(samples)).astype(np.float32)


def at_level(samples: Samples, dbfs: float) -> Samples:
    """Scale so that the peak is at dbfs (dB relative to full scale)."""
    return (samples * (10 ** (dbfs / 20) * FULL_SCALE / (np.abs(samples).max() + 1))).astype(np.float32)


def add_noise(samples: Samples, snr: float, generator: np.random.Generator, colour: float = 0.0) -> Samples:
    """Add noise at a signal-to-noise ratio in dB; colour 0 is white, 1 falls by 6 dB an octave."""
    noise = generator.standard_normal(len(samples))
    if colour:
        spectrum = np.fft.rfft(noise)
        spectrum /= np.maximum(np.arange(len(spectrum)) / len(spectrum), 0.01) ** colour
        noise = np.fft.irfft(spectrum, len(samples))
    power = np.sqrt((samples**2).mean()) * 10 ** (-snr / 20) / np.sqrt((noise**2).mean())
    return (samples + noise * power).astype(np.float32)


def _pad(rng: random.Random) -> Samples:
    seconds = rng.uniform(0.5, 2.0) if rng.random() < 0.15 else rng.uniform(0.03, 0.6)
    return np.zeros(int(seconds * RATE), np.float32)


def random_line(samples: Samples, rng: random.Random) -> bytes:
    """Send synthesiser samples over a telephone line chosen at random; for training.

    Args:
        samples: at 22,050 Hz.
        rng: the source of every choice, so that a seed repeats them.

    Returns:
        8 kHz 16-bit mono.
    """
    generator = np.random.default_rng(rng.randrange(1 << 30))
    stretch = rng.uniform(0.9, 1.1) if rng.random() < 0.5 else 1.0
    out = resample(samples, stretch, naive=rng.random() < 0.2)
    if rng.random() < 0.6:
        out = band_limit(out, rng.uniform(100, 350), rng.uniform(3_200, 3_700))
    out = at_level(out, rng.uniform(-26, -0.5))
    out = np.concatenate([_pad(rng), out, _pad(rng)])
    if rng.random() < 0.7:
        out = add_noise(out, rng.uniform(8, 40), generator, rng.choice([0.0, 0.5, 1.0]))
    return through_codec(to_pcm(out), rng.choice(["alaw", "alaw", "ulaw", "ulaw", "pcm"]))


def plain_line(samples: Samples, codec: str, seed: int, snr: float = 25.0) -> bytes:
    """Send synthesiser samples over an ordinary line with a little noise; for measuring.

    Args:
        samples: at 22,050 Hz.
        codec: "alaw", "ulaw" or "pcm".
        seed: of the noise.
        snr: signal-to-noise ratio in dB.
    """
    out = at_level(band_limit(resample(samples), 250, 3_450), -8)
    silence = np.zeros(int(0.3 * RATE), np.float32)
    out = np.concatenate([silence, out, silence])
    return through_codec(to_pcm(add_noise(out, snr, np.random.default_rng(seed))), codec)
