"""Any network as a model of the full velocity.

Letters in shapes: b images, c channels, h and w pixels, n tokens in raster order, D numbers of each.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from asymflow.config.sampling import Sampling
from asymflow.flow.asymmetric import calibration, recover
from asymflow.subspace.file import Subspace
from asymflow.subspace.patches import patchify, unpatchify

COARSE = (torch.bfloat16, torch.float16)  # have too few digits for a state that is divided by a small t


class AsymFlow(nn.Module):
    """The full velocity from a network that predicts the asymmetric one, u_A = P eps - x_0 / s.

        model = AsymFlow(network, fit_subspace(images, patch_size=16, rank=8))
        u = model(x_t, t, y)                          from network(x_t, t, y)

        u = P u_A + (I - P) (x_t + u_A) / max(t, sigma_min)      [AsymFlow, eq. 5; with a lift's scale: eq. 17]

    The network is called with x_t (b, ...), a time (b), and whatever else the model is called with, and gives its prediction in
    the shape of x_t, or a tuple or an output of diffusers that begins with it. It works on images (b, c, h, w) or on tokens
    (b, n, D) whose values are in the subspace's order: whatever x_t is. Its time is t times `time_factor`, t in (0, 1] and
    1 = noise; 1000 for a network that counts a thousand steps. With the subspace of a lift, input and time are calibrated first
    (eq. 13-14).

    The network runs under whatever autocast is on; the recovery always runs in the precision of x_t, float32 or better. A is a
    buffer: it travels in checkpoints, because weights read with another subspace are another model.
    """

    A: Tensor

    def __init__(self, network: nn.Module, subspace: Subspace, *, time_factor: float = 1.0):
        super().__init__()
        self.network, self.time_factor = network, time_factor
        self.register_buffer("A", subspace.columns(subspace.basis.shape[1]))
        self.s, self.patch_size, self.order = subspace.scale, subspace.patch_size, subspace.order

    def forward(
        self,
        x_t: Tensor,
        t: Float[Tensor, " b"],
        *arguments: Any,
        sigma_min: float = Sampling().sigma_min,
        **named: Any,
    ) -> Tensor:
        """The velocity at x_t, in its shape. `sigma_min` is the smallest denominator: the paper's 0.04 of sampling, or 1e-6 of
        training, which `loss` passes. Raises ValueError when x_t is of half precision, or the prediction has another shape."""
        if x_t.dtype in COARSE:
            raise ValueError(
                f"x_t is {x_t.dtype}; keep it in float32, and run the network alone in lower precision (torch.autocast)"
            )
        k = calibration(t, self.s)
        predicted = self.network(_along(k, x_t) * x_t, self.time_factor * k * t, *arguments, **named)
        u_A = predicted if isinstance(predicted, Tensor) else predicted[0]
        if u_A.shape != x_t.shape:
            raise ValueError(
                f"the network was given x_t of shape {tuple(x_t.shape)} and predicted {tuple(u_A.shape)}; expected the same"
                " shape: a network that also predicts a variance needs its output cut, or half as many output channels"
            )
        with torch.autocast(x_t.device.type, enabled=False):
            u = recover(self._tokens(u_A.to(x_t.dtype)), self._tokens(x_t), t, self.A, self.s, sigma_min)
        return self._shaped(u, x_t)

    def _tokens(self, x: Tensor) -> Float[Tensor, "b n D"]:
        tokens = patchify(x, self.patch_size, self.order) if x.ndim == 4 else x
        if tokens.ndim != 3 or tokens.shape[2] != len(self.A):
            raise ValueError(
                f"found x_t of shape {tuple(x.shape)}; expected images of patches, or tokens, of the {len(self.A)} numbers"
                f" ({self.patch_size} x {self.patch_size} pixels) that the subspace was fitted to"
            )
        return tokens

    def _shaped(self, tokens: Float[Tensor, "b n D"], like: Tensor) -> Tensor:
        if like.ndim == 3:
            return tokens
        grid = like.shape[2] // self.patch_size, like.shape[3] // self.patch_size
        return unpatchify(tokens, grid, self.patch_size, self.order)


def _along(values: Float[Tensor, " b"], x: Tensor) -> Tensor:
    """One value per image, shaped to multiply x."""
    return values.reshape(-1, *[1] * (x.ndim - 1))


def flat(x: Tensor) -> Float[Tensor, "b 1 N"]:
    """Each image, or its tokens, as one token of all its numbers: for formulas that act on each number alike."""
    return x.flatten(1)[:, None]
