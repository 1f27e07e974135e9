"""Draws the first directions of each basis of patch space, and how much of the patches' energy they hold.

python -m asymflow.stages.subspace_figure --bases pca_p16.safetensors random_p16.safetensors --figure OUT.png OUT.svg
"""

import argparse
from pathlib import Path

from safetensors.numpy import load_file

from asymflow.report import figures, style


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bases", type=Path, nargs="+", required=True)
    parser.add_argument("--figure", type=Path, nargs="+", required=True, help="one file for each format")
    arguments = parser.parse_args()
    loaded = {path.stem.split("_")[0]: load_file(path) for path in arguments.bases}
    bases = {kind: (tensors["basis"], tensors["spectrum"]) for kind, tensors in loaded.items()}
    style.save(figures.subspaces(bases), arguments.figure)


if __name__ == "__main__":
    main()
