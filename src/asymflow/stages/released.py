"""Gathers the table of released weights: what was measured, what its makers published, and the difference.

python -m asymflow.stages.released --releases JSON --out results/released.csv
"""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from asymflow import documents
from asymflow.command import long_arguments, run
from asymflow.report import tables
from asymflow.report.study import of_another


def main() -> None:
    parser = long_arguments(__doc__)
    parser.add_argument("--releases", required=True, help="every release, and where its files lie, as JSON")
    parser.add_argument("--root", type=Path, default=Path(), help="what these files are named from")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    rows = [row(name, release, arguments.root) for name, release in json.loads(arguments.releases).items()]
    for missing in (text for text in (entry["missing"] for entry in rows) if text):
        print(f"not in the table: {missing}", flush=True)
    tables.write(pd.DataFrame(rows), arguments.out)


def row(name: str, release: dict[str, Any], root: Path = Path()) -> dict[str, Any]:
    """One release: what it is, then its numbers; without its file what is missing and where it is to be had."""
    described = {"release": name, "layout": release["layout"], "rank": release["rank"], "protocol": release["protocol"]}
    published = {f"published_{metric}": value for metric, value in release["published"].items()}
    source = {"published_source": release["source"]}
    if not release["card"]:
        return described | published | source | {"missing": f"{release['file']}; get it from {release['get']}"}
    card, sampled = (
        documents.read(root / release[name], kind) for name, kind in (("card", "score"), ("sampled", "sampling"))
    )
    if card["file"] != sampled["file"]:
        raise of_another(root / release["card"], "samples", root / release["sampled"])
    measured = card["metrics"]
    return {
        **described,
        "solver": release["solver"],
        "steps": release["steps"],
        **tables.strength(sampled["guidance"]),
        "samples": card["samples"],
        **measured,
        **published,
        **{f"difference_{m}": measured[m] - value for m, value in release["published"].items() if m in measured},
        "reference": card["reference"],
        "reference_checksum": card["reference_checksum"],
        "weights_checksum": sampled["model"],
        "machine": sampled["machine"],
        "code_sample": sampled["code"],
        "code_protocol": card["code"],
        "commit": card["commit"],
        **source,
        "missing": "",
    }


if __name__ == "__main__":
    run(main)
