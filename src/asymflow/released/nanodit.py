"""NanoDiT as prx-tg has it: checkpoints with pixels in [0, 1], the data predicted, and positions in which the row comes first.

The last two are folded into the weights exactly. The last layers are negated: ours predict u_A = -x_0 at rank 0. And its position
embedding has the halves for rows and columns in the other order: the halves of the channels between the blocks change places,
in every matrix that writes to these channels and every one that reads from them. What its pixels are is a property of the arm
(`representation.colour: unit_rgb`): with noise of deviation 1 beside them, no weights can make up for it.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asymflow.models.condition import Shapes
from asymflow.released import files, names
from asymflow.released.found import Found
from asymflow.released.names import Pair

TEXT_TOKENS = 512  # of a caption, which no weight tells
MODULATIONS = 6  # shift and scale of each branch of a block

PAIRS = (
    Pair("x_embedder.proj.weight", "embed.weight", names.convolution_to_matrix, names.matrix_to_convolution),
    Pair("x_embedder.proj.bias", "embed.bias"),
    Pair("t_embedder.mlp.{}.{}", "time.mlp.{}.{}"),
    Pair("text_proj.{}", "reader.read_caption.{}"),
    Pair("dino_proj.{}", "reader.read_embedding.{}"),
    Pair("dino_patch_proj.{}", "reader.read_patches.{}"),
    Pair("pose_proj.{}.{}", "reader.joints.place.{}.{}"),
    Pair("pose_joint_embed.weight", "reader.joints.kind"),
    Pair("null_pose", "reader.joints.null"),
    Pair("null_text", "reader.no_caption"),
    Pair("null_dino", "reader.no_embedding"),
    Pair("null_dino_patch_token", "reader.no_patches"),
    Pair("blocks.{}.attn.qkv.weight", "blocks.{}.mixer.qkv.weight"),
    Pair("blocks.{}.attn.proj.weight", "blocks.{}.mixer.out.weight"),
    Pair("blocks.{}.cross_attn.q.weight", "blocks.{}.cross.q.weight"),
    Pair("blocks.{}.cross_attn.kv.weight", "blocks.{}.cross.kv.weight"),
    Pair("blocks.{}.cross_attn.proj.weight", "blocks.{}.cross.out.weight"),
    Pair("blocks.{}.mlp.fc1.weight", "blocks.{}.mlp.enter.weight"),
    Pair("blocks.{}.mlp.fc2.weight", "blocks.{}.mlp.out.weight"),
    Pair("blocks.{}.adaLN_modulation.1.{}", "modulation.layers.{}.{}"),
    Pair("final_proj.{}", "out.{}"),
    Pair("output_conv.{}", "smooth.{}"),
)
WRITES = ("embed.weight", "embed.bias", ".mixer.out.weight", ".cross.out.weight", ".mlp.out.weight")  # rows
READS = (".mixer.qkv.weight", ".cross.q.weight", ".mlp.enter.weight")  # columns
NEGATED = ("out.weight", "out.bias", "smooth.bias")


def read(content: dict[str, Any], path: Path) -> Found:
    """The averaged network as one of rank 0."""
    if "ema" in content:
        content = files.part(files.part(content, "ema", path), "ema_params", path)
    tensors = files.only_tensors(content, path)
    kept = {name: value for name, value in tensors.items() if not name.startswith("repa_proj.")}
    weights = _folded(names.to_ours(PAIRS, kept, path))
    if "out.weight" not in weights:
        raise ValueError(f"{path} lacks 'final_proj.weight', its last layer; fetch the whole file")
    return Found(weights, torch.zeros(weights["out.weight"].shape[0], 0))


def write(found: Found) -> dict[str, Tensor]:
    """The averaged weights as they lie in its checkpoints. Raises ValueError for a model that is not of rank 0."""
    if found.A.shape[1]:
        raise ValueError(f"prx-tg's NanoDiT predicts the data; this model has rank {found.A.shape[1]}")
    return names.to_theirs(PAIRS, _folded(found.weights))


def shapes(weights: dict[str, Tensor], grid: tuple[int, int], folder: Path | None) -> Shapes:
    """Caption, image embedding, one patch token for each patch, joints."""
    return Shapes(
        caption=(TEXT_TOKENS, weights["reader.read_caption.weight"].shape[1]),
        embedding=weights["reader.read_embedding.weight"].shape[1],
        patches=(grid[0] * grid[1], weights["reader.read_patches.weight"].shape[1]),
        joints=weights["reader.joints.kind"].shape[0],
    )


def _folded(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Data with rows first <-> minus data with columns first."""
    return {name: _changed(name, value) for name, value in weights.items()}


def _changed(name: str, value: Tensor) -> Tensor:
    if name.endswith(WRITES):
        return _swapped(value, 0)
    if name.endswith(READS):
        return _swapped(value, 1)
    if name.startswith("modulation."):
        return _swapped(value.unflatten(0, (MODULATIONS, -1)), 1).flatten(0, 1)
    if name == "out.weight":
        return -_swapped(value, 1)
    return -value if name in NEGATED else value


def _swapped(value: Tensor, dimension: int) -> Tensor:
    """The halves of a dimension in the other order."""
    return torch.cat(value.chunk(2, dim=dimension)[::-1], dim=dimension)
