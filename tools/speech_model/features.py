"""The ear of the model: MFCC exactly as vosk computes them from conf/mfcc.conf."""

import kaldi_native_fbank
import numpy as np  # type: ignore[import-not-found,unused-ignore]

from .telephone import RATE
from .voices import Samples

COEFFICIENTS = 40
LOW_HZ, HIGH_HZ = 40, -200  # a negative upper edge counts from the Nyquist frequency
MFCC_CONF = (
    f"--use-energy=false\n--sample-frequency={RATE}\n--num-mel-bins={COEFFICIENTS}\n--num-ceps={COEFFICIENTS}\n"
    f"--low-freq={LOW_HZ}\n--high-freq={HIGH_HZ}\n--dither=0\n--allow-upsample=true\n--allow-downsample=true\n"
)


def mfcc(pcm: bytes) -> Samples:
    """Return the features of 8 kHz 16-bit mono sound, one row of 40 for every 10 ms."""
    options = kaldi_native_fbank.MfccOptions()
    options.frame_opts.samp_freq = RATE
    options.frame_opts.dither = 0
    options.mel_opts.num_bins = COEFFICIENTS
    options.mel_opts.low_freq = LOW_HZ
    options.mel_opts.high_freq = HIGH_HZ
    options.num_ceps = COEFFICIENTS
    options.use_energy = False
    extractor = kaldi_native_fbank.OnlineMfcc(options)
    extractor.accept_waveform(RATE, np.frombuffer(pcm, "<i2").astype(np.float32).tolist())
    extractor.input_finished()
    return np.stack([extractor.get_frame(i) for i in range(extractor.num_frames_ready)])
