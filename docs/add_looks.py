"""Puts looks at claims into docs/tables/claims.csv: each takes the row of its claim, and says at which commit it was taken.

    python docs/add_looks.py results/claims/alignment/look1.json ...

Claims are decided over weeks, on the machine that has the time; each look is a whole file of `results/claims/`.
"""

import argparse
from pathlib import Path

import pandas as pd
import yaml

from asymflow import documents
from asymflow.report import tables
from asymflow.stages.claim import row

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "docs/tables/claims.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("looks", type=Path, nargs="+")
    parser.add_argument("--scale", default="results", help="what the runs were trained at: the folder of results")
    arguments = parser.parse_args()
    rows = [row(documents.read(path, "look"), arguments.scale) for path in arguments.looks]
    tables.write(joined(tables.read(TABLE), rows), TABLE)


def joined(table: pd.DataFrame, rows: list[dict[str, object]]) -> pd.DataFrame:
    """The table with these rows in place of those of the same claims, in the order of workflow/claims.yaml.

    Raises ValueError for a claim that is not in that file, and for rows of other columns.
    """
    new = pd.DataFrame(rows)
    if differing := sorted(set(table) ^ set(new)):
        raise ValueError(f"the looks and {TABLE} differ in the columns {', '.join(differing)}: take the looks anew")
    claims = yaml.safe_load((ROOT / "workflow/claims.yaml").read_text(encoding="utf-8"))["claims"]
    order = {name: place for place, name in enumerate(claims)}
    if unknown := sorted(set(new["claim"]) - set(order)):
        raise ValueError(f"workflow/claims.yaml has no claim {', '.join(unknown)}")
    both = pd.concat([table[~table["claim"].isin(new["claim"])], new[list(table)]], ignore_index=True)
    return both.sort_values("claim", key=lambda names: names.map(order)).reset_index(drop=True)


if __name__ == "__main__":
    main()
