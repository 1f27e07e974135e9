"""Trains the backbone of the local perceptual distance on the evaluator split: it learns classes and attributes.

python -m asymflow.stages.fit_perceptual --config JSON --data results/data/evaluator.json
    --out results/evaluator/perceptual.safetensors
"""

import argparse
import math
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from asymflow import machine, provenance, tensors
from asymflow.command import run
from asymflow.config.perceptual import Perceptual as Config
from asymflow.data.batches import Batches
from asymflow.data.reader import ShardReader
from asymflow.metrics.clip_training import Choice, attribute_choices, learning_rate
from asymflow.metrics.perceptual import untrained
from asymflow.progress import Progress

SHIFT = 4  # augmentation: maximum shift of an image in pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="the perceptual section as JSON")
    parser.add_argument("--data", type=Path, required=True, help="index of the evaluator split")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    config, reader = Config.model_validate_json(arguments.config), ShardReader(arguments.data)
    hardware = machine.choose("float32", "off")  # a small network of small convolutions: bfloat16 gains nothing
    print(f"fitting the perceptual network on {hardware}: {len(reader)} images of {reader.source}", flush=True)
    network = fit(reader, config, hardware)
    description = {"config": config.model_dump(mode="json")}
    code = provenance.digest("asymflow.stages.fit_perceptual")
    tensors.save(
        arguments.out, "perceptual network", network.state_dict(), description | {"data": reader.set, "code": code}
    )


def fit(reader: ShardReader, config: Config, hardware: machine.Machine) -> nn.Module:
    """The network from whose every layer class and attributes can be read linearly, from its mean over the image."""
    torch.manual_seed(config.seed)
    network = untrained(config.backbone).to(hardware.device)
    choices = [Choice(reader.classes, reader.labels)]
    choices += attribute_choices([reader.record(i) for i in range(len(reader))]).values()
    labels = torch.stack([choice.labels for choice in choices], dim=1)
    heads = nn.ModuleList(nn.LazyLinear(len(choice.values)) for choice in choices).to(hardware.device)
    batch = min(config.batch, len(reader))
    batches = Batches(reader, images=config.images, batch=batch, seed=config.seed)
    heads_of = _features(network, torch.zeros(2, 3, reader.image_size, reader.image_size, device=hardware.device))
    for head in heads:  # gives the lazy layers their shape
        head(heads_of)
    optimiser = torch.optim.AdamW([*network.net.parameters(), *heads.parameters()], lr=config.lr, fused=True)
    with Progress("fit_perceptual", config.images, "images") as progress:
        for update in range(len(batches)):
            chosen = batches.chosen(update)
            pixels = batches.pictures(chosen).to(hardware.device).float() / 127.5 - 1
            moved = torch.roll(pixels, torch.randint(-SHIFT, SHIFT + 1, (2,)).tolist(), dims=(2, 3))
            features = _features(network, moved)
            wanted = labels[chosen].to(hardware.device).unbind(1)
            losses = [cross_entropy(head(features), y) for head, y in zip(heads, wanted, strict=True)]
            loss = losses[0] + sum(losses[1:]) / max(1, len(losses) - 1)
            for group in optimiser.param_groups:
                group["lr"] = learning_rate((update + 1) / len(batches), config.lr)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if not math.isfinite(value := loss.item()):
                raise FloatingPointError(
                    f"the perceptual network's loss became {value} at update {update}; lower its lr"
                )
            progress.advance(batch, f"class {losses[0].item():.3f}, all {value:.3f}")
    return network


def _features(network: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """The mean over the image of every layer that LPIPS compares, side by side, each normalised as LPIPS does."""
    layers = network.net(network.scaling_layer(pixels))
    return torch.cat([(x / (x.square().sum(1, keepdim=True) + 1e-10).sqrt()).mean((2, 3)) for x in layers], dim=1)


if __name__ == "__main__":
    run(main)
