"""Draws a picture from a trained run, by hand: by class, by caption, or by a case of the validation suite.

python -m asymflow.sample results/runs/rank8/seed0 --classes 0,3 --count 16 --steps 24 --guidance 2 --out picture.png
python -m asymflow.sample results/runs/asymflow/seed0 --captions "a woman with red hair" "a man with glasses" --solver unipc
python -m asymflow.sample results/runs/prx_d/seed0 --cases reconstruction --solver euler --steps 20

What a run needs beside its own files (the evaluator that reads captions, an autoencoder, the run that it began with, the
suite) is taken from the folder of results that it lies in.
"""

import argparse
import json
from pathlib import Path

import torch

from asymflow import tensors
from asymflow.command import run
from asymflow.commands.sample import add_arguments
from asymflow.commands.sample import settings as asked_settings
from asymflow.config.arm import Arm
from asymflow.config.embeddings import Embeddings
from asymflow.config.sampling import Sampling
from asymflow.data.suite import Suite
from asymflow.data.tokens import grid_of
from asymflow.machine import choose
from asymflow.models.assemble import Beginning, Lift, assemble, restore
from asymflow.models.condition import Condition, Shapes
from asymflow.paths import Paths
from asymflow.report import pictures
from asymflow.sampling import pieces
from asymflow.sampling.asks import cases
from asymflow.sampling.asks.request import shown
from asymflow.sampling.run import Files, Run, load
from asymflow.sampling.sampler import noise, sample
from asymflow.training import readers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    picture(parser.parse_args())


def picture(arguments: argparse.Namespace) -> None:
    """Draws what the arguments (`commands.sample`) ask for and writes it as one picture."""
    settings = asked_settings(arguments)
    above = arguments.run_folder.resolve().parents
    paths = Paths(str(above[min(2, len(above) - 1)]))
    model = arguments.run_folder / "model.safetensors"
    if (arguments.run_folder / "config.json").exists():
        run, description = _published(arguments.run_folder, settings), {}
    else:
        description = tensors.describe(model, "model")
        arm = Arm.model_validate(description["arm"])
        weights = arguments.run_folder / "snapshots" if settings.of_snapshots else model
        run = load(weights, settings, _files(arm, description["seed"], paths, arguments.folder))
    condition, what = _asked(run, description, paths, settings, arguments)
    device, count = run.machine.device, len(condition.present)
    images = [
        sample(run, noise(arguments.seed, numbers, run.shape).to(device), part.to(device), settings)
        for numbers, part in zip(pieces.ranges(count, settings.batch), condition.split(settings.batch), strict=True)
    ]
    columns = arguments.columns or max(1, round(count**0.5))
    drawn = pictures.grid(torch.cat(images).permute(0, 2, 3, 1).cpu().numpy(), columns)
    pictures.save(pictures.enlarge(drawn, arguments.enlarge), arguments.out)
    print(f"{count} images of {what} in {arguments.out}")


def _published(folder: Path, settings: Sampling) -> Run:
    """The model in a folder that stage publish wrote. Raises ValueError for one that needs more than classes and weights."""
    if settings.weights:
        raise ValueError(
            f"{folder} holds one set of weights; leave --weights out, or sample the run that it was made of"
        )
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        arm, shapes, classes = (
            Arm.model_validate(config["arm"]),
            Shapes.parse(config["shapes"]),
            tuple(config["classes"]),
        )
        size, scale = int(config["image_size"]), float(config["s"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder}/config.json does not describe a run as stage publish writes it; expected the folder of a run, or"
            " <run>/published, which `asymflow export` makes"
        ) from error
    if arm.start.adapter or arm.representation.space == "latent" or arm.conditions.modalities != ("class",):
        raise ValueError(
            f"{folder} is no model of pixels that is told classes alone and adapts no other; sample the run that it was made of"
        )
    weights = tensors.load(folder / "model.safetensors", "export")
    if "A" not in weights:
        raise ValueError(f"{folder}/model.safetensors has no A, the subspace of its prediction; export the run again")
    A, lift = weights.pop("A"), Lift(weights.pop("lift"), scale) if "lift" in weights else None
    grid = grid_of(size, size, arm.representation.patch_size)
    machine = choose(settings.precision, settings.compile)
    model = assemble(arm, shapes, grid, Beginning(subspace=A, lift=lift), seed=0, precision=machine.precision)
    restore(model.network, weights)
    model = model.to(machine.device).eval().requires_grad_(False)
    return Run(model, arm, machine, shapes, classes, size, grid, seed=0, images=0, lift=lift)


def _files(arm: Arm, seed: int, paths: Paths, folder: Path | None) -> Files:
    """What the run is loaded from beside its own file."""
    adapted = arm.start.run and arm.start.adapter
    latent = arm.representation.space == "latent"
    return Files(
        start=Path(paths.run("model", arm.start.run, seed)) if adapted else None,
        folder=folder,
        latents=(folder or Path(paths.autoencoder)) if latent else None,
    )


def _asked(
    run: Run, description: dict, paths: Paths, settings: Sampling, arguments: argparse.Namespace
) -> tuple[Condition, str]:
    """What is asked for: the given classes, captions or cases; where nothing is given, all classes or the first captions."""
    knows = run.arm.conditions.modalities
    for name, given in (("class", arguments.classes), ("caption", arguments.captions), ("caption", arguments.cases)):
        if given and name not in knows:
            raise SystemExit(
                f"{arguments.run_folder} is not conditioned on any {name}; its conditions: {', '.join(knows) or 'none'}"
            )
    if arguments.cases:
        return _case(run, paths, settings, arguments)
    if arguments.captions or "class" not in knows:
        return _caption(run, description, paths, settings, arguments)
    chosen = _classes(arguments.classes, run.classes)
    labels = torch.tensor(chosen).repeat(-(-settings.count // len(chosen)))[: settings.count]
    return shown(run, settings.count, label=labels), ", ".join(run.classes[c] for c in chosen)


def _caption(
    run: Run, description: dict, paths: Paths, settings: Sampling, arguments: argparse.Namespace
) -> tuple[Condition, str]:
    captions = arguments.captions
    if not captions:
        raise SystemExit(
            f"{arguments.run_folder} is conditioned on {', '.join(run.arm.conditions.modalities) or 'nothing'}: give --captions"
            " or --cases"
        )
    read_by = description["reader"]
    if read_by is None:
        raise SystemExit(
            f"{arguments.run_folder} holds weights that others trained, and does not say what reads their captions: sample it by"
            " a sampling setting of the configuration, or give --cases"
        )
    if read_by["name"] == "flux2" and not arguments.folder:
        raise SystemExit(f"the captions of {arguments.run_folder} are read by a FLUX.2: give its folder as --folder")
    texts = [captions[i % len(captions)] for i in range(max(settings.count, len(captions)))]
    config = Embeddings.model_validate(read_by["embeddings"])
    reader = readers.reader(read_by["name"], config, Path(paths.evaluator), arguments.folder, run.machine.device)
    text, mask = reader.text(texts)
    empty, _ = reader.text([""])
    return shown(run, len(texts), text=text.cpu(), mask=mask.cpu(), empty=empty[0].cpu()), "; ".join(captions)


def _case(run: Run, paths: Paths, settings: Sampling, arguments: argparse.Namespace) -> tuple[Condition, str]:
    path = Path(paths.suite(run.arm.representation.patch_size))
    numbers = Suite.load(path).of_kind(arguments.cases)[: settings.count]
    if not numbers:
        raise SystemExit(
            f"{path} has no cases of the kind {arguments.cases!r}; it has {', '.join(Suite.load(path).counts())}"
        )
    return cases.build(run, settings, path).condition(numbers), f"the kind {arguments.cases}"


def _classes(text: str | None, names: tuple[str, ...]) -> list[int]:
    """Class numbers from a list of names or numbers, names first; all classes when nothing is said."""
    if text is None:
        return list(range(len(names)))
    numbers = {str(number): number for number in range(len(names))} | {name: i for i, name in enumerate(names)}
    wanted = [item.strip() for item in text.split(",")]
    unknown = [item for item in wanted if item not in numbers]
    if unknown:
        raise SystemExit(f"unknown class {unknown[0]!r}; this run knows {', '.join(names)}, or 0 to {len(names) - 1}")
    return [numbers[item] for item in wanted]


if __name__ == "__main__":
    run(main)
