"""Shows training images, one column for each class.

python -m asymflow.stages.data_grid --data results/data/train.json --picture OUT.png
"""

import argparse
from pathlib import Path

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
    rows = min(map(len, of_class))
    shown = [of_class[column][row] for row in range(rows) for column in range(columns)]
    picture = pictures.grid(reader.images(shown).permute(0, 2, 3, 1).numpy(), columns)
    pictures.save(pictures.enlarge(picture, 2), arguments.picture)


if __name__ == "__main__":
    run(main)
