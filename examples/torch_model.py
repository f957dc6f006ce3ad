"""A model whose layers lie on the nodes in turn, so that no node has all of the weights.

    python examples/torch_model.py [--size 1024]

The weights stay the same tensors at the same addresses: optimizers and other holders of them notice
nothing.
"""

from __future__ import annotations

import argparse
import math
from itertools import cycle

import torch
from torch import nn

import movepages as mp

LAYERS = 8


class Model(nn.Module):
    """Layers of two matrices each, as the feed-forward part of a transformer has."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
            for _ in range(LAYERS)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = x + layer(x)
        return x


def build(nbytes: int) -> Model:
    """Return a model of about this many bytes: 8 * width**2 float32 in each layer."""
    return Model(math.isqrt(nbytes // (LAYERS * 8 * 4)))


def interleave_layers(model: Model, nodes: list[int]) -> mp.MoveResult:
    """Put each layer on the next node, whole."""
    layers = zip(range(len(model.layers)), cycle(nodes), strict=False)
    targets = {f"layers.{index}": node for index, node in layers}
    print(mp.plan(model, targets))
    return mp.move(model, targets)


def print_layers(model: Model) -> None:
    """Print a row for each layer, and one for the model: where the bytes are."""
    placements = mp.where(model)
    for index in range(len(model.layers)):
        print(f"layers.{index}: {placements.below(f'layers.{index}').total}")
    print(f"model:    {placements.total}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--size", type=int, default=1024, help="MiB (%(default)s)")
    model = build(parser.parse_args().size << 20)
    x = torch.ones(1, model.layers[0][0].in_features)
    with torch.inference_mode():
        before = model(x)
        result = interleave_layers(model, list(mp.topology().allowed_nodes))
        print(result)
        # Small weights of two layers can share a page, which then goes with the larger part.
        assert not result.failed
        assert result.torn <= 4 * LAYERS
        print_layers(model)
        assert torch.equal(model(x), before), "the model has changed"
    print("the model's answer is the same as before")


if __name__ == "__main__":
    main()
