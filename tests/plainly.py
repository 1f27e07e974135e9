"""The plain order of images: the permutations of all epochs one after another."""

import torch

from asymflow.data.order import permutation


def plainly(count: int, seed: int, start: int, stop: int) -> torch.Tensor:
    epochs = range(-(-stop // count))
    return torch.cat([permutation(count, seed, epoch) for epoch in epochs])[start:stop]
