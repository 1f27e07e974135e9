"""Gathers the verdicts on all claims into one table and one figure.

python -m asymflow.stages.claims --claims results/claims/low_rank.json ... --table OUT.csv --figure OUT.png
"""

import argparse
from pathlib import Path

import pandas as pd

from asymflow import documents
from asymflow.command import run
from asymflow.report import claims, style, tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--claims", type=Path, nargs="+", required=True, help="what stage claim says of each")
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--figure", type=Path, nargs="+", required=True, help="one file for each format")
    arguments = parser.parse_args()
    rows = [documents.read(path, "claim")["row"] for path in arguments.claims]
    tables.write(pd.DataFrame(rows), arguments.table)
    style.save(claims.forest(rows), arguments.figure)


if __name__ == "__main__":
    run(main)
