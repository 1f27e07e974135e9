"""AsymFlow's JiT as LakonLab has it (AsymJiT): `asymflow_h_16_r8_imagenet.safetensors`, and its training checkpoints `.pth`.

The same network under other names, told the noise level as ours is. Positions are computed here and stored there; what the file
stores of them is dropped. A training checkpoint has two sets of weights, of which the average is taken, and with REPA a
projector, which no sampler needs.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asymflow.models.condition import Shapes
from asymflow.released import files, names
from asymflow.released.found import Found
from asymflow.released.names import Pair

AVERAGED = "diffusion_ema.denoising."  # prefix of the averaged weights in a training checkpoint
SUBSPACE, SCALE = "proj_buffer", "scale_buffer"

PAIRS = (
    Pair("x_embedder.proj1.weight", "embed.reduce.weight", names.convolution_to_matrix, names.matrix_to_convolution),
    Pair("x_embedder.proj2.weight", "embed.expand.weight", lambda w: w[:, :, 0, 0], lambda w: w[:, :, None, None]),
    Pair("x_embedder.proj2.bias", "embed.expand.bias"),
    Pair("t_embedder.mlp.{}.{}", "time.mlp.{}.{}"),
    Pair("y_embedder.embedding_table.weight", "label.table.weight"),
    Pair("in_context_posemb", "context", lambda w: w[0], lambda w: w[None]),
    Pair("blocks.{}.norm1.weight", "blocks.{}.norm1.weight"),
    Pair("blocks.{}.norm2.weight", "blocks.{}.norm2.weight"),
    Pair("blocks.{}.attn.qkv.{}", "blocks.{}.attention.qkv.{}"),
    Pair("blocks.{}.attn.q_norm.weight", "blocks.{}.attention.q_norm.weight"),
    Pair("blocks.{}.attn.k_norm.weight", "blocks.{}.attention.k_norm.weight"),
    Pair("blocks.{}.attn.proj.{}", "blocks.{}.attention.out.{}"),
    Pair("blocks.{}.mlp.{}.{}", "blocks.{}.mlp.{}.{}"),
    Pair("blocks.{}.adaLN_modulation.1.{}", "blocks.{}.modulation.{}"),
    Pair("final_layer.norm_final.weight", "final.norm.weight"),
    Pair("final_layer.linear.{}", "final.linear.{}"),
    Pair("final_layer.adaLN_modulation.1.{}", "final.modulation.{}"),
)
COMPUTED = ("x_embedder.pos_embed", "feat_rope.", "feat_rope_incontext.")


def averaged(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """The averaged weights of a training checkpoint of LakonLab; anything else as it is. Raises ValueError when it has none."""
    if "state_dict" not in content:
        return content
    found = files.below(files.part(content, "state_dict", path), AVERAGED)
    if not found:
        raise ValueError(
            f"{path} has no tensor under {AVERAGED!r} in its state_dict; expected the averaged weights there"
        )
    return found


def read(content: dict[str, Any], path: Path) -> Found:
    """The network, its subspace and its scale.

    Raises ValueError when the subspace is missing: without it the weights have no meaning, and the public code's stand-in, the
    first unit vectors, is another model.
    """
    tensors = files.only_tensors(averaged(content, path), path)
    if SUBSPACE not in tensors:
        raise ValueError(
            f"{path} has no {SUBSPACE}, the subspace that the weights were trained with; fetch the whole file"
        )
    A, s = tensors.pop(SUBSPACE), float(tensors.pop(SCALE, torch.ones(())))
    if s != 1:
        raise ValueError(f"{path} has the scale {s:g} ({SCALE}); a model of classes has 1")
    kept = {name: value for name, value in tensors.items() if not name.startswith(COMPUTED)}
    return Found(names.to_ours(PAIRS, kept, path), A)


def write(found: Found) -> dict[str, Tensor]:
    """The tensors that its loader takes; it computes its positions itself where they are not there."""
    return names.to_theirs(PAIRS, found.weights) | {SUBSPACE: found.A, SCALE: torch.tensor(found.s)}


def shapes(weights: dict[str, Tensor], grid: tuple[int, int], folder: Path | None) -> Shapes:
    """Its classes."""
    return Shapes(classes=weights["label.table.weight"].shape[0] - 1)
