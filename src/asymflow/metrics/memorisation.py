"""Whether a model draws what it was trained on: the nearest training image of a sample against its nearest held-out image.

Letters in shapes: m samples, a and h images of two sets, d features.
"""

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize


def nearest(
    samples: Float[Tensor, "m d"], images: Float[Tensor, "a d"], count: int
) -> tuple[Float[Tensor, "m k"], Int[Tensor, "m k"]]:
    """The `count` images most like each sample by the cosine of their features: the cosines, highest first, and their numbers.

    Compare two sets of the same size only: among more images the nearest is nearer.
    """
    closest = (normalize(samples, dim=1) @ normalize(images, dim=1).T).topk(min(count, len(images)), dim=1)
    return closest.values, closest.indices
