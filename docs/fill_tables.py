"""Fills the tables of README and pages from docs/tables/*.csv, so that no page can disagree with what was measured.

    python docs/fill_tables.py

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; NAME is a function of this module that gives its lines.
"""

import re
from pathlib import Path

import pandas as pd

from asymflow.report import tables

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/index.md", "docs/results.md", "docs/mechanism.md")
BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
BASES = {"pca": "PCA", "random": "random directions", "identity": "single pixel values"}
SHORT = ("rank0", "rank2", "rank8", "rank32", "rank_full", "random8")


def main() -> None:
    for page in PAGES:
        path = ROOT / page
        path.write_text(filled(path.read_text()))


def filled(page: str) -> str:
    """A page with each of its tables made anew from the CSV. Raises KeyError for a table that nobody makes."""
    makers = {maker.__name__: maker for maker in (rank_sweep, rank_sweep_short, error_by_noise)}
    return BLOCK.sub(lambda match: "\n".join([match[1], *makers[match[2]](), "", match[3]]), page)


def rank_sweep() -> list[str]:
    """Every arm of the rank sweep; crops, recall and seams unguided."""
    lines = _head("arm", "predicts", "fid_local, unguided", "guided", "patch_fid_local", "recall_local", "seams")
    guided = _by_arm("guided")
    for arm, row in _by_arm("unguided").iterrows():
        others = f"{row.patch_fid_local:.1f} | {row.recall_local:.2f} | {row.seams:.1f}"
        lines.append(f"| {arm} | {_predicts(row)} | {_distance(row)} | {_distance(guided.loc[arm])} | {others} |")
    return lines


def rank_sweep_short() -> list[str]:
    """Six arms of the rank sweep, and what three seeds say of the same arms."""
    lines = _head(
        "the network predicts", "unguided", "guided", "three seeds, unguided: difference to data prediction, 95 %"
    )
    guided, seeds = _by_arm("guided"), _summary("fid_local")
    for arm, row in _by_arm("unguided").loc[list(SHORT)].iterrows():
        difference = _difference(seeds.loc[arm]) if arm in seeds.index else "not run"
        lines.append(f"| {_predicts(row)} | {_distance(row)} | {_distance(guided.loc[arm])} | {difference} |")
    return lines


def error_by_noise() -> list[str]:
    """Seven ranks with three seeds each, and their differences from data prediction."""
    lines = _head(
        "arm", "fid_local, mean of 3", "difference to rank0", "recall_local", "seams", "difference of velocity_error"
    )
    recall, seams, error = (_summary(name) for name in ("recall_local", "seams", "velocity_error"))
    for arm, row in _summary("fid_local").iterrows():
        others = f"{recall['mean'][arm]:.2f} | {seams['mean'][arm]:.1f} | {_difference(error.loc[arm], digits=4)}"
        lines.append(f"| {arm} | {row['mean']:.1f} | {_difference(row)} | {others} |")
    return lines


def _by_arm(sampling: str) -> pd.DataFrame:
    rows = tables.read(ROOT / "docs/tables/rank_sweep.csv")
    return rows[rows.sampling == sampling].set_index("arm")


def _summary(metric: str) -> pd.DataFrame:
    rows = tables.read(ROOT / "docs/tables/error_by_noise_summary.csv")
    return rows[rows.metric == metric].set_index("arm")


def _predicts(row: pd.Series) -> str:
    named = {"0": "data (rank 0, JiT)", "full": "velocity (all 192)"}
    return named.get(rank := row["target.rank"], f"rank {rank}, {BASES[row['target.basis']]}")


def _distance(row: pd.Series) -> str:
    return f"{row.fid_local:.1f} ± {row.fid_local_error:.1f}"


def _difference(row: pd.Series, digits: int = 1) -> str:
    """A paired difference with its interval; nothing for the reference itself."""
    if row.name == row.reference:
        return ""
    return f"{row.difference:.{digits}f} ({row.difference_low:.{digits}f} to {row.difference_high:.{digits}f})"


def _head(*names: str) -> list[str]:
    return ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]


if __name__ == "__main__":
    main()
