"""Puts a model folder together in the layout vosk expects."""

import shutil
from pathlib import Path

from . import graph, kaldi_model, ngram
from .features import MFCC_CONF
from .lexicon import Ear, pronunciations
from .network import SUBSAMPLING, Network
from .text import Corpus

# Endpoints: 0.5 s after the last word, 1 or 2 s where the words make a less likely end.
MODEL_CONF = f"""--min-active=200
--max-active=3000
--beam=12.0
--lattice-beam=4.0
--acoustic-scale=1.5
--frame-subsampling-factor={SUBSAMPLING}
--endpoint.silence-phones={kaldi_model.SILENCE}
--endpoint.rule2.min-trailing-silence=0.5
--endpoint.rule3.min-trailing-silence=1.0
--endpoint.rule4.min-trailing-silence=2.0
"""


def assemble(network: Network, units: list[str], corpus: Corpus, model: Path, work: Path) -> None:
    """Write a complete model folder.

    Args:
        network: the trained network.
        units: the names of its outputs.
        corpus: the vocabulary and the sentences of the language model.
        model: the folder to write; what was there is deleted.
        work: folder for intermediate files.

    Raises:
        ValueError: a word has a sound that the network never met.
    """
    shutil.rmtree(model, ignore_errors=True)
    (model / "conf").mkdir(parents=True)
    (model / "conf" / "mfcc.conf").write_text(MFCC_CONF)
    (model / "conf" / "model.conf").write_text(MODEL_CONF)
    phones = kaldi_model.number_phones(units)
    kaldi_model.write(network, phones, model / "am" / "final.mdl")
    readings = pronunciations(corpus.words, Ear())
    unheard = {unit for ways in readings.values() for way in ways for unit in way} - set(units)
    if unheard:
        raise ValueError(f"the training speech had no {' '.join(sorted(unheard))}: train on more utterances")
    graph.write(readings, ngram.estimate(corpus.weighted, corpus.usual), phones, model, work)
