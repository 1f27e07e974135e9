"""JiT as its authors have it (LTH14), and LakonLab's copy of it: data prediction, told how clean its input is.

Two things differ from ours beside names, and both are folded into the weights exactly. It predicts x_0 where ours predicts
u_A = -x_0 at rank 0: the last layer is negated. And it is told 1 - t where ours is told t: with f_i the frequencies of the time
embedding, and C and S what its first layer makes of cosines and sines,

    C cos((1-t) f) + S sin((1-t) f) = (C cos f + S sin f) cos(t f) + (C sin f - S cos f) sin(t f)

which is a reflection of each pair (C_i, S_i), and its own inverse.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asymflow.released import asymjit, files, names
from asymflow.released.found import Found

PREFIX = "net."
AVERAGED = "model_ema1"  # decay 0.9999: what the published numbers are of
COMPUTED = ("pos_embed", "x_embedder.pos_embed")
shapes = asymjit.shapes


def read(content: dict[str, Any], path: Path) -> Found:
    """The network as one of rank 0. Raises ValueError when a tensor is missing that the folding needs."""
    if "model" in content or AVERAGED in content:
        content = files.below(files.part(content, AVERAGED, path), PREFIX)
    tensors = files.only_tensors(content, path)
    kept = {name: value for name, value in tensors.items() if not name.startswith((*COMPUTED, "feat_rope"))}
    for name in (asymjit.SUBSPACE, asymjit.SCALE):
        if name in kept:
            raise ValueError(f"{path} has a {name}: it is no JiT but an AsymJiT; set released.layout to asymjit")
    weights = _folded(names.to_ours(asymjit.PAIRS, kept, path), path)
    return Found(weights, torch.zeros(weights["final.linear.weight"].shape[0], 0))


def write(found: Found) -> dict[str, Tensor]:
    """The averaged weights as they lie in its checkpoints. Raises ValueError for a model that is not of rank 0."""
    if found.A.shape[1]:
        raise ValueError(f"JiT predicts the data; a model of rank {found.A.shape[1]} is written in the layout asymjit")
    theirs = names.to_theirs(asymjit.PAIRS, _folded(found.weights, Path("the model")))
    return {f"{PREFIX}{name}": value for name, value in theirs.items()}


def _folded(weights: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Data told how clean its input is <-> minus data told how noisy."""
    changed = {"final.linear.weight": torch.neg, "final.linear.bias": torch.neg, "time.mlp.0.weight": reflected_time}
    if missing := sorted(changed.keys() - weights.keys()):
        raise ValueError(f"{path} lacks {missing[0]!r} (our name); fetch the whole file")
    return weights | {name: change(weights[name]) for name, change in changed.items()}


def reflected_time(weight: Tensor) -> Tensor:
    """The first matrix of the time embedding for 1 - t in place of t, (w, 256) with cosines before sines."""
    half = weight.shape[1] // 2
    f = 10_000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    cosines, sines = weight.double().split(half, dim=1)
    return torch.cat([cosines * f.cos() + sines * f.sin(), cosines * f.sin() - sines * f.cos()], dim=1).to(weight.dtype)
