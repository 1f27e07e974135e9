"""Training of the local evaluator's CLIP: contrastive on captions, with classes and attributes as a second teacher.

Letters in shapes: b images of a batch, m of the whole split, h and w their sides.
"""

import math
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int, UInt8
from open_clip import ClipLoss
from open_clip.model import CLIP
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import cross_entropy, normalize, pad

from asymflow.config.evaluator import Evaluator
from asymflow.machine import Machine
from asymflow.metrics.tower import to_pixels
from asymflow.progress import Progress

BETAS = (0.9, 0.98)  # AdamW's, as in CLIP
WARMUP = 0.1  # share of the training over which the learning rate rises
LARGEST_SCALE = math.log(100)  # of the logits, as in CLIP
MOST_VALUES = 64  # an attribute with more distinct values is text, not a choice


class Choice(NamedTuple):
    """Something that can be read from an image: its class, or one of its attributes."""

    values: list[str]
    labels: Int[Tensor, "m"]  # index into values, for each image


def attribute_choices(records: list[dict[str, Any]]) -> dict[str, Choice]:
    """The attributes that all records have and that take 2 to 64 different values, by name."""
    choices = {}
    for name in sorted(set.intersection(*(set(record["attributes"]) for record in records))):
        column = [str(record["attributes"][name]) for record in records]
        values = sorted(set(column))
        if 2 <= len(values) <= MOST_VALUES:
            choices[name] = Choice(values, torch.tensor([values.index(value) for value in column]))
    return choices


def augment(
    pixels: Float[Tensor, "b 3 h w"], config: Evaluator, generator: torch.Generator
) -> Float[Tensor, "b 3 h w"]:
    """Images moved by a few pixels, with a little more or less contrast, brightness and noise; pixels in [-1, 1].

    Nothing here makes a caption wrong: no mirroring, no change of hue, no crop that cuts a part off.
    """
    b, _, h, w = pixels.shape
    reach = min(config.shift, h - 1, w - 1)  # what reflection can fill
    padded = pad(pixels, (reach,) * 4, mode="reflect")
    places = torch.randint(0, 2 * reach + 1, (b, 2), generator=generator).tolist()
    moved = torch.stack([image[:, y : y + h, x : x + w] for image, (y, x) in zip(padded, places, strict=True)])
    gain, offset = 2 * config.brightness * (torch.rand(2, b, 1, 1, 1, generator=generator) * 2 - 1).to(pixels.device)
    noise = torch.randn(moved.shape, generator=generator).to(pixels.device)
    return moved * (1 + gain / 2) + offset + 2 * config.noise * noise  # pixels span a range of 2


def learning_rate(progress: float, peak: float) -> float:
    """The rate at a share of the training: up linearly over the first tenth, then a cosine down to zero."""
    if progress < WARMUP:
        return peak * progress / WARMUP
    return peak * (1 + math.cos(math.pi * (progress - WARMUP) / (1 - WARMUP))) / 2


def train(
    clip: CLIP,
    images: UInt8[Tensor, "m 3 h w"],
    tokens: Int[Tensor, "m length"],
    classes: Choice,
    attributes: dict[str, Choice],
    config: Evaluator,
    machine: Machine,
) -> None:
    """Trains the network in place. The same images, configuration and number of threads give the same weights."""
    # Prepare.
    generator = torch.Generator().manual_seed(config.seed)
    choices = [classes, *attributes.values()]
    weights = [config.class_weight, *(config.attribute_weight / len(attributes) for _ in attributes)]
    heads = nn.ModuleList(nn.Linear(config.width, len(choice.values)) for choice in choices)
    labels = torch.stack([choice.labels for choice in choices], dim=1).to(machine.device)
    model = nn.ModuleList([clip, heads]).to(machine.device).train()
    optimiser = _optimiser(model, config)
    batch = min(config.batch, len(images))
    order = torch.empty(0, dtype=torch.int64)
    updates = config.images // batch

    # bfloat16 attention of few tokens is slow in the fused kernel of CPUs
    with sdpa_kernel(SDPBackend.MATH) if machine.device.type == "cpu" else nullcontext(), _progress(config) as progress:
        for update in range(updates):
            # Draw.
            if len(order) < batch:
                order = torch.randperm(len(images), generator=generator)
            chosen, order = order[:batch], order[batch:]
            pixels = augment(to_pixels(images[chosen].to(machine.device), config.image_size), config, generator)

            # Loss.
            with torch.autocast(machine.device.type, machine.precision, machine.precision != torch.float32):
                view = clip.visual.view(pixels)
                texts = clip.encode_text(tokens[chosen].to(machine.device), normalize=True)
                guesses = [head(view.tokens.mean(1)) for head in heads]
            contrast = ClipLoss()(normalize(view.embedding.float(), dim=1), texts.float(), clip.logit_scale.exp())
            losses = [cross_entropy(g.float(), y) for g, y in zip(guesses, labels[chosen].unbind(1), strict=True)]
            loss = contrast + sum(weight * part for weight, part in zip(weights, losses, strict=True))

            # Update.
            for group in optimiser.param_groups:
                group["lr"] = learning_rate((update + 1) / updates, config.lr)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            clip.logit_scale.data.clamp_(0, LARGEST_SCALE)
            progress.advance(batch, f"contrastive loss {contrast.item():.3f}, class {losses[0].item():.3f}")
            if not math.isfinite(loss.item()):
                raise FloatingPointError(f"the evaluator's loss became {loss.item()} at update {update}; lower its lr")
    clip.eval()


def _optimiser(model: nn.Module, config: Evaluator) -> torch.optim.AdamW:
    """AdamW that decays matrices and kernels, and neither biases nor scales."""
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.lr, betas=BETAS, fused=True)


def _progress(config: Evaluator) -> Progress:
    return Progress("fit_evaluator", config.images, "images")
