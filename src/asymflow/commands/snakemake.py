"""What the verbs have in common: the configuration that Snakemake would read, and Snakemake itself."""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asymflow.config.experiment import Experiment

FILES = ("workflow/config.yaml", "workflow/studies.yaml", "workflow/claims.yaml")  # those that the Snakefile names


def add_configuration(parser: argparse.ArgumentParser) -> None:
    """The options that say which experiment is meant: where the project lies, and overlays as Snakemake takes them."""
    parser.add_argument(
        "--project", type=Path, default=Path(), help="folder of the Snakefile; the current one if left out"
    )
    parser.add_argument("--configfile", nargs="+", default=[], metavar="FILE", help="overlays, as snakemake takes them")
    parser.add_argument(
        "--config", nargs="+", default=[], metavar="KEY=VALUE", help="single keys, as snakemake takes them"
    )


def project(arguments: argparse.Namespace) -> Path:
    """The folder of the Snakefile. Raises ValueError when there is none."""
    folder = arguments.project
    if not (folder / "Snakefile").is_file():
        raise ValueError(
            f"{folder.resolve()} has no Snakefile; give the command in the project's folder, or name that by --project"
        )
    return folder


def experiment(arguments: argparse.Namespace) -> "Experiment":
    """The experiment of the project with the given overlays. Raises ValueError for a mistake in any of them.

    Contradictions between sections are for whoever makes something to find: Snakemake looks for them in what its target uses.
    """
    import yaml

    from asymflow.config.loading import load  # takes a second

    folder = project(arguments)
    files = [folder / file for file in (*FILES, *arguments.configfile)]
    for key in arguments.config:
        if "=" not in key:
            raise ValueError(f"--config has {key!r}; expected KEY=VALUE, such as seeds=3")
    given = {}
    for key, _, value in (pair.partition("=") for pair in arguments.config):
        try:
            given[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ValueError(
                f"--config {key}={value}: the value is not YAML: {getattr(error, 'problem', error)}"
            ) from error
    return load(files, given or None, words=None)


def make(arguments: argparse.Namespace, *targets: str) -> int:
    """Lets Snakemake make the targets; its exit status. Raises ValueError where it is not installed."""
    found = shutil.which("snakemake", path=str(Path(sys.executable).parent)) or shutil.which("snakemake")
    if found is None:
        raise ValueError("snakemake is not installed; in a clone, pip install '.[pipeline]'")
    words = [found, *targets]
    words += ["--configfile", *arguments.configfile] if arguments.configfile else []
    words += ["--config", *arguments.config] if arguments.config else []
    return subprocess.run(words, cwd=project(arguments), check=False).returncode
