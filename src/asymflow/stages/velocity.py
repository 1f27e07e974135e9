"""Measures the error of a run's velocity on held-out images, by noise level and by groups of principal directions.

python -m asymflow.stages.velocity --config JSON --sampling JSON --model results/runs/rank8/seed0/model.safetensors
    --summary results/runs/rank8/seed0/unguided/samples.json --heldout results/data/heldout.json
    --basis results/subspace/pca_rgb_p16.safetensors --out OUT.json
"""

import argparse
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor

from asymflow import documents, lineage, parts
from asymflow.command import run
from asymflow.config.sampling import Sampling
from asymflow.config.velocity import Velocity as Config
from asymflow.data.reader import ShardReader
from asymflow.data.reader import parts as batches
from asymflow.data.rows import RowReader
from asymflow.data.tokens import to_tokens
from asymflow.flow.error import inner_products, predicted_noise
from asymflow.flow.path import interpolate, velocity
from asymflow.models.condition import Condition
from asymflow.progress import Progress
from asymflow.sampling.asks.request import shown
from asymflow.sampling.run import Files, Run, load
from asymflow.sampling.sampler import noise, tokens
from asymflow.subspace import file as subspace_file
from asymflow.subspace.patches import CHANNEL_LAST

Given = tuple[Tensor, Tensor, Condition | None]  # data, noise, and what the network is told
NOISE = 2**31  # seed of the noise, far from those of trainings: the same for every arm and seed


def main() -> None:
    arguments = _arguments()
    config, settings = Config.model_validate_json(arguments.config), Sampling.model_validate_json(arguments.sampling)
    loaded = load(arguments.model, settings, Files(arguments.start, arguments.folder))
    heldout, stored = ShardReader(arguments.heldout), {}
    for name in ("captions", "images"):
        if file := getattr(arguments, name):
            stored[name] = RowReader(file)
            lineage.check(file, stored[name].description["data"], heldout.path, heldout.set)
    lineage.check(arguments.model, loaded.data, heldout.path, heldout.set)
    summary = documents.read(arguments.summary, "sampling")
    lineage.check_weights(arguments.summary, summary["model"], arguments.model, loaded.checksum)
    if len(heldout) < config.images:
        raise ValueError(
            f"{heldout.path} has {len(heldout)} images, but velocity.images is {config.images}; raise data.heldout, or lower that"
        )
    print(f"comparing velocities on {loaded.machine}", flush=True)
    basis = _basis(arguments.basis, loaded)
    rows = measure(loaded.model, _given(loaded, heldout, stored, config), basis, config)
    result = {
        "metrics": metrics(rows, config.principal),
        "rows": rows,
        "samples": config.images,
        "file": summary["file"],
        "model": loaded.checksum,
        "images_seen": loaded.images,
        **parts.of_velocity(loaded.arm).record(),
    }
    documents.write(arguments.out, "score", result)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="the velocity section as JSON")
    parser.add_argument("--sampling", required=True, help="the sampling setting as JSON: it names weights and snapshot")
    parser.add_argument("--model", type=Path, required=True, help="a model, or the folder of a run's snapshots")
    parser.add_argument("--start", type=Path, nargs="?", help="the model whose weights an adapted one began with")
    parser.add_argument("--folder", type=Path, nargs="?", help="a FLUX.2 in the format of diffusers that it began with")
    parser.add_argument("--summary", type=Path, required=True, help="what stage sample says of the run")
    parser.add_argument("--heldout", type=Path, required=True, help="index of the held-out split")
    parser.add_argument("--captions", type=Path, nargs="?", help="its captions as tokens")
    parser.add_argument("--images", type=Path, nargs="?", help="its images as embeddings and patch tokens")
    parser.add_argument("--basis", type=Path, required=True, help="all principal directions of patch space")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def _basis(path: Path, of: Run) -> Tensor:
    space = of.arm.representation
    fitted = subspace_file.load(path, patch_size=space.patch_size, order=CHANNEL_LAST, colour=space.colour)
    lineage.check(path, fitted.data, "the run", of.data)
    fitted = fitted.in_order(of.arm.network.order)
    return fitted.columns(len(fitted.basis)).to(of.machine.device)


@torch.inference_mode()
def measure(model: Callable, given: Iterable[Given], basis: Tensor, config: Config) -> list[dict]:
    """For each noise level and group of directions: the velocity's mean square error, its standard error over images, the mean
    square of the true velocity, and the share of the noise that the prediction has.

    `model` is called as a VelocityModel is. The share is the slope of the predicted noise on the given one,
    <eps_hat, eps> / <eps, eps>.
    """
    ends, sums = config.ends(len(basis)), {level: [] for level in config.levels}
    for x_0, eps, condition in given:
        for level in config.levels:
            t = torch.full((len(x_0),), level, device=x_0.device)
            x_t, u = interpolate(x_0, eps, t), velocity(x_0, eps)
            u_hat = model(x_t, t, condition, sigma_min=0.0)
            pairs = ((u_hat - u, u_hat - u), (u, u), (predicted_noise(x_t, u_hat, t), eps), (eps, eps))
            sums[level].append(torch.stack([inner_products(*pair, basis, ends).double() for pair in pairs], 2))
    return list(_rows({level: torch.cat(values) for level, values in sums.items()}, ends))


def _rows(sums: dict[float, Tensor], ends: list[int]) -> Iterator[dict]:
    for level, values in sums.items():
        for group, (first, last) in enumerate(zip([0, *ends], ends, strict=False)):
            error, true, passed, given = values[:, group].mean(0).tolist()
            deviation = values[:, group, 0].std().item() / len(values) ** 0.5
            yield {
                "t": level, "first": first + 1, "last": last, "error": error, "standard_error": deviation, "velocity": true,
                "noise_passed": passed / given,
            }  # fmt: skip


def _given(of: Run, heldout: ShardReader, stored: dict[str, RowReader], config: Config) -> Iterator[Given]:
    """Data, noise, and a condition that shows all that the run is conditioned on, batch by batch."""
    device = of.machine.device
    with Progress("velocity", config.images, "images") as progress:
        for numbers in batches(range(config.images), config.batch):
            pixels = heldout.images(numbers).float() / 127.5 - 1
            told = {"label": heldout.labels[numbers.start : numbers.stop]}
            for rows in stored.values():
                told |= {name: values for name, values in rows.read(numbers).items() if name != "face"}
            if "captions" in stored:
                told["empty"] = stored["captions"].shared["empty"]
            condition = shown(of, len(numbers), **told).to(device)
            eps = tokens(of, noise(NOISE, numbers, of.shape))
            yield to_tokens(pixels, of.arm).to(device), eps.to(device), condition
            progress.advance(len(numbers))


def metrics(rows: list[dict], principal: int) -> dict[str, float]:
    """The error in all directions, in the first ones, and in the others; geometric means over the noise levels.

    The error grows by orders of magnitude towards clean images: an ordinary mean would be that of the lowest level.
    """
    parts_of = {
        "velocity_error": rows,
        "velocity_error_principal": [row for row in rows if row["last"] <= principal],
        "velocity_error_detail": [row for row in rows if row["last"] > principal],
    }
    levels = sorted({row["t"] for row in rows})
    return {
        name: math.exp(mean(math.log(sum(row["error"] for row in chosen if row["t"] == level)) for level in levels))
        for name, chosen in parts_of.items()
        if chosen
    }


if __name__ == "__main__":
    run(main)
