"""The method taken apart on one image: each of its quantities as tokens and as a picture, for the figures that explain it.

b = 1 image, n patches, D values in a patch, r columns of the basis A. Conventions: `asymflow.flow.path`.
"""

from math import isqrt

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from asymflow.data.reader import ShardReader
from asymflow.flow.asymmetric import complement, project, recover, target
from asymflow.flow.path import interpolate, per_sample, velocity
from asymflow.randomness import generator
from asymflow.subspace.patches import patchify, unpatchify

IMAGE, SEED = 0, 0  # the first image of a split, and always the same noise


def example(reader: ShardReader, patch_size: int) -> tuple[Float[Tensor, "1 n D"], Float[Tensor, "1 n D"]]:
    """x_0 and eps: the tokens of one image in [-1, 1], and noise for them."""
    x_0 = patchify(reader.images([IMAGE]).float() / 127.5 - 1, patch_size)
    return x_0, torch.from_numpy(generator(SEED).standard_normal(x_0.shape, dtype=np.float32))


def picture(tokens: Float[Tensor, "1 n D"], patch_size: int) -> Float32[np.ndarray, "h w 3"]:
    """The square image that the tokens are cut from, unscaled."""
    side = isqrt(tokens.shape[1])
    return unpatchify(tokens, (side, side), patch_size)[0].permute(1, 2, 0).numpy()


def state(x_0: Float[Tensor, "b n D"], eps: Float[Tensor, "b n D"], t: Float[Tensor, "b"]) -> dict[str, Tensor]:
    """What does not depend on the rank: image, noise, their mixture at noise level t, and the velocity between them."""
    return {"x_0": x_0, "eps": eps, "x_t": interpolate(x_0, eps, t), "u": velocity(x_0, eps)}


def recovery(
    x_0: Float[Tensor, "b n D"], eps: Float[Tensor, "b n D"], t: Float[Tensor, "b"], A: Float[Tensor, "D r"]
) -> dict[str, Tensor]:
    """The asymmetric target, and the velocity put together from it again.

    noise = P eps,  target = u_A = P eps - x_0                       [AsymFlow, eq. 3]
    inside = P u_A,  outside = (I - P) (x_t + u_A) / t               [eq. 4]
    velocity = inside + outside = u                                  [eq. 5]
    """
    x_t, u_A = interpolate(x_0, eps, t), target(x_0, eps, A)
    return {
        "noise": project(eps, A),
        "target": u_A,
        "inside": project(u_A, A),
        "outside": complement(x_t + u_A, A) / per_sample(t),
        "velocity": recover(u_A, x_t, t, A),
    }


def components(x_0: Float[Tensor, "b n D"], eps: Float[Tensor, "b n D"], A: Float[Tensor, "D r"]) -> dict[str, Tensor]:
    """The two orthogonal parts of the target, and the target.

    velocity = P u,  image = (I - P) x_0,  target = u_A = P u - (I - P) x_0            [AsymFlow, eq. 4]
    """
    return {
        "velocity": project(velocity(x_0, eps), A),
        "image": complement(x_0, A),
        "target": target(x_0, eps, A),
    }
