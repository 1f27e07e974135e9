"""Pictures from a trained run, or a published one: by class, by caption, or by a case of the validation suite.

asymflow sample results/runs/rank8/seed0 --classes 0,3 --count 16 --steps 24 --guidance 2 --out picture.png
asymflow sample results/runs/asymflow/seed0 --captions "a woman with red hair" "a man with glasses" --solver unipc
asymflow sample results/runs/prx_d/seed0 --cases reconstruction --solver euler --steps 20
asymflow sample results/runs/rank8/seed0/published --count 16

Weights that others published are runs too, once `snakemake <results>/runs/<arm>/seed0/model.safetensors` has imported them.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, get_args

if TYPE_CHECKING:
    from asymflow.config.sampling import Sampling

PICTURES = (".png", ".jpg", ".jpeg", ".webp")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from asymflow.config.sampling import ClassifierFree, Sampling, Solver

    default, free = Sampling(), ClassifierFree()
    parser.add_argument(
        "run_folder", type=Path, metavar="RUN", help="folder of a trained run, or one that stage publish wrote"
    )
    parser.add_argument("--classes", help="names or numbers, with commas between; all classes if left out")
    parser.add_argument("--captions", nargs="+", help="texts, in turn")
    parser.add_argument("--cases", help="a kind of case of the validation suite, such as reconstruction")
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--solver", choices=get_args(Solver), default=default.solver)
    parser.add_argument("--steps", type=int, default=default.steps)
    parser.add_argument("--guidance", type=float, default=1.0, help="1 is none")
    parser.add_argument("--interval", type=float, nargs=2, default=free.interval, help="noise levels that are guided")
    parser.add_argument("--orthogonal", action="store_true", help="guidance orthogonal to the image")
    parser.add_argument("--sigma-min", type=float, default=default.sigma_min)
    parser.add_argument("--gamut-clamp", action="store_true", help="every predicted image is brought into RGB's gamut")
    parser.add_argument("--weights", help="one of the arm's averages; the first, which tables use, if left out")
    parser.add_argument("--folder", type=Path, help="a FLUX.2 in the format of diffusers that the run began with")
    parser.add_argument("--seed", type=_from(0), default=0)
    parser.add_argument("--columns", type=_from(1), help="images in a row; about a square if left out")
    parser.add_argument("--enlarge", type=_from(1), default=2)
    parser.add_argument("--out", type=_picture, default=Path("samples.png"))


def settings(arguments: argparse.Namespace) -> "Sampling":
    """How the arguments ask to draw. Raises ValueError for one that a sampling setting cannot have."""
    from pydantic import ValidationError

    from asymflow.config.sampling import ClassifierFree, Sampling

    try:
        guidance = ClassifierFree(
            scale=arguments.guidance, interval=tuple(arguments.interval), orthogonal=arguments.orthogonal
        )
        return Sampling(
            count=arguments.count, solver=arguments.solver, steps=arguments.steps, guidance=guidance, weights=arguments.weights,
            sigma_min=arguments.sigma_min, gamut_clamp=arguments.gamut_clamp, compile="off",
        )  # fmt: skip
    except ValidationError as error:
        said = [(*detail["loc"], detail["msg"].removeprefix("Value error, ")) for detail in error.errors()]
        raise ValueError("; ".join(": ".join(map(str, parts)) for parts in said)) from error


def _from(least: int) -> Callable[[str], int]:
    """What reads an integer from the least one on."""

    def integer(text: str) -> int:
        if (value := int(text)) < least:
            raise argparse.ArgumentTypeError(f"found {text}; expected {least} or more")
        return value

    return integer


def _picture(text: str) -> Path:
    path = Path(text)
    if path.is_dir() or path.suffix.lower() not in PICTURES:
        raise argparse.ArgumentTypeError(
            f"found {text}; expected a file whose name ends in one of {', '.join(PICTURES)}"
        )
    return path


def run(arguments: argparse.Namespace) -> int:
    from asymflow.sample import picture  # loads torch

    picture(arguments)
    return 0
