"""A finetuned pixel model in the format of diffusers: a whole transformer, and beside it what its output means.

transformer/         a Flux2Transformer2DModel with the adapters merged; it takes and gives pixel patches
asymflow.safetensors A, and as description s, patch_size, colour, shift
"""

from pathlib import Path

import torch
from diffusers import Flux2Transformer2DModel

from asymflow import tensors
from asymflow.config.text_arm import TextArm
from asymflow.models.text_model import Lift
from asymflow.models.text_transformer import HeadedTransformer, TextTransformer
from asymflow.models.velocity import VelocityModel

MEANING = "asymflow.safetensors"


def export(model: VelocityModel, arm: TextArm, lift: Lift, folder: Path) -> None:
    """Writes the model; its adapters are merged in place. Raises ValueError for a model with a head, which diffusers has not."""
    network = model.network
    if isinstance(network, HeadedTransformer):
        raise ValueError("a model with a decoder head is no transformer of diffusers; export an arm without a head")
    flux = network.flux.merge_and_unload() if arm.adapter else network.flux
    flux.save_pretrained(folder / "transformer", safe_serialization=True)
    told = {"kind": "export", "s": model.s, "space": arm.space, "patch_size": arm.patch_size, "colour": arm.colour}
    tensors.save(
        folder / MEANING, {"A": model.A, "lift": lift.A.clone()}, told | {"shift": arm.training.shift, "scale": lift.s}
    )


def load(folder: Path, precision: torch.dtype) -> tuple[VelocityModel, TextArm, Lift]:
    """The model in a folder that `export` wrote, with an arm that says how to sample it."""
    told, _ = tensors.describe(folder / MEANING)
    found = tensors.load(folder / MEANING)
    flux = Flux2Transformer2DModel.from_pretrained(folder / "transformer", local_files_only=True, use_safetensors=True)
    arm = TextArm.model_validate(
        {name: told[name] for name in ("space", "patch_size", "colour")} | {"training": {"shift": told["shift"]}}
    )
    model = VelocityModel(TextTransformer(flux), found["A"], told["s"], precision).eval().requires_grad_(False)
    return model, arm, Lift(found["lift"], told["scale"])
