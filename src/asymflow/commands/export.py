"""A run as a folder that others load: weights, configuration, model card; or in the format of diffusers.

asymflow export results/runs/rank8/seed0
asymflow export results/runs/asymflow/seed0 --diffusers --configfile workflow/scales/flux2.yaml

Lets Snakemake make <run>/published or, of a finetuned FLUX.2, <run>/diffusers, and whatever of the run is still missing.
"""

import argparse
from pathlib import Path

from asymflow.commands import snakemake


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="folder of a run: <results>/runs/<arm>/seed<n>")
    parser.add_argument("--diffusers", action="store_true", help="in the format of diffusers, for a finetuned FLUX.2")
    snakemake.add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    experiment = snakemake.experiment(arguments)
    results, arm, seed = _parts(arguments.run_folder)
    if results != experiment.results:
        raise ValueError(
            f"{arguments.run_folder} lies in {results}, but this configuration's results are in {experiment.results}; give the"
            " --configfile that the run was made with"
        )
    if arm not in experiment.arms:
        raise ValueError(f"{arguments.run_folder} is of the arm {arm!r}, which this configuration does not have")
    if arguments.diffusers and not experiment.arms[arm].whole_flux:
        raise ValueError(
            f"--diffusers is for a FLUX.2 that was lifted to pixels and has no decoder head; the arm {arm!r} is none: leave it"
            " out"
        )
    target = f"{results}/runs/{arm}/{seed}/{'diffusers' if arguments.diffusers else 'published'}"
    code = snakemake.make(arguments, target)
    if not code:
        print(snakemake.project(arguments) / target)
    return code


def _parts(folder: Path) -> tuple[str, str, str]:
    """Results, arm and seed of the folder of a run."""
    *results, runs, arm, seed = [part for part in folder.parts if part != "."] if len(folder.parts) > 3 else [""] * 4
    if runs != "runs" or not seed.startswith("seed"):
        raise ValueError(
            f"{folder} is no folder of a run; expected <results>/runs/<arm>/seed<n>, from the project's folder"
        )
    return "/".join(results), arm, seed
