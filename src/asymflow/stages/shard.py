"""Packs the images into shards: a training, an evaluator and a held-out split.

python -m asymflow.stages.shard --config JSON --out-dir results/data --processes 2
"""

import argparse
from pathlib import Path

from asymflow.command import run
from asymflow.config.data import Data
from asymflow.data.shards import write_splits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="the data section as JSON")
    parser.add_argument(
        "--out-dir", type=Path, required=True, help="folder for train.json, evaluator.json, heldout.json"
    )
    parser.add_argument("--processes", type=int, required=True, help="processes that draw or decode images")
    arguments = parser.parse_args()
    write_splits(Data.model_validate_json(arguments.config), arguments.out_dir, arguments.processes)


if __name__ == "__main__":
    run(main)
