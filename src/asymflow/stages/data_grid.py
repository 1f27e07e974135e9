"""Shows training images, one column for each class; a class that has fewer leaves a gap.

python -m asymflow.stages.data_grid --data results/data/train.json --picture OUT.png
"""

import argparse
from pathlib import Path

import numpy as np

from asymflow.command import run
from asymflow.data.reader import ShardReader
from asymflow.report import pictures

ROWS, COLUMNS = 6, 10  # at most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="index of a split")
    parser.add_argument("--picture", type=Path, required=True)
    arguments = parser.parse_args()
    reader = ShardReader(arguments.data)
    columns = min(len(reader.classes), COLUMNS)
    of_class = [(reader.labels == label).nonzero().flatten()[:ROWS].tolist() for label in range(columns)]
    rows = max(map(len, of_class))
    shown = np.full((rows * columns, reader.image_size, reader.image_size, 3), 255, np.uint8)
    for column, numbers in enumerate(of_class):
        if numbers:
            shown[column : len(numbers) * columns : columns] = reader.images(numbers).permute(0, 2, 3, 1).numpy()
    picture = pictures.grid(shown, columns)
    pictures.save(pictures.enlarge(picture, 2), arguments.picture)


if __name__ == "__main__":
    run(main)
