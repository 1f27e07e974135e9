"""A few images that a training draws as it goes: always of the same noise and conditions, by the first average of its weights.

They are for the eye. Nothing of a training depends on them, so no digest covers this module (`parts.undeciding`): it leaves
torch's own generators alone, the network as it was, and what is compiled of it.

Letters in shapes: b images, n tokens, D numbers of each, H and W pixels.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.func import functional_call

from asymflow.config.arm import Arm
from asymflow.data.batches import Batch
from asymflow.data.tokens import grid_of, to_bytes, to_pixels
from asymflow.flow.solver import constant_time, euler, time_grid
from asymflow.models.assemble import Lift
from asymflow.models.condition import Condition, presence
from asymflow.models.velocity import VelocityModel
from asymflow.randomness import torch_seed
from asymflow.subspace.patches import patchify
from asymflow.training.averages import Weights
from asymflow.training.example import condition_parts

COUNT, STEPS = 16, 8  # what four grids cost is below 1 % of the default's training


@dataclass(frozen=True)
class Preview:
    """What is drawn after each of `parts` equal parts of a training."""

    parts: int
    model: VelocityModel
    arm: Arm
    noise: Float[Tensor, "b n D"]
    condition: Condition
    lift: Lift | None

    @torch.no_grad()
    def draw(self, weights: Weights) -> UInt8[Tensor, "b 3 H W"]:
        """The images that the model draws with these weights of its network: Euler steps, unguided."""
        replaced = {f"network.{name}": value for name, value in weights.items()}

        def velocity(x_t: Tensor, t: float) -> Tensor:
            told = (x_t, constant_time(t, x_t), self.condition)
            return functional_call(self.model, replaced, told, {"sigma_min": self.arm.losses.sigma_min})

        self.model.eval()
        try:
            with torch.compiler.set_stance("force_eager"):  # another batch size would be compiled anew
                tokens = euler(velocity, self.noise, time_grid(STEPS, self.arm.training.shift))
        finally:
            self.model.train()
        return to_bytes(to_pixels(self._patches(tokens), self.condition.grid, self.arm)).cpu()

    def _patches(self, tokens: Float[Tensor, "b n D"]) -> Float[Tensor, "b n p"]:
        """The patches of pixels; of latent tokens what the lift makes of them, which is blurred: no decoder is at hand."""
        if self.arm.representation.space == "pixel":
            return tokens
        return self.lift.s * tokens @ self.lift.A.T


def build(
    parts: int, model: VelocityModel, arm: Arm, rows: Batch, *, empty: Tensor | None, lift: Lift | None
) -> Preview:
    """A preview under the conditions of the images in `rows`, of which everything is shown that the arm is conditioned on.

    The noise is drawn in pixels, the same for all arms and seeds; an arm of latents begins with its part in these.
    """
    patch, device = arm.representation.patch_size, rows["images"].device
    generator = torch.Generator().manual_seed(torch_seed(0))
    noise = patchify(torch.randn(rows["images"].shape, generator=generator), patch, arm.network.order).to(device)
    lift = lift.to(device) if lift else None
    condition = Condition(
        present=presence(arm.conditions.modalities, len(noise), device),
        grid=grid_of(*rows["images"].shape[2:], patch),
        **condition_parts(rows, arm.conditions, empty),
    )
    latent = arm.representation.space == "latent"
    return Preview(parts, model, arm, noise @ lift.A if latent else noise, condition, lift)
