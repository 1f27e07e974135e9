"""Weights of the loss by place: faces count more, from the set's own masks.

Letters in shapes: b images, n tokens.
"""

from jaxtyping import Float
from torch import Tensor

from asymflow.config.losses import Places


def place_weights(face: Float[Tensor, "b n"], places: Places) -> Float[Tensor, "b n"]:
    """The weight of each token by how much of it is face, of mean 1 in each image.

    Raises ValueError where the set has no face masks.
    """
    if face.isnan().any():
        raise ValueError(
            "losses.places weighs faces, but these images have no face masks (portraits do); leave it out of the arm"
        )
    weight = places.elsewhere + (places.face - places.elsewhere) * face
    return weight / weight.mean(1, keepdim=True)
