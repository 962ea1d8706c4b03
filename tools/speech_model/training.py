"""Trains the network on the synthetic speech with the CTC loss."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np  # type: ignore[import-not-found,unused-ignore]
import torch
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_

from .dataset import Utterance
from .lexicon import BLANK
from .network import CONTEXT, SUBSAMPLING, Network, Shape
from .voices import Samples

BATCH = 32
PEAK_RATE = 4e-3
# Random colour of the spectrum per utterance, in standard deviations: other handsets and voices.
CHANNEL_JITTER = 0.25
MASK_FRAMES = 9  # longest silenced stretch, in frames of 10 ms
SEED = 20_260_101


Trained: TypeAlias = tuple[Network, list[str]]  # a network and the names of its outputs


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes:
        width: neurons in each layer.
        epochs: how many times all of the data is seen.
        threads: of the processor; 1 is faster where others keep it busy, as threads wait for each other.
    """

    width: int
    epochs: int
    threads: int


@dataclass
class Batch:
    """Equal-length features and the targets of one training step."""

    features: torch.Tensor
    targets: torch.Tensor
    input_lengths: torch.Tensor
    target_lengths: torch.Tensor


def _units_of(data: list[Utterance]) -> list[str]:
    """Return the sound units in the data, the blank first."""
    return [BLANK, *sorted({token for utterance in data for token in utterance.tokens})]


def _padded(features: Samples, length: int) -> Samples:
    return np.pad(features.astype(np.float32), ((CONTEXT, CONTEXT + length - len(features)), (0, 0)), "edge")


def _batch(data: list[Utterance], index: dict[str, int]) -> Batch:
    longest = max(len(u.features) for u in data)
    return Batch(
        torch.from_numpy(np.stack([_padded(u.features, longest) for u in data])),
        torch.tensor([index[token] for u in data for token in u.tokens]),
        torch.tensor([len(u.features) // SUBSAMPLING for u in data]),
        torch.tensor([len(u.tokens) for u in data]),
    )


def _disturb(features: torch.Tensor, deviation: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    """Change the colour of each utterance and silence a short stretch of it."""
    count, frames, size = features.shape
    features = features + CHANNEL_JITTER * deviation * torch.randn(count, 1, size)
    for row in range(count):
        width = int(torch.randint(0, MASK_FRAMES, ()))
        start = int(torch.randint(0, frames - width, ()))
        features[row, start : start + width] = mean
    return features


def _step(network: Network, batch: Batch, optimizer: torch.optim.Optimizer) -> float:
    features = _disturb(batch.features, network.deviation, network.mean)
    scores = network(features).log_softmax(-1).transpose(0, 1)
    lengths = batch.input_lengths.clamp(max=scores.shape[0])
    loss = functional.ctc_loss(scores, batch.targets, lengths, batch.target_lengths, zero_infinity=True)
    optimizer.zero_grad()
    loss.backward()
    clip_grad_norm_(network.parameters(), 5)
    optimizer.step()
    return float(loss.item())


def _fresh(data: list[Utterance], width: int) -> Trained:
    """Return an untrained network that fits the data."""
    units = _units_of(data)
    frames = np.concatenate([u.features for u in data[::4]]).astype(np.float32)
    return Network(Shape(len(units), width), frames.mean(0), frames.std(0)), units


def _grown(start: Trained, data: list[Utterance]) -> Trained:
    """Return an earlier network, with outputs for units that it never met."""
    earlier, known = start
    units = [*known, *sorted({t for u in data for t in u.tokens} - set(known))]
    shape = Shape(len(units), earlier.shape.width)
    network = Network(shape, earlier.mean.numpy(), earlier.deviation.numpy())
    state = earlier.state_dict()
    for name in ("output.weight", "output.bias"):
        rows = network.state_dict()[name].clone()
        rows[: len(known)] = state[name]
        state[name] = rows
    network.load_state_dict(state)
    return network, units


def train(data: list[Utterance], plan: Plan, start: Trained | None = None) -> Trained:
    """Train a network.

    Args:
        data: the training speech.
        plan: how to train.
        start: an earlier network to go on from; it keeps its own width.

    Returns:
        The network, ready for use, and the names of its outputs.
    """
    torch.set_num_threads(plan.threads)
    torch.manual_seed(SEED)
    shuffle = np.random.default_rng(SEED)
    network, units = _grown(start, data) if start else _fresh(data, plan.width)
    index = {unit: i for i, unit in enumerate(units)}
    print(f"  {sum(p.numel() for p in network.parameters())} parameters, {len(units)} units", flush=True)
    order = sorted(range(len(data)), key=lambda i: len(data[i].features))
    batches = [[data[i] for i in order[at : at + BATCH]] for at in range(0, len(order), BATCH)]
    optimizer = torch.optim.AdamW(network.parameters(), PEAK_RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, PEAK_RATE, total_steps=len(batches) * plan.epochs
    )
    for epoch in range(plan.epochs):
        began, total = time.monotonic(), 0.0
        network.train()
        for i in shuffle.permutation(len(batches)):
            total += _step(network, _batch(batches[i], index), optimizer)
            schedule.step()
        mean_loss, seconds = total / len(batches), time.monotonic() - began
        print(f"  epoch {epoch + 1} of {plan.epochs}: loss {mean_loss:.4f}, {seconds:.0f} s", flush=True)
    return network.eval(), units


def save(network: Network, units: list[str], path: Path) -> None:
    """Keep a trained network, to build the model again without training."""
    torch.save({"state": network.state_dict(), "width": network.shape.width, "units": units}, path)


def restore(path: Path) -> Trained:
    """Return a network that was saved."""
    kept = torch.load(path, weights_only=True)
    state, units = kept["state"], kept["units"]
    network = Network(Shape(len(units), kept["width"]), state["mean"].numpy(), state["deviation"].numpy())
    network.load_state_dict(state)
    return network.eval(), units
