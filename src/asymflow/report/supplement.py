"""The tables of the supplement: those of studies over seeds, whole ones as their files have them, origins, claims."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from asymflow.report import metrics, numbers, tables
from asymflow.report.study import Study

ARROWS = {"lower": " ↓", "higher": " ↑", "": ""}
ORIGINS = ("commit", "machine", "evaluator")  # columns that say where numbers come from, with those of code
CODE = "code_"
NUMBERS = ("mean", "std", "difference", "difference_low", "difference_high")  # columns of a summary that are shown


class Head(NamedTuple):
    """The head of a column."""

    text: str
    says: str = ""  # more of it, where it needs that


class Cell(NamedTuple):
    """What a cell shows, and what it is sorted by, where that is something else."""

    text: str
    value: float | None = None
    mark: str = ""  # the class of its element: best, or a verdict
    link: str = ""  # where it leads


class Grid(NamedTuple):
    """A table of a page."""

    heads: list[Head]
    rows: list[list[Cell]]


def over_seeds(table: pd.DataFrame, summary: pd.DataFrame, study: Study) -> Grid:
    """A row for each arm and setting, a column for each metric: mean and standard deviation over seeds, the best marked.

    A single seed has the standard error of its samples instead, where it was measured. Beside the first metric stands the
    difference from the reference, with its interval.
    """
    first, names = metrics.first(table), metrics.names(table)
    summary = summary.astype(dict.fromkeys(NUMBERS, float))  # a column of whole numbers is read as such
    entries = {(row.arm, row.sampling, row.metric): row for row in summary.itertuples(index=False)}
    own = tables.ours(table).groupby(["arm", "sampling"], sort=False).first()
    best = {(setting, name): _best(summary, setting, name) for setting in study.samplings for name in names}
    heads, rows = [Head("arm"), Head("setting")], []
    for name in names:
        heads.append(Head(name + ARROWS[metrics.metric(name).better], metrics.metric(name).label))
        heads += [Head(f"less that of {study.reference}", "seed by seed")] if name == first else []
    for arm, setting in own.index:
        row = [Cell(arm), Cell(setting)]
        for name in names:
            entry = entries[arm, setting, name]
            error = entry.std if entry.seeds > 1 else own.loc[arm, setting].get(f"{name}_error", float("nan"))
            mark = "best" if entry.mean == best[setting, name] else ""
            row.append(Cell(numbers.with_error(entry.mean, error), entry.mean, mark))
            if name == first:
                away = numbers.between(entry.difference, entry.difference_low, entry.difference_high)
                row.append(Cell("reference" if arm == study.reference else away, entry.difference))
        rows.append(row)
    return Grid(heads, rows)


def _best(summary: pd.DataFrame, setting: str, name: str) -> float | None:
    """The best mean of a metric under a setting, of several; None where neither direction is better."""
    means = summary.loc[(summary["sampling"] == setting) & (summary["metric"] == name), "mean"]
    better = metrics.metric(name).better
    return (means.min() if better == "lower" else means.max()) if better and len(means) > 1 else None


def whole(path: Path) -> Grid:
    """A table as its file has it, cell by cell, without the checksum. Raises ValueError when it is damaged."""
    tables.read(path)
    cells = pd.read_csv(path, dtype=str, keep_default_na=False).drop(columns=tables.CHECKSUM)
    return Grid([Head(name) for name in cells], [[Cell(text) for text in row] for row in cells.itertuples(index=False)])


def listed(studies: list[Study]) -> Grid:
    """All studies: what each asks, and how much of it there is."""
    heads = [Head("study"), Head("question"), Head("arms"), Head("settings"), Head("seeds")]
    rows = [
        [
            Cell(study.name, link=f"#{study.name}"),
            Cell(study.title),
            *(Cell(str(len(of)), len(of)) for of in (study.arms, study.samplings, study.seeds)),
        ]
        for study in studies
    ]
    return Grid(heads, rows)


def origins(table: pd.DataFrame) -> dict[str, list[str]]:
    """Where the numbers of a table come from, as it says itself: commits, machines, the evaluator, digests of code."""
    own = tables.ours(table)
    columns = [name for name in own if name in ORIGINS or name.startswith(CODE)]
    return {_origin(name): list(dict.fromkeys(map(str, own[name].dropna()))) for name in columns}


def _origin(column: str) -> str:
    return f"code of {column.removeprefix(CODE)}" if column.startswith(CODE) else column


def decided(claims: pd.DataFrame) -> Grid:
    """The table of claims: what each says and where, what was published, what was measured, and the verdict."""
    heads = [
        Head("claim"), Head("verdict"), Head("measured", "the difference; negative is as claimed"),
        Head("of interest", "the smallest difference of interest"), Head("seeds"), Head("metric"),
        Head("published"), Head("source"),
    ]  # fmt: skip
    rows = [
        [
            Cell(row.says),
            Cell(row.verdict, mark=row.verdict.replace(" ", "-")),
            Cell(numbers.between(*map(float, (row.mean, row.low, row.high))), row.mean),
            Cell(f"{row.smallest:g}", row.smallest),
            Cell(str(row.seeds), row.seeds),
            Cell(row.metric),
            Cell("" if pd.isna(row.published) else str(row.published)),
            Cell(row.source),
        ]
        for row in claims.itertuples(index=False)
    ]
    return Grid(heads, rows)
