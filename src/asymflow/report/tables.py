"""Tables: one row for each arm, seed and sampling setting, and a summary over seeds."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xxhash

from asymflow.files import writing
from asymflow.measured import METRICS
from asymflow.report import metrics
from asymflow.report.intervals import interval
from asymflow.report.study import Study

CHECKSUM = "checksum"  # column of a table that stands for all other cells
NAMES = ("arm", "sampling", "claim", "reference", "first_sampling")  # columns that hold names, whatever these look like


def write(table: pd.DataFrame, path: Path) -> None:
    """Writes a table as CSV, whole or not at all, with a checksum of all its cells in its last column."""
    text = table.to_csv(index=False, float_format="%.6g")
    text = table.assign(**{CHECKSUM: _checksum(text)}).to_csv(index=False, float_format="%.6g")
    with writing(path) as file:
        file.write(text.encode())


def read(path: Path) -> pd.DataFrame:
    """A table as it was written. Raises ValueError when a cell, a row or a column of it is another than then."""
    try:
        cells = pd.read_csv(path, dtype=str, keep_default_na=False)
        sums = set(cells.pop(CHECKSUM)) if CHECKSUM in cells else set()
        whole = sums == {_checksum(cells.to_csv(index=False))}
    except (ValueError, KeyError):
        whole = False
    if not whole:
        raise ValueError(
            f"{path} is cut, damaged or was edited: its cells do not fit its checksum; delete it and give the same command again"
        )
    table = pd.read_csv(path).drop(columns=CHECKSUM)
    names = cells[[name for name in NAMES if name in cells]]
    return table.assign(**names.where(names != ""))  # an arm may be called 50, or nan


def check(table: pd.DataFrame, study: Study, path: Path) -> None:
    """Raises ValueError unless the table, read from a path, has the rows of this study."""
    keys = ["arm", "seed", "sampling"]
    rows = set(ours(table)[keys].itertuples(index=False, name=None)) if {*keys} <= {*table} else set()
    if rows != {(arm, seed, sampling) for arm in study.arms for seed in study.seeds for sampling in study.samplings}:
        raise ValueError(
            f"{path} has other arms, seeds or sampling settings than study {study.name}; delete it and give the same command"
            " again"
        )


def _checksum(text: str) -> str:
    return xxhash.xxh3_64_hexdigest(text.encode())


def gather(study: Study, published: list[pd.DataFrame], systems: list[pd.DataFrame]) -> pd.DataFrame:
    """The table of a study: what was varied, what was measured, what it cost, what made it, and what was published.

    `published` has numbers for our arms, joined by the keys that it shares with them; `systems` has rows of its own, which
    have no seed. Raises ValueError when a score lacks a metric that another has - a missing number is an error, not a blank -
    and KeyError when it has one that is not declared.
    """
    rows, measured = [], set()
    for arm, fields in _varying(study.arms).items():
        for seed in study.seeds:
            trained = study.trained(arm, seed)
            for sampling, settings in _varying(study.samplings).items():
                sampled = study.sampled(arm, seed, sampling, trained)
                scores = {judge: study.score(judge, arm, seed, sampling, sampled) for judge in study.judges}
                measures = {name: value for score in scores.values() for name, value in score["metrics"].items()}
                errors = {
                    f"{name}_error": value
                    for score in scores.values()
                    for name, value in score.get("errors", {}).items()
                }
                not_run = {name: why for score in scores.values() for name, why in score.get("not_run", {}).items()}
                searched = study.search(arm, seed, sampling, trained) if study.searched(sampling) else None
                rows.append(
                    {"arm": arm, "seed": seed, "sampling": sampling}
                    | fields
                    | {f"sampling.{key}": value for key, value in settings.items()}
                    | measures
                    | errors
                    | _costs(trained, scores, sampled)
                    | (_search(searched) if searched else {})
                    | {f"not_run_{name}": reason for name, reason in not_run.items()}
                )
                measured.add(tuple(measures))
    if len(measured) > 1:
        differing = sorted(set.union(*map(set, measured)) - set.intersection(*map(set, measured)))
        raise ValueError(
            f"the runs of study {study.name} were scored with different metrics: {', '.join(differing)} are not in all;"
            " delete the scores that lack them and give the same command again"
        )
    unknown = [name for name in measured.pop() if metrics.base(_mean(name)) not in METRICS]
    if unknown:
        raise KeyError(f"the judges of study {study.name} measured {', '.join(unknown)}; declare it in measured.py")
    table = pd.DataFrame(rows)
    for frame in published:
        table = table.merge(frame, on=[key for key in ("arm", "sampling") if key in frame], how="left")
    return pd.concat([table.astype({"seed": "Int64"}), *systems], ignore_index=True)


def _mean(name: str) -> str:
    """The metric whose interval's end this is, or the metric itself."""
    return next((name.removesuffix(end) for end in metrics.ENDS if name.endswith(end)), name)


def _varying(entries: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The fields in which the entries differ, for each entry; None where an entry has no such part, as an arm without adapter."""
    everything = dict.fromkeys(name for fields in entries.values() for name in fields)
    names = [name for name in everything if len({str(fields.get(name)) for fields in entries.values()}) > 1]
    return {entry: {name: fields.get(name) for name in names} for entry, fields in entries.items()}


def _costs(trained: dict[str, Any], scores: dict[str, dict[str, Any]], sampled: dict[str, Any]) -> dict[str, Any]:
    distribution, guidance = scores["distribution"], sampled["guidance"]
    return {
        "samples": distribution["samples"],
        "evaluator": distribution["evaluator"],
        "guidance": guidance["kind"],
        **strength(guidance),
        "weights": sampled["weights"],
        "images_seen": sampled["images_seen"],
        "set_images": trained["set_images"],
        "train_seconds": trained["seconds"],
        "sample_seconds": sampled["seconds"],
        "parameters": trained["parameters"],
        "gflops_per_image": trained["gflops_per_image"],
        "peak_memory_mib": trained["peak_memory_mib"],
        "machine": trained["machine"],
        "code_train": trained["code"],
        "code_sample": sampled["code"],
        **{f"code_{judge}": score["code"] for judge, score in scores.items()},
        "commit": trained["commit"],
    }


def strength(guidance: dict[str, Any]) -> dict[str, float | None]:
    """How strongly samples were guided, and up to which noise level; None where a kind of guidance has no such number."""
    end = guidance["interval"][1] if "interval" in guidance else None
    return {"guidance_scale": guidance.get("scale"), "interval_end": end}


def _search(search: dict[str, Any]) -> dict[str, Any]:
    """What a guidance search cost, in evaluations of the network, and what its grid would have."""
    return {
        "search_points": len(search["candidates"]),
        "grid_points": search["grid_points"],
        "distinct_points": search["distinct_points"],
        "search_evaluations": search["evaluations"],
        "share_of_grid": search["evaluations"] / search["grid_evaluations"],
        "share_of_distinct": search["evaluations"] / search["distinct_evaluations"],
        "search_seconds": search["seconds"],
    }


def summarise(table: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Mean and spread of each metric over seeds, and two paired differences: from the reference arm, and from the first setting.

    One row for each arm, sampling setting and metric. `difference` compares arms under one setting, `change` the settings of
    one arm. Both are taken seed by seed (the same seed means the same data order, start and sampling noise), with their
    standard deviation and the ends of their 95 % t-interval; a single seed has neither.
    """
    table = ours(table)
    rows = []
    for metric in metrics.names(table):
        values = table.pivot(index="seed", columns=["arm", "sampling"], values=metric)
        for arm, sampling in table[["arm", "sampling"]].drop_duplicates().itertuples(index=False):
            own, first = values[arm, sampling], table["sampling"].iloc[0]
            rows.append(
                {"arm": arm, "sampling": sampling, "metric": metric, "seeds": len(own)}
                | {"mean": own.mean(), "std": own.std(), "reference": reference}
                | _spread("difference", own - values[reference, sampling])
                | {"first_sampling": first}
                | _spread("change", own - values[arm, first])
            )
    return pd.DataFrame(rows)


def _spread(name: str, values: pd.Series) -> dict[str, float]:
    low, high = interval(values)
    return {name: values.mean(), f"{name}_std": values.std(), f"{name}_low": low, f"{name}_high": high}


def ours(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that were measured here."""
    return table[table["seed"].notna()]


def speedup(table: pd.DataFrame, reference: str) -> pd.DataFrame:
    """How soon each arm is as good as the reference in the end, by the first metric, for each seed and over seeds.

    `images_to_equal` is where its curve first comes down to the reference's last value (straight lines between snapshots,
    in the logarithm of the metric), `share` that number by the reference's images, `speedup` its inverse. The rows of all
    seeds have their mean and the ends of the 95 % t-interval of the share. An arm that never gets there has infinity.
    """
    metric, rows = metrics.first(table), []
    curves = {key: block.sort_values("images_seen") for key, block in ours(table).groupby(["arm", "seed"], sort=False)}
    for arm in dict.fromkeys(arm for arm, _ in curves if arm != reference):
        for seed in [seed for name, seed in curves if name == arm]:
            last = curves[reference, seed].iloc[-1]
            reached = _crossing(curves[arm, seed]["images_seen"], curves[arm, seed][metric], float(last[metric]))
            share = reached / last["images_seen"]
            rows.append(
                {"arm": arm, "seed": str(seed), "images_to_equal": reached, "share": share, "speedup": 1 / share}
            )
        shares = pd.Series([row["share"] for row in rows if row["arm"] == arm])
        low, high = interval(shares)
        rows.append(
            {"arm": arm, "seed": "all", "share": shares.mean(), "share_std": shares.std(), "share_low": low}
            | {"share_high": high, "speedup": 1 / shares.mean()}
        )
    published = [column for column in table if column.startswith("published")]
    speedups = pd.DataFrame(rows).assign(metric=metric, reference=reference)
    return speedups.merge(table[["arm", *published]].drop_duplicates(), on="arm", how="left")


def _crossing(images: pd.Series, values: pd.Series, level: float) -> float:
    """Where the curve first comes down to the level."""
    points = list(zip(images, np.log(values), strict=True))
    if points[0][1] <= np.log(level):
        return float(points[0][0])
    for (x, y), (x_next, y_next) in pairwise(points):
        if y_next <= np.log(level):
            return float(x + (x_next - x) * (y - np.log(level)) / (y - y_next))
    return float("inf")
