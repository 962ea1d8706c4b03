"""The acoustic network: small, time-delayed, says every 30 ms which sound unit it hears, if any."""

from dataclasses import dataclass

import numpy as np  # type: ignore[import-not-found,unused-ignore]
import torch
from torch import nn
from torch.nn import functional

from .features import COEFFICIENTS
from .voices import Samples

SUBSAMPLING = 3  # one output for three frames of 10 ms
FIRST_KERNEL = 5
# Distance between the three inputs of each later layer, in outputs of 30 ms.
DILATIONS = (1, 1, 2, 2, 1)
CONTEXT = FIRST_KERNEL // 2 + SUBSAMPLING * sum(DILATIONS)  # frames seen on either side
DROPOUT = 0.05


@dataclass(frozen=True)
class Shape:
    """What a saved network needs to be built again."""

    units: int
    width: int


class Network(nn.Module):  # type: ignore[misc,unused-ignore]
    """Features in, unnormalised scores of the sound units out; unit 0 is the blank."""

    def __init__(self, shape: Shape, mean: Samples, deviation: Samples) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("deviation", torch.tensor(deviation))
        first = nn.Conv1d(COEFFICIENTS, shape.width, FIRST_KERNEL, stride=SUBSAMPLING)
        later = [nn.Conv1d(shape.width, shape.width, 3, dilation=d) for d in DILATIONS]
        self.layers = nn.ModuleList([first, *later])
        self.norms = nn.ModuleList([nn.BatchNorm1d(shape.width) for _ in self.layers])
        self.output = nn.Conv1d(shape.width, shape.units, 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Score a batch.

        Args:
            features: batch × frames × 40, with CONTEXT frames of padding at either end.

        Returns:
            batch × (frames / 3) × units.
        """
        x = ((features - self.mean) / self.deviation).transpose(1, 2)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = functional.dropout(functional.relu(norm(layer(x))), DROPOUT, self.training)
        return self.output(x).transpose(1, 2)

    def affine_layers(self) -> list[tuple[Samples, Samples]]:
        """Return weights (out × in) and biases of every layer, with both normalisations folded into them."""
        state = {name: value.double().numpy() for name, value in self.state_dict().items()}
        folded = []
        for i in range(len(self.layers)):
            weight, bias = state[f"layers.{i}.weight"], state[f"layers.{i}.bias"]
            if i == 0:
                weight = weight / state["deviation"][None, :, None]
                bias = bias - (weight * state["mean"][None, :, None]).sum((1, 2))
            gain = state[f"norms.{i}.weight"] / np.sqrt(state[f"norms.{i}.running_var"] + 1e-5)
            bias = (bias - state[f"norms.{i}.running_mean"]) * gain + state[f"norms.{i}.bias"]
            # Kaldi's Append puts whole frames one after the other.
            folded.append(((weight * gain[:, None, None]).transpose(0, 2, 1).reshape(len(bias), -1), bias))
        return [*folded, (state["output.weight"][:, :, 0], state["output.bias"])]
