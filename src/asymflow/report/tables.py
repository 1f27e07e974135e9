"""Tables: one row for each arm, seed and sampling setting, and a summary over seeds."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from scipy import stats

CONFIDENCE = 0.95


def gather(study: dict[str, Any], published: list[pd.DataFrame]) -> pd.DataFrame:
    """The table of a study: what was varied, what was measured, what it cost, what made it, and what was published.

    Raises KeyError when a score lacks a metric that another has: a missing number is an error, not a blank.
    """
    rows = []
    for arm, fields in _varying(study["arms"]).items():
        for seed in study["seeds"]:
            run = Path(study["results"], "runs", arm, f"seed{seed}")
            trained = json.loads((run / "train.json").read_text())
            for sampling, settings in _varying(study["samplings"]).items():
                scores = json.loads((run / sampling / "scores.json").read_text())
                rows.append(
                    {"arm": arm, "seed": seed, "sampling": sampling}
                    | fields
                    | {f"sampling.{key}": value for key, value in settings.items()}
                    | scores["metrics"]
                    | _costs(trained, scores, json.loads((run / sampling / "samples.json").read_text()))
                )
    if len({tuple(row) for row in rows}) > 1:
        raise KeyError(f"the runs of study {study['name']} were scored with different metrics; score them again")
    table = pd.DataFrame(rows)
    for frame in published:
        table = table.merge(frame, on="arm", how="left")
    return table


def _varying(entries: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The fields in which the entries differ, for each entry."""
    names = [
        name for name in next(iter(entries.values())) if len({str(fields[name]) for fields in entries.values()}) > 1
    ]
    return {entry: {name: fields[name] for name in names} for entry, fields in entries.items()}


def _costs(trained: dict[str, Any], scores: dict[str, Any], sampled: dict[str, Any]) -> dict[str, Any]:
    return {
        "samples": scores["samples"],
        "evaluator": scores["evaluator"],
        "images_seen": trained["images"],
        "train_seconds": trained["seconds"],
        "sample_seconds": sampled["seconds"],
        "parameters": trained["parameters"],
        "machine": trained["machine"],
        "code_train": trained["code"],
        "code_sample": sampled["code"],
        "code_score": scores["code"],
        "commit": trained["commit"],
    }


def metric_names(table: pd.DataFrame) -> list[str]:
    """The metric columns: what lies between the settings and the number of samples."""
    columns = list(table.columns)
    first = next(i for i, name in enumerate(columns) if name.startswith(("fid", "fd")))
    return columns[first : columns.index("samples")]


def summarise(table: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Mean and spread of each metric over seeds, and its paired difference from the reference arm.

    One row for each arm, sampling setting and metric. The difference is taken seed by seed (the same seed means the same
    data order, start and sampling noise), with its standard deviation and the ends of its 95 % t-interval; a single seed
    has neither.
    """
    rows = []
    for sampling, block in table.groupby("sampling", sort=False):
        for metric in metric_names(table):
            values = block.pivot(index="seed", columns="arm", values=metric)
            for arm in block["arm"].unique():
                difference = values[arm] - values[reference]
                low, high = _interval(difference)
                rows.append(
                    {
                        "arm": arm,
                        "sampling": sampling,
                        "metric": metric,
                        "seeds": len(values),
                        "mean": values[arm].mean(),
                        "std": values[arm].std(),
                        "reference": reference,
                        "difference": difference.mean(),
                        "difference_std": difference.std(),
                        "difference_low": low,
                        "difference_high": high,
                    }
                )
    return pd.DataFrame(rows)


def _interval(values: pd.Series) -> tuple[float, float]:
    """The t-interval of the mean; not a number for a single value."""
    n = len(values)
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * values.std() / n**0.5 if n > 1 else float("nan")
    return values.mean() - reach, values.mean() + reach
