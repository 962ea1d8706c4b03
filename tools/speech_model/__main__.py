"""Makes the demonstration speech model: ``python -m tools.speech_model --help``."""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from . import card, dataset, text, training
from .assemble import assemble
from .lexicon import Ear
from .measure import measure

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "ivr" / "speech" / "models" / "demonstration"
RECORDINGS = ROOT / "tests" / "data" / "speech"
FRAMES_PER_HOUR = 360_000


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.speech_model", description=__doc__)
    parser.add_argument(
        "--output", type=Path, default=SHIPPED, help="folder of the model (replaced when all is done)"
    )
    parser.add_argument(
        "--work", type=Path, help="folder for what is made on the way (default: a temporary one)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="of training, each on fresh speech; 0: none")
    parser.add_argument("--utterances", type=int, default=8_000, help="pieces of speech in a round")
    parser.add_argument("--seed", type=int, default=12_345, help="of the first round; the next counts on")
    parser.add_argument("--width", type=int, default=160, help="neurons in a layer")
    parser.add_argument("--epochs", type=int, default=6, help="how often the speech of a round is seen")
    parser.add_argument("--threads", type=int, default=2, help="of the processor; 1 if it is busy otherwise")
    parser.add_argument("--network", type=Path, help="network.pt of an earlier run, to go on from")
    parser.add_argument(
        "--wavs", type=Path, default=RECORDINGS, help="recordings with a transcripts.tsv, to measure"
    )
    return parser.parse_args()


def _replace(made: Path, output: Path) -> None:
    """Put the finished folder in the place of the old one, so that no reader meets half a model."""
    output.parent.mkdir(parents=True, exist_ok=True)
    fresh, old = output.with_name(output.name + ".new"), output.with_name(output.name + ".old")
    for folder in (fresh, old):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made, fresh)
    if output.exists():
        output.rename(old)
    fresh.rename(output)
    shutil.rmtree(old, ignore_errors=True)


def _make(options: argparse.Namespace, work: Path) -> None:
    began = time.monotonic()

    def step(number: int, what: str) -> None:
        print(f"[{number}/5] {what} ({time.monotonic() - began:.0f} s so far)", flush=True)

    corpus = text.load()
    trained = training.restore(options.network) if options.network else None
    for number in range(options.rounds):
        step(1, f"round {number + 1} of {options.rounds}: synthesising {options.utterances} utterances")
        data = dataset.make_all(dataset.plan(corpus, options.utterances, options.seed + number), Ear())
        step(2, f"training on {sum(len(u.features) for u in data) / FRAMES_PER_HOUR:.1f} hours of speech")
        plan = training.Plan(options.width, options.epochs, options.threads)
        trained = training.train(data, plan, trained)
        training.save(*trained, work / "network.pt")
    if trained is None:
        raise SystemExit("nothing to do: no --rounds of training and no --network")
    network, units = trained
    step(3, f"writing the model, {len(corpus.words)} words")
    model = work / "model"
    assemble(network, units, corpus, model, work)
    step(4, "measuring")
    measured = measure(model, corpus, options.wavs)
    step(5, f"putting it in {options.output}")
    card.write(model, len(corpus.words), measured)
    _replace(model, options.output)


def main() -> None:
    """Run the recipe."""
    options = _arguments()
    if options.work:
        options.work.mkdir(parents=True, exist_ok=True)
        _make(options, options.work)
    else:
        with tempfile.TemporaryDirectory(prefix="speech-model-") as work:
            _make(options, Path(work))


if __name__ == "__main__":
    main()
