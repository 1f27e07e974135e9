"""Trains the autoencoder of the latent track on the training images.

python -m asymflow.stages.fit_autoencoder --config JSON --data results/data/train.json
    --heldout results/data/heldout.json --out results/latent/autoencoder.safetensors
"""

import argparse
import math
import time
from contextlib import closing
from pathlib import Path

import torch
from torch import Tensor

from asymflow import lineage, machine, provenance, tensors
from asymflow.command import run
from asymflow.config.autoencoder import DOWN
from asymflow.config.autoencoder import Autoencoder as Config
from asymflow.data.batches import Batches
from asymflow.data.reader import ShardReader
from asymflow.models.autoencoder import Autoencoder
from asymflow.progress import Progress
from asymflow.subspace.bases import gram, pca
from asymflow.subspace.patches import CHANNEL_FIRST, patchify
from asymflow.training.schedule import learning_rate

SEEN = 2_000  # images that the principal components and the normalisation are taken from
BATCH = 100  # images at a time, where there is nothing to learn
WARMUP, DECAY = 0.1, 0.6  # shares of the training over which the learning rate rises and falls
BETAS = (0.9, 0.99)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="the autoencoder section as JSON")
    parser.add_argument("--data", type=Path, required=True, help="index of the training split")
    parser.add_argument("--heldout", type=Path, required=True, help="index of the split that it is judged on")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    config, reader, heldout = (
        Config.model_validate_json(arguments.config),
        ShardReader(arguments.data),
        ShardReader(arguments.heldout),
    )
    lineage.check(heldout.path, heldout.set, reader.path, reader.set)
    if reader.image_size % DOWN:
        raise ValueError(f"{arguments.data} has images of {reader.image_size} pixels; {DOWN} must divide their side")
    hardware = machine.choose(config.precision, "off")
    print(f"fitting the autoencoder on {hardware}: {len(reader)} images of {reader.source}", flush=True)

    start = time.perf_counter()
    autoencoder = fit(reader, config, hardware)
    print(f"{config.images / (time.perf_counter() - start):.0f} images/s", flush=True)
    decibels = peak_signal_to_noise(autoencoder, _some(heldout, SEEN), hardware)
    print(f"reconstruction of held-out images: {decibels:.2f} dB", flush=True)
    description = {"config": config.model_dump(mode="json"), "heldout_psnr": round(decibels, 3)}
    code = provenance.digest("asymflow.stages.fit_autoencoder")
    tensors.save(
        arguments.out, "autoencoder", autoencoder.state_dict(), description | {"data": reader.set, "code": code}
    )


def fit(reader: ShardReader, config: Config, hardware: machine.Machine) -> Autoencoder:
    """The trained autoencoder. The same images, configuration and machine give the same weights."""
    torch.manual_seed(config.seed)
    images = _some(reader, SEEN)
    autoencoder = Autoencoder(config)
    autoencoder.initialise_from_pca(_directions(images, config.channels))
    autoencoder.to(hardware.device, memory_format=torch.channels_last)
    autoencoder.normalise(_raw(autoencoder, images, hardware))
    optimiser = torch.optim.AdamW(autoencoder.parameters(), lr=config.lr, betas=BETAS, weight_decay=0.0, fused=True)
    batches = Batches(reader, images=config.images, batch=config.batch, seed=config.seed)
    total = len(batches) * config.batch
    with closing(batches.starting_at(0, workers=1)) as supply, Progress("fit_autoencoder", total, "images") as progress:
        for number, batch in enumerate(supply, start=1):
            x = _pixels(batch["images"], hardware)
            with torch.autocast(hardware.device.type, hardware.precision, enabled=hardware.precision != torch.float32):
                latents = autoencoder.encode(x)
                decoded = autoencoder.decode(latents + config.noise * torch.randn_like(latents))
            loss = (decoded.float() - x).abs().mean()
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(
                    number * config.batch,
                    peak=config.lr,
                    warmup=round(WARMUP * total),
                    decay=DECAY * total,
                    total=total,
                )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            value = loss.item()
            if not math.isfinite(value):
                raise FloatingPointError(f"the autoencoder's loss became {value} at update {number}; lower its lr")
            progress.advance(config.batch, f"absolute error {value:.4f}")
    autoencoder.eval().requires_grad_(False)
    autoencoder.normalise(_raw(autoencoder, images, hardware))
    return autoencoder


@torch.no_grad()
def peak_signal_to_noise(autoencoder: Autoencoder, images: Tensor, hardware: machine.Machine) -> float:
    """10 log10(range^2 / mean squared error) of the reconstruction, in decibels; images in 0 to 255."""
    errors = []
    for batch in images.split(BATCH):
        x = _pixels(batch, hardware)
        errors.append((autoencoder.decode(autoencoder.encode(x)).clamp(-1, 1) - x).square().mean((1, 2, 3)))
    return 10 * math.log10(4 / torch.cat(errors).mean().item())


def _directions(images: Tensor, channels: int) -> Tensor:
    patches = (patchify(batch.double() / 127.5 - 1, DOWN, CHANNEL_FIRST) for batch in images.split(BATCH))
    return pca(gram(patches)[0])[0][:, :channels].float()


@torch.no_grad()
def _raw(autoencoder: Autoencoder, images: Tensor, hardware: machine.Machine) -> Tensor:
    return torch.cat([autoencoder.raw(_pixels(batch, hardware)) for batch in images.split(BATCH)])


def _some(reader: ShardReader, most: int) -> Tensor:
    return reader.images(range(min(most, len(reader))))


def _pixels(images: Tensor, hardware: machine.Machine) -> Tensor:
    return (images.to(hardware.device).float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


if __name__ == "__main__":
    run(main)
