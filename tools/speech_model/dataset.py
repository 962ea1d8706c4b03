"""Makes the training speech: sentences and loose words, in many voices, over many telephone lines."""

import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np  # type: ignore[import-not-found,unused-ignore]
import numpy.typing as npt  # type: ignore[import-not-found,unused-ignore]

from . import telephone, voices
from .features import mfcc
from .lexicon import Ear
from .text import NUMERALS, Corpus

PROCESSES = 2


@dataclass(frozen=True)
class Utterance:
    """One piece of training speech: features (10 ms a row) and what was said, in sound units."""

    features: npt.NDArray[np.float16]
    tokens: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """What one piece of training speech shall be."""

    text: str
    manner: voices.Manner
    seed: int


def _text(rng: random.Random, corpus: Corpus, weights: list[float]) -> str:
    dice = rng.random()
    if dice < 0.35:
        return "".join(rng.choices(corpus.weighted, weights)[0][0])
    if dice < 0.47:
        return "".join(rng.choice(NUMERALS + "幺") for _ in range(rng.randint(1, 11)))
    chosen = [rng.choice(corpus.words) for _ in range(rng.randint(1, 6))]
    return "".join(word for word in chosen if word.isalpha() and not word.isascii()) or "您好"


def plan(corpus: Corpus, count: int, seed: int) -> list[Job]:
    """Choose what will be said, by whom and how; the same seed gives the same plan."""
    rng = random.Random(seed)
    weights = [weight for _, weight in corpus.weighted]
    return [
        Job(_text(rng, corpus, weights), voices.random_manner(rng), rng.randrange(1 << 30))
        for _ in range(count)
    ]


def make(job: Job, ear: Ear) -> Utterance | None:
    """Synthesise one utterance; None where espeak-ng said something we cannot spell."""
    samples, said = voices.speak(job.text, job.manner)
    tokens = ear.tokens(said)
    if not tokens or len(samples) < voices.SYNTH_RATE // 10:
        return None
    features = mfcc(telephone.random_line(samples, random.Random(job.seed)))
    return Utterance(features.astype(np.float16), tokens)


def make_all(jobs: list[Job], ear: Ear) -> list[Utterance]:
    """Synthesise the whole plan, telling how far it is."""
    made: list[Utterance] = []
    with ProcessPoolExecutor(PROCESSES) as pool:
        for number, utterance in enumerate(pool.map(partial(make, ear=ear), jobs, chunksize=50), 1):
            if utterance:
                made.append(utterance)
            if number % 2_000 == 0:
                print(f"  {number} of {len(jobs)} utterances", flush=True)
    return made
