"""What training an arm of prx-tg draws and minimises.

Letters in shapes: b images, n patches, D numbers of each, v visible patches, l text tokens, e their channels, g channels of the
image embedding, q of the patch tokens, k joints.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from asymflow.config.prx_arm import Alignment, Dropout, PrxArm, Spatial
from asymflow.flow.path import interpolate, logit_normal_time, per_sample, velocity
from asymflow.models.velocity import VelocityModel
from asymflow.subspace.patches import patchify

# which conditions each kind of a draw shows, in the order of `Dropout`: text, image embedding, patch tokens, joints
SHOWN = (
    (False, False, False, False),
    (True, False, False, False),
    (False, True, False, False),
    (False, False, True, False),
    (True, True, True, False),
    (False, False, False, True),
    (True, True, True, True),
)


@dataclass(frozen=True)
class PrxExample:
    """What the network is shown and asked, for one batch of images."""

    x_0: Float[Tensor, "b n D"]
    eps: Float[Tensor, "b n D"]
    t: Float[Tensor, "b"]
    text: Float[Tensor, "b l e"]
    mask: Bool[Tensor, "b l"]
    cls: Float[Tensor, "b g"]
    patches: Float[Tensor, "b _n q"]
    joints: Float[Tensor, "b k 3"]
    present: Bool[Tensor, "b 4"]
    place_weight: Float[Tensor, "b n"]
    alignment_weight: Float[Tensor, "b"]  # of each image, all alike
    visible: Int[Tensor, "v"]  # patches that go through all blocks, in order

    def split(self, size: int) -> list["PrxExample"]:
        """The example in parts of at most `size` images."""
        *images, visible = (getattr(self, name) for name in self.__dataclass_fields__)
        pieces = zip(*(values.split(size) for values in images), strict=True)
        return [PrxExample(*piece, visible) for piece in pieces]


def draw(
    images: UInt8[Tensor, "b 3 h w"],
    text: Float[Tensor, "b l e"],
    mask: Bool[Tensor, "b l"],
    cls: Float[Tensor, "b g"],
    patches: Float[Tensor, "b _n q"],
    face: Float[Tensor, "b n"],
    seen: Int[Tensor, ""],
    *,
    arm: PrxArm,
) -> PrxExample:
    """Noise, noise levels, hidden conditions and visible patches for a batch, from the seeded generators.

    Arms that differ in their target, weights or routing draw the same noise, levels and conditions.
    """
    b, device, law = len(images), images.device, arm.training
    x_0 = patchify(images.float() / 127.5 - 1, arm.network.patch_size)
    eps, z = torch.randn_like(x_0), torch.randn(b, device=device)
    progress = float(seen) / arm.training.images
    return PrxExample(
        x_0=x_0,
        eps=eps,
        t=logit_normal_time(z, law.time_mean, law.time_std),
        text=text,
        mask=mask,
        cls=cls,
        patches=patches,
        joints=torch.zeros(b, arm.network.joints, 3, device=device),  # undetected
        present=shown(arm.dropout, b, device),
        place_weight=place_weights(face, arm.spatial),
        alignment_weight=torch.full((b,), alignment_weight(arm.alignment, progress), device=device),
        visible=visible(x_0.shape[1], arm.tread.share, device),
    )


def shown(dropout: Dropout, b: int, device: torch.device) -> Bool[Tensor, "b 4"]:
    """Which conditions each image is shown with: one draw of the seven kinds for each."""
    law = torch.tensor(list(dropout.model_dump().values()), device=device)
    return torch.tensor(SHOWN, device=device)[torch.multinomial(law, b, replacement=True)]


def visible(n: int, share: float, device: torch.device, generator: torch.Generator | None = None) -> Int[Tensor, " v"]:
    """The patches that go through all blocks: a random n - int(share n) of them, in order; all, undrawn, where share is 0."""
    if share == 0:
        return torch.arange(n, device=device)
    return torch.randperm(n, device=device, generator=generator)[: n - int(share * n)].sort().values


def place_weights(face: Float[Tensor, "b n"], spatial: Spatial) -> Float[Tensor, "b n"]:
    """The weight of each patch by how much of it is face, of mean 1 in each image.

    Raises ValueError where the weights differ by place but the set has no face masks.
    """
    if spatial.uniform:
        return torch.ones_like(face)
    if face.isnan().any():
        raise ValueError(
            "spatial weighs faces, but these images have no face masks (portraits do); leave spatial out of the arm"
        )
    weight = spatial.elsewhere + (spatial.face - spatial.elsewhere) * face
    return weight / weight.mean(1, keepdim=True)


def alignment_weight(alignment: Alignment, progress: float) -> float:
    """The weight of alignment after a share of the training: constant, then falling linearly to zero between two shares."""
    start, end = alignment.fades
    if progress < start or start == end == 1:
        return alignment.weight
    return alignment.weight * max(0.0, (end - progress) / (end - start)) if end > start else 0.0


class PrxObjective(nn.Module):
    """The loss of an arm, averaged over the batch: flow matching, weighted by place, plus alignment.

        w c^2 (u_hat - u)^2,  c = t / max(t, floor)

    For x_0-prediction that is prx-tg's own w (x_0_hat - x_0)^2 / max(t, floor)^2, because x_t cancels.
    """

    def __init__(self, model: VelocityModel, arm: PrxArm, teacher_width: int, generator: torch.Generator):
        super().__init__()
        self.model, self.arm = model, arm
        if arm.alignment.weight:
            self.projector = nn.Linear(model.network.width, teacher_width, bias=False)
            nn.init.xavier_uniform_(self.projector.weight, generator=generator)
            model.network.blocks[model.network.depth // 2].register_forward_hook(self._keep)

    def _keep(self, block: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self.features = output

    def forward(self, example: PrxExample) -> dict[str, Float[Tensor, ""]]:
        law, t = self.arm.training, example.t
        x_t = interpolate(example.x_0, example.eps, t)
        u_hat = self.model(x_t, t, *conditions(example), sigma_min=law.sigma_min)
        error = per_sample(t / t.clamp_min(law.sigma_floor)) * (u_hat - velocity(example.x_0, example.eps))
        terms = {"flow": (example.place_weight * error.square().mean(-1)).mean()}
        if self.arm.alignment.weight:
            terms["alignment"] = (example.alignment_weight * self._misalignment(example)).mean()
        return terms

    def _misalignment(self, example: PrxExample) -> Float[Tensor, "b"]:
        """1 - cosine between the projected features of visible patches and the image's own tokens there.        [REPA]"""
        with torch.autocast(example.x_0.device.type, enabled=False):
            projected = self.projector(self.features.float())
            routed = projected.shape[1] < example.patches.shape[1]
            wanted = example.patches[:, example.visible] if routed else example.patches
            return (1 - cosine_similarity(projected, wanted, dim=-1)).mean(1)


def conditions(example: PrxExample) -> tuple[Tensor, ...]:
    """What the network takes beside patches and time, in its order."""
    e = example
    return e.text, e.mask, e.cls, e.patches, e.joints, e.present, e.visible
