"""Says how a claim was decided: the row of its last look.

python -m asymflow.stages.claim --scale results --look results/claims/low_rank/look1.json --out results/claims/low_rank.json
"""

import argparse
from pathlib import Path
from typing import Any

from asymflow import documents
from asymflow.command import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", required=True, help="what the runs were trained at: the folder of results")
    parser.add_argument("--look", type=Path, required=True, help="the last look at the claim")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    documents.write(arguments.out, "claim", {"row": row(documents.read(arguments.look, "look"), arguments.scale)})


def row(look: dict[str, Any], scale: str) -> dict[str, Any]:
    """The row of a look in the table of claims: of several comparisons that with its verdict which is worst for the claim."""
    claim, means = look["claim"], look["means"]
    deciding = [i for i, verdict in enumerate(look["verdicts"]) if verdict == look["verdict"]]
    worst = max(deciding, key=lambda i: abs(means[i]) if "=" in claim["holds_if"] else means[i])
    low, high = look["intervals"][worst]
    return {
        "claim": look["name"], "says": claim["says"], "source": claim["source"], "published": claim["published"],
        "metric": look["metric"], "holds_if": claim["holds_if"], "mean": means[worst], "low": low, "high": high,
        "smallest": claim["smallest"], "seeds": len(look["seeds"]), "comparisons": len(means),
        "interval_confidence": look["interval_confidence"], "scale": scale, "verdict": look["verdict"],
        "code": look["code"], "commit": look["commit"],
    }  # fmt: skip


if __name__ == "__main__":
    run(main)
