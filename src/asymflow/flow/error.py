"""Errors of a velocity by directions of patch space, and the share of the noise that it knows of.

Letters in shapes: b images, n tokens, D numbers of each, g groups of directions.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from asymflow.flow.path import per_sample


def inner_products(
    x: Float[Tensor, "b n D"], y: Float[Tensor, "b n D"], basis: Float[Tensor, "D D"], ends: Sequence[int]
) -> Float[Tensor, "b g"]:
    """The inner product of each pair of images within each group of directions, divided by n D.

        e_g = sum over j in g of <b_j, x> <b_j, y> / (n D)

    `basis` has orthonormal columns, the first group is its columns up to ends[0], the last ends at D. The groups add up to the
    mean of x y over all numbers of the image, whatever the basis.
    """
    products = ((x @ basis) * (y @ basis)).mean(1) / x.shape[2]
    return torch.stack([part.sum(1) for part in products.tensor_split(list(ends[:-1]), dim=1)], dim=1)


def predicted_noise(
    x_t: Float[Tensor, "b n D"], u: Float[Tensor, "b n D"], t: Float[Tensor, "b"]
) -> Float[Tensor, "b n D"]:
    """The noise that a velocity at x_t points away from: eq. 1 solved for eps.

    eps = x_t + (1 - t) u
    """
    return x_t + per_sample(1 - t) * u
