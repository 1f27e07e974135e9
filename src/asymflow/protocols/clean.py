"""The package clean-fid (Parmar et al. 2022): each image resized to 299 pixels as Pillow does, bicubic, without rounding."""

import torch
from cleanfid.fid import frechet_distance
from cleanfid.resize import build_resizer

from asymflow.protocols.networks import Network, torchscript
from asymflow.protocols.reference import Reference, statistics

NETWORK = torchscript


def measure(network: Network, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Features of a batch."""
    resize = build_resizer("clean")
    resized = [torch.from_numpy(resize(image)).permute(2, 0, 1) for image in images.permute(0, 2, 3, 1).numpy()]
    return {"features": network(torch.stack(resized)).features}


def compare(
    seen: dict[str, torch.Tensor], reference: Reference, real: dict[str, torch.Tensor] | None
) -> dict[str, float]:
    """Its number."""
    own = statistics(seen["features"])
    return {"fid_clean": float(frechet_distance(own["mu"], own["sigma"], reference.mu, reference.sigma))}
