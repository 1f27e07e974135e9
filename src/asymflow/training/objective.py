"""What training minimises: the flow matching loss of the recovered velocity, and the terms that an arm adds to it.

Letters in shapes: b images, n tokens, D numbers of each.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from asymflow import parts
from asymflow.config.arm import Arm
from asymflow.flow.objective import flow_matching_loss
from asymflow.flow.path import interpolate, velocity
from asymflow.models.velocity import VelocityModel
from asymflow.training.example import Example


@dataclass(frozen=True)
class Needs:
    """What terms are made with beside the arm and its model."""

    seed: int
    device: torch.device
    evaluator: Path | None = None  # the local evaluator, whose features some are aligned with
    perceptual: Path | None = None  # the network of a perceptual distance; None: the published one
    patch_tokens: int = 0  # channels of the patch tokens that examples have


class Objective(nn.Module):
    """The terms of an arm by name, averaged over the batch; training minimises their sum.

    flow    the flow matching loss                               [AsymFlow, eq. 2 and 5]

    A term is a module that takes the model, the example, and the velocity that the model predicts for it, and gives its parts by
    name; one that is called flow takes the place of the plain loss.
    """

    def __init__(self, arm: Arm, model: VelocityModel, terms: dict[str, nn.Module]):
        super().__init__()
        self.model, self.sigma_min, self.sigma_floor = model, arm.losses.sigma_min, arm.losses.sigma_floor
        self.terms = nn.ModuleDict(terms)

    def forward(self, example: Example) -> dict[str, Float[Tensor, ""]]:
        x_t = interpolate(example.x_0, example.eps, example.t)
        u_hat = self.model(x_t, example.t, example.condition, sigma_min=self.sigma_min)
        u = velocity(example.x_0, example.eps)
        terms = {"flow": flow_matching_loss(u_hat, u, example.t, self.sigma_floor, example.places).mean()}
        for term in self.terms.values():
            terms |= term(self.model, example, u_hat)
        return terms


def build(arm: Arm, model: VelocityModel, needs: Needs) -> Objective:
    """The objective of an arm, with what only trains along, on the device."""
    modules = {name: parts.load(module) for name, module in parts.terms(arm).items() if name != "places"}
    terms = {name: module.build(arm, model, needs) for name, module in modules.items()}
    return Objective(arm, model, terms).to(needs.device)
