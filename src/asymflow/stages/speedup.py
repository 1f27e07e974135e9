"""Says how much sooner each arm of a study is as good as its reference in the end.

python -m asymflow.stages.speedup --reference rank0 --table results/convergence.csv --out OUT.csv
"""

import argparse
from pathlib import Path

from asymflow.command import run
from asymflow.report import tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", required=True, help="the arm that the others are compared with")
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    tables.write(tables.speedup(tables.read(arguments.table), arguments.reference), arguments.out)


if __name__ == "__main__":
    run(main)
