"""LakonLab's protocol for captions: images resized to 299 pixels, bicubic with antialiasing, clamped and rounded; and patch FID,
which sees the central 299 pixels of each as they are.

Larger images given to the network as they are would be shrunk without antialiasing: it would see grain that nobody drew.
"""

import torch
from torch.nn.functional import interpolate

from asymflow.metrics.crops import centre_crops
from asymflow.metrics.frechet import Moments, frechet_distance
from asymflow.metrics.inception import SIDE
from asymflow.protocols.networks import Network, tensorflow_port
from asymflow.protocols.reference import Reference, gaussian

NETWORK = tensorflow_port


def measure(network: Network, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Features of a batch as a whole, and of central squares where images are larger than these."""
    seen = {"features": network(shrunk(images)).features}
    if min(images.shape[-2:]) > SIDE:
        seen["patches"] = network(centre_crops(images, side=SIDE)).features
    return seen


def shrunk(images: torch.Tensor) -> torch.Tensor:
    """uint8 images (b, 3, 299, 299)."""
    resized = interpolate(images.double(), size=(SIDE, SIDE), mode="bicubic", antialias=True)
    return (resized + 0.5).floor().clamp(0, 255).to(torch.uint8)


def compare(
    seen: dict[str, torch.Tensor], reference: Reference, real: dict[str, torch.Tensor] | None
) -> dict[str, float]:
    """Its numbers; that of patches where both sides have some."""
    numbers = {"fid_t2i": frechet_distance(Moments.of(seen["features"]), reference.moments())}
    if "patches" in seen and reference.patches is not None:
        numbers["patch_fid_t2i"] = frechet_distance(Moments.of(seen["patches"]), gaussian(*reference.patches))
    return numbers
