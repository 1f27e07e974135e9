"""Linear classifiers on frozen features.

Letters in shapes: m features, d their dimension, c classes.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

ITERATIONS = 60  # at most; most probes converge within 40
TOLERANCE = 1e-4  # of the gradient


class Probe(NamedTuple):
    """Weights and bias of a softmax classifier."""

    weight: Float[Tensor, "c d"]
    bias: Float[Tensor, "c"]

    def probabilities(self, features: Float[Tensor, "m d"]) -> Float[Tensor, "m c"]:
        """The probability of each class."""
        return linear(features, self.weight, self.bias).softmax(1)


def fit(features: Float[Tensor, "m d"], labels: Int[Tensor, "m"], *, classes: int, penalty: float) -> Probe:
    """The multinomial logistic regression that minimises mean cross-entropy + penalty / 2 |weight|^2.

    Convex, so there is one answer; L-BFGS finds it in float64, in coordinates in which the curvature is much the same
    in all directions. Gives float32.
    """
    x = features.double()
    values, vectors = torch.linalg.eigh(x.T @ x / len(x))
    coordinates = vectors * (values.clamp_min(0) + penalty).rsqrt()  # (d, d)
    parameters = torch.zeros(classes, x.shape[1] + 1, dtype=torch.float64, device=x.device, requires_grad=True)

    def split() -> tuple[Tensor, Tensor]:
        return parameters[:, :-1] @ coordinates.T, parameters[:, -1]

    optimiser = torch.optim.LBFGS(
        [parameters], max_iter=ITERATIONS, history_size=20, tolerance_grad=TOLERANCE, line_search_fn="strong_wolfe"
    )

    def objective() -> Tensor:
        optimiser.zero_grad()
        weight, bias = split()
        loss = cross_entropy(linear(x, weight, bias), labels) + penalty / 2 * weight.square().sum()
        loss.backward()
        return loss

    optimiser.step(objective)
    weight, bias = (part.detach().float().contiguous() for part in split())
    return Probe(weight, bias)


def accuracy(probe: Probe, features: Float[Tensor, "m d"], labels: Int[Tensor, "m"]) -> float:
    """The share of features whose most probable class is the right one."""
    return (probe.probabilities(features).argmax(1) == labels).double().mean().item()
