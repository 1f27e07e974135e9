"""LPIPS: how different two images look, pixel by pixel, by the layers of a convolutional network. [Zhang et al. 2018]

With the published weights it is LPIPS. With a backbone trained here it has no weights fitted to human judgement: all channels and
layers count alike (the paper's "baseline" form), and its numbers bear the name `lpips_local`.

lpips is imported where a network is made: it brings torchvision and the compiler's front end with it, three seconds that every
job would pay that has the choice of this metric and does not take it.

Letters in shapes: b images, h and w their sides.
"""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from asymflow import tensors

JUDGE = "alex"  # the backbone of the published LPIPS that judges; prx-tg's


class Lpips(nn.Module):
    """Takes images in [-1, 1] and gives a map of distances; `name` is what its numbers may be called."""

    def __init__(self, network: nn.Module, name: str):
        super().__init__()
        self.network, self.name = network.requires_grad_(False).eval(), name
        # without fitted weights lpips sums its layers; their mean does not depend on how many the backbone has
        self.scale = 1.0 if network.lpips else 1.0 / network.L

    def forward(self, one: Float[Tensor, "b 3 h w"], other: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b h w"]:
        return self.scale * self.network(one, other)[:, 0]


def untrained(backbone: str) -> nn.Module:
    """An lpips.LPIPS with random weights, all layers alike, its backbone trainable."""
    import lpips

    return lpips.LPIPS(
        net=backbone, lpips=False, pnet_rand=True, pnet_tune=True, spatial=True, eval_mode=False, verbose=False
    )


def load(path: Path | None, backbone: str, device: torch.device) -> Lpips:
    """The network in a file of stage fit_perceptual; None: the published LPIPS, from torch's cache. Nothing is downloaded.

    Raises ValueError when it is not there.
    """
    if path is None:
        return _published(backbone).to(device)
    description = tensors.describe(path, "perceptual network")
    network = untrained(description["config"]["backbone"])
    network.load_state_dict(tensors.load(path, "perceptual network"))
    return Lpips(network, "lpips_local").to(device)


def judge(path: Path | None, device: torch.device) -> Lpips:
    """`load`, of the network that judges samples."""
    return load(path, JUDGE, device)


def _published(backbone: str) -> Lpips:
    import lpips
    from torchvision import models

    weights = {"squeeze": models.SqueezeNet1_1_Weights, "alex": models.AlexNet_Weights, "vgg": models.VGG16_Weights}
    url = weights[backbone].IMAGENET1K_V1.url
    cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name
    if not cached.is_file():
        raise ValueError(
            f"the backbone of LPIPS is not at {cached}; download {url} to that place (or set TORCH_HOME to a folder that has it"
            " as hub/checkpoints/...), or configure 'evaluators: local'"
        )
    return Lpips(lpips.LPIPS(net=backbone, spatial=True, verbose=False), "lpips")
