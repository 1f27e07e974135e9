"""A finetuned pixel model in the format of diffusers: a whole transformer, and beside it what its output means.

transformer/         a Flux2Transformer2DModel with the adapters merged; it takes and gives pixel patches
asymflow.safetensors A, the lift, and as description the scales and the arm
"""

from pathlib import Path

import torch
from diffusers import Flux2Transformer2DModel

from asymflow import tensors
from asymflow.config.arm import Arm
from asymflow.models.assemble import Lift
from asymflow.models.flux import Flux
from asymflow.models.velocity import VelocityModel

MEANING = "asymflow.safetensors"


def export(model: VelocityModel, arm: Arm, lift: Lift, folder: Path) -> None:
    """Writes the model; its adapters are merged in place. Raises ValueError unless it is a FLUX.2 with its own last layer that
    was lifted to pixels."""
    network = model.network
    if not arm.whole_flux:
        raise ValueError(
            f"diffusers has a transformer for a FLUX.2 that was lifted to pixels and has no decoder head, not for this"
            f" {arm.network.kind}; export another arm"
        )
    flux = network.flux.merge_and_unload() if arm.start.adapter else network.flux
    flux.save_pretrained(folder / "transformer", safe_serialization=True)
    description = {
        "s": model.s,
        "scale": lift.s,
        "arm": arm.model_dump(mode="json", exclude_none=True),
    }
    tensors.save(folder / MEANING, "export", {"A": model.A, "lift": lift.A.clone()}, description)


def load(folder: Path, precision: torch.dtype) -> tuple[VelocityModel, Arm, Lift]:
    """The model in a folder that `export` wrote, with the arm that says how to sample it."""
    description, loaded = tensors.describe(folder / MEANING, "export"), tensors.load(folder / MEANING, "export")
    flux = Flux2Transformer2DModel.from_pretrained(folder / "transformer", local_files_only=True, use_safetensors=True)
    model = VelocityModel(Flux(flux), loaded["A"], description["s"], precision).eval().requires_grad_(False)
    return model, Arm.model_validate(description["arm"]), Lift(loaded["lift"], description["scale"])
