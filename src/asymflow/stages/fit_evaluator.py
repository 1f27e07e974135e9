"""Trains the local evaluator on its own split.

python -m asymflow.stages.fit_evaluator --config JSON --data results/data/evaluator.json --out OUT.safetensors
"""

import argparse
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asymflow import machine, provenance, tensors
from asymflow.command import run
from asymflow.config.evaluator import Evaluator as Config
from asymflow.data.reader import ShardReader
from asymflow.data.tokens import to_bytes
from asymflow.metrics import clip as network
from asymflow.metrics import clip_training, probe
from asymflow.metrics.clip_training import Choice
from asymflow.metrics.evaluators import LocalEvaluator
from asymflow.metrics.probe import Probe
from asymflow.metrics.tower import ImageTower, features, to_pixels

BATCH = 250  # images read or seen at a time, where there is nothing to learn
LEAST_SPREAD = 1e-2  # of a feature; one that hardly varies on real images would count too much once it does


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="the evaluator section as JSON")
    parser.add_argument("--data", type=Path, required=True, help="index of the evaluator split")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    config, reader = Config.model_validate_json(arguments.config), ShardReader(arguments.data)
    if len(reader) < 2 or len(reader.classes) < 2:
        size = f"{len(reader)} images in {len(reader.classes)} classes"
        raise ValueError(
            f"{arguments.data} has {size}; an evaluator needs two of each or more: sort the images into two folders, or"
            " let published networks judge, read and teach (evaluators, embeddings, teacher)"
        )
    hardware = machine.choose(config.precision, "off")
    print(f"fitting the evaluator on {hardware}: {len(reader)} images of {reader.source}", flush=True)

    start = time.perf_counter()
    stored, description = fit(reader, config, hardware)
    print(f"{config.images / (time.perf_counter() - start):.0f} images/s, reading and probes included", flush=True)
    description |= {"data": reader.set, "code": provenance.digest("asymflow.stages.fit_evaluator")}
    tensors.save(arguments.out, "evaluator", stored, description)


def fit(reader: ShardReader, config: Config, hardware: machine.Machine) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The evaluator's tensors and description: network, standardisation of its features, classifiers on these."""
    torch.manual_seed(config.seed)
    images = _images(reader, config.image_size)
    classes = Choice(reader.classes, reader.labels)
    attributes = clip_training.attribute_choices([reader.record(i) for i in range(len(reader))])
    tokens = network.tokenize(reader.captions, config.context_length)
    clip = network.build(config, tokens.shape[1])
    clip_training.train(clip, images, tokens, classes, attributes, config, hardware)

    raw = _features(clip.visual, images, hardware.device)
    offset, scale = raw.mean(0), raw.std(0).clamp_min(LEAST_SPREAD)
    choices = {LocalEvaluator.CLASS: classes} | attributes
    stored = {f"clip.{name}": tensor for name, tensor in clip.state_dict().items()} | {"offset": offset, "scale": scale}
    for name, fitted in _probes((raw - offset) / scale, choices, config.probe_penalty).items():
        stored |= {f"probe.{name}.weight": fitted.weight, f"probe.{name}.bias": fitted.bias}
    description = {"config": config.model_dump(), "context_length": clip.context_length}
    description |= {"values": {name: choice.values for name, choice in choices.items()}}
    return stored, description | {"split": reader.split, "source": reader.source}


@torch.inference_mode()
def _features(tower: ImageTower, images: Tensor, device: torch.device) -> Tensor:
    """The features of all images before they are standardised."""
    size = images.shape[-1]
    return torch.cat([features(tower.view(to_pixels(batch.to(device), size))) for batch in images.split(BATCH)])


def _probes(standardised: Tensor, choices: dict[str, Choice], penalty: float) -> dict[str, Probe]:
    """A linear classifier of the class and of each attribute."""
    probes, x = {}, standardised.clone()  # a copy that is not an inference tensor, so that gradients can be taken
    for name, choice in choices.items():
        labels = choice.labels.to(x.device)
        probes[name] = probe.fit(x, labels, classes=len(choice.values), penalty=penalty)
        share = probe.accuracy(probes[name], x, labels)
        print(f"linear probe of {name}: {100 * share:.1f} % of {len(labels)} right, on its own images", flush=True)
    return probes


def _images(reader: ShardReader, size: int) -> Tensor:
    """All images of the split in the network's own size, uint8."""
    batches = torch.arange(len(reader)).split(BATCH)
    return torch.cat([to_bytes(to_pixels(reader.images(indices.tolist()), size)) for indices in batches])


if __name__ == "__main__":
    run(main)
