"""A text-to-image arm as a model of the full velocity: start, lift or head, and what of it is trained.

Letters in shapes: D numbers of a pixel patch, d of a latent token.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import Flux2Transformer2DModel
from jaxtyping import Float
from torch import Tensor

from asymflow.config.text_arm import TextArm
from asymflow.models.latents import pretrained
from asymflow.models.text_transformer import TextTransformer, adapt, behead, build, lift
from asymflow.models.velocity import VelocityModel


@dataclass(frozen=True)
class Lift:
    """How latent tokens lie in pixel patches: x = s A z, nearly.                  [AsymFlow, eq. 9-12]"""

    A: Float[Tensor, "D d"]
    s: float


def assemble(
    arm: TextArm,
    lifted: Lift,
    *,
    text: int,
    folder: Path | None,
    start: dict[str, Tensor] | None,
    precision: torch.dtype,
) -> VelocityModel:
    """The model before its training.

    Its network has random weights (from torch's global generator), or those of the FLUX.2 in `folder`; then those of `start`.
    `text` is the number of channels of a text token. An arm of latents is u-prediction in its own space; one of pixels is the
    lift of the latent one; one with a head predicts the full velocity of pixels, its input calibrated alike (eq. 14-17).
    Raises ValueError when FLUX.2's tokens are not those of the lift or of the text.
    """
    if folder is None:
        network = build(arm.transformer, token=lifted.A.shape[1], text=text)
    else:
        network = TextTransformer(pretrained(Flux2Transformer2DModel, folder, "transformer", torch_dtype=precision))
        _check(network, folder, lifted, text)
    if start is not None:
        network.load_state_dict(start)
    dimension, token = lifted.A.shape
    A, s = torch.eye(token), 1.0
    if arm.head:
        network, A, s = behead(network, lifted.A, arm.head), torch.eye(dimension), lifted.s
    elif arm.space == "pixel":
        lift(network, lifted.A)
        A, s = lifted.A, lifted.s
    if arm.adapter:
        adapt(network, arm.adapter)
    for parameter in network.parameters():
        if parameter.requires_grad:  # trained in float32, whatever the rest is stored in
            parameter.data = parameter.data.float()
    if arm.training.activation_checkpointing:
        network.flux.enable_gradient_checkpointing()
    return VelocityModel(network, A, s, precision)


def trained(model: VelocityModel) -> dict[str, Tensor]:
    """The parameters that training moves, by name; everything else is that of the start."""
    return {name: p for name, p in model.network.named_parameters() if p.requires_grad}


def restore(model: VelocityModel, weights: dict[str, Tensor]) -> None:
    """Puts trained weights into an assembled model. Raises ValueError when they are those of another arm."""
    own = trained(model)
    if set(own) != set(weights):
        different = sorted(set(own) ^ set(weights))
        raise ValueError(
            f"these weights are of another model: {len(different)} names differ, the first {different[0]!r}; train the arm again"
        )
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(weights[name])


def _check(network: TextTransformer, folder: Path, lifted: Lift, text: int) -> None:
    config = network.flux.config
    for what, found, expected in (
        ("image tokens", lifted.A.shape[1], config.in_channels),
        ("text tokens", text, config.joint_attention_dim),
    ):
        if found != expected:
            raise ValueError(
                f"the transformer in {folder} takes {what} of {expected} numbers, but those encoded here have {found}; all parts"
                " of latent.model must come from one model"
            )
