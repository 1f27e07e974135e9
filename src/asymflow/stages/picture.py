"""Shows the first samples of one run, one column for each class.

python -m asymflow.stages.picture --samples RUN/guided/samples.npy --data results/data/train.json --picture OUT.png
"""

import argparse
from pathlib import Path

from asymflow import documents
from asymflow.command import run
from asymflow.data import drawn
from asymflow.report import pictures

ROWS, COLUMNS = 6, 10  # at most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="index of a split, for the number of classes")
    parser.add_argument("--picture", type=Path, required=True)
    arguments = parser.parse_args()
    images = drawn.load(arguments.samples)
    classes = len(documents.read(arguments.data, "split")["classes"])
    columns = min(classes, COLUMNS)
    shown = [i for i in range(len(images)) if i % classes < columns][: ROWS * columns]
    pictures.save(pictures.enlarge(pictures.grid(images[shown], columns), 2), arguments.picture)


if __name__ == "__main__":
    run(main)
