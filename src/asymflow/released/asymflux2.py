"""AsymFLUX.2 klein as LakonLab has it: an adapter and three whole layers over a FLUX.2 klein, which lies in a folder of its own.

The file holds what was trained. The subspace is that of the lift, and the scale that of the latents in it; both are needed.
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asymflow.models.condition import Shapes
from asymflow.released import files
from asymflow.released.asymjit import SCALE, SUBSPACE, averaged
from asymflow.released.found import Found

FULL = ("x_embedder.weight", "proj_out.weight", "norm_out.linear.weight")  # trained in full
TEXT_TOKENS = 512  # of a caption, as its encoder pads it
PREFIX = "flux.base_model.model."  # of our names


def read(content: dict[str, Any], path: Path) -> Found:
    """What was trained, by our names. Raises ValueError when subspace or scale is missing."""
    tensors = files.only_tensors(averaged(content, path), path)
    if missing := [name for name in (SUBSPACE, SCALE) if name not in tensors]:
        raise ValueError(f"{path} has no {missing[0]}, without which the weights have no meaning; fetch the whole file")
    A, s = tensors.pop(SUBSPACE), float(tensors.pop(SCALE))
    renamed = {_ours(name): value for name, value in tensors.items()}
    if unknown := [name for name in tensors if _ours(name) is None]:
        raise ValueError(
            f"{path} holds {len(unknown)} tensors that this layout does not have, the first {sorted(unknown)[0]!r}; check"
            " released.layout"
        )
    return Found(renamed, A, s)


def write(found: Found) -> dict[str, Tensor]:
    """The adapter as its loader takes it."""
    theirs = {
        name.removeprefix(PREFIX).replace(".modules_to_save.default", "").replace(".default", ""): value
        for name, value in found.weights.items()
    }
    return theirs | {SUBSPACE: found.A, SCALE: torch.tensor(found.s)}


def shapes(weights: dict[str, Tensor], grid: tuple[int, int], folder: Path | None) -> Shapes:
    """Captions, as wide as the transformer in the folder reads them."""
    if folder is None:
        raise ValueError("an adapter needs the FLUX.2 that it adapts: set latent.model to its folder")
    config = json.loads((folder / "transformer" / "config.json").read_text(encoding="utf-8"))
    return Shapes(caption=(TEXT_TOKENS, config["joint_attention_dim"]))


def _ours(name: str) -> str | None:
    if name in FULL:
        layer, rest = name.split(".", 1)
        return f"{PREFIX}{layer}.modules_to_save.default.{rest}"
    for part in ("lora_A", "lora_B"):
        for end in (f".{part}.weight", f".{part}.default.weight"):
            if name.endswith(end):
                return f"{PREFIX}{name.removesuffix(end)}.{part}.default.weight"
    return None
