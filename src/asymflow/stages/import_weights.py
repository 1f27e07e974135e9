"""Makes a run of ours of weights that others trained and published.

python -m asymflow.stages.import_weights --arm JSON --seed 0 --image-size 256
    --file models/asymflow_h_16_r8_imagenet.safetensors --model OUT.safetensors --summary OUT.json
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from asymflow import documents, parts
from asymflow.command import run
from asymflow.config.arm import Arm
from asymflow.data.tokens import grid_of
from asymflow.files import checksum
from asymflow.models.assemble import Lift, outline
from asymflow.released import files
from asymflow.released.found import Found, mended
from asymflow.training import checkpoint
from asymflow.training.averages import Last

SHOWN = 3  # names in a message


def main() -> None:
    arguments = _arguments()
    arm = Arm.model_validate_json(arguments.arm)
    layout = parts.load(parts.layout(arm))
    found = layout.read(files.read(arguments.file), arguments.file)
    A, departure = mended(found.A, arguments.file)
    print(
        f"{len(found.weights)} tensors, a subspace of {A.shape[1]} of {A.shape[0]} directions, scale {found.s:g}",
        flush=True,
    )
    print(f"orthonormal to {departure:.2g}" + ("" if torch.equal(A, found.A) else ": mended"), flush=True)
    grid = grid_of(arguments.image_size, arguments.image_size, arm.representation.patch_size)
    try:
        shapes = layout.shapes(found.weights, grid, arguments.folder)
    except (KeyError, IndexError) as error:  # what a network is told is read off weights that the file may lack
        raise ValueError(f"{arguments.file} lacks weights of this layout: no {error}; fetch the whole file") from error
    lift = Lift(A, found.s) if arm.lifted else None
    _check_subspace(A, arm, arguments.file)
    _check(found, outline(arm, shapes, grid, A.shape[1] if lift else None, arguments.folder), arguments.file)

    description = {
        "arm": arm.model_dump(mode="json", exclude_none=True),
        "shapes": asdict(shapes),
        "classes": classes(shapes.classes),
        "reader": None,
        "image_size": arguments.image_size,
        "data": "",  # theirs, of which no name is known here
        "began": None,
        "seed": arguments.seed,
        "images": arm.training.images,
        "code": parts.of_import(arm).digest(),
    }
    weights = [Last(arm.training.averages[0], found.weights)]
    model = checkpoint.save_model(arguments.model, weights, A, lift, description)
    summary = {
        "arm": description["arm"],
        "seed": arguments.seed,
        "images": arm.training.images,
        "set_images": None,
        "seconds": None,
        "images_per_second": None,
        "parameters": sum(value.numel() for value in found.weights.values()),
        "trained_parameters": sum(value.numel() for value in found.weights.values()),
        "gflops_per_image": None,
        "peak_memory_mib": None,
        "machine": "trained by others",
        "identity": {
            "configuration": arm.model_dump_json(exclude_none=True),
            "seed": str(arguments.seed),
            "file": checksum(arguments.file),
        },
        "data": "",
        "model": model,
        "snapshots": {},
        **parts.of_import(arm).record(),
    }
    documents.write(arguments.summary, "training", summary)


def classes(count: int) -> list[str]:
    """Names of the classes that released models are told: ImageNet's where there are a thousand."""
    if count != 1000:
        return [f"class {number}" for number in range(count)]
    from torchvision.models import ResNet18_Weights

    return ResNet18_Weights.DEFAULT.meta["categories"]


def _check_subspace(A: Tensor, arm: Arm, path: Path) -> None:
    dimension = arm.representation.dimension
    columns = A.shape[1] if arm.lifted else arm.target.columns(dimension)
    if A.shape != (dimension, columns):
        raise ValueError(
            f"{path} has a subspace of {A.shape[1]} of {A.shape[0]} directions; the arm has {columns} of {dimension}: change"
            " target.rank or representation.patch_size"
        )


def _check(found: Found, expected: dict[str, torch.Size], path: Path) -> None:
    """Raises ValueError unless the file has exactly the tensors that the arm's network has."""
    missing, more = sorted(expected.keys() - found.weights.keys()), sorted(found.weights.keys() - expected.keys())
    for what, names in (("lacks", missing), ("has beyond them", more)):
        if names:
            shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
            raise ValueError(
                f"{path} {what} {len(names)} of the tensors of this arm's network, by our names: {shown}; check network,"
                " conditions and start.released.layout"
            )
    for name, shape in expected.items():
        if found.weights[name].shape != shape:
            raise ValueError(
                f"{path} has {name!r} (our name) of shape {tuple(found.weights[name].shape)}; the arm's network has"
                f" {tuple(shape)}: check its size"
            )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arm", required=True, help="the arm's configuration as JSON")
    parser.add_argument("--seed", type=int, required=True, help="of the noise that samples begin with")
    parser.add_argument("--image-size", type=int, required=True, help="side of its square images in pixels")
    parser.add_argument("--file", type=Path, required=True, help="the released weights")
    parser.add_argument(
        "--folder", type=Path, nargs="?", help="the FLUX.2 in the format of diffusers that an adapter is of"
    )
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--summary", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
