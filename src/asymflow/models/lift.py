"""The lift of a latent flow model into a pixel model: the first and the last matrix are fused with A, nothing else changes."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


def fuse_input(layer: nn.Linear, A: Float[Tensor, "D d"]) -> nn.Linear:
    """The layer that takes pixel patches as the given one takes latent tokens: W_in A^T.            [AsymFlow, section 5.1]

    In the layer's own precision, computed in float64. Raises ValueError when it takes tokens of another size.
    """
    if layer.in_features != A.shape[1]:
        raise ValueError(
            f"the model's first layer takes latent tokens of {layer.in_features} numbers, but the lift was fitted to tokens"
            f" of {A.shape[1]}; fit it to this model's own latents"
        )
    return _linear((layer.weight.double() @ A.double().T).to(layer.weight), layer.bias)


def fuse_output(layer: nn.Linear, A: Float[Tensor, "D d"]) -> nn.Linear:
    """The layer that gives pixel patches where the given one gives latent tokens: A W_out, and A b for a bias b.

    The scale s is not in it: it belongs to the recovery of the velocity (eq. 17).         [AsymFlow, section 5.1; eq. 35]
    """
    if layer.out_features != A.shape[1]:
        raise ValueError(
            f"the model's last layer gives latent tokens of {layer.out_features} numbers, but the lift was fitted to tokens"
            f" of {A.shape[1]}; fit it to this model's own latents"
        )
    bias = None if layer.bias is None else (A.double() @ layer.bias.double()).to(layer.bias)
    return _linear((A.double() @ layer.weight.double()).to(layer.weight), bias)


def _linear(weight: Float[Tensor, "o i"], bias: Float[Tensor, "o"] | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device=weight.device, dtype=weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(bias)
    return layer
