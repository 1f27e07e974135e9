"""Random numbers as functions of what they are for: (seed, epoch), (seed, sample index), (seed, images seen, process).

torch's generator on the CPU heeds only the lower 32 bits of a seed, so packing two numbers into one seed can drop one of
them silently. numpy's SeedSequence mixes any number of integers into as many bits as are asked for.
"""

import numpy as np


def generator(*key: int) -> np.random.Generator:
    """An independent stream for each key of non-negative integers."""
    return np.random.default_rng(key)


def torch_seed(*key: int) -> int:
    """A seed for torch's generators, different for different keys but for the chance of a 32-bit collision."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint32)[0])
